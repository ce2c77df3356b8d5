"""What a sync replaced, kept on the client: written before the change, restored by `rollback`.

A file holds every template of the cloud as the controller's own XML, so nothing that we do not know is lost. It may
hold what people put into their templates, so only the user may read it.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import CREATE, DELETE, UPDATE, Change, Plan, casc_refusal, foreign_refusal

FOLDER = Path(".jenkins-kaniko") / "backups"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Backup:
    """One cloud as it was."""

    controller: str
    fleet: str
    cloud: str
    taken: str
    templates: tuple[PodTemplate, ...]


def write(folder: Path, controller: str, fleet: str, state: CloudState) -> Path:
    """Keep `state` below `folder` and return the file, a new one each time. Raises WrongInputError."""
    taken = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    content = {
        "schemaVersion": SCHEMA_VERSION,
        "controller": controller,
        "fleet": fleet,
        "cloud": state.cloud,
        "taken": taken,
        "templates": [
            {"id": found.id, "name": found.name, "owner": found.owner, "xml": found.xml} for found in state.templates
        ],
    }
    place = folder / FOLDER / controller
    try:
        _make_private(folder, place)
        # a new name each time, readable by nobody else
        number, name = tempfile.mkstemp(prefix=f"{taken}-", suffix=".json", dir=place)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(place)
    except OSError as error:
        raise WrongInputError(
            f"{place}: the backup cannot be written ({error.strerror}); nothing was changed on {controller}"
        ) from None
    return Path(name)


def _make_private(folder: Path, place: Path) -> None:
    """Make the folders down to `place`, closed to others and unknown to git."""
    for part in (*reversed(place.relative_to(folder).parents), place.relative_to(folder)):
        if part.parts:
            (folder / part).mkdir(mode=0o700, exist_ok=True)
    (folder / FOLDER.parts[0] / ".gitignore").write_text("*\n", encoding="utf-8")


def _sync_folder(place: Path) -> None:
    """Make the new name last too, not only what the file holds."""
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def load(path: Path) -> Backup:
    """Read a backup. Raises WrongInputError."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError
        templates = tuple(
            PodTemplate(_text(one["id"]), _text(one["name"]), owner=one["owner"], xml=_text(one["xml"]))
            for one in content["templates"]
        )
        texts = {key: _text(content[key]) for key in ("controller", "fleet", "cloud", "taken")}
        return Backup(**texts, templates=templates)
    except OSError as error:
        raise WrongInputError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WrongInputError(f"{path}: not a backup of jenkins-kaniko, or of another version of it") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def undo(backup: Backup, state: CloudState) -> Plan:
    """Return the plan that brings the fleet's own templates back as they were.

    Templates of others stay as they are now, whatever the backup says of them: they are not the fleet's to undo. One
    that came since and has the name of what would come back is a refusal.
    """
    now = {found.id: index for index, found in enumerate(state.templates)}
    order: list[int | PodTemplate] = []
    changes = []
    for kept in backup.templates:
        index = now.get(kept.id)
        found = None if index is None else state.templates[index]
        ours = _ours(kept, found, state, backup.fleet)
        if index is not None and not (ours and found and found.xml != kept.xml):
            order.append(index)
        elif ours:
            order.append(kept)
            changes.append(Change(CREATE if index is None else UPDATE, kept))
    placed = {item if isinstance(item, int) else now.get(item.id) for item in order}
    left = [index for index in range(len(state.templates)) if index not in placed]
    gone = [index for index in left if state.templates[index].owner == backup.fleet]
    changes += [Change(DELETE, state.templates[index]) for index in gone]
    refusals = [casc_refusal(state)] if changes and state.casc_sources else []
    known = {kept.id for kept in backup.templates}
    newer = {now.name: now for now in state.templates if now.owner != backup.fleet and now.id not in known}
    refusals += [
        foreign_refusal(newer[change.template.name], change.template)
        for change in changes
        if change.action == CREATE and change.template.name in newer
    ]
    return Plan(
        state=state,
        changes=tuple(changes),
        order=(*order, *(index for index in left if index not in gone)),
        refusals=tuple(refusals),
    )


def _ours(kept: PodTemplate, found: PodTemplate | None, state: CloudState, fleet: str) -> bool:
    """The fleet's then and no other fleet's now, or nobody's then and taken over by the fleet since.

    Args:
        found: what has the id of `kept` now.
    """
    if kept.owner == fleet:
        return found is None or found.owner in (None, fleet)
    taken_over = any(now.owner == fleet and kept.name == now.name for now in state.templates)
    return kept.owner is None and (found.owner == fleet if found else taken_over)
