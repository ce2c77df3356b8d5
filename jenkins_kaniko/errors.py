"""One base error, and one child per exit code a user can act on.

Exit codes are a contract with scripts (docs/exit-codes.md). Every message says what is wrong, where, and what
to do; none holds a secret: texts of other programs are cut before they enter a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OK = 0
WRONG_INPUT = 1
DIFFERENCES = 2
MIXED_OUTCOMES = 3
REFUSED = 4
UNREACHABLE = 5
BUILD_FAILED = 6
FAILED = 7
ILL = 8
TIMED_OUT = 124
INTERRUPTED = 130
TERMINATED = 143


class JenkinsKanikoError(Exception):
    """Base of all errors that a user sees as one clear text.

    Attributes:
        exit_code: what the process ends with when this error ends it.
    """

    exit_code = FAILED


class WrongInputError(JenkinsKanikoError):
    """The user's input cannot be used: a file, an option, an environment variable."""

    exit_code = WRONG_INPUT


class RefusedError(JenkinsKanikoError):
    """Doing what was asked could harm what others own, or a state that moved meanwhile."""

    exit_code = REFUSED


class UnreachableError(JenkinsKanikoError):
    """A controller or a cluster does not answer, or does not let us in."""

    exit_code = UNREACHABLE


class UnansweredError(UnreachableError):
    """A cluster does not answer for now: asking again may help."""


class MissingError(UnansweredError):
    """What a cluster is asked for is not there: not yet, or not any more."""


class DeniedError(JenkinsKanikoError):
    """A cluster does not take an object: a rule of the namespace, or the object itself, is against it."""


class BuildFailedError(JenkinsKanikoError):
    """What the user wants built cannot be: the Dockerfile, the build context, the push."""

    exit_code = BUILD_FAILED


class TimedOutError(JenkinsKanikoError):
    """It took longer than the user allows."""

    exit_code = TIMED_OUT


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a configuration file; `line` counts from 1, `key` is a dotted path (empty: the file)."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(WrongInputError):
    """All mistakes of a configuration at once, in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
