"""Which images verify builds, and which pods it makes of them; that it leaves none, without a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from jenkins_kaniko import build as builds
from jenkins_kaniko import registry_verify
from jenkins_kaniko.attempt import Listener
from jenkins_kaniko.build import Result
from jenkins_kaniko.buildjob import Mounted, Spec
from jenkins_kaniko.contexts import Context
from jenkins_kaniko.errors import DeniedError, JenkinsKanikoError
from jenkins_kaniko.registry_verify import Pulls
from tests.support.fake_cluster import FakeCluster

PULLS = Pulls("registry.shared:5000", "shared", "registry-docker-config")
GIVEN = {
    "name": None, "image": None, "builder_distribution": None, "builder_version": None, "registry_secret": None,
    "ca_bundle": "registry-ca", "profile": "small", "tolerations": (), "timeout": 60, "pending_timeout": 60,
    "keep": False, "probe": None, "probe_timeout": 0,
}  # fmt: skip
QUIET = Listener(note=lambda _text: None, detail=lambda _text: None, line=lambda _text: None)


def node(name: str, architecture: str = "amd64", **spec: bool) -> dict[str, Any]:
    info = {"architecture": architecture, "operatingSystem": "linux"}
    return {"metadata": {"name": name}, "spec": spec, "status": {"nodeInfo": info}}


@dataclass
class Cluster:
    """Attributes:
    states: how the container on a node is.
    refuses: the node whose pod is not taken.
    """

    nodes: list[dict[str, Any]]
    states: dict[str, dict[str, Any]]
    refuses: str | None = None
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]:
        return self.nodes if kind == "Node" else list(self.pods.values())

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        name = manifest["spec"]["nodeName"]
        if name == self.refuses:
            raise DeniedError("no")
        statuses = [{"name": "verify", "state": self.states[name]}]
        made = {**manifest, "status": {"containerStatuses": statuses}}
        self.pods[manifest["metadata"]["name"]] = made
        self.made.append(made)
        return made

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        assert (kind, namespace) == ("Pod", "shared")
        return self.pods.pop(name, None) is not None


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """The builds that were asked for; all succeed."""
    specs: list[Spec] = []

    def build(spec: Spec, context: Context, door: object, listener: Listener) -> Result:
        assert b'RUN ["/busybox/busybox", "cp", "/busybox/busybox", "/true"]\n' in b"".join(context.tar())
        specs.append(spec)
        image, _, tag = spec.options["image"].rpartition(":")
        return Result(image, [tag], f"sha256:{tag}", "kaniko", 1, 0, 0, None, None)

    monkeypatch.setattr(builds, "build", build)
    return specs


ENDED = {"terminated": {"exitCode": 0, "reason": "Completed"}}
WRONG = {"terminated": {"exitCode": 1, "reason": "StartError", "message": "exec format error"}}


def test_an_image_for_each_architecture_and_a_pod_on_each_node(built: list[Spec]) -> None:
    nodes = [node("a"), node("b", "arm64"), node("c", unschedulable=True), node("d")]
    cluster = Cluster(nodes, {"a": ENDED, "b": ENDED, "d": WRONG})
    found = registry_verify.verify(cluster, FakeCluster([]), PULLS, GIVEN, QUIET)
    assert [(one.node, one.state) for one in found] == [("a", "pulled"), ("b", "pulled"), ("d", "failed")]
    assert found[2].text.startswith("StartError: exec format error\n  cause: ")
    assert [(one.node_selector, one.options["image"]) for one in built] == [
        ({"kubernetes.io/arch": name}, f"registry.shared:5000/jenkins-kaniko/verify:{name}")
        for name in ("amd64", "arm64")
    ]
    assert {one.registry_secret for one in built} == {Mounted("registry-docker-config", optional=True)}
    assert cluster.made[0]["spec"]["imagePullSecrets"] == [{"name": "registry-docker-config"}]
    assert {one["spec"]["nodeName"]: one["spec"]["containers"][0]["image"] for one in cluster.made} == {
        name: f"registry.shared:5000/jenkins-kaniko/verify@sha256:{architecture}"
        for name, architecture in (("a", "amd64"), ("b", "arm64"), ("d", "amd64"))
    }
    assert cluster.pods == {}


def test_nodes_that_run_windows_are_left_out(built: list[Spec]) -> None:
    other = node("w")
    other["status"]["nodeInfo"]["operatingSystem"] = "windows"
    found = registry_verify.verify(Cluster([other, node("a")], {"a": ENDED}), FakeCluster([]), PULLS, GIVEN, QUIET)
    assert [(one.node, one.state, one.good) for one in found] == [("a", "pulled", True), ("w", "skipped", True)]
    assert len(built) == 1


def test_nothing_is_left_where_a_pod_is_not_taken(built: list[Spec]) -> None:
    cluster = Cluster([node("a"), node("b")], {"a": ENDED}, refuses="b")
    with pytest.raises(DeniedError):
        registry_verify.verify(cluster, FakeCluster([]), PULLS, GIVEN, QUIET)
    assert (len(cluster.made), cluster.pods, len(built)) == (1, {}, 1)


def test_a_cluster_without_a_node_for_pods_is_no_success(built: list[Spec]) -> None:
    with pytest.raises(JenkinsKanikoError, match="no node of the cluster takes pods"):
        registry_verify.verify(Cluster([node("a", unschedulable=True)], {}), FakeCluster([]), PULLS, GIVEN, QUIET)
    assert built == []
