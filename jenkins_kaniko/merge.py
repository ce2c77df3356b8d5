"""Merging of plain data, as Kubernetes merges a patch into an object.

A template is defaults, then its own keys, then its `pod:`; lists such as containers, volumes and env must meet
by name or a user could only replace them whole. Kubernetes calls this a strategic merge; its list keys are in
the field's own documentation (`patchMergeKey`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}


def merged(base: Any, over: Any, key: str = "", *, keep_nulls: bool = False) -> Any:
    """Return `over` laid on `base`; neither is changed.

    Mappings merge key by key, lists named in MERGE_KEYS item by item, everything else is replaced. A null in
    `over` removes the key, as in a Kubernetes patch.

    Args:
        base: JSON-like data.
        over: JSON-like data.
        key: the name under which both stand, which tells how a list merges.
        keep_nulls: `base` and `over` are patches themselves: a null stays, for what the result is laid on.
    """
    if isinstance(over, Mapping):
        return _merged_mappings(base if isinstance(base, Mapping) else {}, over, keep_nulls)
    if key in MERGE_KEYS and isinstance(over, list):
        return _merged_lists(base if isinstance(base, list) else [], over, MERGE_KEYS[key], keep_nulls)
    return over


def _merged_mappings(base: Mapping[str, Any], over: Mapping[str, Any], keep_nulls: bool) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        if value is None and not keep_nulls:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value, key, keep_nulls=keep_nulls)
    return result


def _merged_lists(base: list[Any], over: list[Any], name: str, keep_nulls: bool) -> list[Any]:
    result = list(base)
    for item in over:
        alone = merged(None, item, keep_nulls=keep_nulls)
        at = _position(result, alone, name)
        if at is None:
            result.append(alone)
        else:
            result[at] = merged(result[at], item, keep_nulls=keep_nulls)
    return result


def _position(items: list[Any], wanted: Any, name: str) -> int | None:
    """Return where the item of the same name is; one that is no mapping or has no name is only itself."""
    for index, item in enumerate(items):
        named = isinstance(item, Mapping) and isinstance(wanted, Mapping) and wanted.get(name) is not None
        if item == wanted or (named and item.get(name) == wanted[name]):
            return index
    return None
