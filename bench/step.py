"""What kanikoBuild() adds to the run of the executor, and what the executor's flags cost and bring.

Run on the lab from the repository's folder: `.venv/bin/python -m bench.step [--quick] [--output json]`;
docs/performance.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.flags import Row, builder, measure_flags, table
from bench.sync import COMMAND, machine
from jenkins_kaniko.config import load
from tests.support.pipeline import run_pipeline
from tests.support.repository import committed
from tests.support.standin import StandIn

ROOT = Path(__file__).parent.parent
JENKINSFILE = ROOT / "bench" / "step.jenkinsfile"
SOURCE = {"Dockerfile": "FROM scratch\nCOPY hello /hello\n", "hello": "hello\n"}


@dataclass(frozen=True)
class Overhead:
    """Medians of seconds, one agent pod and two builds a round.

    Attributes:
        agent: from `node` to the first step in it, with a new pod.
        checkout: the job's source.
        new_pod, warm_pod: kanikoBuild() without its executor, first and second in a pod.
        executor: its own run in the second build.
        one_sh: one `sh` step in the builder's container: what the step is made of.
    """

    agent: float
    checkout: float
    new_pod: float
    warm_pod: float
    executor: float
    one_sh: float
    rounds: int


def main() -> None:
    arguments = _arguments()
    sys.path.append(str(ROOT / "lab"))
    from lablib import demo

    settings = demo.lab_settings()
    with tempfile.TemporaryDirectory(prefix="jenkins-kaniko-bench-") as name:
        folder = Path(name)
        with StandIn(folder / "controller") as controller:
            config = demo.configuration(settings, controller.url, controller.admin.name)
            (folder / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
            environment = {**os.environ, "JENKINS_TOKEN": controller.admin.token}
            subprocess.run([COMMAND, "sync"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        overhead = measure_overhead(folder, settings, 2 if arguments.quick else 5)
        rows = measure_flags(builder(load(folder / "jenkins-kaniko.yaml")), settings, 1 if arguments.quick else 3)
    if arguments.output == "json":
        print(json.dumps(as_data(overhead, rows)))
    else:
        print("\n".join([machine(), "", *overhead_table(overhead), "", *table(rows)]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.step")
    parser.add_argument("--quick", action="store_true", help="two pods for the step, and each build with flags once")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    return parser.parse_args()


def measure_overhead(folder: Path, settings: Mapping[str, str], rounds: int) -> Overhead:
    """Run the pipeline on the controller in `folder`."""
    marks: list[tuple[str, float]] = []
    executor: list[float] = []

    def note(line: str) -> None:
        now = time.perf_counter()
        if line.startswith("mark: "):
            marks.append((line.removeprefix("mark: "), now))
        if ran := re.fullmatch(r"executor: ([\d.]+) ([\d.]+)", line):
            executor.append(float(ran[2]) - float(ran[1]))

    result = run_pipeline(
        JENKINSFILE,
        folder / "controller",
        library=ROOT,
        scm=committed(folder / "source", SOURCE),
        env={"REGISTRY": settings["REGISTRY"], "ROUNDS": str(rounds)},
        kubeconfig=Path(settings["KUBECONFIG"]),
        job="bench-step",
        timeout=1200,
        on_line=note,
    )
    if result.result != "SUCCESS":
        sys.exit(result.log)
    return medians(marks, executor)


def medians(marks: Sequence[tuple[str, float]], executor: Sequence[float]) -> Overhead:
    """Return the medians; `marks` are moments by name, `executor` two runs for each of the rounds."""
    spans: dict[str, list[float]] = {}
    for (name, start), (_, end) in pairwise(marks):
        spans.setdefault(name, []).append(end - start)
    first, second = executor[::2], executor[1::2]
    return Overhead(
        agent=statistics.median(spans["agent wanted"]),
        checkout=statistics.median(spans["checkout"]),
        new_pod=_median_of_differences(spans["new pod"], first),
        warm_pod=_median_of_differences(spans["warm pod"], second),
        executor=statistics.median(second),
        one_sh=statistics.median(spans["one sh"]),
        rounds=len(second),
    )


def _median_of_differences(whole: Sequence[float], part: Sequence[float]) -> float:
    return statistics.median(one - other for one, other in zip(whole, part, strict=True))


def overhead_table(found: Overhead) -> list[str]:
    """Return the overhead as a table in Markdown."""
    new = found.agent + found.checkout + found.new_pod
    return [
        "| build | agent s | checkout s | step s | beside the executor s | executor s | one `sh` s |",
        "|" + "---|" * 7,
        f"| in a new pod | {found.agent:.2f} | {found.checkout:.2f} | {found.new_pod:.2f} | {new:.2f} "
        f"| {found.executor:.2f} | {found.one_sh:.2f} |",
        f"| in a warm pod | - | - | {found.warm_pod:.2f} | {found.warm_pod:.2f} "
        f"| {found.executor:.2f} | {found.one_sh:.2f} |",
    ]


def as_data(overhead: Overhead, rows: Sequence[Row]) -> dict[str, Any]:
    return {"machine": machine(), "overhead": asdict(overhead), "flags": [asdict(row) for row in rows]}


if __name__ == "__main__":
    main()
