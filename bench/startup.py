"""How long the command takes to start, as a ratio to the floor: a Python that imports click and nothing else.

Run with the environment's Python: `.venv/bin/python bench/startup.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
FLOOR = [sys.executable, "-c", "import click"]
COMMAND = str(Path(sys.executable).parent / "jenkins-kaniko")
MEASURED = {
    "--version": [COMMAND, "--version"],
    "--help": [COMMAND, "--help"],
    "validate": [COMMAND, "validate", "--config", str(Path(__file__).parent / "fleet.yaml")],
}


def seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, so that what else the machine does touches all alike; print medians."""
    rounds = [{name: seconds(argv) for name, argv in {"floor": FLOOR, **MEASURED}.items()} for _ in range(ROUNDS)]
    floor = statistics.median(one["floor"] for one in rounds)
    print(f"python -c 'import click'   {floor * 1000:6.0f} ms")
    for name in MEASURED:
        median = statistics.median(one[name] for one in rounds)
        print(f"jenkins-kaniko {name:<11} {median * 1000:6.0f} ms   {median / floor:.2f} x")


if __name__ == "__main__":
    main()
