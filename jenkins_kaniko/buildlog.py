"""The builder's log as it comes: each line once, whatever the connection does, and what it tells of the cache."""

from __future__ import annotations

import re
import time
from collections import deque

from jenkins_kaniko.cachemiss import Lookups
from jenkins_kaniko.explain import COLOUR

KEPT_LINES = 5000
SLACK_SECONDS = 60
"""How much more than what is missing is asked for again: clocks and connections lag."""
HIT = "Using caching version of cmd"
MISS = re.compile(r"No cached layer found for cmd (.*)")


class BuildLog:
    """What was read so far; lines carry the time they were written at, as `timestamps=true` gives them."""

    def __init__(self) -> None:
        self.hits = self.misses = 0
        self.first_miss: str | None = None
        self.lookups = Lookups()
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._last, self._times_last = b"", 0
        self._read_at: float | None = None
        self._again = 0

    @property
    def text(self) -> str:
        """The end of the log."""
        return "\n".join(self._kept)

    def since(self) -> int | None:
        """Return how many seconds back to ask for, from now on; None is all of it."""
        self._again = 0
        if self._read_at is None:
            return None
        return int(time.monotonic() - self._read_at) + SLACK_SECONDS

    def new(self, stamped: bytes) -> str | None:
        """Return the text of a line, None where it was read before."""
        stamp, _, rest = stamped.rstrip(b"\r\n").partition(b" ")
        if self._was_read(stamp):
            return None
        self._read_at = time.monotonic()
        text = COLOUR.sub("", rest.decode("utf-8", "replace")).rstrip()
        self._kept.append(text)
        self._count(text)
        return text

    def _was_read(self, stamp: bytes) -> bool:
        """Lines come in the order of their times, and several may have the same."""
        if stamp < self._last:
            return True
        if stamp > self._last:
            self._last, self._times_last, self._again = stamp, 1, 1
            return False
        self._again += 1
        if self._again <= self._times_last:
            return True
        self._times_last = self._again
        return False

    def _count(self, text: str) -> None:
        self.lookups.read(text)
        if HIT in text:
            self.hits += 1
        elif missed := MISS.search(text):
            self.misses += 1
            self.first_miss = self.first_miss or missed[1]
