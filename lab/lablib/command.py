"""What the four commands share: root is needed, failures are one message, signals end with their own codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from lablib.run import LabError, say


def main(action: Callable[[], None]) -> None:
    """Run a command of the lab and exit."""
    if os.geteuid() != 0:
        say("the lab needs root: it makes a bridge, packet filter rules and containers")
        sys.exit(1)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        action()
    except LabError as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted: what was started is stopped again")
        sys.exit(130)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)
