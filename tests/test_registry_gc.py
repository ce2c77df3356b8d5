"""A collection of a registry takes place while it is read-only, and never leaves it so."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import yaml

from jenkins_kaniko import registry as parts
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.registry import Registry
from jenkins_kaniko.registry_gc import collect
from jenkins_kaniko.registry_install import found

SAID = b"app\n4 blobs marked, 3 blobs and 0 manifests eligible for deletion\nblob eligible for deletion: sha256:1\n"
READY = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}


@dataclass
class FakeObjects:
    """A cluster that keeps what is applied, and notes how the registry was configured when a command ran in it."""

    said: bytes | JenkinsKanikoError
    kept: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    ran: list[tuple[bool, list[str]]] = field(default_factory=list)

    def apply(self, manifest: Mapping[str, Any]) -> str:
        there = {**manifest, "metadata": {**manifest["metadata"], "generation": 1}, "status": READY}
        self.kept[manifest["kind"], manifest["metadata"]["name"]] = there
        return "changed"

    def read(self, kind: str, name: str, _namespace: str) -> dict[str, Any] | None:
        if kind == "Secret":
            return {"data": {"tls.crt": base64.b64encode(b"certificate").decode()}}
        return self.kept.get((kind, name))

    def listed(self, _kind: str, _namespace: str, **_query: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "registry-x1"}, "status": {}}]

    def run(self, _pod: str, _namespace: str, _container: str, command: list[str]) -> bytes:
        self.ran.append((self.read_only(), command))
        if isinstance(self.said, JenkinsKanikoError):
            raise self.said
        return self.said

    def read_only(self) -> bool:
        config = yaml.safe_load(self.kept["ConfigMap", "registry-config"]["data"]["config.yml"])
        enabled: bool = config["storage"]["maintenance"]["readonly"]["enabled"]
        return enabled


def collected(fake: FakeObjects, registry: Registry, *, dry_run: bool = False) -> int:
    fake.apply(parts.config_map(registry))
    return collect(cast(Objects, fake), registry, lambda _text: None, dry_run=dry_run, timeout=1)


def test_pushes_are_refused_while_it_collects_and_taken_again_after() -> None:
    fake = FakeObjects(SAID)
    registry = Registry(storage="1Gi")
    assert collected(fake, registry) == 3
    assert fake.ran == [(True, ["registry", "garbage-collect", "/config/config.yml"])]
    assert fake.read_only() is False
    assert found(cast(Objects, fake), "registry", "shared-services") == registry.settings()


@pytest.mark.parametrize("said", [b"panic", JenkinsKanikoError("the connection broke")])
def test_pushes_are_taken_again_after_a_failure_too(said: bytes | JenkinsKanikoError) -> None:
    fake = FakeObjects(said)
    with pytest.raises(JenkinsKanikoError, match=r"panic|broke"):
        collected(fake, Registry(storage="1Gi"))
    assert (len(fake.ran), fake.read_only()) == (1, False)


def test_a_registry_that_was_read_only_stays_so() -> None:
    fake = FakeObjects(SAID)
    collected(fake, Registry(storage="1Gi", read_only=True))
    assert fake.read_only() is True


def test_to_count_needs_no_rest() -> None:
    fake = FakeObjects(SAID)
    assert collected(fake, Registry(), dry_run=True) == 3
    assert fake.ran == [(False, ["registry", "garbage-collect", "--dry-run", "/config/config.yml"])]


def test_images_that_end_with_the_pod_are_not_lost_by_replacing_it() -> None:
    fake = FakeObjects(SAID)
    with pytest.raises(RefusedError, match="install it with --storage"):
        collected(fake, Registry())
    assert fake.ran == []
