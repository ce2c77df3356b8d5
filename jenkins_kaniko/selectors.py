"""What the API's selectors choose: labels, or what stands for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector chooses what has these labels; an empty one chooses everything."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all_match(selector.get("matchExpressions", []), labels)


def all_match(expressions: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Return whether labels meet each of some expressions with key, operator and values."""
    return all(_matches(one, labels) for one in expressions)


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]
