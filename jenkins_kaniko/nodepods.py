"""A pod on each node: waiting until each told something, and what becomes of nodes that cannot tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from jenkins_kaniko import podstate
from jenkins_kaniko.errors import UnreachableError
from jenkins_kaniko.nodereport import SKIPPED, NodeOutcome
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.waiting import Waiting

FAILED = "failed"
TICK_SECONDS = 1
Node = Mapping[str, Any]
Event = Mapping[str, Any]


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]: ...


def name_of(node: Node) -> str:
    """Return a node's name."""
    name: str = node["metadata"]["name"]
    return name


def failed(node: Node, text: str) -> NodeOutcome:
    """Return that something went wrong on a node."""
    return NodeOutcome(name_of(node), FAILED, text, good=False)


def runs_linux(node: Node) -> bool:
    """Return whether a node can run what we give it; in a mixed cluster some run Windows."""
    system: str = node["status"]["nodeInfo"]["operatingSystem"]
    return system == "linux"


def skipped(node: Node) -> NodeOutcome:
    """Return that a node has nothing to do with images of Linux."""
    system = node["status"]["nodeInfo"]["operatingSystem"]
    return NodeOutcome(name_of(node), SKIPPED, f"runs {system}, not images of linux", good=True)


def not_ready(node: Node) -> NodeOutcome | None:
    """Return why nothing can be done on a node now, None where it can."""
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] != "True":
            return failed(node, f"the node is not ready: {condition.get('message', '')}")
    return None


def outcomes(
    nodes: Sequence[Node],
    pods: Callable[[], Iterable[Pod]],
    told: Callable[[Node, Pod], NodeOutcome | None],
    timeout: float,
    tell: Callable[[str], None],
    events: Callable[[], Iterable[Event]],
) -> list[NodeOutcome]:
    """Wait until something is known of each node, and return it by the nodes' names.

    Args:
        pods: returns those that count.
        told: returns what a pod told of its node, None where it did not yet.
        timeout: seconds that all of them may take.
        tell: takes a line when a node's pod waits for something.
        events: returns the warnings where the pods are; asked where a pod does not say what it waits for.
    """
    found = {name_of(node): why for node in nodes if (why := not_ready(node))}
    waiting = {name_of(node): _waiting(name_of(node), tell) for node in nodes}
    limit = time.monotonic() + timeout
    while True:
        there = {pod["spec"].get("nodeName"): pod for pod in pods()}
        for node in nodes:
            name = name_of(node)
            if name not in found and (now := _seen(node, there.get(name), told, waiting[name])):
                found[name] = now
        left = [node for node in nodes if name_of(node) not in found]
        if not left or time.monotonic() > limit:
            break
        time.sleep(TICK_SECONDS)
    said = _warnings(events) if left else []
    for node in left:
        name = name_of(node)
        reason = waiting[name].reason or _last_of(there.get(name), said) or "nobody says why"
        found[name] = failed(node, f"nothing in {timeout:g} s: {reason}")
    return [found[name] for name in sorted(found)]


def warnings_of(door: Door, namespace: str) -> Callable[[], list[dict[str, Any]]]:
    """Return what lists the warnings of a namespace, as `outcomes` asks for them."""
    return partial(door.listed, "Event", namespace, fieldSelector="type=Warning")


def _warnings(events: Callable[[], Iterable[Event]]) -> list[Event]:
    """Return what the cluster warns of, nothing where we may not know."""
    try:
        return list(events())
    except UnreachableError:
        return []


def _last_of(pod: Pod | None, events: Iterable[Event]) -> str | None:
    """Return what was said of a pod last, such as that a folder of its node cannot be mounted."""
    own = [one for one in events if pod and one["involvedObject"].get("uid") == pod["metadata"].get("uid")]
    return podstate.last_warning(sorted(own, key=podstate.event_time))


def _seen(
    node: Node,
    pod: Pod | None,
    told: Callable[[Node, Pod], NodeOutcome | None],
    waiting: Waiting,
) -> NodeOutcome | None:
    if pod is None:
        return None
    if outcome := told(node, pod):
        return outcome
    vain = waiting.in_vain(pod)
    return failed(node, vain) if vain else None


def _waiting(node: str, tell: Callable[[str], None]) -> Waiting:
    return Waiting(lambda text: tell(f"{node}: {text}"), "")
