"""The node's own view of the machine, so that a node can come and go without a trace.

Kubelet, containerd and the CNI plugins keep things at fixed places all over a machine. Here they live in a mount
namespace in which each such place is a folder below .lab/node. Whatever they mount there (volumes, root file
systems, network namespaces) is invisible to the machine and vanishes with the last process of the lab, even when
all are killed. What cannot be private, kernel settings and control groups, is put back by restore().
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lablib.run import LabError, run
from lablib.settings import Settings

PLACES = (
    "/etc/containerd",
    "/run/containerd",
    "/run/netns",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
# Kubelet, kube-proxy and the CNI plugins set these on the machine.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
LIBC = ctypes.CDLL(None, use_errno=True)  # Python has these two calls from 3.12 on
CLONE_NEWNS = 0x00020000
CGROUPS = Path("/sys/fs/cgroup")
CGROUP = "jenkins-kaniko-lab"


def missing_places() -> list[str]:
    """Folders, parents first, that have to be made to mount something on them."""
    wanted = {str(p) for place in PLACES for p in (Path(place), *Path(place).parents)}
    return sorted(place for place in wanted if not Path(place).exists())


@contextmanager
def returning() -> Iterator[None]:
    """Come back to the machine's own mounts when the block fails: clearing up is done from there."""
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    try:
        yield
    except BaseException:
        # Refused while another thread exists; those that were joined take a moment to be gone.
        while LIBC.setns(home, CLONE_NEWNS) and ctypes.get_errno() == errno.EINVAL:
            time.sleep(0.01)
        raise
    finally:
        os.close(home)


def enter(settings: Settings) -> None:
    """Move this process, and so all it starts, into the node's mount namespace."""
    if LIBC.unshare(CLONE_NEWNS):
        raise LabError(f"cannot make a mount namespace: {os.strerror(ctypes.get_errno())}")
    # First cut off from the machine, then shared among ourselves: pods may ask for mount propagation.
    run(["mount", "--make-rprivate", "/"])
    run(["mount", "--make-rshared", "/"])
    for place in PLACES:
        source = settings.node_root / place.lstrip("/")
        source.mkdir(parents=True)
        Path(place).mkdir(parents=True, exist_ok=True)
        run(["mount", "--bind", str(source), place])


def join(pid: int) -> None:
    """Move this process, and so all it starts, into the mount namespace of a part."""
    home = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    try:
        if LIBC.setns(home, CLONE_NEWNS):
            raise LabError(f"cannot enter the node's mount namespace: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(home)


def hierarchies() -> list[Path]:
    """The roots of the control group trees: one with cgroup v2, one per controller with v1."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists()]


def make_cgroups() -> None:
    """Make the group under which kubelet puts all pods; it wants to find it in every tree."""
    for root in hierarchies():
        (root / CGROUP).mkdir(exist_ok=True)
        if root.name == "cpuset":  # an empty set admits no process; children inherit what is set here
            for name in ("cpuset.cpus", "cpuset.mems"):
                (root / CGROUP / name).write_text((root / name).read_text())


def contained_processes() -> set[int]:
    """Processes inside containers of the lab."""
    found: set[int] = set()
    for root in hierarchies():
        for procs in (root / CGROUP).rglob("cgroup.procs"):
            found.update(int(line) for line in procs.read_text().split())
    return found


def remove_cgroups() -> None:
    """Remove the groups, innermost first; a group stays busy for a moment after its last process."""
    for root in hierarchies():
        for folder, _, _ in os.walk(root / CGROUP, topdown=False):
            for _ in range(40):
                try:
                    Path(folder).rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.05)


def kernel_settings() -> dict[str, str]:
    """The present values of what the lab's parts will change."""
    paths = {name: Path("/proc/sys") / name for name in KERNEL_SETTINGS}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def restore_kernel_settings(values: dict[str, str]) -> None:
    """Write back what kernel_settings() found."""
    for name, value in values.items():
        path = Path("/proc/sys") / name
        if path.read_text().strip() != value:
            path.write_text(value)
