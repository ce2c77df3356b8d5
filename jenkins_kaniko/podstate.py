"""What a pod's status tells: whether it started, how it ended, what it waits for, whether waiting is in vain. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko import memory

HOPELESS = {
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
}
"""Reasons that a container waits for which do not pass."""
PASSES = re.compile("context deadline exceeded|is reserved for|timed out waiting for the condition")
"""What is said with one of them on a busy node; the kubelet tries again there."""
NOT_BY_ITSELF = {"OOMKilled", "StartError", "ContainerCannotRun", "ContainerStatusUnknown"}
"""Reasons of a container's end that are not its program's own."""
PULL_FAILED = "ErrImagePull"
DELETED = "the pod was deleted"
HOPELESS_EVENT = re.compile(
    r"MountVolume.SetUp failed .*"
    r'(?:(?:secret|configmap) "[^"]+" not found|references non-existent (?:secret|config) key)'
)
"""What the kubelet says of a Secret or ConfigMap that is not there, or has not what is mounted of it."""
DENIED_EVENT = re.compile(
    r"Error creating: (?!.*(?:exceeded quota|looking up service account|not yet ready))"
    r"(.*(?:is forbidden|denied the request|violates).*)",
    re.DOTALL,  # policies write their reasons below
)
"""What the Job controller says of a pod that it may not make.

A quota can pass, a new namespace gets accounts, and an API server that just started is soon ready.
"""


@dataclass(frozen=True)
class Ended:
    """How a container ended; `peak_memory` is in bytes, where it was measured."""

    exit_code: int
    reason: str
    message: str
    peak_memory: int | None = None


Pod = Mapping[str, Any]


def ended(pod: Pod, container: str) -> Ended | None:
    """Return how a container ended, None as long as it did not."""
    state = _state(pod, container).get("terminated")
    if not state:
        return None
    message, peak_memory = memory.split(state.get("message", ""))
    return Ended(state["exitCode"], state.get("reason", ""), message, peak_memory)


def started(pod: Pod, container: str) -> bool:
    """Return whether a container runs, or did."""
    return bool(_state(pod, container).keys() & {"running", "terminated"})


def running(pod: Pod, container: str) -> bool:
    """Return whether a container runs."""
    return "running" in _state(pod, container)


def started_at(pod: Pod, container: str) -> str:
    """Return when a running container started, as the cluster writes times; empty where it does not say."""
    return str(_state(pod, container).get("running", {}).get("startedAt", ""))


def lost(pod: Pod, container: str) -> str | None:
    """Return what the cluster did to a pod whose container did not end by itself, such as an eviction, or cannot start.

    None where it ended well, or may go on.
    """
    end = ended(pod, container)
    if end and end.exit_code == 0:
        return None
    status = pod["status"]
    if status.get("phase") == "Failed" and status.get("reason"):
        return _text(status)
    sidecars = _sidecars(pod)
    for one in status.get("initContainerStatuses", []):
        state = one.get("state", {}).get("terminated")
        if state and state["exitCode"] != 0 and one["name"] not in sidecars:
            by_itself = f"exit code {state['exitCode']} of the container {one['name']}"
            return f"{state.get('reason', '')}: {state.get('message') or by_itself}"
    return None


def cut_short(pod: Pod, container: str) -> str | None:
    """Return why a pod is deleted before its container ended well; None where it is not.

    How the container ends then tells nothing: Kaniko killed by SIGTERM has exit code 2, by SIGKILL 137 (measured).
    """
    end = ended(pod, container)
    if "deletionTimestamp" not in pod["metadata"] or (end and end.exit_code == 0):
        return None
    return _disruption(pod) or DELETED


def waits_for(pod: Pod) -> str | None:
    """Return what a pod waits for, in the cluster's words; None where it does not say."""
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _text(condition)
    for state in _states(pod):
        waiting = state.get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            return _text(waiting)
    return None


def pull_failed(pod: Pod) -> bool:
    """Return whether an image could just not be pulled."""
    return any(state.get("waiting", {}).get("reason") == PULL_FAILED for state in _states(pod))


def hopeless(pod: Pod) -> str | None:
    """Return why a pod will never start, None where it may."""
    for state in _states(pod):
        waiting = state.get("waiting", {})
        if waiting.get("reason") in HOPELESS and not PASSES.search(waiting.get("message", "")):
            return _text(waiting)
    return None


def hopeless_event(events: Sequence[Mapping[str, Any]], own: str) -> str | None:
    """Return the event that says that a pod will never start.

    Args:
        own: name of the ConfigMap and the Secret that the build itself makes, a moment after the Job.
    """
    for message in _messages(events):
        if HOPELESS_EVENT.search(message) and f'"{own}"' not in message:
            return message
        if denied := DENIED_EVENT.search(message):
            return " ".join(denied[1].split())
    return None


def event_time(event: Mapping[str, Any]) -> str:
    """Return when an event happened last, as the cluster writes times; empty where it does not say."""
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def last_warning(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the newest warning among events."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    return f"{warnings[-1].get('reason', '')}: {warnings[-1].get('message', '')}" if warnings else None


def _disruption(pod: Pod) -> str | None:
    """Return why the cluster deletes a pod, as for an eviction; None where somebody does (Kubernetes 1.26)."""
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return _text(condition)
    return None


def _messages(events: Iterable[Mapping[str, Any]]) -> list[str]:
    return [event.get("message") or "" for event in events]


def _states(pod: Pod) -> list[dict[str, Any]]:
    status = pod["status"]
    found = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return [one.get("state", {}) for one in found]


def _state(pod: Pod, container: str) -> dict[str, Any]:
    status = pod["status"]
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if one["name"] == container:
            state: dict[str, Any] = one.get("state", {})
            return state
    return {}


def _sidecars(pod: Pod) -> set[str]:
    """Return the init containers that run beside the others, and are restarted (Kubernetes 1.29)."""
    containers = pod.get("spec", {}).get("initContainers", [])
    return {one["name"] for one in containers if one.get("restartPolicy") == "Always"}


def _text(state: Mapping[str, Any]) -> str:
    return f"{state.get('reason', '')}: {state.get('message', '')}"
