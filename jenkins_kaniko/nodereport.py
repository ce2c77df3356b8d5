"""What was found on each node -> text for people, data for scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko import errors

SKIPPED = "skipped"
"""The word for a node that has nothing to do with it."""


@dataclass(frozen=True)
class NodeOutcome:
    """What is known of one node: a word, what there is to say, and whether it is as it should be."""

    node: str
    state: str
    text: str
    good: bool


def text(nodes: Sequence[NodeOutcome]) -> str:
    """Return a line per node: its name, a word, and what there is to say."""
    width = max((len(one.node) for one in nodes), default=0)
    return "\n".join(f"{one.node:<{width}}  {one.state:<7}  {one.text}".rstrip() for one in nodes)


def data(nodes: Sequence[NodeOutcome]) -> list[dict[str, Any]]:
    """Return the same as plain data."""
    return [{"name": one.node, "state": one.state, "text": one.text} for one in nodes]


def exit_code(nodes: Sequence[NodeOutcome]) -> int:
    """Return how a command ends: well, failed, or mixed where only some nodes are as they should be."""
    good = [one.good for one in nodes if one.state != SKIPPED]
    if all(good):
        return errors.OK
    return errors.MIXED_OUTCOMES if any(good) else errors.FAILED
