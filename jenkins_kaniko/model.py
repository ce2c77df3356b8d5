"""A checked configuration, typed and immutable, and the one type for wanted and found pod templates.

Values carry no behaviour; who reads them is further up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jenkins_kaniko.errors import Problem
from jenkins_kaniko.fleetfile import Build, Controller, TemplateSettings

OWNER_ANNOTATION = "jenkins-kaniko/owner"
APPLIED_ANNOTATION = "jenkins-kaniko/applied"

KeyPath = tuple[str | int, ...]
Place = tuple[str, int]
"""A file and a line in it, counted from 1."""


@dataclass(frozen=True)
class Template:
    """One template with the defaults laid under its own keys.

    Attributes:
        key: what the configuration calls it.
        name: what Jenkins calls it; the key, unless the configuration says otherwise.
        yaml: the pod where it is not generated: the text of `yamlFile`, empty where there is no pod.
    """

    key: str
    labels: tuple[str, ...]
    settings: TemplateSettings
    yaml: str | None = None

    @property
    def name(self) -> str:
        return (self.settings.name or self.key).strip()

    @property
    def engine(self) -> str:
        return self.settings.engine or "kaniko"

    def id_in(self, fleet: str) -> str:
        """Made of fleet and key, never of content: a changed id breaks agents over a controller restart."""
        return self.settings.id or f"jenkins-kaniko-{fleet}-{self.key}"

    def is_for(self, controller: str) -> bool:
        return self.settings.controllers is None or controller in self.settings.controllers


@dataclass(frozen=True)
class Fleet:
    """A checked configuration.

    Attributes:
        folder: what relative paths in it are relative to.
        defaults: what lies under every template.
        builds: what `build --all` builds, in the order of the file.
        places: where each key is written, by its path.
    """

    name: str
    folder: Path
    controllers: Mapping[str, Controller]
    templates: tuple[Template, ...]
    defaults: TemplateSettings = field(default_factory=TemplateSettings)
    builds: Mapping[str, Build] = field(default_factory=dict)
    places: Mapping[KeyPath, Place] = field(default_factory=dict, compare=False, repr=False)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem of what stands at `path`, or of what it would stand in."""
        at = path
        while at and at not in self.places:
            at = at[:-1]
        file, line = self.places.get(at, ("", 1))
        return Problem(file, line, ".".join(str(part) for part in path), message)


@dataclass(frozen=True)
class PodTemplate:
    """A pod template as Jenkins holds it, wanted or found.

    Attributes:
        id: stable over edits; agents are found again by it after a controller restart (facts: JENKINS-64628).
        fields: the plugin's property names to JSON values. Wanted templates hold what differs from nothing,
            found ones what differs from a new template of that controller's plugin version.
        owner: the fleet that manages it, None where nobody's mark is on it.
        declared_id: the configuration names the id itself, and with it the template it means.
        xml: all of a found template as the controller keeps it (of an export: as that writes it), where a backup
            was asked for; or, of a wanted one, what to restore whatever `fields` says.
    """

    id: str
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None
    declared_id: bool = False
    xml: str | None = None


@dataclass(frozen=True)
class Agent:
    """A running agent; it keeps the pod that its template described when it was made."""

    name: str
    template_id: str | None
    idle: bool


@dataclass(frozen=True)
class CloudState:
    """What a controller answered: the cloud's own templates in their order, and how to tell that it moved.

    Attributes:
        hash: of the complete state, secrets and fields we do not know included (made on the controller).
        defaults: every field that this plugin version has, with the value of a new template.
        casc_sources: configuration-as-code sources that define clouds there; empty where nobody does.
        obstacles: why the cloud must not be changed by the way it was read.
        exists: False where the cloud is not there and the configuration would create it.
        cloud_fields, cloud_defaults: of the cloud itself, as `fields` and `defaults` of a template.
        kinds: classes of the plugin's objects to the values that each keeps, with what one has that was given
            nothing; None for a class that is not there. One that is not listed is unknown.
    """

    cloud: str
    core_version: str
    plugin_version: str
    hash: str
    defaults: Mapping[str, Any]
    templates: tuple[PodTemplate, ...]
    casc_sources: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    exists: bool = True
    cloud_fields: Mapping[str, Any] = field(default_factory=dict)
    cloud_defaults: Mapping[str, Any] = field(default_factory=dict)
    agents: tuple[Agent, ...] = ()
    kinds: Mapping[str, Mapping[str, str | None] | None] = field(default_factory=dict)
