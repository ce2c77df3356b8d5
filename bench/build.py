"""How long `jenkins-kaniko build` takes as a whole process, beside the executor alone and a script of kubectl.

Run on the lab from the repository's folder: `.venv/bin/python -m bench.build [--quick] [--output json]`;
docs/performance.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.process import measured
from bench.sync import COMMAND, machine

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "bench" / "build-by-kubectl.sh"
DOCKERFILE = "FROM scratch\nCOPY hello /hello\n"
SMALL = "10 KB"
LARGEST = "3 GiB"
SIZES = {SMALL: 10_000, "100 MB": 100_000_000, "1 GiB": 2**30, LARGEST: 3 * 2**30}
PIECE = 2**20
EXECUTOR, SCRIPTED, OURS = "executor alone", "script of kubectl", "jenkins-kaniko build"
AT_ONCE = (1, 5, 20)
POD = "bench-build"
REQUESTS = re.compile(r"^apiserver_request_total\{(.*)\} (\d+)", re.MULTILINE)
OF_CLIENTS = {
    ("POST", "jobs", ""), ("POST", "configmaps", ""), ("DELETE", "jobs", ""), ("LIST", "jobs", ""),
    ("WATCH", "pods", ""), ("GET", "pods", "log"), ("CONNECT", "pods", "exec"), ("LIST", "events", ""),
}  # fmt: skip
"""Requests that nothing in the lab makes but the command (and kubelets and controllers hardly ever)."""


@dataclass(frozen=True)
class Row:
    """Medians of one way to build with one build context; `sent` is in MB/s, where the context is streamed."""

    context: str
    way: str
    seconds: float
    mib: float | None
    sent: float | None
    runs: int


@dataclass(frozen=True)
class Crowd:
    """Builds at once: the wall time of all, and the API requests of each."""

    builds: int
    seconds: float
    requests: float


@dataclass(frozen=True)
class Cluster:
    """The lab, and where images go: a registry that wants neither TLS nor an account."""

    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": self.settings["KUBECONFIG"], "KUBE_NAMESPACE": self.settings["LAB_NAMESPACE"]}

    @property
    def image(self) -> str:
        return f"{self.settings['LAB_PLAIN_REGISTRY']}/bench/{uuid.uuid4().hex[:12]}:1"

    @property
    def kubectl(self) -> list[str]:
        reach = f"--kubeconfig={self.settings['KUBECONFIG']}"
        return [f"{self.settings['LAB_BIN']}/kubectl", reach, f"--namespace={self.settings['LAB_NAMESPACE']}"]

    def command(self) -> list[str | Path]:
        builder = ["--builder-distribution=chainguard", "--builder-version=1.25.6", "--profile=small"]
        where = [f"--image={self.settings['LAB_KANIKO_IMAGE']}", "--extra-arg=--insecure", *builder]
        return [COMMAND, "build", ".", "-t", self.image, *where]


def main() -> None:
    arguments = _arguments()
    printed = subprocess.run([ROOT / "lab" / "env", "--json"], stdout=subprocess.PIPE, check=True).stdout
    cluster = Cluster(json.loads(printed))
    sizes = [SMALL] if arguments.quick else list(SIZES)
    with tempfile.TemporaryDirectory(prefix="jenkins-kaniko-bench-") as name:
        rows = measure_ways(cluster, Path(name), sizes, 3)
        crowds = measure_crowds(cluster, Path(name) / SMALL)
    if arguments.output == "json":
        data = {"rows": [asdict(row) for row in rows], "crowds": [asdict(crowd) for crowd in crowds]}
        print(json.dumps({"machine": machine(), **data}))
    else:
        print("\n".join([machine(), "", *table(rows), "", *crowd_table(crowds)]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.build")
    parser.add_argument("--quick", action="store_true", help="the smallest build context only")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    return parser.parse_args()


def measure_ways(cluster: Cluster, folder: Path, sizes: Sequence[str], rounds: int) -> list[Row]:
    """Measure all ways in turns, so that what else the machine does touches all alike."""
    found: dict[tuple[str, str], list[tuple[float, float | None, float | None]]] = {}
    for size in sizes:
        write_context(folder / size, SIZES[size])
        for _ in range(1 if size == LARGEST else rounds):  # it takes minutes
            found.setdefault((size, OURS), []).append(ours(cluster, folder / size))
            found.setdefault((size, EXECUTOR), []).append(executor(cluster, folder / size, SIZES[size]))
            if size == SMALL:  # the script's ConfigMap takes no more
                found.setdefault((size, SCRIPTED), []).append(by_kubectl(cluster, folder / size))
        if size != SMALL:  # which is built again below; these fill the disk
            shutil.rmtree(folder / size)
    return [row(context, way, runs) for (context, way), runs in found.items()]


def row(context: str, way: str, runs: Sequence[tuple[float, float | None, float | None]]) -> Row:
    seconds, mib, sent = ([one for one in column if one is not None] for column in zip(*runs, strict=True))
    return Row(
        context, way, statistics.median(seconds),
        statistics.median(mib) if mib else None, statistics.median(sent) if sent else None, len(runs),
    )  # fmt: skip


def write_context(folder: Path, size: int) -> None:
    """Write a Dockerfile that copies one line, beside a file of random bytes that it does not copy.

    They are the same in each piece: what compresses looks back a few KB only, and making them all would take longer.
    """
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "hello").write_text("hello\n")
    with (folder / "large").open("wb") as file:
        piece = os.urandom(PIECE)
        for start in range(0, size, PIECE):
            file.write(piece[: size - start])


def ours(cluster: Cluster, folder: Path) -> tuple[float, float | None, float | None]:
    run = measured(cluster.command(), folder, cluster.environment)
    sent = re.search(r"^build context sent: .*?, ([\d.]+) MB/s", run.said, re.MULTILINE)
    return run.seconds, run.mib, float(sent[1]) if sent else None


def by_kubectl(cluster: Cluster, folder: Path) -> tuple[float, float | None, float | None]:
    """Run the flow of a well-meant CI job; its namespace is its own, and deleted at its end."""
    names = {
        "NAME": f"bench-{uuid.uuid4().hex[:8]}",
        "IMAGE": cluster.image,
        "KANIKO_IMAGE": cluster.settings["LAB_KANIKO_IMAGE"],
        "KUBECTL": cluster.kubectl[0],
        "KUBECONFIG": cluster.settings["KUBECONFIG"],
    }
    run = measured(["bash", SCRIPT], folder, names)
    return run.seconds, run.mib, None


def executor(cluster: Cluster, folder: Path, size: int) -> tuple[float, float | None, float | None]:
    """Send the context by `tar | kubectl exec` into a pod that waits, and run the executor in it."""
    with _waiting_pod(cluster):
        run_in_pod = [*cluster.kubectl, "exec", "-i", POD, "--", "/busybox/sh", "-c"]
        begin = time.perf_counter()
        with subprocess.Popen(["tar", "-c", "-C", folder, "."], stdout=subprocess.PIPE) as tar:
            subprocess.run([*run_in_pod, "tar -x -C /context"], stdin=tar.stdout, check=True)
        seconds = time.perf_counter() - begin
        build = f"/kaniko/executor --context=/context --insecure --destination={cluster.image} >/dev/null 2>&1"
        clock = "read t _ </proc/uptime && echo $t"
        script = f"{clock} && {build} && {clock}"
        times = subprocess.run([*run_in_pod, script], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return float(times[1]) - float(times[0]), None, size / 1e6 / seconds if size > SIZES[SMALL] else None


@contextmanager
def _waiting_pod(cluster: Cluster) -> Iterator[None]:
    container = {
        "name": "kaniko",
        "image": cluster.settings["LAB_KANIKO_IMAGE"],
        "command": ["/busybox/sh", "-c", "sleep 3600"],
        "volumeMounts": [{"name": "context", "mountPath": "/context"}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "context", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0,
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    subprocess.run(
        [*cluster.kubectl, "create", "-f", "-"], input=json.dumps(pod).encode(), stdout=subprocess.DEVNULL, check=True
    )
    try:
        ready = ["wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=120s"]
        subprocess.run([*cluster.kubectl, *ready], stdout=subprocess.DEVNULL, check=True)
        yield
    finally:
        subprocess.run([*cluster.kubectl, "delete", "pod", POD, "--now"], stdout=subprocess.DEVNULL, check=True)


def measure_crowds(cluster: Cluster, folder: Path) -> list[Crowd]:
    """Start builds at once, one process each."""
    crowds = []
    for builds in AT_ONCE:
        before, begin = requests(cluster), time.perf_counter()
        with ThreadPoolExecutor(builds) as pool:
            list(pool.map(lambda _: ours(cluster, folder), range(builds)))
        seconds = time.perf_counter() - begin
        crowds.append(Crowd(builds, seconds, (requests(cluster) - before) / builds))
    return crowds


def requests(cluster: Cluster) -> int:
    """How many requests of the kinds that clients make the API server has had."""
    text = subprocess.run([*cluster.kubectl, "get", "--raw", "/metrics"], stdout=subprocess.PIPE, check=True).stdout
    count = 0
    for labels, number in REQUESTS.findall(text.decode()):
        kind = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if (kind["verb"], kind["resource"], kind["subresource"]) in OF_CLIENTS:
            count += int(number)
    return count


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as a table in Markdown; the last column is our rate by that of `tar | kubectl exec`."""
    lines = ["| context | way | s | by the script | MiB | MB/s | by tar, kubectl exec |", "|" + "---|" * 7]
    by_case = {(one.context, one.way): one for one in rows}
    for one in rows:
        script, floor = by_case.get((one.context, SCRIPTED)), by_case[one.context, EXECUTOR]
        cells = [
            one.context, one.way, f"{one.seconds:.2f}",
            f"{one.seconds / script.seconds:.2f}" if script else "-",
            f"{one.mib:.0f}" if one.mib else "-",
            f"{one.sent:.0f}" if one.sent else "-",
            f"{one.sent / floor.sent:.2f}" if one.sent and floor.sent else "-",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def crowd_table(crowds: Sequence[Crowd]) -> list[str]:
    lines = ["| builds at once | s | s a build | API requests a build |", "|" + "---|" * 4]
    for one in crowds:
        lines.append(f"| {one.builds} | {one.seconds:.1f} | {one.seconds / one.builds:.2f} | {one.requests:.1f} |")
    return lines


if __name__ == "__main__":
    main()
