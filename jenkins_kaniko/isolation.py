"""A namespace of a build's own: made with what its pod mounts, and deleted in every outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from jenkins_kaniko import buildjob
from jenkins_kaniko.buildjob import Mounted, Spec
from jenkins_kaniko.errors import RefusedError, UnansweredError, UnreachableError, WrongInputError
from jenkins_kaniko.patience import created, patiently
from jenkins_kaniko.stopping import undisturbed

LEVEL = {"pod-security.kubernetes.io/enforce": "baseline"}
"""The pod of a build needs no more."""
CONTENT = ("apiVersion", "kind", "type", "data", "binaryData")
"""What a copy takes of a Secret or ConfigMap."""


class Door(Protocol):
    """What this needs of the cluster; cluster_builds.Builds is one."""

    def listed(self, kind: str, label: str) -> list[dict[str, Any]]: ...
    def read(self, kind: str, name: str) -> dict[str, Any]: ...
    def create(self, kind: str, manifest: Mapping[str, Any]) -> str: ...
    def delete(self, kind: str, name: str, uid: str) -> None: ...


@contextmanager
def isolated(door: Door, own: Door, spec: Spec, tell: Callable[[str], None]) -> Iterator[None]:
    """Make the namespace that is called like the build, with copies of what its pod mounts, and delete it at the end.

    Args:
        door: of the namespace that the registry accounts and the certificates are copied from.
        own: of the namespace that is made.
        tell: takes a line where the namespace cannot be deleted, or the cluster does not answer.

    Raises:
        WrongInputError: what the pod mounts is not in the given namespace.
        RefusedError: there is a namespace of this name.
        DeniedError, UnreachableError: the cluster does not make it.
    """
    copies = [*_copy(door, "secrets", spec.registry_secret), *_copy(door, "configmaps", spec.ca_bundle)]
    uid = None
    try:
        uid = _made(door, spec, tell)
        for kind, manifest in copies:
            created(partial(own.create, kind, manifest), tell)
        yield
    finally:
        _removed(door, spec, uid, tell)


def namespace(spec: Spec) -> dict[str, Any]:
    """Return the manifest of a build's own namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": spec.name,
            "labels": {**buildjob.MANAGED, buildjob.BUILD_LABEL: spec.name, **LEVEL},
            "annotations": {buildjob.CLIENT_ANNOTATION: buildjob.client(spec)},
        },
    }


def _made(door: Door, spec: Spec, tell: Callable[[str], None]) -> str:
    """Make the namespace, and return its uid."""
    uid = created(partial(door.create, "namespaces", namespace(spec)), tell) or patiently(lambda: _uid_of(door, spec))
    if uid is None:
        raise RefusedError(f"namespace {spec.name}: there already; give another --name")
    return uid


def _copy(door: Door, kind: str, mounted: Mounted | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the copy to make of a Secret or ConfigMap, none where it is not there and need not be."""
    if mounted is None:
        return []
    try:
        found = door.read(kind, mounted.name)
    except WrongInputError:
        if mounted.optional:
            return []
        raise
    copied = {key: found[key] for key in CONTENT if key in found}
    copied["metadata"] = {"name": mounted.name}
    return [(kind, copied)]


def _removed(door: Door, spec: Spec, uid: str | None, tell: Callable[[str], None]) -> None:
    try:
        with undisturbed():
            if found := uid or _uid_of(door, spec):
                patiently(lambda: door.delete("namespaces", spec.name, found))
    except UnreachableError as error:
        if uid:
            tell(f"namespace {spec.name} is left; remove it with: jenkins-kaniko gc: {error}")
        elif isinstance(error, UnansweredError):  # else nothing was made: the cluster does not let us in
            tell(f"namespace {spec.name} is left, if it was made; remove it with: jenkins-kaniko gc: {error}")


def _uid_of(door: Door, spec: Spec) -> str | None:
    """Return the uid of our namespace where its creation was interrupted, so that nobody knows whether there is one."""
    for one in door.listed("namespaces", spec.label):
        if one["metadata"].get("annotations", {}).get(buildjob.CLIENT_ANNOTATION) == buildjob.client(spec):
            return str(one["metadata"]["uid"])
    return None
