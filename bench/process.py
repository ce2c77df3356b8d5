"""One command as a process of its own: how long it took, and the most memory it had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Its own process, small and fresh, so that neither its time nor the benchmark's memory counts.
LAUNCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, seconds, usage.ru_maxrss / 1024, done.stderr.decode()[-2000:]]))
"""


@dataclass(frozen=True)
class Process:
    """What a command was like; `mib` is the peak of its largest process, `said` the end of its stderr."""

    seconds: float
    mib: float
    said: str


def measured(argv: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> Process:
    """Run a command, which ends the benchmark where it fails."""
    answer = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *argv],
        cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    code, seconds, mib, said = json.loads(answer.stdout)
    if code:
        sys.exit(f"{argv}: exit code {code}\n{said}")
    return Process(seconds, mib, said)
