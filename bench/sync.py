"""How long `jenkins-kaniko sync` takes as a whole process, with many templates and on many controllers.

Run from the repository's folder: `.venv/bin/python -m bench.sync [--quick] [--output json]`; docs/performance.md
says what is measured. One controller is the stand-in of tests/groovy, behind a proxy that counts requests and adds
latency. Twenty have a port each that gives the answers recorded from it, each after the time the stand-in took: this
measures the client, where twenty JVMs on one machine would measure the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from bench.process import measured
from bench.servers import JobServer, Recorder, Replay, Server, running
from tests.support.standin import StandIn

PEER = "jenkins-job-builder"
PEER_VERSION = "6.5.0"
COMMAND = Path(sys.executable).parent / "jenkins-kaniko"
MANY = 20
ROUNDS = 3
LATENCIES = (0.0, 0.05)
NEW, SAME, CHANGED = "new", "no-op", "one changed"
SCENARIOS = (NEW, SAME, CHANGED)
EMPTY = "Jenkins.get().clouds.each { it.templates = [] }; Jenkins.get().save()"
PEER_LONGEST = 20_000
"""Milliseconds of latency in all, from which on the peer is not run: it would only be waiting."""


@dataclass(frozen=True)
class Run:
    """One process: its time, its peak of memory, and the requests to each controller."""

    seconds: float
    mib: float
    requests: int


@dataclass(frozen=True)
class Row:
    """The medians of some runs of one case; None where nothing was measured."""

    tool: str
    scenario: str
    templates: int
    controllers: int
    latency_ms: int
    requests: int
    seconds: float
    mib: float
    runs: int


def main() -> None:
    arguments = _arguments()
    sizes = (1, 200) if arguments.quick else (1, 50, 200, 1000)
    with tempfile.TemporaryDirectory(prefix="jenkins-kaniko-bench-") as folder:
        rows = [*measure_sync(Path(folder), sizes), *measure_peer(Path(folder), sizes, arguments.quick)]
    if arguments.output == "json":
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows], "ratios": ratios(rows)}))
    else:
        print("\n".join([machine(), "", *table(rows)]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sync")
    parser.add_argument("--quick", action="store_true", help="1 and 200 templates only, and the peer without latency")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    return parser.parse_args()


def measure_sync(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """Measure all cases in turns, so that what else the machine does touches all alike."""
    rows = []
    many = [Replay() for _ in range(MANY)]
    with StandIn(folder / "standin") as standin:
        one = Recorder(standin)
        token = {"JENKINS_TOKEN": standin.admin.token}
        with running([one, *many]):
            _rounds(standin, one, many, folder / "warm", 1, token)
            for size in sizes:
                runs = _rounds(standin, one, many, folder / f"templates-{size}", size, token)
                rows += [
                    _median("jenkins-kaniko", scenario, size, controllers, latency, found)
                    for (scenario, controllers, latency), found in runs.items()
                ]
    return rows


def _rounds(
    standin: StandIn, one: Recorder, many: Sequence[Replay], folder: Path, size: int, token: Mapping[str, str]
) -> dict[tuple[str, int, float], list[Run]]:
    runs: dict[tuple[str, int, float], list[Run]] = {}
    for number, latency, scenario in product(range(ROUNDS), LATENCIES, SCENARIOS):
        if scenario == NEW:
            standin.run(EMPTY)
        changed = f"{number} {latency}" if scenario == CHANGED else ""
        one.answers = {}
        both: tuple[Sequence[Server], ...] = ([one], many)
        for servers in both:
            write_fleet(folder / str(len(servers)), size, servers, changed)
            run = _run([COMMAND, "sync"], folder / str(len(servers)), servers, latency, token)
            runs.setdefault((scenario, len(servers), latency), []).append(run)
            for server in many:
                server.answers = one.answers
    return runs


def write_fleet(folder: Path, size: int, servers: Iterable[Server], changed: str) -> None:
    """Write a configuration; `changed` is the value by which one template differs from all before."""
    templates: dict[str, Any] = {
        name: {"labels": [name, "kaniko"], "profile": "large", "env": {"TEAM": name}} for name in names(size)
    }
    templates["team-0001"]["env"]["CHANGED"] = changed
    content = {
        "fleet": "bench",
        "defaults": {
            "namespace": "builds",
            "registrySecret": "docker-config",
            "cache": {"repo": "registry.example.com/cache", "ttl": "168h"},
            "nodeSelector": {"pool": "builds"},
            "tolerations": [{"key": "builds", "operator": "Exists", "effect": "NoSchedule"}],
        },
        "controllers": {
            f"controller-{number}": {"url": server.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}}
            for number, server in enumerate(servers, start=1)
        },
        "templates": templates,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jenkins-kaniko.yaml").write_text(as_yaml(content), encoding="utf-8")


def measure_peer(folder: Path, sizes: Sequence[int], quick: bool) -> list[Row]:
    """Measure the peer on one controller; once for each case, because most of them take long."""
    jobs = JobServer()
    command = peer()
    rows = []
    with running([jobs]):
        for size in sizes:
            for latency in LATENCIES:
                if size * latency * 1000 > PEER_LONGEST or (quick and latency):
                    continue
                place = folder / f"peer-{size}-{latency}"
                place.mkdir()
                (place / "jenkins.ini").write_text(f"[jenkins]\nurl={jobs.url}\nuser=admin\npassword=secret\n")
                jobs.jobs.clear()
                for scenario in SCENARIOS:
                    write_jobs(place, size, "changed" if scenario == CHANGED else "")
                    arguments: list[str | Path] = [command, "--conf", "jenkins.ini", "update", "jobs.yaml"]
                    run = _run(arguments, place, [jobs], latency, {"XDG_CACHE_HOME": str(place)})
                    rows.append(_median(PEER, scenario, size, 1, latency, [run]))
    return rows


def write_jobs(folder: Path, size: int, changed: str) -> None:
    content: list[dict[str, Any]] = [
        {"job": {"name": name, "description": name, "builders": [{"shell": f"make {name}"}]}} for name in names(size)
    ]
    content[0]["job"]["description"] += changed
    (folder / "jobs.yaml").write_text(as_yaml(content), encoding="utf-8")


def names(size: int) -> list[str]:
    return [f"team-{number:04}" for number in range(1, size + 1)]


def as_yaml(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False)


def peer() -> Path:
    """Install the peer below the user's cache, apart from all that the project needs, and return its command."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = base / "jenkins-kaniko" / f"{PEER}-{PEER_VERSION}"
    if not (place / "bin" / "jenkins-jobs").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip: list[str | Path] = [place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{PEER}=={PEER_VERSION}"], check=True)
    return place / "bin" / "jenkins-jobs"


def _run(
    argv: Sequence[str | Path], folder: Path, servers: Sequence[Server], latency: float, environment: Mapping[str, str]
) -> Run:
    for server in servers:
        server.latency, server.requests = latency, 0
    process = measured(argv, folder, environment)
    requests = {server.requests for server in servers}
    if len(requests) != 1:
        sys.exit(f"{argv}: requests {requests}\n{process.said}")
    return Run(process.seconds, process.mib, requests.pop())


def _median(tool: str, scenario: str, size: int, controllers: int, latency: float, runs: Sequence[Run]) -> Row:
    return Row(
        tool, scenario, size, controllers, round(latency * 1000),
        requests=max(run.requests for run in runs),
        seconds=statistics.median(run.seconds for run in runs),
        mib=statistics.median(run.mib for run in runs),
        runs=len(runs),
    )  # fmt: skip


def ratios(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each of our rows its time by that of 1 controller, of 1 template, and of the peer."""
    return [
        {
            **{key: getattr(row, key) for key in ("scenario", "templates", "controllers", "latency_ms")},
            "by_one_controller": _ratio(row, rows, controllers=1),
            "by_one_template": _ratio(row, rows, templates=1),
            "by_peer": _ratio(row, rows, controllers=1, tool=PEER) if row.controllers == 1 else None,
        }
        for row in rows
        if row.tool != PEER
    ]


def _ratio(row: Row, rows: Sequence[Row], **other: Any) -> float | None:
    """Return the time of `row` divided by that of the row which differs from it in `other` only."""
    keys = ("tool", "scenario", "templates", "controllers", "latency_ms")
    wanted = {key: getattr(row, key) for key in keys} | other
    found = [one.seconds for one in rows if all(getattr(one, key) == value for key, value in wanted.items())]
    return row.seconds / found[0] if found else None


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows and ratios as a table in Markdown."""
    lines = [
        "| templates | scenario | controllers | latency | requests each | s | MiB | by 1 controller | by 1 template "
        "| peer: requests | s | MiB | ours by peer |",
        "|" + "---|" * 13,
    ]
    ours = [row for row in rows if row.tool != PEER]
    for row, ratio in zip(ours, ratios(rows), strict=True):
        theirs = [one for one in rows if one.tool == PEER and row.controllers == 1 and _case(one) == _case(row)]
        cells = [
            row.templates, row.scenario, row.controllers, f"{row.latency_ms} ms", row.requests, f"{row.seconds:.2f}",
            f"{row.mib:.0f}", _shown(ratio["by_one_controller"]), _shown(ratio["by_one_template"]),
            *([theirs[0].requests, f"{theirs[0].seconds:.2f}", f"{theirs[0].mib:.0f}"] if theirs else ["-"] * 3),
            _shown(ratio["by_peer"]),
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _case(row: Row) -> tuple[str, int, int]:
    return row.scenario, row.templates, row.latency_ms


def _shown(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def machine() -> str:
    model = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    name = model[0].partition(":")[2].strip() if model else "unknown"
    return f"{os.cpu_count()} x {name}, Python {sys.version.split()[0]}; load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
