"""How a builder's memory is measured around it, and what is said of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jenkins_kaniko import memory

DIGEST = "sha256:" + "0" * 64
MIB = 1 << 20
V1 = "cache 900\nrss 4000\nshmem 200\ntotal_rss 4000\ntotal_shmem 200\n"
V2 = "anon 5000\nfile 900\nkernel 70\nshmem 20\n"


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("needs busybox")
    for name in ("sh", "sleep"):
        (tmp_path / name).symlink_to(busybox)
    return tmp_path / "sh"


def measured(shell: Path, cgroup: dict[str, str], engine: str) -> tuple[int, str]:
    """Run an engine, written in shell, in a place of its own; return its exit code and the termination message."""
    folder = shell.parent
    for name, text in cgroup.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "engine").write_text(f"#!{shell}\nlog={folder}/log\n{engine}\n")
    (folder / "engine").chmod(0o755)
    command = memory.measuring(str(shell), str(folder / "engine"))
    places = {"/sys/fs/cgroup": folder, memory.PEAK_FILE: folder / "peak", "/dev/termination-log": folder / "log"}
    for place, own in places.items():
        command[2] = command[2].replace(place, str(own))
    done = subprocess.run([*command, "a b", "$HOME"], capture_output=True, text=True, timeout=20, check=False)
    log = folder / "log"
    return done.returncode, log.read_text() if log.exists() else ""


@pytest.mark.parametrize(("cgroup", "peak"), [({"memory/memory.stat": V1}, 4200), ({"memory.stat": V2}, 5020)])
def test_the_peak_comes_after_the_digest(shell: Path, cgroup: dict[str, str], peak: int) -> None:
    left = measured(shell, cgroup, f'sleep 1.2; printf "{DIGEST} $#,$1,$2" >$log')
    assert left == (0, f"{DIGEST} 2,a b,$HOME\nmemory={peak}")


def test_it_is_the_highest_of_what_was_seen(shell: Path) -> None:
    stat = shell.parent / "memory.stat"
    engine = f'for size in 7 90 8; do echo "anon $size" >{stat}.new; mv {stat}.new {stat}; sleep 1.2; done'
    assert measured(shell, {"memory.stat": "anon 1\n"}, engine) == (0, "\nmemory=90")


@pytest.mark.parametrize(("ending", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_a_failing_engine_keeps_its_exit_code(shell: Path, ending: str, code: int) -> None:
    assert measured(shell, {"memory.stat": V2}, f"sleep 1.2; {ending}") == (code, "\nmemory=5020")


def test_where_nothing_can_be_measured_nothing_is_told(shell: Path) -> None:
    assert measured(shell, {}, f'printf "{DIGEST}" >$log') == (0, DIGEST)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (DIGEST, (DIGEST, None)),
        (f"{DIGEST}\nmemory=12\n", (DIGEST, 12)),
        ("\nmemory=12", ("", 12)),
        ("memory=5\nmemory=12", ("memory=5", 12)),
        ("memory=12 apples", ("memory=12 apples", None)),
    ],
)
def test_what_the_engine_left_is_told_from_what_was_measured(message: str, found: tuple[str, int | None]) -> None:
    assert memory.split(message) == found


@given(some.text())
def test_no_message_makes_it_fail(message: str) -> None:
    left, peak = memory.split(message)
    assert (message.startswith(left), peak is None or peak >= 0) == (True, True)


@pytest.mark.parametrize(
    ("peak", "profile", "says"),
    [
        (61 * MIB, "small", "peak memory 61 MiB of 2048 MiB"),
        (61 * MIB, "medium", "peak memory 61 MiB of 4096 MiB"),
        (1900 * MIB, "small", "peak memory 1900 MiB of 2048 MiB; that is close to the end: --profile medium"),
        (4000 * MIB, "medium", "peak memory 4000 MiB of 4096 MiB; that is close to the end: --profile large"),
        (12000 * MIB, "large", "peak memory 12000 MiB of 12288 MiB; no profile has more"),
        (2048 * MIB, "large", "peak memory 2048 MiB of 12288 MiB; half of --profile medium is enough"),
        (2049 * MIB, "large", "peak memory 2049 MiB of 12288 MiB"),
    ],
)
def test_advice_is_given_where_another_profile_fits_better(peak: int, profile: str, says: str) -> None:
    assert memory.said(peak, profile) == says
