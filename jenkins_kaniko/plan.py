"""Wanted and found templates -> what would change. Pure: no client, no file, no clock.

A plan is data with its own conscience: it knows what it must not do, and says why. Applying takes the plan and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jenkins_kaniko.model import CloudState, PodTemplate

CREATE: Literal["create"] = "create"
UPDATE: Literal["update"] = "update"


@dataclass(frozen=True)
class FieldChange:
    """One property of a template; None stands for the plugin's own default."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    """What happens to one template."""

    action: Literal["create", "update"]
    wanted: PodTemplate
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Plan:
    """What would change in one cloud.

    Attributes:
        state: what the plan was made from; its hash ties the plan to it.
        changes: in the order of the configuration; empty when there is nothing to do.
        order: the new list of templates; a number keeps the found template at that place.
        undeclared: names of templates that this fleet owns but does not declare; they stay as they are.
        refusals: why the plan must not be applied; empty when it may.
    """

    state: CloudState
    changes: tuple[Change, ...]
    order: tuple[int | PodTemplate, ...]
    undeclared: tuple[str, ...]
    refusals: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not self.changes and not self.refusals


def make(state: CloudState, wanted: Sequence[PodTemplate], fleet: str) -> Plan:
    """Compare; found templates keep their place, new ones go to the end, foreign ones are never touched."""
    order: list[int | PodTemplate] = list(range(len(state.templates)))
    changes: list[Change] = []
    refusals: list[str] = []
    for template in wanted:
        refusals += _unsupported(state, template)
        found = _claimants(state, template)
        foreign = [index for index in found if state.templates[index].owner != fleet]
        if foreign:
            refusals.append(_foreign_refusal(state.templates[foreign[0]], template))
            found = []  # shown as one to create, so that a plan with a refusal is never an empty one
        fields = _field_changes(state, template, state.templates[found[0]] if found else None)
        if not found:
            changes.append(Change(CREATE, template, fields))
            order.append(template)
        elif fields:
            changes.append(Change(UPDATE, template, fields))
            order[found[0]] = template
    declared = {template.id for template in wanted}
    undeclared = [t.name for t in state.templates if t.owner == fleet and t.id not in declared]
    if changes and state.casc_sources:
        refusals.append(_casc_refusal(state))
    return Plan(state, tuple(changes), tuple(order), tuple(undeclared), tuple(refusals))


def _claimants(state: CloudState, wanted: PodTemplate) -> list[int]:
    """Return the places of templates with the wanted id, else of those with its name.

    A name counts too: `inheritFrom` goes by name and the first of two wins, so a second one would not be used.
    """
    by_id = [index for index, found in enumerate(state.templates) if found.id == wanted.id]
    return by_id or [index for index, found in enumerate(state.templates) if found.name == wanted.name]


def _field_changes(state: CloudState, wanted: PodTemplate, found: PodTemplate | None) -> tuple[FieldChange, ...]:
    have: Mapping[str, Any] = found.fields if found else {}
    names = [*wanted.fields, *(name for name in have if name not in wanted.fields)]
    changes = []
    for name in names:
        default = state.defaults.get(name)
        old, new = have.get(name, default), wanted.fields.get(name, default)
        if old != new:
            changes.append(FieldChange(name, old, new))
    if found and found.id != wanted.id:
        changes.insert(0, FieldChange("id", found.id, wanted.id))
    return tuple(changes)


def _unsupported(state: CloudState, wanted: PodTemplate) -> list[str]:
    return [
        f"template {wanted.name}: kubernetes plugin {state.plugin_version} has no field {name}"
        for name in wanted.fields
        if name not in state.defaults
    ]


def _foreign_refusal(found: PodTemplate, wanted: PodTemplate) -> str:
    whose = f"fleet {found.owner} owns it" if found.owner else "nobody's mark is on it"
    return (
        f"template {wanted.name}: one named {found.name} (id {found.id}) is there and {whose}; "
        "rename yours, or remove that one from the cloud if it is not needed"
    )


def _casc_refusal(state: CloudState) -> str:
    return (
        f"cloud {state.cloud} is defined by configuration-as-code ({', '.join(state.casc_sources)}): its next "
        "reload would undo this; put the templates there instead: jenkins-kaniko render --format jcasc"
    )
