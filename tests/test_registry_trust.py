"""What runs on nodes for each container runtime, and what is made of what they tell, without a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from jenkins_kaniko import nodereport, registry_trust, registry_trust_nodes
from jenkins_kaniko.errors import UnreachableError, WrongInputError
from jenkins_kaniko.registry_trust import REMOVE, TRUST, Trust, form_of, manifests

WANTED = Trust("registry", "shared", "10.96.0.7", "-----BEGIN CERTIFICATE-----\n")
RUNTIME = {
    "containerd": ("containerd://1.7.27", "v1.33.1"),
    "k3s": ("containerd://2.0.5-k3s1", "v1.33.1+k3s1"),
    "rke2": ("containerd://2.0.5-k3s1", "v1.33.1+rke2r1"),
    "cri-o": ("cri-o://1.33.0", "v1.33.1"),
    None: ("docker://28.1.1", "v1.33.1"),
}


def node(name: str = "a", form: str | None = "containerd", ready: str = "True") -> dict[str, Any]:
    runtime, kubelet = RUNTIME[form]
    return {
        "metadata": {"name": name},
        "status": {
            "nodeInfo": {
                "containerRuntimeVersion": runtime,
                "kubeletVersion": kubelet,
                "operatingSystem": "linux",
            },
            "conditions": [{"type": "Ready", "status": ready, "message": "stopped"}],
        },
    }


def pod_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("form", RUNTIME)
def test_the_container_runtime_of_a_node(form: str | None) -> None:
    assert form_of(node(form=form)) == form


SEEN = {
    "containerd": {"/etc/containerd": True, "/etc/containerd/certs.d": False},
    "k3s": {"/etc/rancher/k3s": False},
    "rke2": {"/etc/rancher/rke2": False},
    "cri-o": {"/etc/containers/registries.conf.d": False, "/etc/containers/certs.d": False},
}


@pytest.mark.parametrize("form", SEEN)
def test_the_pod_sees_the_folders_of_its_runtime_only(form: str) -> None:
    _, daemon_set = manifests(WANTED, {form: ["a"]}, TRUST)
    pod = pod_of(daemon_set)
    hosts = {one["name"]: one["hostPath"]["path"] for one in pod["volumes"] if "hostPath" in one}
    mounts = {one["name"]: one for one in pod["initContainers"][0]["volumeMounts"]}
    assert {path: mounts[name]["readOnly"] for name, path in hosts.items()} == SEEN[form]
    assert {mounts[name]["mountPath"] for name in hosts} == {f"/node{path}" for path in SEEN[form]}
    assert pod["hostPID"] is False
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["securityContext"] == registry_trust.SECURITY
    assert "volumeMounts" not in pod["containers"][0]


def test_only_a_restart_needs_more() -> None:
    _, daemon_set = manifests(replace(WANTED, restart=True), {"containerd": ["a"]}, TRUST)
    pod = pod_of(daemon_set)
    assert (pod["hostPID"], pod["initContainers"][0]["securityContext"]["privileged"]) == (True, True)
    assert pod["initContainers"][0]["args"] == ["containerd", "trust", "restart"]
    assert pod["containers"][0]["securityContext"] == registry_trust.SECURITY
    assert [one["readOnly"] for one in pod["initContainers"][0]["volumeMounts"]] == [True, False, False]


def test_nodes_with_different_runtimes() -> None:
    forms = registry_trust.by_form([node("a"), node("b", "cri-o"), node("c"), node("d", None)])
    assert forms == {"containerd": ["a", "c"], "cri-o": ["b"]}
    sets = {one["metadata"]["name"]: pod_of(one) for one in manifests(WANTED, forms, TRUST) if "spec" in one}
    assert list(sets) == ["registry-trust-containerd", "registry-trust-cri-o"]
    selector = sets["registry-trust-containerd"]["affinity"]["nodeAffinity"]
    terms = selector["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [one["matchFields"][0]["values"] for one in terms] == [["a"], ["c"]]
    assert "affinity" not in pod_of(manifests(WANTED, {"cri-o": ["b"]}, TRUST)[1])


@pytest.mark.parametrize(
    "other", [replace(WANTED, ca="new"), replace(WANTED, address="10.96.0.8"), replace(WANTED, restart=True)]
)
def test_what_changes_makes_new_pods(other: Trust) -> None:
    contents = {content(WANTED, TRUST), content(other, TRUST), content(WANTED, REMOVE)}
    assert len(contents) == 3


def content(wanted: Trust, mode: str) -> str | None:
    return registry_trust_nodes.content_of(manifests(wanted, {"k3s": ["a"]}, mode)[1]["spec"]["template"])


# --- on a cluster ----------------------------------------------------------------------------------------------------


def ended(message: str, exit_code: int = 0) -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "message": message}}


@dataclass
class Cluster:
    """Attributes:
    states: of the container on each node that has a pod.
    deleted: kinds and names.
    """

    nodes: list[dict[str, Any]]
    states: dict[str, dict[str, Any]]
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deleted: list[tuple[str, str]] = field(default_factory=list)

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        assert namespace == "shared"
        return self.objects.get((kind, name))

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]:
        if kind == "Node":
            return self.nodes
        if kind == "Event":
            return []
        assert (namespace, query) == ("shared", {"labelSelector": "jenkins-kaniko/registry-trust=registry"})
        if kind == "DaemonSet":
            return [one for (kind_of, _), one in self.objects.items() if kind_of == kind]
        return [self._pod(daemon_set, name) for daemon_set in self.listed("DaemonSet", "shared", **query)
                for name in self.states]  # fmt: skip

    def _pod(self, daemon_set: Mapping[str, Any], name: str) -> dict[str, Any]:
        metadata = {**daemon_set["spec"]["template"]["metadata"], "name": f"trust-{name}"}
        status = {"initContainerStatuses": [{"name": "trust", "state": self.states[name]}]}
        return {"metadata": metadata, "spec": {"nodeName": name}, "status": status}

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        assert dry_run
        return dict(manifest)

    def apply(self, manifest: Mapping[str, Any]) -> str:
        key = (manifest["kind"], manifest["metadata"]["name"])
        before, self.objects[key] = self.objects.get(key), dict(manifest)
        return "created" if before is None else "unchanged" if before == manifest else "changed"

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        assert namespace == "shared"
        self.deleted.append((kind, name))
        return True


def trusted(cluster: Cluster, wanted: Trust = WANTED, timeout: float = 0) -> registry_trust_nodes.Outcome:
    return registry_trust_nodes.trust(cluster, wanted, timeout, print)


def test_what_each_node_tells() -> None:
    names = ["b", "c", "d", "e", "f"]
    nodes = [node("a", ready="Unknown"), *map(node, names), node("g", None), node("h")]
    nodes[5]["status"]["nodeInfo"]["containerRuntimeVersion"] = "containerd://2.1.0"
    waits = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    states = [
        ended("ready"),
        ended("unset write a line"),
        ended("", 1),
        ended("default no file"),
        ended("default no file"),
    ]
    cluster = Cluster(nodes, dict(zip(names, states, strict=True)) | {"h": waits})
    outcome = trusted(cluster)
    told = {one.node: (one.state, one.text, one.good) for one in outcome.nodes}
    assert outcome.change == "created"
    assert told["a"] == ("failed", "the node is not ready: stopped", False)
    assert told["b"] == ("ready", "", True)
    assert told["c"] == ("unset", "write a line", False)
    assert told["d"] == ("failed", "Error: exit code 1", False)
    assert told["e"][0] == "written"
    assert told["e"][1].startswith("no file: containerd reads certs.d only where its registry section has config_path")
    assert told["f"][0] == "written"
    assert told["g"] == ("unknown", "docker://28.1.1: this program does not know how it is told what to trust", False)
    assert told["h"] == ("failed", "nothing in 0 s: ErrImagePull: no such image", False)
    assert nodereport.exit_code(outcome.nodes) == 3
    assert nodereport.text(outcome.nodes[1:3]) == "b  ready\nc  unset    write a line"
    assert (nodereport.exit_code(outcome.nodes[1:2]), nodereport.exit_code(outcome.nodes[2:3])) == (0, 7)


UNREAD = "containerd since 2.1 does not look into lists where its transfer service pulls; if a pull fails, "
ALONE = 'write config_path = "/etc/containerd/certs.d" alone'
BY_DEFAULT = (
    'no file: containerd reads certs.d only where its registry section has config_path = "/etc/containerd/certs.d"; '
    "see that it has, wherever its configuration is"
)
SINCE_2_2 = f"config_path of containerd is a list by default: {UNREAD}"
VERSIONS = [
    ("1.7.27", "listed list", "ready", ""),
    ("2.0.7", "listed list", "ready", ""),
    ("2.1.4", "listed list", "written", f"list: {UNREAD}{ALONE} there and restart containerd"),
    ("1.6.20~ds1", "absent write it", "unset", "containerd reads no certs.d: write it"),
    ("2.1.4", "absent write it", "unset", "containerd reads no certs.d: write it"),
    ("2.2.0", "absent write it", "written", f"{SINCE_2_2}write it"),
    ("2.1.4", "default no file", "written", BY_DEFAULT),
    (
        "v2.2.0", "default no file", "written",
        f"{SINCE_2_2}{ALONE} in its configuration, wherever it is, and restart containerd",
    ),
    ("unknown", "default no file", "written", BY_DEFAULT),
]  # fmt: skip


@pytest.mark.parametrize(("version", "message", "state", "text"), VERSIONS)
def test_what_containerd_of_a_version_makes_of_its_configuration(
    version: str, message: str, state: str, text: str
) -> None:
    nodes = [node("a")]
    nodes[0]["status"]["nodeInfo"]["containerRuntimeVersion"] = f"containerd://{version}"
    told = trusted(Cluster(nodes, {"a": ended(message)})).nodes
    assert [(one.state, one.text, one.good) for one in told] == [(state, text, state != "unset")]


def test_a_second_run_changes_nothing_and_keeps_the_image() -> None:
    cluster = Cluster([node("a")], {"a": ended("ready")})
    wanted = registry_trust_nodes.with_image(cluster, WANTED, "example.com/busybox:1")
    assert trusted(cluster, wanted).change == "created"
    again = registry_trust_nodes.with_image(cluster, WANTED, None)
    assert again == wanted
    assert trusted(cluster, again).change == "unchanged"
    assert registry_trust_nodes.with_image(cluster, WANTED, "example.com/other:1").image == "example.com/other:1"


@pytest.mark.parametrize(("state", "deleted"), [(ended("removed"), True), (ended("", 1), False)])
def test_what_removes_stays_until_every_node_is_done(state: dict[str, Any], *, deleted: bool) -> None:
    cluster = Cluster([node("a"), node("b", None)], {"a": state})
    registry_trust_nodes.untrust(cluster, WANTED, 0, print)
    arguments = pod_of(cluster.objects[("DaemonSet", "registry-trust-containerd")])["initContainers"][0]["args"]
    assert arguments == ["containerd", "remove"]
    assert (("DaemonSet", "registry-trust-containerd") in cluster.deleted) == deleted


def windows(name: str) -> dict[str, Any]:
    made = node(name)
    made["status"]["nodeInfo"]["operatingSystem"] = "windows"
    return made


def test_nodes_that_run_windows_are_left_out() -> None:
    cluster = Cluster([node("a"), windows("w")], {"a": ended("ready")})
    told = trusted(cluster).nodes
    assert nodereport.data(told) == [
        {"name": "a", "state": "ready", "text": ""},
        {"name": "w", "state": "skipped", "text": "runs windows, not images of linux"},
    ]
    assert nodereport.exit_code(told) == 0
    cluster.states = {"a": ended("refused it")}
    assert nodereport.exit_code(trusted(cluster).nodes) == 7
    assert nodereport.data(registry_trust_nodes.untrust(cluster, WANTED, 0, print).nodes)[1:] == []


def test_a_pod_whose_folders_cannot_be_mounted_is_told_by_its_events() -> None:
    """On a node where nothing can be written; the pod itself says nothing of it."""

    class Immutable(Cluster):
        def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]:
            if kind != "Event":
                pods = super().listed(kind, namespace, **query)
                return [{**one, "metadata": {**one["metadata"], "uid": "1"}} for one in pods] if kind == "Pod" else pods
            if self.closed:
                raise UnreachableError("forbidden")
            assert (namespace, query) == ("shared", {"fieldSelector": "type=Warning"})
            return [
                event("1", "mkdir /etc/containerd: read-only file system", "2026-01-01T00:00:09Z"),
                event("1", "not yet", "2026-01-01T00:00:01Z"),
                event("2", "of another pod", "2026-01-01T00:00:10Z"),
            ]

        closed = False

    cluster = Immutable([node("a")], {"a": {"waiting": {"reason": "PodInitializing"}}})
    (told,) = trusted(cluster).nodes
    assert told.text == "nothing in 0 s: FailedMount: mkdir /etc/containerd: read-only file system"
    cluster.closed = True
    assert trusted(cluster).nodes[0].text == "nothing in 0 s: nobody says why"


def event(uid: str, message: str, at: str) -> dict[str, Any]:
    return {
        "involvedObject": {"uid": uid}, "type": "Warning", "reason": "FailedMount", "message": message,
        "lastTimestamp": at,
    }  # fmt: skip


SERVICE = {"spec": {"clusterIP": "10.96.0.7"}}
CA = {"data": {"ca.crt": WANTED.ca}}


def test_a_registry_describes_itself() -> None:
    cluster = Cluster([], {}, {("Service", "registry"): SERVICE, ("ConfigMap", "registry-ca"): CA})
    assert registry_trust_nodes.described(cluster, "registry", "shared") == WANTED


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ({}, "service shared/registry: not found; make a registry with: jenkins-kaniko registry install -n shared"),
        ({("Service", "registry"): {"spec": {"clusterIP": "None"}}}, "service shared/registry: has no clusterIP"),
        ({("Service", "registry"): SERVICE}, "configmap shared/registry-ca: has no certificate in ca.crt"),
    ],
)
def test_a_registry_that_cannot_be_trusted(objects: dict[tuple[str, str], dict[str, Any]], says: str) -> None:
    with pytest.raises(WrongInputError, match=says):
        registry_trust_nodes.described(Cluster([], {}, objects), "registry", "shared")
