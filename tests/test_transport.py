"""How a build context gets into a pod: packed where it is small, else streamed and compared."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from jenkins_kaniko import patience, transport
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError
from tests.support.fake_cluster import FakeCluster

CUT = UnansweredError("the connection broke")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.append(now.pop() + seconds))
    return now


def stream(
    cluster: FakeCluster,
    chunks: Iterable[bytes] = (b"a", b"b"),
    estimate: int | None = None,
    waits: Callable[[], bool] = lambda: True,
) -> list[str]:
    told: list[str] = []
    transport.stream(cluster, "app-x1", "/busybox/sh", lambda: chunks, estimate, 5000.0, waits, told.append)
    return told


def test_what_fits_into_a_config_map_is_packed() -> None:
    packed = transport.packed([b"one", b"two"])
    assert packed
    assert gzip.decompress(packed) == b"onetwo"
    assert transport.packed([bytes(50_000_000)])
    assert transport.packed([os.urandom(transport.SMALL - 2000)])


def test_what_does_not_is_read_no_further_than_that_is_clear() -> None:
    chunks = iter([os.urandom(1 << 20)] * 10)
    assert transport.packed(chunks) is None
    assert len(list(chunks)) == 9


def test_a_cut_stream_begins_again_and_then_the_container_may_end() -> None:
    cluster = FakeCluster([[]], cut=[CUT, CUT])
    told = stream(cluster)
    assert cluster.sent == [b"ab", b""]
    assert told == [f"sending the build context: {CUT}; from its begin again"] * 2 + [
        "build context sent: 0.0 MB, 0.0 MB/s"
    ]


def test_what_arrives_changed_is_sent_again() -> None:
    class Changing(FakeCluster):
        def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
            return super().send(pod, container, command, chunks if len(self.sent) != 0 else [*chunks, b"!"], until)

    cluster = Changing([[]])
    assert "what arrived is not what was sent; from its begin again" in stream(cluster)[0]
    assert cluster.sent == [b"ab!", b"ab", b""]


def test_a_network_that_always_cuts_ends_it() -> None:
    cluster = FakeCluster([[]], cut=[CUT] * 100)
    with pytest.raises(UnansweredError):
        stream(cluster)
    assert (len(cluster.cut), cluster.sent) == (100 - transport.TRIES, [])


def test_a_connection_that_is_not_made_is_made_later() -> None:
    """It counts among the broken ones only once something was sent."""
    cluster = FakeCluster([[]], cut=[CUT] * (transport.TRIES - 1), unmade=[CUT] * 50)
    told = stream(cluster)
    assert cluster.sent == [b"ab", b""]
    again = f"sending the build context: {CUT}; from its begin again"
    assert told == [again] * transport.TRIES + ["build context sent: 0.0 MB, 0.0 MB/s"]


def test_a_connection_that_cannot_be_made_for_too_long_ends_it(clock: list[float]) -> None:
    with pytest.raises(UnansweredError):
        stream(FakeCluster([[]], unmade=[CUT] * 1000))
    assert clock[0] < 1002 + patience.PATIENCE_SECONDS


@pytest.mark.parametrize("broken", [CUT, JenkinsKanikoError("exit code 137")])
def test_what_arrived_is_not_sent_again_where_the_last_answer_is_lost(broken: Exception) -> None:
    """The container may have heard it, and ended."""

    class Deaf(FakeCluster):
        def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
            self.cut = [broken] if len(self.sent) == 1 else []
            return super().send(pod, container, command, chunks, until)

    cluster = Deaf([[]])
    assert stream(cluster, waits=lambda: False) == ["build context sent: 0.0 MB, 0.0 MB/s"]
    assert cluster.sent == [b"ab"]


def test_a_container_that_did_not_hear_that_all_is_there_is_told_again() -> None:
    class Deaf(FakeCluster):
        def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
            self.cut = [CUT] * (3 - len(told)) if self.sent else []
            told.append(command[-1])
            return super().send(pod, container, command, chunks, until)

    told: list[str] = []
    cluster = Deaf([[]])
    stream(cluster)
    assert (cluster.sent, told[1:]) == ([b"ab", b""], [transport.DONE] * 3)


def test_progress_has_a_rate_and_the_time_that_is_left(clock: list[float]) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            clock[0] += 2
            yield bytes(1_000_000)

    told = stream(FakeCluster([[]]), chunks(), estimate=6_000_000)
    assert told == [
        "sending the build context: 3.0 MB, 0.5 MB/s, about 6 s left",
        "build context sent: 4.0 MB, 0.5 MB/s",
    ]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with busybox' shell and programs, as in the builder's image; the context goes below it."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("needs busybox")
    for name in ("sh", "tar", "tee", "md5sum", "mkfifo", "mkdir", "mv", "rm", "cat"):
        (tmp_path / name).symlink_to(busybox)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def unpack(folder: Path, content: bytes) -> subprocess.CompletedProcess[bytes]:
    script = transport.UNPACK.replace(transport.FOLDER, str(folder))
    return subprocess.run([folder / "sh", "-c", script], input=content, capture_output=True, timeout=20, check=False)


def test_the_program_in_the_pod_unpacks_and_tells_what_arrived(shell: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "data").write_bytes(os.urandom(3_000_000))
    content = subprocess.run(["/bin/tar", "-C", shell / "source", "-c", "."], capture_output=True, check=True).stdout
    cut = unpack(shell, content[:1_000_000])
    assert cut.returncode != 0
    again = unpack(shell, content + bytes(100_000))
    assert (again.returncode, again.stderr) == (0, b"")
    assert again.stdout.split()[0].decode() == hashlib.md5(content + bytes(100_000), usedforsecurity=False).hexdigest()
    assert (shell / "context" / "data").read_bytes() == (shell / "source" / "data").read_bytes()
