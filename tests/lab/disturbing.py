"""What tests that disturb a build share: the command while it runs, and what a killed one leaves."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.building import Builds

PATIENCE_SECONDS = 120


@contextmanager
def started(builds: Builds, folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command in a folder; whatever a test does, it does not outlive it."""
    with subprocess.Popen(
        builds.command(*arguments),
        cwd=folder,
        env=builds.environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said_until(process: subprocess.Popen[str], end: str) -> str:
    """Return what the command says on stderr, up to the line that holds `end`."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if end in line:
            return said
    raise AssertionError(f"it ended without {end!r}: {said}")


def write_zeros(folder: Path, size: int) -> Path:
    path = folder / "zeros"
    with path.open("wb") as zeros:
        zeros.truncate(size)
    return path


def write_large(folder: Path) -> Path:
    """Write what takes seconds to be sent; return the last file, which is read for that only, not by packing."""
    (folder / "large").write_bytes(os.urandom(3_000_000))
    return write_zeros(folder, 300_000_000)


def reads(process: subprocess.Popen[str], path: Path) -> bool:
    """Return whether the command has a file open."""
    try:
        return path in [file.readlink() for file in Path(f"/proc/{process.pid}/fd").iterdir()]
    except FileNotFoundError:  # one was just closed
        return False


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for something that a test or the cluster just did to take effect."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.2)


def pod_of(builds: Builds, name: str) -> str:
    """Return the name of the only pod of a build."""
    (pod,) = builds.kubectl("get", "pods", "-l", f"jenkins-kaniko/build={name}", "-o", "name").split()
    return pod.removeprefix("pod/")


def evict(builds: Builds, pod: str) -> None:
    """As an administrator drains a node."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": builds.namespace}}
    path = f"/api/v1/namespaces/{builds.namespace}/pods/{pod}/eviction"
    builds.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
