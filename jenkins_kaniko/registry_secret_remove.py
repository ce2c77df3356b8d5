"""Taking back what `secret create` made: the Secret in each namespace, and what renews it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from jenkins_kaniko.ecr_renewal import RENEWING, name_of
from jenkins_kaniko.errors import RefusedError, WrongInputError
from jenkins_kaniko.registry_secret import LABEL

Found = tuple[str, str, str]
"""Kind, namespace and name of an object."""


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None: ...
    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool: ...


def ours(door: Door, name: str, namespaces: Iterable[str]) -> list[Found]:
    """Return what there is of ours, in the order in which it is removed: what would write the Secret goes first.

    Raises:
        RefusedError: a Secret of this name is somebody else's.
        WrongInputError: there is nothing.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    found: list[Found] = []
    for namespace in namespaces:
        secret = door.read("Secret", name, namespace)
        if secret and not _labelled(secret, name):
            raise RefusedError(f"secret {namespace}/{name}: not made by this command; nothing was removed")
        renewing = [(kind, namespace, name_of(name)) for kind in RENEWING]
        found += [one for one in renewing if _labelled(door.read(one[0], one[2], namespace), name)]
        found += [("Secret", namespace, name)] if secret else []
    if not found:
        raise WrongInputError(f"secret {name}: none that this command made; nothing to remove")
    return found


def remove(door: Door, found: Iterable[Found], tell: Callable[[str], None]) -> None:
    """Remove it, and tell each object that is gone.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it; what was told is gone.
    """
    for kind, namespace, name in found:
        door.delete(kind, name, namespace)
        tell(where(kind, namespace, name))


def where(kind: str, namespace: str, name: str) -> str:
    """Return how an object is called in messages."""
    return f"{kind.lower()} {namespace}/{name}"


def _labelled(there: dict[str, Any] | None, name: str) -> bool:
    return there is not None and there["metadata"].get("labels", {}).get(LABEL) == name
