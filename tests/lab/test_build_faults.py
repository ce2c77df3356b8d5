"""`jenkins-kaniko build` while the cluster, the registry or another client gets in its way: nothing is lost or left."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.lab.building import SHELL, Builds, Run, write
from tests.lab.disturbing import evict, pod_of, reads, said_until, started, wait_until, write_large, write_zeros
from tests.support.registry import Registry
from tests.support.registry_proxy import RegistryProxy

pytestmark = pytest.mark.lab


def test_an_evicted_build_is_built_again_and_keeps_its_name(
    run: Run, builds: Builds, image: str, registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, f"{SHELL}RUN echo begun && sleep 12 && echo done >/result\n")
    with started(builds, tmp_path, ".", "-t", f"{image}:evicted", "--name", "evicted", "--no-cache") as process:
        said_until(process, "begun\n")
        evict(builds, pod_of(builds, "evicted"))
        said = said_until(process, "begun\n")
        other = run(".", "-t", f"{image}:other", "--name", "evicted")
        output, more = process.communicate(timeout=120)
    assert process.returncode == 0, said + more
    digest, _ = registry.manifest("build/app", "evicted")
    assert output == f"{image}@{digest}\n"
    assert said.count("the cluster took the pod off its node; attempt 2 in 5 s\n") == 1
    taken = f"job {builds.namespace}/evicted-2: there already; wait for its end, or give another --name"
    assert (other.returncode, other.stderr) == (4, f"jenkins-kaniko: {taken}\n")
    assert registry.files("build/app", "evicted")["/result"] == b"done\n"
    assert builds.left() == []


def test_a_build_that_is_evicted_while_its_context_is_sent_is_built_again(
    builds: Builds, image: str, registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, "FROM scratch\nCOPY small /\n")
    (tmp_path / "small").write_text("small")
    last = write_large(tmp_path)
    with started(builds, tmp_path, ".", "-t", f"{image}:sent", "--name", "sent") as process:
        wait_until(lambda: reads(process, last))
        evict(builds, pod_of(builds, "sent"))
        output, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert output == f"{image}@{registry.manifest('build/app', 'sent')[0]}\n"
    assert registry.files("build/app", "sent") == {"/small": b"small"}
    assert said.count("the cluster took the pod off its node; attempt 2 in 5 s\n") == 1
    assert builds.left() == []


@pytest.fixture
def plain(builds: Builds) -> Registry:
    return Registry(builds.lab.settings["LAB_PLAIN_REGISTRY_ADDRESS"])


def test_a_registry_may_be_away_for_a_while(run: Run, builds: Builds, plain: Registry, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo done >/result\n")
    with RegistryProxy(plain.address, away=20) as proxy:
        done = run(".", "-t", f"{proxy.address}/build/away:1")
    assert (done.returncode, proxy.refused > 0) == (0, True), done.stderr
    digest, _ = plain.manifest("build/away", "1")
    assert done.stdout == f"{proxy.address}/build/away@{digest}\n"
    assert plain.files("build/away", "1")["/result"] == b"done\n"
    assert "the registry, or a proxy before it, has a failure: 503 Service Unavailable; attempt 2 in 5 s" in done.stderr
    assert builds.left() == []


def test_a_registry_may_cut_connections(run: Run, builds: Builds, plain: Registry, tmp_path: Path) -> None:
    """While an image is pushed, and while it is pulled as the base of another one."""
    write(tmp_path, f"{SHELL}COPY large /large\nRUN echo one >/one\nRUN echo two >/two\n")
    large = os.urandom(3_000_000)
    (tmp_path / "large").write_bytes(large)
    with RegistryProxy(plain.address, cut_every=3) as proxy:
        pushed = run(".", "-t", f"{proxy.address}/build/cut:1", "--no-cache")
        cut = proxy.cut
        write(tmp_path, f"FROM {proxy.address}/build/cut:1\nRUN sha256sum </large >/sum\n")
        pulled = run(".", "-t", f"{proxy.address}/build/cut:2", "--no-cache")
    assert (pushed.returncode, pulled.returncode) == (0, 0), pushed.stderr + pulled.stderr
    assert 0 < cut < proxy.cut
    found = plain.files("build/cut", "2")
    assert (found["/one"], found["/two"], found["/large"] == large) == (b"one\n", b"two\n", True)
    assert found["/sum"].split()[0].decode() == hashlib.sha256(large).hexdigest()
    assert pulled.stdout == f"{proxy.address}/build/cut@{plain.manifest('build/cut', '2')[0]}\n"
    assert builds.left() == []


def test_of_two_clients_with_one_name_one_builds(
    builds: Builds, image: str, registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, f"{SHELL}RUN sleep 5 && echo done >/result\n")
    commands = [[".", "-t", f"{image}:{number}", "--name", "twice", "--no-cache"] for number in ("first", "second")]
    with started(builds, tmp_path, *commands[0]) as one, started(builds, tmp_path, *commands[1]) as other:
        ends = [(*process.communicate(timeout=120), process.returncode) for process in (one, other)]
    won, lost = sorted(ends, key=lambda end: end[2])
    assert (won[2], lost[2]) == (0, 4), ends
    tag = "first" if won is ends[0] else "second"
    assert won[0] == f"{image}@{registry.manifest('build/app', tag)[0]}\n"
    assert registry.files("build/app", tag)["/result"] == b"done\n"
    assert lost[:2] == (
        "", f"jenkins-kaniko: job {builds.namespace}/twice: there already; wait for its end, or give another --name\n",
    )  # fmt: skip
    assert builds.left() == []


def test_a_builder_that_fills_its_disk_is_explained(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    """The small profile has 5 GiB."""
    write(tmp_path, f"{SHELL}RUN fallocate -l 5400M /big && echo full && sleep 1000\n")
    done = run(".", "-t", f"{image}:full")
    assert (done.returncode, done.stdout) == (7, "")
    assert "cause: the pod used more disk than it may, and was removed\n" in done.stderr
    assert builds.left() == []


def test_a_quota_that_is_full_is_waited_for(builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    builds.kubectl("create", "quota", "full", "--hard=pods=0")
    try:
        with started(builds, tmp_path, ".", "-t", f"{image}:quota") as process:
            said = said_until(process, "exceeded quota: full")
            builds.kubectl("delete", "quota", "full")
            output, more = process.communicate(timeout=120)
    finally:
        builds.kubectl("delete", "quota", "full", "--ignore-not-found")
    assert (process.returncode, output.partition("@")[0]) == (0, f"{image}"), said + more
    assert said.startswith("waiting: FailedCreate: ")
    assert builds.left() == []


def test_a_disk_that_is_full_before_the_context_is_there_is_explained(
    builds: Builds, image: str, tmp_path: Path
) -> None:
    """The small profile has 5 GiB; they are filled at once, instead of by a context that takes minutes."""
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    last = write_zeros(tmp_path, 4_000_000_000)
    fill = ["/busybox/sh", "-c", "fallocate -l 5400M /jenkins-kaniko/big"]
    with started(builds, tmp_path, ".", "-t", f"{image}:large", "--name", "large") as process:
        wait_until(lambda: reads(process, last))
        builds.kubectl("exec", pod_of(builds, "large"), "-c", "context", "--", *fill)
        output, said = process.communicate(timeout=180)
    assert (process.returncode, output) == (7, ""), said
    assert "cause: the pod used more disk than it may, and was removed\n" in said
    assert builds.left() == []
