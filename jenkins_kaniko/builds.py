"""The builds of a namespace, by what there is of them in the cluster: their Jobs and pods."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from jenkins_kaniko import buildjob, podstate
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.options import DEFAULT_ENGINE
from jenkins_kaniko.podstate import Pod

WAITING, RUNNING, SUCCEEDED, FAILED = "waiting", "running", "succeeded", "failed"
OURS = ",".join([*(f"{name}={value}" for name, value in buildjob.MANAGED.items()), buildjob.BUILD_LABEL])
"""Selects what belongs to any build; other commands of this program manage objects too."""
CONTROLLER_LABEL = "batch.kubernetes.io/controller-uid"
"""What the cluster marks the pods of a Job with."""
OUT_OF_TIME = "DeadlineExceeded"


class Door(Protocol):
    """What this needs of the cluster; cluster_builds.Builds is one."""

    namespace: str

    def jobs(self, label: str) -> list[dict[str, Any]]: ...
    def listed(self, kind: str, label: str) -> list[dict[str, Any]]: ...
    def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]: ...


class Cluster(Door, Protocol):
    """What this needs to look into all namespaces; cluster_builds.Builds is one."""

    def at(self, namespace: str) -> Cluster: ...
    def namespaces(self, kind: str, label: str) -> list[str]: ...


@dataclass(frozen=True)
class Build:
    """A build, by its newest Job.

    Attributes:
        image: repository; empty where the Job does not say.
        client: who started it, as user@host.
        state: waiting, running, succeeded or failed.
        why: what it waits for, or how it failed; None where nobody says.
        job, pod: as the cluster gives them.
    """

    name: str
    image: str
    tags: list[str]
    client: str
    created: datetime
    state: str
    why: str | None
    job: Mapping[str, Any]
    pod: Pod | None

    @property
    def namespace(self) -> str:
        """Where its Job is."""
        return str(self.job["metadata"]["namespace"])

    @property
    def reference(self) -> str:
        """What it pushes, by its first tag."""
        return ":".join([self.image, *self.tags[:1]])

    @property
    def commit(self) -> str | None:
        """What its context is a revision of; None where the Job does not say."""
        annotations: Mapping[str, str] = self.job["metadata"].get("annotations", {})
        return annotations.get(buildjob.COMMIT_ANNOTATION)

    @property
    def uid(self) -> str:
        """Of its Job."""
        return str(self.job["metadata"]["uid"])

    @property
    def pods(self) -> str:
        """Selects its pods."""
        return f"{CONTROLLER_LABEL}={self.uid}"

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.state in (SUCCEEDED, FAILED)

    @property
    def out_of_time(self) -> bool:
        """Whether the cluster ended it, for its Job's deadline."""
        return any(one.get("reason") == OUT_OF_TIME for one in _conditions(self.job))

    def seen(self, pod: Pod | None) -> Build:
        """Return the build with what is known of its pod now."""
        state, why = _state(self.job, pod)
        return replace(self, pod=pod, state=state, why=why)


def builds(door: Door, name: str | None = None) -> list[Build]:
    """Return the builds of a namespace, oldest first; those of one name where it is given.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    label = f"{OURS}={name}" if name else OURS
    pods = {one["metadata"]["labels"].get(CONTROLLER_LABEL): one for one in door.listed("pods", label)}
    jobs = [job for job in door.jobs(label) if buildjob.PROBE_LABEL not in job["metadata"]["labels"]]
    found = [_build(job, pods.get(job["metadata"]["uid"])) for job in jobs]
    newest = {one.name: one for one in sorted(found, key=_created)}
    return [_explained(door, one) for one in sorted(newest.values(), key=_created)]


def everywhere(door: Cluster) -> list[Build]:
    """Return the builds of all namespaces, each namespace's oldest first.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    return [one for namespace in door.namespaces("jobs", OURS) for one in builds(door.at(namespace))]


def find(door: Door, name: str) -> Build:
    """Return the build of a name.

    Raises:
        WrongInputError: there is none.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    for one in builds(door, name):
        return one
    raise unknown(door, name)


def unknown(door: Door, name: str) -> WrongInputError:
    """Return what to tell who asks for a build that is not there."""
    names = sorted({job["metadata"]["labels"][buildjob.BUILD_LABEL] for job in door.jobs(OURS)})
    near = difflib.get_close_matches(name, names, n=1)
    there = f"did you mean {near[0]}? (there: {', '.join(names)})" if near else f"there: {', '.join(names) or 'none'}"
    return WrongInputError(f"no build {name} in namespace {door.namespace}; {there}")


def ended_at(job: Mapping[str, Any]) -> datetime | None:
    """Return when a Job ended, None as long as it did not."""
    for one in _conditions(job):
        if one["type"] in ("Complete", "Failed"):
            return when(one["lastTransitionTime"])
    return None


def when(timestamp: str) -> datetime:
    """Return the time that Kubernetes writes."""
    return datetime.fromisoformat(timestamp)


def _created(build: Build) -> datetime:
    return build.created


def _build(job: Mapping[str, Any], pod: Pod | None) -> Build:
    metadata = job["metadata"]
    annotations = metadata.get("annotations", {})
    state, why = _state(job, pod)
    return Build(
        name=metadata["labels"][buildjob.BUILD_LABEL],
        image=annotations.get(buildjob.IMAGE_ANNOTATION, ""),
        tags=annotations.get(buildjob.TAGS_ANNOTATION, "").split(),
        client=annotations.get(buildjob.CLIENT_ANNOTATION, "").rpartition(" ")[0],
        created=when(metadata["creationTimestamp"]),
        state=state,
        why=why,
        job=job,
        pod=pod,
    )


def _explained(door: Door, build: Build) -> Build:
    """Only events say why there is no pod."""
    if build.state != WAITING or build.pod:
        return build
    return replace(build, why=podstate.last_warning(door.events(build.job["metadata"]["name"], build.uid)))


def _state(job: Mapping[str, Any], pod: Pod | None) -> tuple[str, str | None]:
    """Return the state, and why; the pod tells it sooner than the Job, but not that its time was over."""
    conditions = {one["type"]: one for one in _conditions(job)}
    failed = conditions.get("FailureTarget") or conditions.get("Failed")
    if failed and failed.get("reason") == OUT_OF_TIME:
        return FAILED, "out of time"
    if pod and (end := podstate.ended(pod, DEFAULT_ENGINE)):
        return (SUCCEEDED, None) if end.exit_code == 0 else (FAILED, _why(pod, end))
    if pod and (lost := podstate.lost(pod, DEFAULT_ENGINE)):
        return FAILED, lost
    if failed:
        return FAILED, f"{failed.get('reason', '')}: {failed.get('message', '')}"
    if "Complete" in conditions:
        return SUCCEEDED, None
    if pod and podstate.started(pod, DEFAULT_ENGINE):
        return RUNNING, None
    return WAITING, podstate.waits_for(pod) if pod else None


def _why(pod: Pod, end: podstate.Ended) -> str:
    if why := podstate.cut_short(pod, DEFAULT_ENGINE):
        return why
    return f"{end.reason}: exit code {end.exit_code}"


def _conditions(job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for one in job.get("status", {}).get("conditions", []) if one["status"] == "True")
