"""A cluster with builds that somebody started: its objects are lists by kind, which a test fills and looks into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from tests.support.fake_cluster import IMAGE, FakeCluster

LABELS = {"app.kubernetes.io/managed-by": "jenkins-kaniko"}


def job(
    name: str = "app", *conditions: Mapping[str, Any], created: str = "12:00:00", **annotations: str
) -> dict[str, Any]:
    """Return a Job of a build; conditions are true, and came about a minute after it."""
    repository, _, tag = IMAGE.rpartition(":")
    known = {"client": "me@here abc", "image": repository, "tags": tag}
    happened = [{"status": "True", "lastTransitionTime": "2026-11-21T12:01:00Z", **one} for one in conditions]
    volume = {"name": "context", "configMap": {"name": f"{name}-abc"}}
    return {
        "metadata": {
            "name": name,
            "namespace": "builds",
            "uid": f"uid-of-{name}-{created}",
            "creationTimestamp": f"2026-11-21T{created}Z",
            "labels": {**LABELS, "jenkins-kaniko/build": name},
            "annotations": {f"jenkins-kaniko/{key}": value for key, value in {**known, **annotations}.items()},
        },
        "spec": {"activeDeadlineSeconds": 600, "template": {"spec": {"volumes": [volume]}}},
        "status": {"conditions": happened},
    }


def of(owner: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod as that of a Job."""
    labels = {**owner["metadata"]["labels"], "batch.kubernetes.io/controller-uid": owner["metadata"]["uid"]}
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


def going(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod as one that is being deleted."""
    return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-11-21T12:00:30Z"}}


def condition(kind: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "reason": reason, "message": message}


@dataclass
class FakeBuilds(FakeCluster):
    """Attributes:
    elsewhere: whether it is another namespace than that of the test's own door.
    objects: by kind, as in a URL; those of other namespaces as "KIND of NAMESPACE".
    forbidden: raised for kinds of objects that may not be listed, or names that may not be deleted.
    """

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    forbidden: dict[str, Exception] = field(default_factory=dict)
    elsewhere: bool = False

    def at(self, namespace: str) -> FakeBuilds:
        if namespace == self.namespace:
            return self
        kinds = {kind: f"{kind} of {namespace}" for kind in ("jobs", "events", "pods", "configmaps", "secrets")}
        objects = {kind: self.objects.get(name, []) for kind, name in kinds.items()}
        forbidden = {kind: self.forbidden[name] for kind, name in kinds.items() if name in self.forbidden}
        return FakeBuilds(
            [[]], namespace=namespace, objects=objects, forbidden=forbidden, deleted=self.deleted, elsewhere=True
        )

    def namespaces(self, kind: str, label: str) -> list[str]:
        if f"{kind} everywhere" in self.forbidden:
            raise self.forbidden[f"{kind} everywhere"]
        names = {name.partition(" of ")[2] or self.namespace for name in self.objects if name.partition(" ")[0] == kind}
        return sorted(name for name in names if self.at(name).listed(kind, label))

    def jobs(self, label: str) -> list[dict[str, Any]]:
        return self.listed("jobs", label)

    def listed(self, kind: str, label: str) -> list[dict[str, Any]]:
        if kind in self.forbidden:
            raise self.forbidden[kind]
        found = self.objects.get(kind, [])
        return [one for one in found if _selects(label, one["metadata"].get("labels", {}))]

    def read(self, kind: str, name: str) -> dict[str, Any]:
        for one in self.objects.get(kind, []):
            if one["metadata"]["name"] == name:
                return one
        raise WrongInputError(f"{kind} {name}: not found")

    def create(self, kind: str, manifest: Mapping[str, Any]) -> str:
        if isinstance(self.creating, Exception):
            raise self.creating
        uid = f"uid-of-{manifest['metadata']['name']}"
        self.made.append(manifest)
        self.objects.setdefault(kind, []).append({**manifest, "metadata": {**manifest["metadata"], "uid": uid}})
        if self.creating:
            raise self.creating
        return uid

    def delete(self, kind: str, name: str, uid: str) -> None:
        if self.deleting:
            raise self.deleting.pop(0)
        if name in self.forbidden:
            raise self.forbidden[name]
        where = f" in {self.namespace}" if self.elsewhere and kind != "namespaces" else ""
        self.deleted.append(f"{kind}/{name} {uid}{where}")


def _selects(selector: str, labels: Mapping[str, str]) -> bool:
    terms = [term.partition("=") for term in selector.split(",") if term]
    return all(name in labels and (not equals or labels[name] == value) for name, equals, value in terms)
