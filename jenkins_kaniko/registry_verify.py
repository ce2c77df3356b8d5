"""Whether nodes really pull from a registry of the cluster: an image is built into it, and run on each node by digest.

The image holds nothing but the builder's own shell, so that neither a base image nor the internet is needed; for that
reason it is built on each processor architecture that nodes have.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jenkins_kaniko import build, buildspec, podstate
from jenkins_kaniko.attempt import Door as BuildDoor
from jenkins_kaniko.attempt import Listener
from jenkins_kaniko.buildjob import MANAGED, Mounted, Spec
from jenkins_kaniko.contexts import Context, Facts
from jenkins_kaniko.contexts_stream import FILE, Entry
from jenkins_kaniko.errors import JenkinsKanikoError
from jenkins_kaniko.explain import Seen, explanation
from jenkins_kaniko.nodepods import Node, failed, name_of, outcomes, runs_linux, skipped, warnings_of
from jenkins_kaniko.nodereport import NodeOutcome
from jenkins_kaniko.podstate import Pod

LABEL = "jenkins-kaniko/registry-verify"
CONTAINER = "verify"
PULLED = "pulled"
SHELL = "/busybox/busybox"
"""Where the debug images of Kaniko have it; as `true` it ends well at once."""
DOCKERFILE = f'FROM scratch\nRUN ["{SHELL}", "cp", "{SHELL}", "/true"]\n'
ARCHITECTURE = "kubernetes.io/arch"
SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]: ...
    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]: ...
    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool: ...


@dataclass(frozen=True)
class Pulls:
    """What nodes are to pull.

    Attributes:
        host: of the registry, as names of images begin.
        namespace: of the builds and the pods.
        secret: with the registry accounts; it need not be there.
    """

    host: str
    namespace: str
    secret: str


def verify(
    door: Door,
    builder: BuildDoor,
    pulls: Pulls,
    given: Mapping[str, Any],
    listener: Listener,
) -> list[NodeOutcome]:
    """Build an image, run it on each node that takes pods, and return what came of it; nothing stays in the cluster.

    Args:
        given: how the image is built, as buildspec.spec_from takes it.

    Raises:
        BuildFailedError, TimedOutError, JenkinsKanikoError: there is no image to pull, as build says.
        DeniedError: the namespace does not take the pods.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    listed = door.listed("Node")
    nodes = [node for node in listed if runs_linux(node) and not node["spec"].get("unschedulable")]
    if not nodes:
        raise JenkinsKanikoError("no node of the cluster takes pods: kubectl get nodes")
    images = {}
    for architecture in sorted({_architecture(node) for node in nodes}):
        spec = _spec(pulls, architecture, given)
        images[architecture] = build.build(spec, _context(), builder, listener).ref
    found = _run(door, pulls, nodes, images, given["timeout"], listener.note)
    return [_explained(one) for one in found] + [skipped(node) for node in listed if not runs_linux(node)]


def _spec(pulls: Pulls, architecture: str, given: Mapping[str, Any]) -> Spec:
    """The image is the same each time, so that the registry keeps one of each architecture."""
    options = {
        "image": f"{pulls.host}/jenkins-kaniko/verify:{architecture}",
        "cache": False,
        "extraArgs": ["--reproducible"],
    }
    spec = buildspec.spec_from(options, {}, {**given, "node_selector": (f"{ARCHITECTURE}={architecture}",)})
    return replace(spec, registry_secret=Mounted(pulls.secret, optional=True))


def _context() -> Context:
    content = DOCKERFILE.encode()
    entry = Entry("Dockerfile", FILE, 0o644, 0, len(content), content=lambda: [content])
    return Context(Facts("directory", dockerfile_text=DOCKERFILE), lambda _tell: iter([entry]), lambda _text: None)


def _run(
    door: Door,
    pulls: Pulls,
    nodes: Sequence[Node],
    images: Mapping[str, str],
    timeout: float,
    tell: Callable[[str], None],
) -> list[NodeOutcome]:
    run = secrets.token_hex(4)
    manifests = [
        _pod(pulls, run, number, node, images[_architecture(node)], timeout) for number, node in enumerate(nodes)
    ]

    def pods() -> list[Pod]:
        return list(door.listed("Pod", pulls.namespace, labelSelector=f"{LABEL}={run}"))

    with _made(door, manifests):
        return outcomes(nodes, pods, _told, timeout, tell, warnings_of(door, pulls.namespace))


@contextmanager
def _made(door: Door, manifests: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    try:
        for one in manifests:
            door.create(one)
        yield
    finally:
        for one in manifests:
            door.delete("Pod", one["metadata"]["name"], one["metadata"]["namespace"])


def _pod(pulls: Pulls, run: str, number: int, node: Node, image: str, timeout: float) -> dict[str, Any]:
    container = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "Always",  # the node asks the registry even where it has the image
        "command": ["/true"],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": SECURITY,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"verify-{run}-{number}",
            "namespace": pulls.namespace,
            "labels": {**MANAGED, LABEL: run},
        },
        "spec": {
            "nodeName": name_of(node),
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": round(timeout) + 60,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],
            "imagePullSecrets": [{"name": pulls.secret}],
            "containers": [container],
        },
    }


def _told(node: Node, pod: Pod) -> NodeOutcome | None:
    if end := podstate.ended(pod, CONTAINER):
        if end.exit_code == 0:
            return NodeOutcome(name_of(node), PULLED, "", good=True)
        return failed(node, f"{end.reason}: {end.message or f'exit code {end.exit_code}'}")
    lost = podstate.lost(pod, CONTAINER)
    return failed(node, lost) if lost else None


def _explained(outcome: NodeOutcome) -> NodeOutcome:
    if outcome.good:
        return outcome
    return NodeOutcome(outcome.node, outcome.state, explanation(Seen(exception=outcome.text)), good=False)


def _architecture(node: Node) -> str:
    architecture: str = node["status"]["nodeInfo"]["architecture"]
    return architecture
