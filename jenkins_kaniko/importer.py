"""Templates that are on a controller -> configuration that means the very same.

Nothing is guessed: each template is written down, laid on the defaults and planned against what is there, and what
the plan would still change is named. Pods are kept to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, get_args

from jenkins_kaniko import plan, render
from jenkins_kaniko.config import GENERATING_KEYS, laid
from jenkins_kaniko.document import Document
from jenkins_kaniko.errors import ConfigError, WrongInputError
from jenkins_kaniko.fleetfile import Property, TemplateSettings
from jenkins_kaniko.model import APPLIED_ANNOTATION, OWNER_ANNOTATION, CloudState, Fleet, PodTemplate, Template

HEAD = "# Taken from controller {controller} by `jenkins-kaniko import`. It is yours to change.\n"
KEY_LENGTH = 40
FLAGS = ("memory", "readOnly")
"""Values of workspace volumes that are true or false; the plugin's data has texts."""


@dataclass(frozen=True)
class Imported:
    """What was taken over.

    Attributes:
        files: texts by path, the one to include first; paths are relative to the folder of the main file.
        taken: names of the templates.
        left: what was not, or not as it is, and why.
    """

    files: Mapping[str, str]
    taken: tuple[str, ...]
    left: tuple[str, ...]


class _UnfitError(Exception):
    """A template that cannot be written down; the text says why."""


def take(state: CloudState, fleet: Fleet, controller: str, names: Sequence[str], file: str) -> Imported:
    """Write down the templates `names` (by name or id; without any, all that nobody owns) of a controller.

    Args:
        fleet: the configuration that will include the result; its defaults lie under the templates.
        file: what to write to, relative to the folder of the main file; pods go into a folder beside it.

    Raises:
        WrongInputError: one of `names` is not there.
    """
    there = {name for found in state.templates for name in (found.name, found.id)}
    unknown = [name for name in names if name not in there]
    if unknown:
        has = ", ".join(found.name for found in state.templates) or "none"
        raise WrongInputError(f"controller {controller}: no template {', '.join(unknown)} there; it has: {has}")
    templates: dict[str, dict[str, Any]] = {}
    pods: dict[str, str] = {}
    taken, left = [], []
    for found in state.templates:
        if {found.name, found.id}.isdisjoint(names) if names else found.owner:
            continue
        key = _key(found.name, {*templates, *(template.key for template in fleet.templates)})
        pod = str(PurePosixPath(file).with_suffix("") / f"{key}.yaml")
        try:
            _check(found, state, fleet, controller)
            settings = _settings(found, state, fleet, controller, key, pod)
        except _UnfitError as cause:
            left.append(f"template {found.name or found.id}: not taken: {cause}")
            continue
        templates[key] = settings
        taken.append(found.name)
        if "yaml" in found.fields:
            pods[pod] = found.fields["yaml"]
        left += _differences(
            found, state, fleet, Template(key, (), _laid(fleet, settings), found.fields.get("yaml", ""))
        )
    text = HEAD.format(controller=controller) + render.dump({"templates": templates})
    return Imported({file: text, **pods}, tuple(taken), tuple(left))


def _check(found: PodTemplate, state: CloudState, fleet: Fleet, controller: str) -> None:
    if found.owner not in (None, fleet.name):
        raise _UnfitError(f"fleet {found.owner} owns it")
    if not found.name:
        raise _UnfitError("it has no name")
    for template in fleet.templates:
        if template.is_for(controller) and found.id == template.id_in(fleet.name):
            raise _UnfitError("the configuration has it")
        if template.is_for(controller) and found.name == template.name:
            raise _UnfitError("the configuration has another one of this name")
    first = next(one for one in state.templates if found.name == one.name or found.id == one.id)
    if first is not found:
        raise _UnfitError("an earlier one has the same name or id, and Jenkins uses that")
    text = found.fields.get("yaml", "x: y")
    try:
        readable = isinstance(Document(text, "").data, dict) and bool(text.strip())
    except ConfigError:
        readable = False
    if not readable:
        raise _UnfitError("its YAML is not one readable Pod")


def _settings(
    found: PodTemplate, state: CloudState, fleet: Fleet, controller: str, key: str, pod: str
) -> dict[str, Any]:
    """Return the keys that mean what `found` is, as the file spells them."""
    fields = {name: value for name, value in found.fields.items() if name not in ("name", "yaml", "annotations")}
    raw: dict[str, Any] = {}
    settings: dict[str, Any] = {"id": found.id, "controllers": [controller], "labels": []}
    if found.name != key:
        settings["name"] = found.name
    settings |= {"yamlFile": pod} if "yaml" in found.fields else {"engine": "none"}
    settings["showRawYaml"] = fields.pop("showRawYaml", state.defaults.get("showRawYaml"))
    for name, value in fields.items():
        spelled = _spelled(name, value)
        if spelled and _fits(spelled):
            settings |= spelled
        elif name in get_args(Property):
            raw[name] = value
    marks = (OWNER_ANNOTATION, APPLIED_ANNOTATION)
    annotations = {one["key"]: one["value"] for one in found.fields.get("annotations", []) if one["key"] not in marks}
    for name, own in (("jenkins", raw), ("annotations", annotations)):
        below = getattr(fleet.defaults, name) or {}
        if own or below:
            settings[name] = {**dict.fromkeys(below), **own}
    inherited = fleet.defaults.model_dump(by_alias=True, exclude_none=True)
    return settings | {name: None for name in inherited if name not in GENERATING_KEYS | set(settings)}


def _spelled(name: str, value: Any) -> dict[str, Any] | None:
    """Return a property as the key that stands for it; None where there is none for this value."""
    keys = {field: str(TemplateSettings.model_fields[key].alias) for key, field in render.JENKINS_FIELDS.items()}
    strategies = {kind: word for word, kind in render.YAML_MERGE_CLASSES.items()}
    if name in keys:
        return {keys[name]: value}
    if name == "label" and " ".join(value.split()) == value:
        return {"labels": value.split()}
    if name == "podRetention" and isinstance(value, str):
        return {"podRetention": value.removeprefix("pod.retention.")}
    if name == "yamlMergeStrategy" and value in strategies:
        return {"yamlMergeStrategy": strategies[value]}
    return _spelled_workspace(value) if name == "workspaceVolume" else None


def _spelled_workspace(value: Any) -> dict[str, Any] | None:
    values = dict(value) if isinstance(value, Mapping) else {"class": value}
    kinds = {f"volumes.workspace.{name}WorkspaceVolume": key for key, name in render.WORKSPACE_CLASSES.items()}
    kind = kinds.get(values.pop("class"))
    if kind is None:
        return None
    plain = {key: text == "true" if key in FLAGS else text for key, text in values.items()}
    return {"workspaceVolume": {kind: plain}}


def _fits(settings: Mapping[str, Any]) -> bool:
    try:
        TemplateSettings.model_validate(settings)
    except ValueError:
        return False
    return True


def _laid(fleet: Fleet, settings: Mapping[str, Any]) -> TemplateSettings:
    defaults = fleet.defaults.model_dump(by_alias=True, exclude_unset=True)
    return laid(defaults, TemplateSettings.model_validate(settings))


def _differences(found: PodTemplate, state: CloudState, fleet: Fleet, template: Template) -> list[str]:
    """Return what the next plan would change all the same."""
    labelled = replace(template, labels=tuple(template.settings.labels or []))
    wanted = render.pod_template(labelled, fleet)
    planned = plan.make(replace(state, templates=(found,), casc_sources=()), [wanted], fleet.name)
    return [
        f"template {found.name}: {field.field} cannot be kept as it is"
        for change in planned.changes
        for field in change.fields
    ]


def _key(name: str, used: set[str]) -> str:
    """Return a key of the file for a name that Jenkins took, which may be any text."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:KEY_LENGTH].strip("-") or "template"
    key, number = base, 1
    while key in used:
        number += 1
        key = f"{base[: KEY_LENGTH - len(str(number)) - 1]}-{number}"
    return key
