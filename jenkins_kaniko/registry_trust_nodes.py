"""Making all nodes trust a registry, or taking that back: what is applied, and what becomes of it on each node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jenkins_kaniko import podstate
from jenkins_kaniko import registry_trust as nodes_trust
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.registry_trust import CONTENT, FAILED, REMOVE, TRUST, NodeTrust, Trust
from jenkins_kaniko.waiting import Waiting

CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"
TICK_SECONDS = 1
Node = Mapping[str, Any]


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None: ...
    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]: ...
    def apply(self, manifest: Mapping[str, Any]) -> str: ...
    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool: ...


@dataclass(frozen=True)
class Outcome:
    """What came of it: created, changed, unchanged or removed, and what each node told."""

    change: str
    nodes: list[NodeTrust]

    @property
    def failed(self) -> list[NodeTrust]:
        """The nodes where it is not done."""
        return [one for one in self.nodes if one.state not in nodes_trust.DONE]


def described(door: Door, name: str, namespace: str) -> Trust:
    """Return what is to be trusted of a registry that is there.

    Raises:
        WrongInputError: there is none, it has no address of its own, or its certificate is not told.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    service = door.read("Service", name, namespace)
    if service is None:
        raise WrongInputError(
            f"service {namespace}/{name}: not found; make a registry with: "
            f"jenkins-kaniko registry install -n {namespace}, or say where it is with --namespace and --name"
        )
    address = service["spec"].get("clusterIP") or "None"
    if address == "None":
        raise WrongInputError(f"service {namespace}/{name}: has no clusterIP, which nodes would reach it by")
    config_map = door.read("ConfigMap", f"{name}-ca", namespace)
    ca = (config_map or {}).get("data", {}).get("ca.crt", "")
    if "-----BEGIN CERTIFICATE-----" not in ca:
        raise WrongInputError(
            f"configmap {namespace}/{name}-ca: has no certificate in ca.crt; put there what signed the registry's"
        )
    return Trust(name, namespace, address, ca)


def trust(door: Door, wanted: Trust, timeout: float, tell: Callable[[str], None]) -> Outcome:
    """Make all nodes trust a registry, and wait until each of them told what came of it.

    Args:
        timeout: seconds that all of them may take.
        tell: takes a line when a node's pod waits for something.

    Raises:
        DeniedError, RefusedError, WrongInputError: the cluster does not take what runs on the nodes.
        UnreachableError: it does not answer, or forbids it.
    """
    change, nodes = _carried_out(door, wanted, TRUST, timeout, tell)
    return Outcome(change, nodes)


def untrust(door: Door, wanted: Trust, timeout: float, tell: Callable[[str], None]) -> Outcome:
    """Remove what `trust` wrote on the nodes, and then what wrote it; where a node fails, that stays.

    Raises: as trust does.
    """
    _, nodes = _carried_out(door, wanted, REMOVE, timeout, tell)
    outcome = Outcome(nodes_trust.REMOVED, nodes)
    if not outcome.failed:
        for form in nodes_trust.FOLDERS:
            _delete(door, wanted, form)
    return outcome


def image_there(door: Door, wanted: Trust) -> str:
    """Return the image that runs on the nodes already; where there is none, the packaged one."""
    for one in door.listed("DaemonSet", wanted.namespace, labelSelector=wanted.selector):
        image: str = one["spec"]["template"]["spec"]["containers"][0]["image"]
        return image
    return wanted.image


def _carried_out(
    door: Door, wanted: Trust, mode: str, timeout: float, tell: Callable[[str], None]
) -> tuple[str, list[NodeTrust]]:
    nodes = door.listed("Node")
    forms = nodes_trust.by_form(nodes)
    applied = nodes_trust.manifests(wanted, forms, mode)
    changes = [door.apply(one) for one in applied]
    contents = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["annotations"][CONTENT]
        for one in applied
        if one["kind"] == "DaemonSet"
    }
    told = _Told(door, wanted, contents, nodes, tell).all(timeout)
    return next((one for one in (CREATED, CHANGED) if one in changes), UNCHANGED), told


def _delete(door: Door, wanted: Trust, form: str) -> None:
    for kind in ("DaemonSet", "ConfigMap"):
        door.delete(kind, nodes_trust.object_name(wanted, form), wanted.namespace)


class _Told:
    """What the nodes told until now."""

    def __init__(
        self, door: Door, wanted: Trust, contents: Mapping[str, str], nodes: Sequence[Node], tell: Callable[[str], None]
    ) -> None:
        """`contents` are those of the DaemonSets by name: pods of an earlier one do not count."""
        self._door, self._wanted, self._contents, self._nodes = door, wanted, contents, nodes
        self._found: dict[str, NodeTrust] = {}
        self._waiting = {_name(node): _waiting(_name(node), tell) for node in nodes}
        for node in nodes:
            if why := _out_of_reach(node):
                self._found[_name(node)] = why

    def all(self, timeout: float) -> list[NodeTrust]:
        """Return it for all nodes, once all told or the time is over."""
        limit = time.monotonic() + timeout
        while True:
            self._look()
            left = [one for one in self._nodes if _name(one) not in self._found]
            if not left:
                break
            if time.monotonic() > limit:
                self._found |= {_name(one): self._late(_name(one), timeout) for one in left}
                break
            time.sleep(TICK_SECONDS)
        return [self._found[name] for name in sorted(self._found)]

    def _look(self) -> None:
        pods = {
            pod["spec"]["nodeName"]: pod
            for pod in self._door.listed("Pod", self._wanted.namespace, labelSelector=self._wanted.selector)
            if pod["metadata"].get("annotations", {}).get(CONTENT) in self._contents.values()
            and "deletionTimestamp" not in pod["metadata"]
            and "nodeName" in pod["spec"]
        }
        why = None if pods else self._no_pods()
        for node in self._nodes:
            name = _name(node)
            if name in self._found:
                continue
            found = nodes_trust.told(node, pods[name]) if name in pods else None
            if name in pods and not found and (vain := self._waiting[name].in_vain(pods[name])):
                found = NodeTrust(name, FAILED, vain)
            if name not in pods and why:
                found = NodeTrust(name, FAILED, why)
            if found:
                self._found[name] = found

    def _no_pods(self) -> str | None:
        """Return why the cluster makes no pods of the DaemonSets, where it says so."""
        for name in self._contents:
            query = {"fieldSelector": f"involvedObject.kind=DaemonSet,involvedObject.name={name}"}
            if why := podstate.hopeless_event(self._door.listed("Event", self._wanted.namespace, **query), ""):
                return why
        return None

    def _late(self, name: str, timeout: float) -> NodeTrust:
        return NodeTrust(name, FAILED, f"nothing in {timeout:g} s: {self._waiting[name].reason or 'nobody says why'}")


def _waiting(node: str, tell: Callable[[str], None]) -> Waiting:
    return Waiting(lambda text: tell(f"{node}: {text}"), "")


def _out_of_reach(node: Node) -> NodeTrust | None:
    if nodes_trust.form_of(node) is None:
        runtime = node["status"]["nodeInfo"]["containerRuntimeVersion"]
        return NodeTrust(_name(node), nodes_trust.UNKNOWN, f"{runtime}: not known how this is told what to trust")
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] != "True":
            return NodeTrust(_name(node), FAILED, f"the node is not ready: {condition.get('message', '')}")
    return None


def _name(node: Node) -> str:
    name: str = node["metadata"]["name"]
    return name


def with_image(door: Door, wanted: Trust, image: str | None, *, restart: bool) -> Trust:
    """Return it with the image that is given, or else is there already."""
    return replace(wanted, image=image or image_there(door, wanted), restart=restart)
