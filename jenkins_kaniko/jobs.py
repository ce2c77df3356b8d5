"""The Job of an attempt, and the ConfigMap and the Secret beside it: made, and removed in every outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from jenkins_kaniko import buildjob
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.errors import RefusedError, UnansweredError, UnreachableError
from jenkins_kaniko.patience import created, patiently
from jenkins_kaniko.stopping import undisturbed

LOOKS = 5
"""How many times, a second apart, a Job is asked why it failed."""


class Door(Protocol):
    """What this needs of the cluster; cluster_pods.Pods is one."""

    namespace: str

    def create_job(self, manifest: Mapping[str, Any]) -> str: ...
    def create_config_map(self, manifest: Mapping[str, Any]) -> None: ...
    def create_secret(self, manifest: Mapping[str, Any]) -> None: ...
    def jobs(self, label: str) -> list[dict[str, Any]]: ...
    def delete_job(self, name: str, uid: str) -> None: ...


@contextmanager
def made(
    door: Door,
    spec: Spec,
    number: int,
    manifest: Mapping[str, Any],
    archive: bytes | None,
    tell: Callable[[str], None],
    *,
    detached: bool = False,
) -> Iterator[str]:
    """Make the Job of an attempt, give its uid, and remove it with all that it owns, unless what ended is to be kept.

    The Job comes first and owns what its pod waits for, the ConfigMap and the Secret: so nothing stays for ever,
    whenever this program is killed.

    Args:
        archive: the build context, where it goes by a ConfigMap.
        tell: takes a line where the Job cannot be removed, or the cluster does not answer.
        detached: the Job stays where nothing went wrong, and goes on alone.

    Raises:
        DeniedError, RefusedError, WrongInputError, UnreachableError: as the door does.
    """
    uid, keep = None, spec.keep
    try:
        uid = _job(door, spec, manifest, tell)
        # At once: a pod that looks for them in vain looks again only half a second later.
        if spec.secrets:
            secret = buildjob.secret(spec, number, uid)
            created(lambda: door.create_secret(secret), tell)
        if archive:
            config_map = buildjob.config_map(spec, number, uid, archive)
            created(lambda: door.create_config_map(config_map), tell)
        _check_name(door, spec)
        yield uid
        keep = keep or detached
    except (KeyboardInterrupt, SystemExit):
        keep = False
        raise
    finally:
        if not keep:
            remove(door, spec, manifest["metadata"]["name"], uid, tell)


def _job(door: Door, spec: Spec, manifest: Mapping[str, Any], tell: Callable[[str], None]) -> str:
    """Make a Job, and return its uid."""
    name = manifest["metadata"]["name"]
    uid = created(lambda: door.create_job(manifest), tell) or patiently(lambda: _uid_of(door, spec, name))
    if uid is None:
        raise _taken(door, name)
    return uid


def _check_name(door: Door, spec: Spec) -> None:
    """Refuse a name that somebody builds with at another attempt, where the Job has another name."""
    for job in patiently(lambda: door.jobs(spec.label)):
        if not _is_ours(job, spec):
            raise _taken(door, job["metadata"]["name"])


def _taken(door: Door, name: str) -> RefusedError:
    return RefusedError(f"job {door.namespace}/{name}: there already; wait for its end, or give another --name")


def remove(door: Door, spec: Spec, name: str, uid: str | None, tell: Callable[[str], None]) -> None:
    """Remove a Job of ours with all that it owns; one that is gone already is no error.

    Args:
        uid: None where nobody knows whether it was made.
        tell: takes a line where it cannot be removed.
    """
    try:
        with undisturbed():
            if found := uid or _uid_of(door, spec, name):
                patiently(lambda: door.delete_job(name, found))
    except UnreachableError as error:
        if uid:
            tell(f"job {name} is left until an hour after its end: {error}")
        elif isinstance(error, UnansweredError):  # else nothing was made: the cluster does not let us in
            tell(f"job {name} is left until an hour after its end, if it was made: {error}")


def disruption(door: Door, spec: Spec, name: str) -> str | None:
    """Return why the cluster took the pod of a Job of ours, which is gone, off its node; None where it did not.

    The Job remembers it, by the podFailurePolicy that buildjob gives it (Kubernetes 1.26), and fails soon after its
    pod.
    """
    for _ in range(LOOKS):
        for job in patiently(lambda: door.jobs(spec.label)):
            for condition in job.get("status", {}).get("conditions", []):
                if job["metadata"]["name"] == name and condition["type"] in ("FailureTarget", "Failed"):
                    return condition["message"] if condition["reason"] == "PodFailurePolicy" else None
        time.sleep(1)
    return None


def _uid_of(door: Door, spec: Spec, name: str) -> str | None:
    """Return the uid of our Job where its creation was interrupted, so that nobody knows whether there is one."""
    for job in door.jobs(spec.label):
        if _is_ours(job, spec) and job["metadata"]["name"] == name:
            return str(job["metadata"]["uid"])
    return None


def _is_ours(job: Mapping[str, Any], spec: Spec) -> bool:
    annotations = job["metadata"].get("annotations", {})
    return bool(annotations.get(buildjob.CLIENT_ANNOTATION) == buildjob.client(spec))
