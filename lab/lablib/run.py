"""Running programs and telling the user about it, the same way everywhere.

Every failure of the lab is a LabError whose text can be printed as it is: it names the part, quotes the end of
its log and says where the whole log lies.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_given_up = threading.Event()  # one job failed, or the user interrupted: the others need not go on


class LabError(Exception):
    """Something went wrong that the user should read about; no traceback needed."""


def say(text: str) -> None:
    """One line of progress; stdout stays free for results."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Report how long a stage took, when it ends well."""
    start = time.monotonic()
    yield
    say(f"{name:<34} {time.monotonic() - start:6.1f} s")


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log, for a message."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(["", *text.splitlines()[-lines:], f"(log: {log})"])


def run(
    argv: list[str], *, stdin: bytes | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Run a short program and return what it printed."""
    done = subprocess.run(argv, input=stdin, env=env, cwd=cwd, capture_output=True)
    if done.returncode:
        error = done.stderr.decode(errors="replace").strip()
        raise LabError(f"{argv[0]}: `{' '.join(argv)}` ended with {done.returncode}\n{error}")
    return done.stdout.decode(errors="replace")


def run_logged(
    part: str, argv: list[str], log: Path, *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a long program with its output in a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd
        )
    while process.poll() is None:
        if _given_up.wait(0.05):
            process.terminate()
            process.wait()
    if process.returncode:
        raise LabError(f"{part} failed: `{argv[0]}` ended with {process.returncode}{tail(log)}")


def wait_for(what: str, probe: Callable[[], bool], log: Path, seconds: float = 90) -> None:
    """Poll until *probe* holds. OSError means not yet: nothing listens before it is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not _given_up.is_set():
        try:
            if probe():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise LabError(f"{what} was not ready after {seconds:.0f} s{tail(log)}")


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs at the same time. The first failure ends the others, and is raised when all have ended."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)
            _given_up.set()

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C: nobody may start another process after this
        _given_up.set()
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
