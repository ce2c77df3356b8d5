"""The marks that a fleet leaves on its templates: whose they are, and what was last applied.

Jenkins keeps no history, so what somebody changed by hand can only be told against what we wrote. The annotation
holds a short hash for each field: enough to name the fields that moved, and nothing of their content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jenkins_kaniko.model import APPLIED_ANNOTATION, OWNER_ANNOTATION, CloudState, PodTemplate
from jenkins_kaniko.values import as_texts

HASH_LENGTH = 12


def marked(template: PodTemplate) -> PodTemplate:
    """Return a wanted template with its fleet and the hashes of its fields among its annotations."""
    others = unmarked(template.fields.get("annotations"))
    fields = {**template.fields, "annotations": [{"key": OWNER_ANNOTATION, "value": template.owner}, *others]}
    hashes = json.dumps(_hashes(fields), sort_keys=True, separators=(",", ":"))
    fields["annotations"] = [*fields["annotations"], {"key": APPLIED_ANNOTATION, "value": hashes}]
    return replace(template, fields=fields)


def owner_of(fields: Mapping[str, Any]) -> str | None:
    """Return the fleet whose mark a template carries."""
    return _annotation(fields, OWNER_ANNOTATION)


def drifted(found: PodTemplate, state: CloudState) -> tuple[str, ...] | None:
    """Return the fields of an owned template that somebody changed since it was applied.

    None where that cannot be told: the mark is missing or no longer readable.
    """
    try:
        applied = json.loads(_annotation(found.fields, APPLIED_ANNOTATION) or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(applied, dict):
        return None
    now = _hashes({name: found.fields.get(name, state.defaults.get(name)) for name in applied})
    changed = [name for name in applied if now[name] != applied[name]]
    return tuple(sorted([*changed, *(name for name in found.fields if name not in applied)]))


def _hashes(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: _hash(_without_own_mark(name, value)) for name, value in fields.items()}


def _hash(value: Any) -> str:
    text = json.dumps(as_texts(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _without_own_mark(name: str, value: Any) -> Any:
    return [item for item in value or [] if item["key"] != APPLIED_ANNOTATION] if name == "annotations" else value


def unmarked(annotations: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """Return the annotations that are no marks."""
    return [item for item in annotations or [] if item["key"] not in (OWNER_ANNOTATION, APPLIED_ANNOTATION)]


def _annotation(fields: Mapping[str, Any], key: str) -> str | None:
    found = [item["value"] for item in fields.get("annotations") or [] if item["key"] == key]
    return found[0] if found else None
