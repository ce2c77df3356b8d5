"""How long a cluster may be away while something goes on, as while its API server restarts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from jenkins_kaniko.errors import MissingError, RefusedError, UnansweredError

PATIENCE_SECONDS = 120
"""How long an API server may not answer, as while it restarts."""
Answer = TypeVar("Answer")


class Patience:
    """Begins with the first answer that does not come, and anew after every one that does."""

    def __init__(self) -> None:
        self._since: float | None = None

    def answered(self) -> None:
        """Take an answer, of whatever kind."""
        self._since = None

    def unanswered(self, error: UnansweredError) -> None:
        """Take that none came: wait a moment before the next question.

        Raises:
            UnansweredError: the one given, where the cluster is away for too long.
        """
        if self._since is None:
            self._since = time.monotonic()
        if time.monotonic() > self._since + PATIENCE_SECONDS:
            raise error
        time.sleep(1)


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask the cluster for something until it answers, for as long as an API server may be away.

    Raises:
        MissingError: it answers that there is no such thing.
        UnansweredError: it is away for longer.
    """
    patience = Patience()
    while True:
        try:
            return ask()
        except MissingError:
            raise
        except UnansweredError as error:
            patience.unanswered(error)


def created(create: Callable[[], Answer], tell: Callable[[str], None]) -> Answer | None:
    """Make an object, and return what that gives; None where one of its name is there after an answer that was lost.

    Args:
        tell: takes a line where the cluster does not answer: nothing else shows yet that the command does something.

    Raises:
        RefusedError: there was one of this name before.
        UnansweredError: the cluster is away for too long.
    """
    patience, lost = Patience(), False
    while True:
        try:
            return create()
        except UnansweredError as error:
            if not lost:
                tell(f"{error}; asking again for {PATIENCE_SECONDS} s")
            lost = True
            patience.unanswered(error)
        except RefusedError:
            if not lost:
                raise
            return None
