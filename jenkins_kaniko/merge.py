"""Merging of plain data, as Kubernetes merges a patch into an object.

A template is defaults, then its own keys, then its `pod:`; lists such as containers, volumes and env must meet
by name or a user could only replace them whole. Kubernetes calls this a strategic merge; its list keys are in
the field's own documentation (`patchMergeKey`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def merged(base: Any, over: Any, key: str = "") -> Any:
    """Return `over` laid on `base`; neither is changed.

    Mappings merge key by key, lists named in MERGE_KEYS item by item, everything else is replaced. A null in
    `over` removes the key, as in a Kubernetes patch.

    Args:
        base: JSON-like data.
        over: JSON-like data.
        key: the name under which both stand, which tells how a list merges.
    """
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return _merged_mappings(base, over)
    if key in MERGE_KEYS and isinstance(base, Sequence) and isinstance(over, Sequence):
        return _merged_lists(base, over, MERGE_KEYS[key])
    return over


def _merged_mappings(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value, key)
    return result


def _merged_lists(base: Sequence[Any], over: Sequence[Any], name: str) -> list[Any]:
    result = list(base)
    positions = {item[name]: index for index, item in enumerate(base) if name in item}
    for item in over:
        at = positions.get(item.get(name)) if isinstance(item, Mapping) else None
        if at is None:
            result.append(item)
        else:
            result[at] = merged(result[at], item)
    return result
