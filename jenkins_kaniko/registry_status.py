"""A registry in the cluster as it is now -> text for people, data for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jenkins_kaniko import certificates, podstate
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.registry import CONTAINER, FOLDER, Registry, config_map
from jenkins_kaniko.registry_steps import content_of
from jenkins_kaniko.registry_wait import outdated, pods, serves


@dataclass(frozen=True)
class Status:
    """What is known of a registry.

    Attributes:
        waits_for: why it is not ready, in the cluster's words, where it says.
        cluster_ip: None without a Service.
        certificate: when the server's certificate ends; None where there is none.
        outdated: whether the pod serves an earlier certificate than there is now.
        held: whether a collection refuses pushes, one that runs or was killed.
        authority: when our own authority ends; None where the certificate is somebody else's.
        claim: phase of the claim, None without one.
    """

    registry: Registry
    now: datetime
    ready: bool
    waits_for: str | None
    cluster_ip: str | None
    certificate: datetime | None
    outdated: bool
    held: bool
    authority: datetime | None
    claim: str | None

    @property
    def days(self) -> int | None:
        """How long the certificate is valid yet."""
        return (self.certificate - self.now).days if self.certificate else None


def status(objects: Objects, registry: Registry, now: datetime) -> Status:
    """Ask the cluster.

    Raises:
        UnreachableError: it does not answer, or forbids it.
    """
    namespace = registry.namespace
    deployment = objects.read("Deployment", registry.name, namespace)
    ready = serves(deployment)
    served = content_of(objects, registry.tls, namespace)
    service = objects.read("Service", registry.name, namespace)
    claim = objects.read("PersistentVolumeClaim", registry.claim, namespace) if registry.storage else None
    return Status(
        registry,
        now,
        ready,
        None if ready else next((podstate.waits_for(pod) for pod in pods(objects, registry)), None),
        service["spec"].get("clusterIP") if service else None,
        _end(served),
        outdated(deployment, served.get("tls.crt", b"")) and not _restarted(objects, registry),
        _held(objects, registry),
        _end(content_of(objects, registry.ca_key, namespace)),
        claim["status"]["phase"] if claim else None,
    )


def _restarted(objects: Objects, registry: Registry) -> bool:
    """Return whether the pod started after the certificate came into its Secret, whatever made it do so."""
    there = objects.read("Secret", registry.tls, registry.namespace) or {"metadata": {}}
    changes = [one.get("time", "") for one in there["metadata"].get("managedFields", [])]
    starts = [podstate.started_at(pod, CONTAINER) for pod in pods(objects, registry)]
    return bool(changes and starts) and min(starts) > max(changes)


def _held(objects: Objects, registry: Registry) -> bool:
    """Return whether its configuration is that of a collection, and not what was asked for."""
    there = objects.read("ConfigMap", f"{registry.name}-config", registry.namespace) or {}
    collecting = config_map(replace(registry, read_only=True))
    return not registry.read_only and there.get("data") == collecting["data"]


def _end(content: Mapping[str, bytes]) -> datetime | None:
    try:
        return certificates.ends(content.get("tls.crt", b""))
    except ValueError:
        return None


def data(status: Status) -> dict[str, Any]:
    """Return the status as plain data."""
    registry = status.registry
    return {
        "name": registry.name,
        "namespace": registry.namespace,
        "ready": status.ready,
        "waitsFor": status.waits_for,
        "address": registry.address,
        "clusterIP": status.cluster_ip,
        "image": registry.image,
        "certificate": {
            "from": _issuer(registry),
            "ends": _stamp(status.certificate),
            "daysLeft": status.days,
            "outdated": status.outdated,
            "authorityEnds": _stamp(status.authority),
        },
        "storage": {"in": registry.place, "size": registry.storage, "phase": status.claim},
        "accounts": list(registry.accounts),
        "readOnly": registry.read_only or status.held,
        "mirror": registry.mirror,
        "users": list(registry.users),
    }


def text(status: Status) -> str:
    """Return a line for each thing."""
    registry = status.registry
    days = f"{status.days} days left" if status.certificate else "none yet"
    before = "; the pod serves an earlier one: registry install replaces it" if status.outdated else ""
    lines = {
        "address": f"{registry.address} ({status.cluster_ip or 'no Service'})",
        "state": "ready" if status.ready else f"not ready: {status.waits_for or 'no reason given'}",
        "image": registry.image,
        "certificate": f"{days}, from {_issuer(registry)}{before}",
        "storage": _storage(status),
        "accounts": ", ".join(registry.accounts) or "none: everybody in the cluster may push and pull",
        "pushes": _pushes(status),
        "used by": ", ".join(registry.users) or "no namespace was given its certificate",
    }
    return "\n".join(f"{name:12} {value}" for name, value in lines.items())


def _pushes(status: Status) -> str:
    if status.registry.mirror:
        return f"refused: a mirror of {status.registry.mirror}"
    if status.held:
        return "refused while registry gc runs; if it was killed, registry gc or install takes them again"
    return "refused: read-only" if status.registry.read_only else "taken"


def _storage(status: Status) -> str:
    registry = status.registry
    if registry.storage:
        return f"{registry.place}, {registry.storage}, {status.claim or 'missing'}"
    return f"{registry.place}: images end with it" if registry.place == FOLDER else registry.place


def _issuer(registry: Registry) -> str:
    if registry.issuer:
        return registry.issuer
    return f"secret {registry.tls_secret}" if registry.tls_secret else "its own authority"


def _stamp(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
