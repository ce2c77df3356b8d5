"""What killed clients left in a cluster: found by labels and age, and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from jenkins_kaniko.builds import OURS, ended_at, when
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError, UnreachableError
from jenkins_kaniko.podstate import event_time

T = TypeVar("T")
OWNED = ("configmaps", "secrets")
"""Kinds of what a Job of a build owns, as in a URL."""


class Door(Protocol):
    """What this needs of the cluster; cluster_builds.Builds is one."""

    namespace: str

    def at(self, namespace: str) -> Door: ...
    def namespaces(self, kind: str, label: str) -> list[str]: ...
    def jobs(self, label: str) -> list[dict[str, Any]]: ...
    def listed(self, kind: str, label: str) -> list[dict[str, Any]]: ...
    def delete(self, kind: str, name: str, uid: str) -> None: ...


@dataclass(frozen=True)
class Leftover:
    """An object that nobody needs any longer, and why; `kind` as in a URL."""

    kind: str
    namespace: str
    name: str
    uid: str
    why: str

    @property
    def title(self) -> str:
        """Kind and name, as people write them."""
        kind = self.kind.removesuffix("s")
        return f"{kind} {self.name}" if kind == "namespace" else f"{kind} {self.namespace}/{self.name}"


def leftovers(door: Door, age: timedelta, now: datetime, tell: Callable[[str], None]) -> list[Leftover]:
    """Return what builds left in the namespace of a door, and the namespaces that --isolate left.

    Args:
        age: how long ago an end, or what else makes it a leftover, must be.
        tell: told of kinds that we may not list, so that nothing is known of them.

    Raises:
        UnreachableError: the cluster does not answer, or forbids listing Jobs.
    """
    return [*_inside(door, age, now, tell), *_deserted(door, age, now, tell)]


def everywhere(door: Door, age: timedelta, now: datetime, tell: Callable[[str], None]) -> list[Leftover]:
    """Return what builds left in all namespaces, and the namespaces that --isolate left; as leftovers does.

    Raises:
        UnreachableError: the cluster does not answer, or forbids listing Jobs of all namespaces.
    """
    deserted = _deserted(door, age, now, tell)
    names = set(door.namespaces("jobs", OURS))
    for kind in OWNED:
        names |= set(_allowed(partial(door.namespaces, kind, OURS), kind, tell) or [])
    inside = sorted(names - {one.name for one in deserted})
    return [*(one for name in inside for one in _inside(door.at(name), age, now, tell)), *deserted]


def remove(door: Door, found: Sequence[Leftover]) -> dict[Leftover, JenkinsKanikoError]:
    """Delete leftovers, each whatever becomes of the others; return what went wrong."""
    failed = {}
    for one in found:
        there = door if one.namespace == door.namespace else door.at(one.namespace)
        try:
            there.delete(one.kind, one.name, one.uid)
        except JenkinsKanikoError as error:
            failed[one] = error
    return failed


def _inside(door: Door, age: timedelta, now: datetime, tell: Callable[[str], None]) -> list[Leftover]:
    jobs = door.jobs(OURS)
    found = [_leftover("jobs", door.namespace, job, why) for job in jobs if (why := _over(job, age, now))]
    there = {job["metadata"]["uid"] for job in jobs}
    for kind in OWNED:
        for one in _listed(door, kind, OURS, tell) or []:
            if _older(one, age, now) and not _owners(one) & there:
                found.append(_leftover(kind, door.namespace, one, "its Job is gone"))
    return found


def _deserted(door: Door, age: timedelta, now: datetime, tell: Callable[[str], None]) -> list[Leftover]:
    """Return the namespaces of --isolate without a build."""
    found = []
    for one in _listed(door, "namespaces", OURS, tell) or []:
        name = one["metadata"]["name"]
        goes_already = "deletionTimestamp" in one["metadata"]
        if _older(one, age, now) and not goes_already and _is_deserted(door.at(name), age, now, tell):
            found.append(_leftover("namespaces", name, one, "no build is in it"))
    return found


def _leftover(kind: str, namespace: str, found: Mapping[str, Any], why: str) -> Leftover:
    return Leftover(kind, namespace, found["metadata"]["name"], found["metadata"]["uid"], why)


def _over(job: Mapping[str, Any], age: timedelta, now: datetime) -> str | None:
    """Return why nobody needs a Job any longer, None where somebody may."""
    if end := ended_at(job):
        return "it ended" if end + age <= now else None
    seconds = job["spec"].get("activeDeadlineSeconds")
    if seconds is None:  # somebody made it by hand
        return None
    deadline = when(job["metadata"]["creationTimestamp"]) + timedelta(seconds=seconds)
    return "its deadline passed" if deadline + age <= now else None


def _older(found: Mapping[str, Any], age: timedelta, now: datetime) -> bool:
    return when(found["metadata"]["creationTimestamp"]) + age <= now


def _owners(found: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in found["metadata"].get("ownerReferences", [])}


def _is_deserted(door: Door, age: timedelta, now: datetime, tell: Callable[[str], None]) -> bool:
    """Whether no build is in a namespace, nor between two attempts: then something happened in it just now."""
    jobs = _listed(door, "jobs", OURS, tell)
    if jobs is None or not all(_over(job, timedelta(), now) for job in jobs):
        return False
    events = _listed(door, "events", "", tell)
    return events is not None and all(_happened(event) + age <= now for event in events)


def _happened(event: Mapping[str, Any]) -> datetime:
    return when(event_time(event) or event["metadata"]["creationTimestamp"])


def _listed(door: Door, kind: str, label: str, tell: Callable[[str], None]) -> list[dict[str, Any]] | None:
    """Return the objects that a label selects; None where we may not list them, and so know nothing of them."""
    return _allowed(partial(door.listed, kind, label), kind, tell)


def _allowed(ask: Callable[[], T], kind: str, tell: Callable[[str], None]) -> T | None:
    try:
        return ask()
    except UnansweredError:
        raise
    except UnreachableError as error:
        tell(f"not looked at: {kind}: {error}")
        return None
