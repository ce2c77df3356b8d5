"""A build whose API server is away for a while, at whatever moment: a proxy in front of it is gone for that time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.building import SHELL, Builds, server_of, write, write_kubeconfig
from tests.lab.disturbing import reads, said_until, started, wait_until, write_large
from tests.support.cutting import CuttingProxy
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

AWAY_SECONDS = 8
"""Longer than a few tries, a second apart, would last."""
LINES = 150
COUNT = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.1; done"


@pytest.fixture
def proxy(builds: Builds) -> Iterator[CuttingProxy]:
    with CuttingProxy(server_of(builds)) as made:
        yield made


@pytest.fixture
def kubeconfig(builds: Builds, proxy: CuttingProxy, tmp_path: Path) -> str:
    """Outside of the folder with the context."""
    file = tmp_path / "kubeconfig"
    write_kubeconfig(builds, file, f"https://{proxy.address}")
    return str(file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "context"
    made.mkdir()
    return made


def assert_built(builds: Builds, image: str, process: subprocess.Popen[str], said: str) -> None:
    output, more = process.communicate(timeout=120)
    assert (process.returncode, output.partition("@")[0]) == (0, image), said + more
    assert builds.left() == []


def test_before_the_job_is_made(builds: Builds, image: str, folder: Path, proxy: CuttingProxy, kubeconfig: str) -> None:
    write(folder, "FROM scratch\nCOPY Dockerfile /\n")
    proxy.leave()
    with started(builds, folder, ".", "-t", f"{image}:early", KUBECONFIG=kubeconfig) as process:
        said = said_until(process, "; asking again for 120 s\n")
        time.sleep(AWAY_SECONDS)
        proxy.come_back()
        assert_built(builds, image, process, said)


def test_while_the_context_is_sent(
    builds: Builds, image: str, folder: Path, registry: Registry, proxy: CuttingProxy, kubeconfig: str
) -> None:
    write(folder, "FROM scratch\nCOPY small /\n")
    (folder / "small").write_text("small")
    last = write_large(folder)
    with started(builds, folder, ".", "-t", f"{image}:away", KUBECONFIG=kubeconfig) as process:
        wait_until(lambda: reads(process, last))
        proxy.leave()
        said = said_until(process, "; from its begin again\n")
        time.sleep(AWAY_SECONDS)
        proxy.come_back()
        said += said_until(process, "build context sent: ")
        assert_built(builds, image, process, said)
    assert registry.files("build/app", "away") == {"/small": b"small"}


IMPATIENT = (
    "from jenkins_kaniko import patience; patience.PATIENCE_SECONDS = 7; from jenkins_kaniko.cli import main; main()"
)
"""The command with a patience that is shorter than the log until then."""


def test_after_a_log_that_was_longer_than_it_may_be_away(
    builds: Builds, image: str, folder: Path, proxy: CuttingProxy, kubeconfig: str
) -> None:
    write(folder, f"{SHELL}RUN {COUNT}\n")
    command = builds.command(str(folder), "-t", f"{image}:long", "--no-cache")[1:]
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *command],
        env=builds.environment(KUBECONFIG=kubeconfig),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = said_until(process, "line 100\n")  # ten seconds after the first
            proxy.leave()
            time.sleep(3)
            proxy.come_back()
            assert process.stderr
            said += process.stderr.read()  # communicate() would leave out what is buffered here already
            assert_built(builds, image, process, said)
        finally:
            process.kill()
    assert [line for line in said.splitlines() if line.startswith("line ")] == [f"line {i}" for i in range(LINES)]
