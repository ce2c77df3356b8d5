"""The steps of an install: objects made so, one by one, told of and remembered; never somebody else's."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.cluster_objects import CREATED, UNCHANGED, Objects
from jenkins_kaniko.errors import RefusedError, WrongInputError
from jenkins_kaniko.registry import Registry

Tell = Callable[[str], None]
REMOVED = "removed"
REPLACEABLE = ("Deployment", "NetworkPolicy")
"""Kinds with which nothing is lost: neither images nor keys, nor the address that nodes know."""


@dataclass
class Installation:
    """An install that is under way, or done.

    Attributes:
        done: each step's object and what became of it.
    """

    objects: Objects
    registry: Registry
    tell: Tell
    done: list[tuple[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(outcome != UNCHANGED for _, outcome in self.done)

    def apply(self, manifest: Mapping[str, Any], *, force: bool = False) -> None:
        """Make an object so, unless it is somebody else's.

        Args:
            force: also what was not applied when it was made.
        """
        self._not_of_others(manifest)
        self._note(where(manifest), self._applied(manifest, force=force))

    def make(self, manifest: Mapping[str, Any]) -> None:
        """Make an object that is not there, unless another install makes it at the same moment.

        It is applied too, so that who applies it later has nothing to change.
        """
        self._not_of_others(manifest)
        try:
            self.objects.create(manifest)
        except RefusedError:
            raise RefusedError(f"{where(manifest)}: another install made it just now; call this one again") from None
        self.objects.apply(manifest)
        self._note(where(manifest), CREATED)

    def try_out(self, manifest: Mapping[str, Any]) -> None:
        """Let the cluster say whether it would take an object."""
        self._not_of_others(manifest)
        self._applied(manifest, dry_run=True)

    def remove(self, manifest: Mapping[str, Any]) -> None:
        """Remove an object of ours, where it is there."""
        if is_ours(self.objects, manifest) and self.objects.delete(*key(manifest)):
            self._note(where(manifest), REMOVED)

    def namespace(self, name: str) -> None:
        """Make a namespace where it is missing; one that is there belongs to others too, and stays as it is."""
        if self.objects.read("Namespace", name) is None:
            metadata = {"name": name, "labels": self.registry.labels}
            self.objects.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            self._note(f"namespace {name}", CREATED)

    def _applied(self, manifest: Mapping[str, Any], **options: bool) -> str:
        try:
            return self.objects.apply(manifest, **options)
        except RefusedError as error:
            kind, name, namespace = key(manifest)
            anew = f"install makes it anew after: kubectl delete {kind.lower()} {name} -n {namespace}"
            raise RefusedError(f"{error}; {anew if kind in REPLACEABLE else 'take that change back'}") from None

    def _not_of_others(self, manifest: Mapping[str, Any]) -> None:
        if is_ours(self.objects, manifest) is False:
            raise RefusedError(f"{where(manifest)}: there already, and not ours; remove it, or give another --name")

    def _note(self, what: str, outcome: str) -> None:
        self.done.append((what, outcome))
        if outcome != UNCHANGED:
            self.tell(f"{outcome}: {what}")


def content_of(objects: Objects, name: str, namespace: str) -> dict[str, bytes]:
    """Return what a Secret holds, nothing where there is none."""
    there = objects.read("Secret", name, namespace) or {}
    return {key: base64.b64decode(value) for key, value in there.get("data", {}).items()}


def needed(objects: Objects, registry: Registry, name: str, key: str) -> bytes:
    """Return what a Secret of a registry that is installed holds under a key.

    Raises:
        WrongInputError: somebody deleted it.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    content = content_of(objects, name, registry.namespace)
    if key not in content:
        anew = f"jenkins-kaniko registry install -n {registry.namespace} --name {registry.name} makes it anew"
        advice = "make it anew, as it is yours" if name == registry.tls_secret else anew
        raise WrongInputError(f"secret {registry.namespace}/{name}: has no {key}; {advice}")
    return content[key]


def is_ours(objects: Objects, manifest: Mapping[str, Any]) -> bool | None:
    """Return whether an object that is there has the labels of this registry, None where there is none.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    there = objects.read(*key(manifest))
    return manifest["metadata"]["labels"].items() <= there["metadata"].get("labels", {}).items() if there else None


def key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return kind, name and namespace."""
    return manifest["kind"], manifest["metadata"]["name"], manifest["metadata"]["namespace"]


def where(manifest: Mapping[str, Any]) -> str:
    """Return how an object is called in messages."""
    kind, name, namespace = key(manifest)
    return f"{kind.lower()} {namespace}/{name}"
