"""The lab comes, goes, and survives being killed; alone and last, because it takes the lab from everyone else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Lab

pytestmark = [pytest.mark.lab, pytest.mark.last]
RECORD = Path("/run/jenkins-kaniko-lab/record.json")


def lab_command(name: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([cwd / "lab" / name], capture_output=True, text=True, check=False)


def traces() -> dict[str, list[str]]:
    """What a lab could leave on the machine: links, packet filter rules, mounts, control groups, processes."""
    rules = [
        line
        for command in ("iptables-save", "ip6tables-save")
        for line in subprocess.run([command], capture_output=True, text=True, check=True).stdout.splitlines()
        if line.startswith(("-A", ":KUBE"))
    ]
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return {
        "rules": rules,
        "links": [link["ifname"] for link in links if link["ifname"].startswith(("jkl", "veth"))],
        "mounts": [line for line in mounts if str(ROOT / ".lab") in line or "kubelet" in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob("*/jenkins-kaniko-lab")],
        "processes": [
            process.name
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and b"containerd-shim" in command_line(process)
        ],
    }


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def up_again(lab: Lab) -> Iterator[None]:
    """Whatever a test does to the lab, the next one finds it running."""
    yield
    assert lab_command("up").returncode == 0


def test_up_is_idempotent(lab: Lab) -> None:
    before = RECORD.read_text(encoding="utf-8")
    done = lab_command("up")
    assert (done.returncode, done.stderr) == (0, "the lab is already up\n")
    assert RECORD.read_text(encoding="utf-8") == before


def test_the_gateway_keeps_its_address_when_a_pod_comes_or_goes(lab: Lab) -> None:
    """A pod that knows the old one reaches neither DNS nor a registry until its neighbour entry expires."""
    bridge = json.loads((ROOT / "lab" / "versions.json").read_text())["bridge"]
    address = Path(f"/sys/class/net/{bridge}/address")
    before = address.read_text()
    lowest = ["ip", "link", "add", "jkltest0", "address", "02:00:00:00:00:00"]
    subprocess.run([*lowest, "type", "veth", "peer", "name", "jkltest1"], check=True)
    try:
        subprocess.run(["ip", "link", "set", "jkltest0", "master", bridge, "up"], check=True)
        assert address.read_text() == before
    finally:
        subprocess.run(["ip", "link", "delete", "jkltest0"], check=True)
    assert address.read_text() == before


def test_another_clone_is_told_whose_lab_runs(lab: Lab, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--no-local", ROOT, tmp_path / "clone"], check=True)
    for name in ("up", "down"):
        done = lab_command(name, tmp_path / "clone")
        assert done.returncode == 1
        assert f"a lab of {ROOT} is running" in done.stderr
    assert lab_command("status").returncode == 0


def test_a_killed_lab_comes_back(lab: Lab, up_again: None) -> None:
    lab.kubectl("run", "left-over", f"--image={lab.settings['LAB_BUSYBOX_IMAGE']}", "--", "sleep", "1000")
    processes: dict[str, tuple[int, int]] = json.loads(RECORD.read_text(encoding="utf-8"))["processes"]
    for pid, _start in processes.values():
        os.kill(pid, signal.SIGKILL)
    assert lab_command("status").returncode == 1
    assert lab_command("up").returncode == 0
    assert lab_command("status").returncode == 0
    assert lab.kubectl("get", "pods", "-A", "-o", "name") == ""


def test_two_starts_at_once_make_one_lab(lab: Lab, up_again: None) -> None:
    assert lab_command("down").returncode == 0
    starts = [subprocess.Popen([ROOT / "lab" / "up"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [start.communicate()[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert sum("the lab is already up" in message for message in messages) == 1
    assert lab_command("status").returncode == 0


def test_down_leaves_no_trace(lab: Lab, up_again: None) -> None:
    lab.kubectl("run", "left-over", f"--image={lab.settings['LAB_BUSYBOX_IMAGE']}", "--", "sleep", "1000")
    lab.kubectl("wait", "pod/left-over", "--for=condition=Ready", "--timeout=60s")
    assert traces()["links"]
    assert lab_command("down").returncode == 0
    assert traces() == {"rules": [], "links": [], "mounts": [], "cgroups": [], "processes": []}
    assert lab_command("status").returncode == 1
    assert lab_command("down").returncode == 0
