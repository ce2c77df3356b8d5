"""A pod on each node: waiting until each told something, and what becomes of nodes that cannot tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jenkins_kaniko.nodereport import SKIPPED, NodeOutcome
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.waiting import Waiting

FAILED = "failed"
TICK_SECONDS = 1
Node = Mapping[str, Any]


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
) -> list[NodeOutcome]:
    """Wait until something is known of each node, and return it by the nodes' names.

    Args:
        pods: returns those that count.
        told: returns what a pod told of its node, None where it did not yet.
        timeout: seconds that all of them may take.
        tell: takes a line when a node's pod waits for something.
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
    for node in left:
        reason = waiting[name_of(node)].reason or "nobody says why"
        found[name_of(node)] = failed(node, f"nothing in {timeout:g} s: {reason}")
    return [found[name] for name in sorted(found)]


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
