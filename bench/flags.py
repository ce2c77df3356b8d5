"""The same Dockerfiles with the flags of other scripts and with ours, each build in a pod of its own on the lab.

The pod is the builder of the template that `sync` brings; time is that of the executor alone, taken in the pod.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

from jenkins_kaniko.engines import Place, argv
from jenkins_kaniko.model import Fleet
from jenkins_kaniko.render import pod

AGENT = "/home/jenkins/agent"
COLD, SAME, CHANGED = "cold", "unchanged", "changed"
SCENARIOS = (COLD, SAME, CHANGED)
POD = "bench-step"
LARGE = """\
FROM python:3.11-slim
COPY setup.txt /srv/setup.txt
RUN python3 -c "import os; [open(f'/srv/{n}', 'w').write(str(n)) for n in range(20000)]"
RUN head -c 60000000 /dev/urandom > /opt/blob
COPY source.py /srv/source.py
RUN python3 -m compileall -q /srv/source.py
"""
STAGES = """\
FROM python:3.11-slim AS build
COPY setup.txt /srv/setup.txt
RUN python3 -c "[open(f'/srv/{n}', 'w').write(str(n)) for n in range(5000)]"
FROM python:3.11-slim
COPY --from=build /srv /srv
COPY source.py /source.py
RUN python3 -m compileall -q /source.py
"""
"""What --cache-copy-layers is for: a COPY from another stage, whose layer the cache holds then."""
DOCKERFILES = {"large": LARGE, "multi-stage": STAGES, "tiny": "FROM scratch\nCOPY source.py /source.py\n"}


@dataclass(frozen=True)
class Run:
    """One build: seconds of the executor, and the largest process that ran in it."""

    seconds: float
    mib: float


@dataclass(frozen=True)
class Row:
    """The medians of some runs of one case."""

    dockerfile: str
    flags: str
    scenario: str
    seconds: float
    mib: float
    runs: int


def theirs(*flags: str) -> Callable[[str], list[str]]:
    place = [f"--context=dir://{AGENT}/context", f"--dockerfile={AGENT}/context/Dockerfile"]
    return lambda image: ["/kaniko/executor", *place, f"--destination={image}:latest", *flags]


def ours(less_memory: bool = False, **options: Any) -> Callable[[str], list[str]]:
    place = Place(f"{AGENT}/context", f"{AGENT}/digest", less_memory=less_memory)
    return lambda image: argv({"image": image, **options}, place)


REDO = ["--snapshot-mode=redo"]
RUNNER = "long-running runner: redo, use-new-run"
VARIANTS: Mapping[str, Callable[[str], list[str]]] = {
    RUNNER: theirs("--cache=true", "--cache-dir=/cache", "--snapshotMode=redo", "--use-new-run"),
    "Job from a ConfigMap: defaults": theirs("--cache=true", "--cache-ttl=24h"),
    "ours": ours(),
    "ours, copyLayers": ours(cache={"copyLayers": True}),
    "ours, redo": ours(extraArgs=REDO),
    "ours, copyLayers, redo": ours(cache={"copyLayers": True}, extraArgs=REDO),
    "ours, less memory": ours(less_memory=True),
}


def measure_flags(manifest: Mapping[str, Any], settings: Mapping[str, str], rounds: int) -> list[Row]:
    """Measure all cases in turns, so that what else the machine does touches all alike."""
    runs: dict[tuple[str, str, str], list[Run]] = {}
    for _, dockerfile, (name, command) in product(range(rounds), DOCKERFILES, VARIANTS.items()):
        image = f"{settings['REGISTRY']}/bench/{uuid.uuid4().hex[:12]}"  # so that no cache is there
        for scenario in SCENARIOS:
            files = {
                "Dockerfile": DOCKERFILES[dockerfile],
                "setup.txt": "",
                "source.py": f"CHANGED = {scenario == CHANGED}\n",
            }
            with running(manifest, settings) as kubectl:
                run = build(kubectl, files, command(image))
            print(f"{dockerfile}, {name}, {scenario}: {run.seconds:.1f} s", file=sys.stderr)
            runs.setdefault((dockerfile, name, scenario), []).append(run)
    return [
        Row(
            *case,
            seconds=statistics.median(run.seconds for run in found),
            mib=statistics.median(run.mib for run in found),
            runs=len(found),
        )
        for case, found in runs.items()
    ]


def builder(fleet: Fleet) -> dict[str, Any]:
    """Return a pod with the builder of the first template alone, and the workspace volume that Jenkins would mount."""
    manifest = pod(fleet.templates[0], fleet)
    spec = manifest["spec"]
    (container,) = [one for one in spec["containers"] if one["name"] == "kaniko"]
    container["volumeMounts"].append({"name": "workspace", "mountPath": AGENT})
    spec["containers"] = [container]
    spec["volumes"].append({"name": "workspace", "emptyDir": {}})
    manifest["metadata"]["name"] = POD
    return manifest


@contextmanager
def running(manifest: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[list[str]]:
    """Run the pod and yield the command line that reaches it."""
    kubectl = [settings["KUBECTL"], f"--kubeconfig={settings['KUBECONFIG']}", f"--namespace={settings['NAMESPACE']}"]
    delete = [*kubectl, "delete", "pod", POD, "--ignore-not-found", "--now", "--wait"]
    subprocess.run(delete, check=True, capture_output=True)
    try:
        create = [*kubectl, "create", "-f", "-"]
        subprocess.run(create, input=json.dumps(manifest).encode(), check=True, capture_output=True)
        wait = [*kubectl, "wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=120s"]
        subprocess.run(wait, check=True, capture_output=True)
        yield kubectl
    finally:
        subprocess.run(delete, check=True, capture_output=True)


SCRIPT = """\
mkdir -p context && tar -x -C context && read before _ < /proc/uptime
time -v "$@" > log 2>&1 || { status=$?; cat log; exit $status; }
read after _ < /proc/uptime
echo "$before $after $(grep 'Maximum resident' log | tr -dc 0-9)"
"""


def build(kubectl: Sequence[str], files: Mapping[str, str], command: Sequence[str]) -> Run:
    script = [*kubectl, "exec", "-i", POD, "--", "/busybox/sh", "-c", f"cd {AGENT} && {SCRIPT}", "sh", *command]
    done = subprocess.run(script, input=archive(files), capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{(done.stdout + done.stderr).decode()[-3000:]}")
    before, after, kib = done.stdout.split()
    return Run(float(after) - float(before), int(kib) / 1024)


def archive(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


def table(rows: Sequence[Row]) -> list[str]:
    """Return for each Dockerfile and its flags the seconds of each scenario, and by those of the first flags."""
    lines = ["| Dockerfile | flags | " + " | ".join(f"{name} s | by the runner's" for name in SCENARIOS) + " | MiB |"]
    lines.append("|" + "---|" * 9)
    by_case = {(row.dockerfile, row.flags, row.scenario): row for row in rows}
    for dockerfile, flags in dict.fromkeys((row.dockerfile, row.flags) for row in rows):
        cells = [dockerfile, flags]
        for scenario in SCENARIOS:
            seconds = by_case[dockerfile, flags, scenario].seconds
            cells += [f"{seconds:.2f}", f"{seconds / by_case[dockerfile, RUNNER, scenario].seconds:.2f}"]
        most = max(by_case[dockerfile, flags, scenario].mib for scenario in SCENARIOS)
        lines.append("| " + " | ".join([*cells, f"{most:.0f}"]) + " |")
    return lines
