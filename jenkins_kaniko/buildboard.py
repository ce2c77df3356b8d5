"""Several builds while they run -> lines with their names, or one table on a terminal. Told from all their threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jenkins_kaniko import buildreport
from jenkins_kaniko.attempt import Listener
from jenkins_kaniko.build_all import ABORTED, FAILURE, NOT_BUILT, SUCCESS, Outcome
from jenkins_kaniko.report import UNPRINTABLE, error_data

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WAITS, RUNS = "waits", "runs"
STYLES = {SUCCESS: "green", FAILURE: "bold red", ABORTED: "yellow", RUNS: "cyan"}
REFRESHES_PER_SECOND = 4


@dataclass(frozen=True)
class _Row:
    """What is known of one build; `begin` and `end` are times of the monotonic clock."""

    word: str = WAITS
    last: str = ""
    begin: float | None = None
    end: float | None = None

    @property
    def seconds(self) -> str:
        return "" if self.begin is None else f"{(self.end or time.monotonic()) - self.begin:.0f} s"


class Board:
    """What all builds are doing; a build that ended says nothing more."""

    def __init__(self, names: Iterable[str], say: Callable[[str], None], *, table: bool, verbose: bool) -> None:
        """`say` takes lines, from any thread; where there is a table, not those of the logs."""
        self._rows = {name: _Row() for name in names}
        self._say, self._say_log = say, _nothing if table else say
        self._verbose = verbose
        self._lock = threading.Lock()

    def listener(self, name: str) -> Listener:
        """Return who is told of one build."""

        def note(text: str) -> None:
            self._hear(name, text, self._say)

        def line(text: str) -> None:
            self._hear(name, text, self._say_log)

        return Listener(note=note, detail=note if self._verbose else _nothing, line=line)

    def begun(self, name: str) -> None:
        """Take that a build began."""
        with self._lock:
            self._rows[name] = replace(self._rows[name], word=RUNS, begin=time.monotonic())

    def ended(self, outcome: Outcome) -> None:
        """Take how a build ended."""
        with self._lock:
            row = replace(self._rows[outcome.name], word=outcome.word, last=outcome.text, end=time.monotonic())
            self._rows[outcome.name] = row
        self._say(f"[{outcome.name}] {outcome.word} {outcome.text}".rstrip())

    def _hear(self, name: str, text: str, say: Callable[[str], None]) -> None:
        with self._lock:
            row = self._rows[name]
            if row.end is not None:
                return
            self._rows[name] = replace(row, last=text)
        say(f"[{name}] {text}")

    # --- on a terminal -----------------------------------------------------------------------------------------------

    @contextmanager
    def live(self, console: Console) -> Iterator[None]:
        """Show the table as it changes, as long as builds run."""
        from rich.live import Live

        with Live(get_renderable=self.table, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True):
            yield

    def table(self) -> Table:
        """Return a row for each build, as it is now."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2), expand=True)
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for name, row in self._rows.items():
            word, last = Text(row.word, STYLES.get(row.word, "dim")), Text(UNPRINTABLE.sub("", row.last))
            table.add_row(name, word, row.seconds, last)
        return table


def _nothing(_text: str) -> None:
    """Tell nobody."""


def summary(outcomes: Iterable[Outcome]) -> str:
    """Return a line for each build: name, result, and the image or the begin of what is wrong."""
    listed = list(outcomes)
    width = max(len(outcome.name) for outcome in listed)
    return "\n".join(f"{one.name:{width}}  {one.word:{len(NOT_BUILT)}}  {one.text}".rstrip() for one in listed)


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line that names the builds that failed; none where all went well."""
    failed = [outcome.name for outcome in outcomes if outcome.error]
    return [f"{len(failed)} of {len(outcomes)} builds failed: {', '.join(failed)}"] if failed else []


def data(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return all results as plain data, with the words of kanikoBuildAll."""
    return {"builds": [_one(outcome) for outcome in outcomes]}


def _one(outcome: Outcome) -> dict[str, Any]:
    known = {"name": outcome.name, "result": outcome.word}
    if outcome.error:
        return {**known, "error": error_data(outcome.error)}
    return {**known, **(buildreport.data(outcome.result) if outcome.result else {})}
