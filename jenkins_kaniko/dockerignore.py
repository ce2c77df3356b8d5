"""Which files of a folder Docker would send: the rules of .dockerignore. Pure.

They look like those of .gitignore and are not: a pattern without a slash means the top folder only, `!` brings files
back below folders that are left out, and there is no meaning in a slash at the end. The rules follow Docker's reference
of the file and the behaviour of github.com/moby/patternmatcher; where its way over regular expressions gives some
pattern an odd meaning (`[*]`, `^` beside a wildcard), the documented one is kept.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jenkins_kaniko.errors import WrongInputError

NONE = 0
"""Number of the rule that a file without any matching one has."""


@dataclass(frozen=True)
class Rule:
    """One pattern; `head` are its leading folders without a wildcard."""

    regex: str
    is_exception: bool
    head: str


class Rules:
    """All rules of a file. They have numbers from 1 on, and of those that match a path the highest decides.

    A rule that matches a folder matches all below it too: whoever walks a tree hands the number of each folder down.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        # of alternatives the first that matches is taken: so the last rule stands first
        self._regex = re.compile("|".join(f"({rule.regex})" for rule in reversed(rules)), re.DOTALL)

    def last(self, path: str, inherited: int = NONE) -> int:
        """Return the number of the last rule that matches a path or, by `inherited`, a folder above it."""
        found = self._regex.fullmatch(path) if self._rules else None
        return max(inherited, len(self._rules) + 1 - found.lastindex) if found and found.lastindex else inherited

    def excludes(self, number: int) -> bool:
        """Whether a path whose last rule has this number is left out."""
        return number != NONE and not self._rules[number - 1].is_exception

    def may_return(self, folder: str, number: int) -> bool:
        """Whether something below a folder that rule `number` leaves out may be brought back by a later one."""
        return any(rule.is_exception and _meets(rule.head, folder) for rule in self._rules[number:])


def parse(text: str, file: str, always: list[str], never: list[str]) -> Rules:
    """Return the rules of a .dockerignore file.

    Args:
        text: of the file; bytes that are not UTF-8 as surrogates.
        file: its name, for errors.
        always: paths that are sent whatever the file says.
        never: patterns of what is not sent whatever the file says.

    Raises:
        WrongInputError: a pattern that Docker refuses; with its line.
    """
    rules = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        pattern = "" if line.startswith("#") else line.strip()
        if not pattern:
            continue
        is_exception = pattern.startswith("!")
        try:
            rules.append(_rule(pattern.removeprefix("!").strip(), is_exception))
        except ValueError as error:
            raise WrongInputError(f"{file}:{number}: '{pattern}': {error}") from None
    rules += [Rule(re.escape(path), is_exception=True, head=path) for path in always]
    rules += [_rule(pattern, is_exception=False) for pattern in never]
    return Rules(rules)


def _rule(pattern: str, is_exception: bool) -> Rule:
    if not pattern:
        raise ValueError("nothing stands after the exclamation mark")
    clean = re.sub("^//?", "", posixpath.normpath(pattern))
    head = re.split(r"[*?\[\\]", clean, maxsplit=1)[0]
    whole = head if head == clean else head.rpartition("/")[0]
    return Rule(_regex(clean), is_exception, whole)


def _meets(head: str, folder: str) -> bool:
    """Whether a rule with this head can match below a folder: one of both lies above the other."""
    return not head or f"{head}/".startswith(f"{folder}/") or f"{folder}/".startswith(f"{head}/")


def _regex(pattern: str) -> str:
    # two stars before plain text mean every path that ends so, in the middle of a name too
    end = re.fullmatch(r"\*\*([^/*?\[\]\\][^*?\[\]\\]*)", pattern, re.DOTALL)
    return f".*{re.escape(end[1])}" if end else "".join(_parts(pattern))


def _parts(pattern: str) -> Iterator[str]:
    rest = pattern
    while rest:
        if rest.startswith("**"):
            rest = rest[2:].removeprefix("/")
            yield "(?:.*/)?" if rest else ".*"
        elif rest[0] in "*?":
            yield "[^/]*" if rest[0] == "*" else "[^/]"
            rest = rest[1:]
        elif rest[0] == "[":
            ranges, rest = _class(rest[1:])
            yield ranges
        else:
            character, rest = _character(rest)
            yield re.escape(character)


def _class(rest: str) -> tuple[str, str]:
    """Return the regular expression of what stands after an opening bracket, and what follows the closing one."""
    negation = "^" if rest.startswith("^") else ""
    rest = rest.removeprefix("^")
    ranges: list[str] = []
    while not (ranges and rest.startswith("]")):
        if rest[:1] in ("", "-", "]"):
            raise ValueError("a bracket is not closed, or holds no proper range")
        first, rest = _character(rest)
        last = first
        if rest.startswith("-"):
            if rest[1:2] in ("", "-", "]"):
                raise ValueError("a range in brackets has no end")
            last, rest = _character(rest[1:])
        # Go takes a range that runs backwards, and it matches nothing
        ranges.append(f"{re.escape(first)}-{re.escape(last)}" if first <= last else "")
    inner = "".join(ranges)
    if not inner:
        return ("." if negation else "(?!)"), rest[1:]
    return f"[{negation}{inner}]", rest[1:]


def _character(rest: str) -> tuple[str, str]:
    """Return the first character, which a backslash may precede, and what follows it."""
    if rest[0] != "\\":
        return rest[0], rest[1:]
    if len(rest) == 1:
        raise ValueError("nothing stands after the backslash")
    return rest[1], rest[2:]
