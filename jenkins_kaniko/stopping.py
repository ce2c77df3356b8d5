"""Signals that end a command: what it has in the cluster is removed first, whatever comes meanwhile.

GitHub's runner sends SIGINT, and SIGTERM 7.5 s later; impatient users press Ctrl-C twice.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from jenkins_kaniko import errors


class _Signals:
    """What came so far; signals come to the main thread alone."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._told = tell, False
        self._stopping = False
        self._late: BaseException | None = None
        self.undisturbed = 0

    def heard(self, number: int, _frame: FrameType | None) -> None:
        first, self._stopping = not self._stopping, True
        error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(errors.TERMINATED)
        if first and not self.undisturbed:
            raise error
        if first:
            self._late = error
        if not self._told:
            self._told = True
            with suppress(OSError, RuntimeError):  # the terminal is gone, or is just being written to
                self._tell("it ends once what it has in the cluster is removed")

    def raise_late(self) -> None:
        if self.undisturbed or self._late is None:
            return
        late, self._late = self._late, None
        raise late


_signals = _Signals(lambda _text: None)


def heed(tell: Callable[[str], None]) -> None:
    """End by SIGTERM and SIGHUP (a closed terminal) as by an error, and by Ctrl-C; more of them change nothing.

    Args:
        tell: takes a line where a signal does not end the command at once.
    """
    global _signals
    _signals = _Signals(tell)
    signal.signal(signal.SIGTERM, _signals.heard)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as for what runs in the background, or by nohup
            signal.signal(number, _signals.heard)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let what is done inside come to its end before a signal ends the command."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _signals.undisturbed += 1
    try:
        yield
    finally:
        _signals.undisturbed -= 1
        _signals.raise_late()
