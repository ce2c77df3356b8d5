"""Waiting until a registry serves, and saying why it does not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from jenkins_kaniko.certificates import fingerprint
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, TimedOutError, WrongInputError
from jenkins_kaniko.registry import CONTENT, LABEL, SERVED, Registry
from jenkins_kaniko.registry_steps import Tell
from jenkins_kaniko.waiting import Waiting

POLL_SECONDS = 0.5


def wait_until_it_serves(objects: Objects, registry: Registry, tell: Tell, timeout: float) -> None:
    """Return when the Deployment's newest pod is ready.

    Raises:
        JenkinsKanikoError: it never will be.
        TimedOutError: it is not in time.
    """
    where = f"registry {registry.namespace}/{registry.name}"
    waiting = Waiting(tell, own="")
    until = time.monotonic() + timeout
    while not serves(objects.read("Deployment", registry.name, registry.namespace)):
        there = pods(objects, registry)
        for pod in there:
            if reason := waiting.in_vain(pod):
                raise JenkinsKanikoError(f"{where}: its pod cannot start: {reason}{_last_words(pod)}")
        waiting.in_vain_by_events(_events(objects, registry, there))  # for what it tells: here, all of it can pass
        if time.monotonic() > until:
            words = "".join(_last_words(pod) for pod in there)
            raise TimedOutError(f"{where}: not ready in {timeout:g} s: {waiting.reason or 'no reason given'}{words}")
        time.sleep(POLL_SECONDS)


def serves(deployment: Mapping[str, Any] | None) -> bool:
    """Return whether a Deployment is as it was asked for, and ready."""
    if deployment is None:
        return False
    status = deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return bool(seen and status.get("updatedReplicas", 0) >= 1 and status.get("availableReplicas", 0) >= 1)


def outdated(deployment: Mapping[str, Any] | None, certificate: bytes) -> bool:
    """Return whether the pod was made for another certificate: the server reads it when it starts, and never again.

    What an earlier version installed does not say.
    """
    said = (deployment or {"metadata": {}})["metadata"].get("annotations", {}).get(SERVED)
    return said is not None and said != fingerprint(certificate)


def pods(objects: Objects, registry: Registry) -> list[dict[str, Any]]:
    """Return the registry's pods that nobody deleted.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    listed = objects.listed("Pod", registry.namespace, labelSelector=f"{LABEL}={registry.name}")
    return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]


def running(objects: Objects, registry: Registry, content: str | None = None) -> str:
    """Return the name of the registry's pod that runs; one that was evicted stays in the list of pods.

    Args:
        content: which one it must be, by its annotation; None for any.

    Raises:
        WrongInputError: none does.
        RefusedError: another one does.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    where = f"-n {registry.namespace} --name {registry.name}"
    there = [pod for pod in pods(objects, registry) if pod["status"].get("phase") == "Running"]
    if not there:
        raise WrongInputError(f"no pod of the registry runs; jenkins-kaniko registry status {where} tells why")
    for pod in there:
        if content in (None, pod["metadata"].get("annotations", {}).get(CONTENT)):
            name: str = pod["metadata"]["name"]
            return name
    raise RefusedError(f"registry {registry.namespace}/{registry.name}: somebody else changed it meanwhile; try again")


def _last_words(pod: Mapping[str, Any]) -> str:
    """Return what the program said when it ended last."""
    for one in pod["status"].get("containerStatuses", []):
        if end := one.get("lastState", {}).get("terminated"):
            return f"\n  it said: {end.get('message', '').strip()[-1000:]}"
    return ""


def _events(objects: Objects, registry: Registry, there: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return warnings of the pods that are there, or of what cannot make one; those of earlier pods mean nothing."""
    listed = objects.listed("Event", registry.namespace, fieldSelector="type=Warning")
    if there:
        own = {pod["metadata"]["uid"] for pod in there}
        return [event for event in listed if event["involvedObject"].get("uid") in own]
    made_of = f"{registry.name}-"
    return [
        event
        for event in listed
        if event["involvedObject"].get("kind") == "ReplicaSet" and event["involvedObject"]["name"].startswith(made_of)
    ]
