"""Making all nodes trust a registry, or taking that back: what is applied, and what becomes of it on each node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jenkins_kaniko import registry_trust
from jenkins_kaniko.errors import DeniedError, WrongInputError
from jenkins_kaniko.nodepods import outcomes, runs_linux, skipped, warnings_of
from jenkins_kaniko.nodereport import NodeOutcome
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.registry_trust import CONTENT, REMOVE, TRUST, Trust, form_of

CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None: ...
    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]: ...
    def apply(self, manifest: Mapping[str, Any]) -> str: ...
    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]: ...
    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool: ...


@dataclass(frozen=True)
class Outcome:
    """What came of it: created, changed, unchanged or removed, and what each node told."""

    change: str
    nodes: list[NodeOutcome]


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
    outcome = Outcome(registry_trust.REMOVED, nodes)
    if all(one.good for one in nodes):
        for form in registry_trust.FOLDERS:
            for kind in ("DaemonSet", "ConfigMap"):
                door.delete(kind, registry_trust.object_name(wanted, form), wanted.namespace)
    return outcome


def with_image(door: Door, wanted: Trust, image: str | None) -> Trust:
    """Return it with the image that is given, or else runs on the nodes already, or else is the packaged one."""
    for one in door.listed("DaemonSet", wanted.namespace, labelSelector=wanted.selector):
        image = image or one["spec"]["template"]["spec"]["containers"][0]["image"]
    return replace(wanted, image=image) if image else wanted


def _carried_out(
    door: Door, wanted: Trust, mode: str, timeout: float, tell: Callable[[str], None]
) -> tuple[str, list[NodeOutcome]]:
    """Return whether something was created or changed for it, and what the nodes told."""
    nodes = door.listed("Node")
    linux = [node for node in nodes if runs_linux(node)]
    applied = registry_trust.manifests(wanted, registry_trust.by_form(linux), mode)
    changes = _applied(door, applied)
    known = [node for node in linux if form_of(node)]
    pods, warnings = _pods(door, wanted, applied), warnings_of(door, wanted.namespace)
    told = outcomes(known, pods, registry_trust.told, timeout, tell, warnings)
    if mode == TRUST:
        told += [registry_trust.unknown(node) for node in linux if not form_of(node)]
        told += [skipped(node) for node in nodes if not runs_linux(node)]
    return next((one for one in (CREATED, CHANGED) if one in changes), UNCHANGED), told


def _applied(door: Door, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Apply what the namespace takes the pods of, and return what became of each."""
    for one in manifests:
        if one["kind"] == "DaemonSet":
            _admitted(door, one)
    return [door.apply(one) for one in manifests]


def _pods(door: Door, wanted: Trust, manifests: Sequence[Mapping[str, Any]]) -> Callable[[], list[Pod]]:
    """Return what lists the pods of just these manifests."""
    contents = {content_of(one["spec"]["template"]) for one in manifests if "spec" in one}

    def pods() -> list[Pod]:
        listed = door.listed("Pod", wanted.namespace, labelSelector=wanted.selector)
        return [one for one in listed if content_of(one) in contents and "deletionTimestamp" not in one["metadata"]]

    return pods


def _admitted(door: Door, daemon_set: Mapping[str, Any]) -> None:
    """Ask whether the namespace takes such pods; of a DaemonSet it takes everything, and tells only in events."""
    namespace, template = daemon_set["metadata"]["namespace"], daemon_set["spec"]["template"]
    metadata = {**template["metadata"], "name": f"{daemon_set['metadata']['name']}-admitted", "namespace": namespace}
    try:
        door.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, dry_run=True)
    except DeniedError as error:
        if "violates PodSecurity" not in str(error):
            raise
        level = "pod-security.kubernetes.io/enforce=privileged"
        raise DeniedError(f"{error}; allow it with: kubectl label namespace {namespace} {level} --overwrite") from None


def content_of(pod: Mapping[str, Any]) -> str | None:
    """Return what tells the pods of one run from those of an earlier one."""
    content: str | None = pod["metadata"].get("annotations", {}).get(CONTENT)
    return content
