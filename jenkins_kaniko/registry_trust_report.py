"""What nodes told -> text for people, data for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jenkins_kaniko.registry_trust import NodeTrust


def text(nodes: Sequence[NodeTrust]) -> str:
    """Return a line per node: its name, a word, and what there is to say."""
    width = max((len(one.node) for one in nodes), default=0)
    return "\n".join(f"{one.node:<{width}}  {one.state:<8}  {one.text}".rstrip() for one in nodes)


def data(nodes: Sequence[NodeTrust]) -> list[dict[str, Any]]:
    """Return the same as plain data."""
    return [{"name": one.node, "state": one.state, "text": one.text} for one in nodes]
