"""A log -> what it tells of the failure in it. Pure.

It may be the engine's own log, or that of a whole Jenkins build: with timestamps, hidden notes, the lines of the
pipeline itself and, where branches ran side by side, their names before each line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jenkins_kaniko import resources
from jenkins_kaniko.explain import Seen, engine_error, is_error, lines_of, until_last_word

NOTE = re.compile(r"\x1b\[8mha:.*?\x1b\[0m")
"""What Jenkins hides in the log that it keeps."""
TIME = re.compile(r"(?:\[?\d{4}-\d\d-\d\dT[\d:.]+Z?\]? |\d\d:\d\d:\d\d(?:\.\d+)? +)")
PIPELINE = "[Pipeline] "
FINISHED = re.compile(r"(?:Finished: [A-Z_]+)?")
"""What a log of Jenkins ends with, after the error."""
BRANCH = re.compile(r"(\[[^\]]+\] )((?:INFO|WARN|ERRO|FATA)\[\d.*|error .*)")
EXIT_CODE = re.compile(r"(?:script returned |build failed \()exit code (\d+)")


def failure(log: str, exit_code: int | None = None, dockerfile: str | None = None, path: str | None = None) -> Seen:
    """Return what the log tells of its last failure.

    Args:
        exit_code: of the engine; where it is not known, what the log says of it.
        dockerfile: text of the Dockerfile.
        path: of the Dockerfile.
    """
    stamped = lines_of(NOTE.sub("", log))
    plain = [line[found.end() :] if (found := TIME.match(line)) else line for line in stamped]
    while plain and FINISHED.fullmatch(plain[-1]):
        plain.pop()
    lines = _of_one_branch([line for line in plain if not line.startswith(PIPELINE)])
    if exit_code is None:
        told = [found[1] for line in lines if (found := EXIT_CODE.search(line))]
        exit_code = int(told[-1]) if told else None
    text = "\n".join(lines)
    known = exit_code is not None or engine_error(until_last_word(text))
    return Seen(text, exit_code, None if known else _exception(lines), dockerfile, path)


def _of_one_branch(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of the branch that failed, without its name; all of them where none has a name."""
    branches = [found for line in lines if (found := BRANCH.match(line))]
    failed = [found for found in branches if is_error(found[2])]
    if not branches or (not failed and any(is_error(line) for line in lines)):
        return lines
    name = (failed or branches)[-1][1]
    return [line.removeprefix(name) for line in lines if line.startswith(name)]


def _exception(lines: Sequence[str]) -> str | None:
    """Return the last line that says, in words we know, what Jenkins or the cluster did to the build."""
    matches = [match for entry in resources.diagnoses() for match in entry["match"]]
    patterns = [match["pattern"] for match in matches if match["in"] == "exception" and match["pattern"]]
    known = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.ASCII)
    return next((line.strip() for line in reversed(lines) if known.search(line)), None)
