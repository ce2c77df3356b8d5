"""Which folder's lab runs on this machine, and what it consists of.

The record lies in /run because the machine, not a clone, can have one lab. It is written before each step it
describes can leave something behind, and processes are noted with their start time, as numbers are used again.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from lablib.run import say
from lablib.settings import MARK, RUN

RECORD = RUN / "record.json"
_adding = threading.Lock()


@dataclass
class Record:
    """What has to be undone, and what there is to ask for its health."""

    folder: str
    ready: bool = False
    cached: dict[str, str] = field(default_factory=dict)
    kernel: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    processes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def save(self) -> None:
        partial = RECORD.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.rename(RECORD)

    def add(self, name: str, pid: int) -> None:
        with _adding:  # parts are started from several threads
            self.processes[name] = (pid, started(pid) or 0)
            self.save()

    def alive(self, name: str) -> bool:
        pid, start = self.processes.get(name, (0, 0))
        return bool(pid) and started(pid) == start

    def running(self) -> list[str]:
        return [name for name in self.processes if self.alive(name)]

    def live(self) -> bool:
        """Whether this is a lab in use, not the remains of one."""
        return self.ready and bool(self.running())


def load() -> Record | None:
    """The record of the lab on this machine, if there is one."""
    try:
        content = json.loads(RECORD.read_text())
    except FileNotFoundError:
        return None
    known = {item.name for item in fields(Record)}  # a clone of another version may have written more
    return Record(**{name: value for name, value in content.items() if name in known})


@contextmanager
def lock() -> Iterator[None]:
    """Let one command at a time change the lab. The lock ends with the process, however that ends."""
    RUN.mkdir(mode=0o755, exist_ok=True)
    with (RUN / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another lab command to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def started(pid: int) -> int | None:
    """When a process started (in clock ticks), or None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def marked() -> set[int]:
    """Processes that carry a lab's mark: its parts, and the shims that containerd starts."""
    found = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            if f"\0{MARK}=".encode() in b"\0" + (process / "environ").read_bytes():
                found.add(int(process.name))
        except OSError:  # it ended meanwhile
            continue
    return found
