"""A collection of a registry takes place while it is read-only, and never leaves it so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from jenkins_kaniko import cluster_objects
from jenkins_kaniko import registry as parts
from jenkins_kaniko.cli import cli
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, WrongInputError
from jenkins_kaniko.registry import CONTENT, Registry
from jenkins_kaniko.registry_gc import collect
from jenkins_kaniko.registry_install import found
from tests.support.fake_objects import RUNNING, FakeObjects

SAID = b"app\n4 blobs marked, 3 blobs and 0 manifests eligible for deletion\nblob eligible for deletion: sha256:1\n"
EVICTED = {
    "metadata": {"name": "registry-x0", "uid": "0"},
    "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
}


@pytest.fixture
def cluster() -> FakeObjects:
    return FakeObjects(said=lambda: SAID)


@pytest.fixture
def signals() -> Iterator[None]:
    """Heed Ctrl-C where the tests run in the background, and forget afterwards what a command made of signals."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before:
        signal.signal(number, handler)


def collected(cluster: FakeObjects, registry: Registry, *, dry_run: bool = False) -> int:
    installed(cluster, registry)
    return collect(cast(Objects, cluster), registry, lambda _text: None, dry_run=dry_run, timeout=1)


def installed(cluster: FakeObjects, registry: Registry) -> None:
    cluster.apply(parts.config_map(registry))
    cluster.apply(parts.secret(registry, registry.tls, {"tls.crt": b"certificate"}))


def test_pushes_are_refused_while_it_collects_and_taken_again_after(cluster: FakeObjects) -> None:
    registry = Registry(storage="1Gi")
    assert collected(cluster, registry) == 3
    assert cluster.ran == [(True, ["registry", "garbage-collect", "/config/config.yml"])]
    assert cluster.read_only() is False
    assert found(cast(Objects, cluster), "registry", "shared-services") == registry.settings()


def broken() -> bytes:
    raise JenkinsKanikoError("the connection broke")


@pytest.mark.parametrize("says", [lambda: b"panic", broken])
def test_pushes_are_taken_again_after_a_failure_too(cluster: FakeObjects, says: Callable[[], bytes]) -> None:
    cluster.said = says
    with pytest.raises(JenkinsKanikoError, match=r"panic|broke"):
        collected(cluster, Registry(storage="1Gi"))
    assert (len(cluster.ran), cluster.read_only()) == (1, False)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"])
def test_pushes_are_taken_again_after_a_signal(
    cluster: FakeObjects, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    def killed() -> bytes:
        os.kill(os.getpid(), number)
        return SAID

    cluster.said = killed
    monkeypatch.setattr(cluster_objects, "Objects", lambda: cluster)
    installed(cluster, Registry(storage="1Gi"))
    done = CliRunner().invoke(cli, ["registry", "gc"])
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(
        "registry shared-services/registry: read-only from now on\nregistry shared-services/registry: as before\n"
    )
    assert (len(cluster.ran), cluster.read_only()) == (1, False)


def test_a_registry_that_was_read_only_stays_so(cluster: FakeObjects) -> None:
    collected(cluster, Registry(storage="1Gi", read_only=True))
    assert cluster.read_only() is True


def test_to_count_needs_no_rest(cluster: FakeObjects) -> None:
    assert collected(cluster, Registry(), dry_run=True) == 3
    assert cluster.ran == [(False, ["registry", "garbage-collect", "--dry-run", "/config/config.yml"])]


def test_images_that_end_with_the_pod_are_not_lost_by_replacing_it(cluster: FakeObjects) -> None:
    with pytest.raises(RefusedError, match="install it with --storage"):
        collected(cluster, Registry())
    assert cluster.ran == []


def test_a_pod_that_was_evicted_is_passed_over(cluster: FakeObjects) -> None:
    cluster.pods = [EVICTED, RUNNING]
    assert collected(cluster, Registry(storage="1Gi")) == 3


def test_a_registry_of_which_no_pod_runs_is_said_to_be_so(cluster: FakeObjects) -> None:
    cluster.pods = [EVICTED]
    with pytest.raises(WrongInputError) as caught:
        collected(cluster, Registry(), dry_run=True)
    assert str(caught.value) == (
        "no pod of the registry runs; jenkins-kaniko registry status -n shared-services --name registry tells why"
    )


def test_without_its_certificate_nothing_is_touched(cluster: FakeObjects) -> None:
    registry = Registry(storage="1Gi")
    installed(cluster, registry)
    cluster.delete("Secret", "registry-tls", "shared-services")
    told: list[str] = []
    with pytest.raises(WrongInputError) as caught:
        collect(cast(Objects, cluster), registry, told.append, dry_run=False, timeout=1)
    assert str(caught.value) == (
        "secret shared-services/registry-tls: has no tls.crt; "
        "jenkins-kaniko registry install -n shared-services --name registry makes it anew"
    )
    assert (told, cluster.ran) == ([], [])


def test_nothing_is_collected_in_a_pod_that_somebody_else_let_take_pushes(cluster: FakeObjects) -> None:
    """A second collection may be over just when this one begins."""

    def replaced(manifest: Mapping[str, Any]) -> None:
        if manifest["kind"] == "Deployment":
            annotations = {CONTENT: "other"} if cluster.read_only() else {}
            cluster.pods = [{**RUNNING, "metadata": {**RUNNING["metadata"], "annotations": annotations}}]

    cluster.applied = replaced
    with pytest.raises(RefusedError) as caught:
        collected(cluster, Registry(storage="1Gi"))
    assert str(caught.value) == "registry shared-services/registry: somebody else changed it meanwhile; try again"
    assert (cluster.ran, cluster.read_only()) == ([], False)


def test_what_was_installed_during_a_collection_stays(cluster: FakeObjects) -> None:
    def installs() -> bytes:
        more = Registry(storage="1Gi", accounts=("ci",))
        cluster.apply(parts.secret(more, more.passwords, {"ci": b"x", "htpasswd": b"ci:x"}))
        cluster.apply(parts.config_map(more))
        return SAID

    cluster.said = installs
    collected(cluster, Registry(storage="1Gi"))
    assert found(cast(Objects, cluster), "registry", "shared-services") == {"storage": "1Gi", "accounts": ["ci"]}
    assert "htpasswd" in cluster.kept["ConfigMap", "shared-services", "registry-config"]["data"]["config.yml"]


def test_the_status_tells_of_a_collection_that_was_killed(
    cluster: FakeObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_objects, "Objects", lambda: cluster)
    registry = Registry(storage="1Gi")
    installed(cluster, registry)
    told = "pushes       taken"
    assert told in CliRunner().invoke(cli, ["registry", "status"]).stdout.splitlines()
    cluster.apply(parts.config_map(replace(registry, read_only=True), kept=registry))
    killed = "pushes       refused while registry gc runs; if it was killed, registry gc or install takes them again"
    assert killed in CliRunner().invoke(cli, ["registry", "status"]).stdout.splitlines()
    collected(cluster, registry)
    assert told in CliRunner().invoke(cli, ["registry", "status"]).stdout.splitlines()
