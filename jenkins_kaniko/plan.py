"""Wanted and found templates -> what would change. Pure: no client, no file, no clock.

A plan is data with its own conscience: it knows what it must not do, and says why. Applying takes the plan and
nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jenkins_kaniko.mark import marked, unmarked
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.values import fitted, same

CREATE: Literal["create"] = "create"
UPDATE: Literal["update"] = "update"
ADOPT: Literal["adopt"] = "adopt"
DELETE: Literal["delete"] = "delete"
Action = Literal["create", "update", "adopt", "delete"]

DELETE_SHARE, DELETE_COUNT = 0.3, 3
"""Deleting more than this share of a fleet's templates, and at least so many, needs a word of consent."""


@dataclass(frozen=True)
class FieldChange:
    """One property of a template or cloud; None stands for the plugin's own default."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    """What happens to one template; `template` is the wanted one, of a deletion the found one."""

    action: Action
    template: PodTemplate
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Consent:
    """What the user allows beyond creating and updating the fleet's own templates."""

    prune: bool = False
    adopt: bool = False
    allow_deletes: bool = False


@dataclass(frozen=True)
class Plan:
    """What would change in one cloud.

    Attributes:
        state: what the plan was made from; its hash ties the plan to it.
        changes: in the order of the configuration; empty when there is nothing to do.
        order: the new list of templates; a number keeps the found template at that place.
        refusals: why the plan must not be applied; empty when it may.
        notes: what a reader should know though nothing happens because of it.
        cloud: properties of the cloud itself, where the configuration manages it.
    """

    state: CloudState
    changes: tuple[Change, ...]
    order: tuple[int | PodTemplate, ...]
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cloud: tuple[FieldChange, ...] = ()
    cloud_fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.changes and not self.refusals and not self.cloud and self.state.exists

    @property
    def outdated_agents(self) -> tuple[str, ...]:
        """Agents that hold the old pod of a template that changes; they serve its label until they end."""
        ids = {change.template.id for change in self.changes}
        ids |= {one.old for change in self.changes for one in change.fields if one.field == "id"}
        return tuple(agent.name for agent in self.state.agents if agent.template_id in ids)

    @property
    def hash(self) -> str:
        """Of all that would be done: the same configuration, consent and state give the same hash."""
        items = [item if isinstance(item, int) else [item.id, dict(item.fields), item.xml] for item in self.order]
        text = json.dumps([self.state.hash, items, dict(self.cloud_fields), self.refusals], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def make(
    state: CloudState,
    wanted: Sequence[PodTemplate],
    fleet: str,
    consent: Consent = Consent(),
    cloud: Mapping[str, Any] | None = None,
) -> Plan:
    """Compare; found templates keep their place, new ones go to the end, foreign ones are never touched.

    Args:
        cloud: the properties of the cloud that the configuration manages; None where it only uses it.
    """
    notes: list[str] = []
    refusals: list[str] = []
    templates = [
        marked(replace(one, fields=fitted(one.fields, state.defaults, f"template {one.name}", state, notes, refusals)))
        for one in wanted
    ]
    places = _places(state, templates)
    order: list[int | PodTemplate | None] = list(range(len(state.templates)))
    changes: list[Change] = []
    for template, index in zip(templates, places, strict=True):
        found = None if index is None else state.templates[index]
        change = Change(_action(found, fleet), template, field_changes(state, template, found))
        if found and change.action == ADOPT and not _may_adopt(found, template, consent):
            refusals.append(foreign_refusal(found, template))
        if change.action == ADOPT and template.declared_id and not consent.adopt and _as_declared(change):
            notes.append(
                f"template {template.name}: as declared; it gets this fleet's mark with its first change, or by --adopt"
            )
        elif index is None:
            changes.append(change)
            order.append(template)
        elif change.fields:
            changes.append(change)
            order[index] = template
    deleted = _undeclared(state, places, fleet, notes, consent)
    for index in deleted:
        changes.append(Change(DELETE, state.templates[index]))
        order[index] = None
    refusals += _delete_refusal(state, deleted, fleet, consent)
    managed = fitted(cloud or {}, state.cloud_defaults, f"cloud {state.cloud}", state, notes, refusals)
    cloud_changes = differences(managed, state.cloud_fields, state.cloud_defaults)
    if changes or cloud_changes or not state.exists:
        refusals += [casc_refusal(state)] if state.casc_sources else []
        refusals += state.obstacles
    after = tuple(item for item in order if item is not None)
    return Plan(
        state=state,
        changes=tuple(changes),
        order=after,
        refusals=tuple(dict.fromkeys(refusals)),
        notes=(*notes, *_warnings(state, templates, after)),
        cloud=cloud_changes,
        cloud_fields=managed if cloud_changes or not state.exists else {},
    )


def _places(state: CloudState, wanted: Sequence[PodTemplate]) -> list[int | None]:
    """Return where each wanted template is: the one with its id, else the first of its name that no id claims.

    A name counts too: `inheritFrom` goes by name and the first of two wins, so a second one would not be used.
    """
    ids: dict[str, int] = {}
    for index, found in enumerate(state.templates):
        ids.setdefault(found.id, index)
    places = [ids.get(template.id) for template in wanted]
    claimed = set(places)
    names: dict[str, list[int]] = {}
    for index, found in enumerate(state.templates):
        if index not in claimed:
            names.setdefault(found.name, []).append(index)
    for number, template in enumerate(wanted):
        if places[number] is None and names.get(template.name):
            places[number] = names[template.name].pop(0)
    return places


def _may_adopt(found: PodTemplate, wanted: PodTemplate, consent: Consent) -> bool:
    declared = wanted.declared_id and wanted.id == found.id
    return found.owner is None and (consent.adopt or declared)


def _as_declared(change: Change) -> bool:
    """Nothing differs but the marks."""
    return all(one.field == "annotations" and same(unmarked(one.old), unmarked(one.new)) for one in change.fields)


def _action(found: PodTemplate | None, fleet: str) -> Action:
    if found is None:
        return CREATE
    return UPDATE if found.owner == fleet else ADOPT


def field_changes(state: CloudState, wanted: PodTemplate, found: PodTemplate | None) -> tuple[FieldChange, ...]:
    """Return in which properties a template that is there is not as wanted; all that is set of one that is not."""
    have: Mapping[str, Any] = found.fields if found else {}
    unset = {name: state.defaults.get(name) for name in have if name not in wanted.fields}
    changes = differences({**wanted.fields, **unset}, have, state.defaults)
    if found and found.id != wanted.id:
        return (FieldChange("id", found.id, wanted.id), *changes)
    return changes


def differences(
    wanted: Mapping[str, Any], have: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[FieldChange, ...]:
    """Return the properties of `wanted` that `have` holds otherwise; what `have` leaves out is as in `defaults`."""
    pairs = [(name, have.get(name, defaults.get(name)), value) for name, value in wanted.items()]
    return tuple(FieldChange(name, old, new) for name, old, new in pairs if not same(old, new))


def _undeclared(
    state: CloudState, places: Sequence[int | None], fleet: str, notes: list[str], consent: Consent
) -> list[int]:
    """Return the places of the fleet's templates that shall go; without consent they are noted and stay."""
    mine = [i for i, found in enumerate(state.templates) if found.owner == fleet and i not in places]
    if consent.prune:
        return mine
    notes += [
        f"template {state.templates[index].name} is this fleet's but not declared; it stays (--prune removes it)"
        for index in mine
    ]
    return []


def _delete_refusal(state: CloudState, deleted: Sequence[int], fleet: str, consent: Consent) -> list[str]:
    owned = sum(found.owner == fleet for found in state.templates)
    if consent.allow_deletes or len(deleted) < DELETE_COUNT or len(deleted) <= DELETE_SHARE * owned:
        return []
    names = ", ".join(state.templates[index].name for index in deleted)
    return [
        f"{len(deleted)} of the {owned} templates of fleet {fleet} would be deleted: {names}; "
        "if that is meant, give --allow-deletes"
    ]


def _warnings(state: CloudState, templates: Sequence[PodTemplate], after: Sequence[int | PodTemplate]) -> list[str]:
    """What will not work though it can be applied (facts: kubernetes-plugin, merge semantics)."""
    names = Counter((state.templates[item] if isinstance(item, int) else item).name for item in after)
    missing = [
        f"template {template.name}: inherits from {parent}, which is not there; the plugin ignores that silently"
        for template in templates
        for parent in str(template.fields.get("inheritFrom") or "").split()
        if parent not in names
    ]
    twice = [
        f"{number} templates are named {name}; the plugin uses the first"
        for name, number in sorted(names.items())
        if number > 1
    ]
    return missing + twice


def foreign_refusal(found: PodTemplate, wanted: PodTemplate) -> str:
    if found.owner:
        remedy = f"fleet {found.owner} owns it; rename yours, or remove that one there"
    else:
        remedy = "nobody's mark is on it; --adopt takes it over, its id and content become yours"
    return f"template {wanted.name}: one named {found.name} (id {found.id}) is there and {remedy}"


def casc_refusal(state: CloudState) -> str:
    return (
        f"cloud {state.cloud} is defined by configuration-as-code ({', '.join(state.casc_sources)}): its next "
        "reload would undo this; put the templates there instead: jenkins-kaniko render --format jcasc"
    )
