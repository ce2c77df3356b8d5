"""A build goes on while parts of the cluster fail; alone and late, because the parts fail for everyone."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.building import ROOT, SHELL, Builds, write
from tests.lab.conftest import Lab
from tests.support.registry import Registry

pytestmark = [pytest.mark.lab, pytest.mark.last]

LINES = 150
COUNT = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.1; done"


def restart(part: str, seconds: float) -> None:
    """Kill a part of the lab, and start it again after some seconds."""
    subprocess.run([ROOT / "lab" / "restart", part, str(seconds)], check=True)


def node_is(lab: Lab, status: str) -> bool:
    form = '{{range (index .items 0).status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}'
    return lab.kubectl("get", "nodes", "-o", f"go-template={form}") == status


@pytest.mark.parametrize(
    ("part", "seconds"), [("kube-apiserver", 6), ("kubelet", 3), ("kubelet", 75)], ids=["API server", "kubelet", "node"]
)
def test_a_build_survives(
    builds: Builds, image: str, registry: Registry, tmp_path: Path, part: str, seconds: float
) -> None:
    """75 seconds without kubelet are enough for the cluster to call the node not ready."""
    write(tmp_path, f"{SHELL}RUN {COUNT}\n")
    tag = f"{part}-{seconds:g}"
    with subprocess.Popen(
        builds.command(str(tmp_path), "-t", f"{image}:{tag}", "--no-cache", "--timeout", "4m"),
        env=builds.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            assert process.stdout
            begin = []
            while "line 5\n" not in begin:
                begin.append(process.stderr.readline())
                assert process.poll() is None, "".join(begin)
            restart(part, seconds)
            said = process.stderr.read()  # communicate() would leave out what is buffered here already
            output = process.stdout.read()
            process.wait(timeout=10)
        finally:
            process.kill()
    log = "".join(begin) + said
    assert process.returncode == 0, log
    assert [line for line in log.splitlines() if line.startswith("line ")] == [f"line {i}" for i in range(LINES)]
    assert output == f"{image}@{registry.manifest('build/app', tag)[0]}\n"
    until = time.monotonic() + 60
    while not node_is(builds.lab, "True"):
        assert time.monotonic() < until
        time.sleep(1)
    assert builds.left() == []
