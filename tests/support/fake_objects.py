"""A cluster in memory with what installing a registry asks of one: objects as they were applied, pods that run."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jenkins_kaniko.errors import RefusedError, WrongInputError

READY = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}
RUNNING = {"metadata": {"name": "registry-x1", "uid": "1"}, "status": {"phase": "Running"}}


@dataclass
class FakeObjects:
    """Objects by kind, namespace and name.

    Attributes:
        namespaces: where something can be made.
        said: what a command in a pod prints, or how it ends.
        ran: each command, with whether the registry was configured read-only then.
        applied: called with each manifest before it is taken, or tried out.
    """

    namespaces: set[str] = field(default_factory=lambda: {"shared-services", "builds"})
    kept: dict[tuple[str, str | None, str], dict[str, Any]] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=lambda: [RUNNING])
    said: Callable[[], bytes] = lambda: b""
    ran: list[tuple[bool, list[str]]] = field(default_factory=list)
    applied: Callable[[Mapping[str, Any]], None] = lambda _manifest: None

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if kind == "Namespace":
            return {"metadata": {"name": name}} if name in self.namespaces else None
        return copy.deepcopy(self.kept.get((kind, namespace, name)))

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        metadata = manifest["metadata"]
        if manifest["kind"] == "Namespace":
            self.namespaces.add(metadata["name"])
            return dict(manifest)
        self.applied(manifest)
        if self.read(manifest["kind"], metadata["name"], metadata["namespace"]):
            raise RefusedError(f"{manifest['kind'].lower()} {metadata['namespace']}/{metadata['name']}: there already")
        self.apply(manifest)
        return dict(manifest)

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> str:
        kind, metadata = manifest["kind"], manifest["metadata"]
        if metadata["namespace"] not in self.namespaces:
            where = f"{kind.lower()} {metadata['namespace']}/{metadata['name']}"
            raise WrongInputError(f'{where}: namespaces "{metadata["namespace"]}" not found')
        place = kind, metadata["namespace"], metadata["name"]
        self.applied(manifest)
        if dry_run:
            return "unchanged"
        before = self.kept.get(place)
        made = copy.deepcopy({**manifest, "metadata": {**metadata, "generation": 1}})
        if kind == "Service" and made["spec"].get("type") != "ExternalName":
            made["spec"].setdefault("clusterIP", "10.96.0.10")
        if kind == "Deployment":
            made["status"] = READY
        self.kept[place] = (before or {}) | made
        return "created" if before is None else "unchanged" if self.kept[place] == before else "changed"

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        return self.kept.pop((kind, namespace, name), None) is not None

    def listed(self, kind: str, _namespace: str, **_query: str) -> list[dict[str, Any]]:
        return [self._as_deployed(pod) for pod in self.pods] if kind == "Pod" else []

    def _as_deployed(self, pod: dict[str, Any]) -> dict[str, Any]:
        """Return a pod with the annotations that its Deployment gives it, unless it has some of its own."""
        there = self.kept.get(("Deployment", "shared-services", "registry"), {})
        given = there.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
        return {**pod, "metadata": {"annotations": given, **pod["metadata"]}}

    def run(self, pod: str, _namespace: str, _container: str, command: list[str]) -> bytes:
        assert pod == "registry-x1"
        self.ran.append((self.read_only(), command))
        return self.said()

    def read_only(self) -> bool:
        """Return whether the registry is configured so."""
        config = self.kept["ConfigMap", "shared-services", "registry-config"]["data"]["config.yml"]
        enabled: bool = yaml.safe_load(config)["storage"]["maintenance"]["readonly"]["enabled"]
        return enabled

    def content(self, name: str) -> dict[str, bytes]:
        """Return what a Secret of the registry holds."""
        data = self.kept["Secret", "shared-services", name]["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def names(self) -> list[str]:
        return sorted(f"{kind.lower()} {namespace}/{name}" for kind, namespace, name in self.kept)
