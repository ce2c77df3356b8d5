"""What failed -> what it means and what to do, by the table in diagnoses.json. Pure.

vars/kanikoFailure.groovy interprets the same table; tests/vectors/failures.json holds what both must yield. Patterns
mean the same in Python and Java: ASCII classes, lines that end at line feeds only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jenkins_kaniko import resources

SHOWN_LINES = 15
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LINE_END = re.compile(r"\r\n|\r|\n")
ERROR = re.compile(
    r"error (?:building image|pushing image|checking push permissions|resolving relative paths|changing to root dir)"
    r"|kaniko should only|FATA\[|panic: "
)
"""How Kaniko's failures begin, on a line of their own; what a RUN prints seldom does."""
MISUSE = "Error: "
"""How a mistake in its arguments begins, which Kaniko tells before its usage."""
ELSEWHERE = re.compile(r"error (?:pushing|checking)|Error: ")
"""The failures that are not in the Dockerfile."""
ANNOUNCEMENT = r"^INFO\[[^\]]+\] (?:Retrieving image manifest (.*)|((?i:ADD|COPY|RUN|USER|WORKDIR|ENV|VOLUME) .*))"
"""What Kaniko logs before it works on a stage (group 1, the base image) or an instruction (group 2)."""


@dataclass(frozen=True)
class Seen:
    """What is known of a failure.

    Attributes:
        log: of the engine; what follows its last word does not count.
        exit_code: of the engine.
        exception: class and message of what a Jenkins step threw, or what the cluster said of the pod; then the log
            does not count.
        dockerfile: its text.
        path: of the Dockerfile.
    """

    log: str = ""
    exit_code: int | None = None
    exception: str | None = None
    dockerfile: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What a failure means.

    Attributes:
        name: of the entry in diagnoses.json (docs/failures.md lists them); `unknown` where none fits.
        see: a public link, or the place in the documentation of this project.
        retry: whether to build again, and how.
        line: of the Dockerfile, with path and number; the instruction alone where the Dockerfile is not known.
        said: the engine's last word.
    """

    name: str
    cause: str
    fix: str
    see: str
    retry: Literal["never", "again", "less memory"]
    line: str | None
    said: str | None


def explanation(seen: Seen) -> str:
    """Return the text for people: cause, fix and link, above the last lines of the log."""
    found = diagnosis(seen)
    exit_code = "" if seen.exit_code is None else f" (exit code {seen.exit_code})"
    text = [seen.exception or f"build failed{exit_code}"]
    text += [f"  at {found.line}"] if found.line else []
    text += [f"  cause: {found.cause}", f"  fix: {found.fix}", f"  see: {found.see}"]
    text += [f"  the engine said: {found.said}"] if found.said not in (None, found.cause) else []
    last = until_last_word(seen.log)[-SHOWN_LINES:]
    text += ["last lines of the log:", *(f"  | {line}" for line in last)] if last else []
    return "\n".join(text)


def diagnosis(seen: Seen) -> Diagnosis:
    """Return what the first entry of the table says that fits; the last one fits everything."""
    log = until_last_word(seen.log)
    said = log[-1] if log else None
    texts = {"exception": seen.exception} if seen.exception else {"log": "\n".join(log)}
    if not seen.exception and (error := engine_error(log)):
        texts["error"] = error
    entry, groups = next(
        (entry, groups)
        for entry in resources.diagnoses()
        for match in entry["match"]
        if (groups := _groups_of(match, texts, seen.exit_code)) is not None
    )
    return Diagnosis(
        name=entry["name"],
        cause=_filled_in(entry["cause"], groups),
        fix=_filled_in(entry["fix"], groups),
        see=entry.get("see", f"docs/failures.md#{entry['name']}"),
        retry=entry["retry"],
        line=_place(log, seen),
        said=said,
    )


def engine_error(log: Sequence[str]) -> str | None:
    """Return the last word of a log that ends with it, if it is the engine's own and tells of a failure."""
    return log[-1] if log and (is_error(log[-1]) or log[-1].startswith(MISUSE)) else None


def is_error(line: str) -> bool:
    """Return whether this is how the engine ends, other than for a mistake in its arguments."""
    return bool(ERROR.match(line))


def until_last_word(log: str) -> list[str]:
    """Return the log without what comes after the engine's last word."""
    lines = lines_of(log)
    errors = [number for number, line in enumerate(lines) if is_error(line)]
    if errors:
        return lines[: errors[-1] + 1]
    usage = lines.index("Usage:") if "Usage:" in lines else 0
    if usage and lines[usage - 1].startswith(MISUSE):
        return lines[:usage]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def lines_of(text: str) -> list[str]:
    """Return the lines without colours and the blanks at their ends."""
    return [line.rstrip(" \t") for line in LINE_END.split(COLOUR.sub("", text))]


def _groups_of(match: Mapping[str, Any], texts: Mapping[str, str], exit_code: int | None) -> list[str] | None:
    text = texts.get(match["in"])
    other = match.get("exitCode") not in (None, exit_code)
    return None if text is None or other else _groups(match["pattern"], text)


def _groups(pattern: str, text: str) -> list[str] | None:
    """Return the groups of the first match, the whole of it first; None without one."""
    found = re.search(pattern, text, re.ASCII)
    return [group or "" for group in (found[0], *found.groups())] if found else None


def _filled_in(text: str, groups: Sequence[str]) -> str:
    for number, group in enumerate(groups[1:], start=1):
        text = text.replace(f"{{{number}}}", group)
    return text


# --- the Dockerfile's line -------------------------------------------------------------------------------------------


def _place(log: Sequence[str], seen: Seen) -> str | None:
    """Return where in the Dockerfile the engine was; None if it was elsewhere."""
    if not log or ELSEWHERE.match(log[-1]):
        return None
    announced = [groups[1:] for line in log if (groups := _groups(ANNOUNCEMENT, line))]
    if not seen.dockerfile:
        return announced[-1][1] or None if announced else None
    source = lines_of(seen.dockerfile)
    line = _failing_line(log[-1], announced, instructions(source))
    return f"{seen.path}:{line}: {_unindented(source[line - 1])}" if 0 < line <= len(source) else None


def _failing_line(said: str, announced: Sequence[list[str]], instructions: Sequence[tuple[int, str]]) -> int:
    """Return the line that the engine names, or that takes what it misses, or that it announced last; 0 if none."""
    if named := _groups(r"parse error on lines? (\d+)", said):
        return int(named[1])
    if missing := _groups(r"l?stat .*?([^/]+): no such file", said):
        taking = (line for line, text in instructions if _groups(r"^(?i:COPY|ADD)\s", text) and missing[1] in text)
        return next(taking, 0)
    if not announced or "failed to optimize instructions" in said:
        return 0
    same = [line for line, text in instructions if _is_announced(text, announced[-1])]
    times = announced.count(announced[-1])  # the same instruction may stand in several stages
    return same[min(times, len(same)) - 1] if same else 0


def _is_announced(instruction: str, announced: Sequence[str]) -> bool:
    base, text = announced
    if text:
        return compact(instruction) == compact(text)
    found = _groups(r"^(?i:FROM)\s+(?:--platform=\S+\s+)?([^\s$]*)(\$?)", instruction)
    if not found:
        return False
    return base.startswith(found[1]) if found[2] else base == found[1]


def instructions(source: Sequence[str]) -> list[tuple[int, str]]:
    """Return the instructions of a Dockerfile, continued lines joined, each with the line that it begins at."""
    found: list[tuple[int, str]] = []
    goes_on = False
    for number, line in enumerate(source, start=1):
        text = _unindented(line)
        if not text or text.startswith("#"):
            continue
        if goes_on:
            first, before = found.pop()
            found.append((first, f"{before} {text}"))
        else:
            found.append((number, text))
        goes_on = text.endswith("\\")
    return found


def _unindented(line: str) -> str:
    return line.lstrip(" \t")


def compact(instruction: str) -> str:
    """Return an instruction without what the engine changes when it announces one."""
    return re.sub(r"[\\ \t]+", "", instruction)
