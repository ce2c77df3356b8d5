"""`lab/down`, and taking away what a killed lab left behind; both are the same work.

Only processes of a lab are stopped: those in the record, those that carry its mark (the shims, and a part that was
started the moment before `up` was killed), and those inside its containers.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from lablib import network, node, record
from lablib.record import Record
from lablib.run import LabError, say, stage
from lablib.settings import LOGS, Settings


def down(settings: Settings) -> None:
    """Stop this folder's lab, or clear up after anyone's dead one."""
    with record.lock():
        found = record.load()
        if found and found.live() and Path(found.folder) != settings.folder:
            owner = Path(found.folder)
            if (owner / "lab" / "down").exists():  # a deleted clone cannot stop its lab any more
                raise LabError(f"a lab of {owner} is running: run {owner}/lab/down")
        with stage("stopped"):
            clean(settings, found)
        if not found:
            say("no lab was running")


def clean(settings: Settings, found: Record | None) -> None:
    """Leave the machine as it was before *found* started. Caches, and logs of the last run, stay."""
    _end_processes(found)
    node.remove_cgroups()
    if found:
        network.remove(settings)
        node.restore_kernel_settings(found.kernel)
        for place in reversed(found.made):
            with suppress(OSError):  # somebody else uses it by now, or it was never made
                Path(place).rmdir()
        _clear(Path(found.folder) / ".lab")
    _clear(settings.state)
    record.RECORD.unlink(missing_ok=True)


def _clear(state: Path) -> None:
    """Remove a run's files but its logs. Mounts below were in a namespace of their own, and went with it."""
    for path in state.iterdir() if state.exists() else ():
        if path.name == LOGS:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _end_processes(found: Record | None) -> None:
    """Kill until nothing is left. The cluster's state is thrown away, so nobody needs time to save it."""
    deadline = time.monotonic() + 30
    while pids := _processes(found):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"processes of the lab do not end: {sorted(pids)}")
        time.sleep(0.02)


def _processes(found: Record | None) -> set[int]:
    recorded = {found.processes[name][0] for name in found.running()} if found else set()
    alive = record.marked() | node.contained_processes()
    return recorded | {pid for pid in alive if record.started(pid) is not None}
