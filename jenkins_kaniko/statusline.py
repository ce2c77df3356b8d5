"""One line below the log on a terminal that says where the build is; elsewhere nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jenkins_kaniko.buildprogress import Progress

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text


@contextmanager
def shown(progress: Progress) -> Iterator[Callable[[str], None]]:
    """Show where the build is for as long as this lasts; yield what takes the lines of its log.

    What is written to stderr meanwhile scrolls above it.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield progress.read
        return
    from rich.console import Console
    from rich.live import Live

    status = _Status(progress)
    console = Console(stderr=True, color_system=None, soft_wrap=True)
    with Live(status, console=console, refresh_per_second=4, transient=True, redirect_stdout=False):
        yield progress.read


class _Status:
    """The progress, and for how long it has been the same."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._text, self._since = "", time.monotonic()

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        text = str(self._progress)
        if text != self._text:
            self._text, self._since = text, time.monotonic()
        spoken = f"  {_spoken(time.monotonic() - self._since)}"
        line = Text(text)
        line.truncate(options.max_width - len(spoken), overflow="ellipsis")
        yield line + spoken


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
