"""What a configuration says, typed and immutable, and the one type for wanted and found pod templates.

The classes of the file form are the schema: their fields are the keys (camelCase in the file, as in
Kubernetes), their types what is allowed. Values carry no behaviour; who reads them is further up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

OWNER_ANNOTATION = "jenkins-kaniko/owner"

NAME_RULE = "lower-case letters, digits and dashes, beginning and ending with a letter or digit, at most 40"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(pattern=r"^[^\s\"'()!&|<>]+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Quantity = Annotated[str | int | float, Field(union_mode="left_to_right")]
Json = dict[str, Any]


class Strict(BaseModel):
    """A mapping of the file: unknown keys are mistakes, values are not converted, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class SecretKey(Strict):
    """A key of a Kubernetes Secret."""

    namespace: Text
    name: Text
    key: Text


class SecretRef(Strict):
    """Where a secret is; the file never holds one itself. Exactly one of the three is given."""

    env: Text | None = None
    file: Text | None = None
    secret: SecretKey | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretRef:
        if [self.env, self.file, self.secret].count(None) != 2:
            raise PydanticCustomError("one_of", "give exactly one of env, file, secret")
        return self


class Controller(Strict):
    """A Jenkins controller and the cloud on it whose pod templates are managed."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/\S*)?$")]
    user: Text
    token: SecretRef
    ca: Text | None = None
    cloud: Text = "kubernetes"


class Resources(Strict):
    """Kubernetes quantities by resource name."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Cache(Strict):
    """The layer cache that builds on this template use."""

    repo: Text | None = None
    ttl: Annotated[str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)?(h|m|s))+$")] | None = None


class TemplateSettings(Strict):
    """The keys of one template, and of `defaults`, all optional; `None` leaves the choice to the default."""

    labels: list[Label] | None = None
    engine: Literal["kaniko"] | None = None
    namespace: Text | None = None
    registry_secret: Text | None = None
    resources: Resources | None = None
    cache: Cache | None = None
    idle_minutes: Annotated[int, Field(ge=0)] | None = None
    instance_cap: Annotated[int, Field(ge=1)] | None = None
    connect_timeout_seconds: Annotated[int, Field(ge=1)] | None = None
    active_deadline_seconds: Annotated[int, Field(ge=1)] | None = None
    pod_retention: Literal["Never", "OnFailure", "Always", "Default"] | None = None
    node_usage_mode: Literal["NORMAL", "EXCLUSIVE"] | None = None
    inherit_from: Text | None = None
    agent_image: Text | None = None
    image: Text | None = None
    distribution: Text | None = None
    version: Text | None = None
    pod: Json | None = None


class FleetFile(Strict):
    """The whole file."""

    fleet: Name
    defaults: TemplateSettings = TemplateSettings()
    controllers: dict[Name, Controller] = {}
    templates: dict[Name, TemplateSettings] = {}


@dataclass(frozen=True)
class Template:
    """One template with the defaults laid under its own keys."""

    name: str
    labels: tuple[str, ...]
    settings: TemplateSettings

    @property
    def engine(self) -> str:
        return self.settings.engine or "kaniko"


@dataclass(frozen=True)
class Fleet:
    """A checked configuration; `folder` is what relative paths in it are relative to."""

    name: str
    folder: Path
    controllers: Mapping[str, Controller]
    templates: tuple[Template, ...]


@dataclass(frozen=True)
class PodTemplate:
    """A pod template as Jenkins holds it, wanted or found.

    Attributes:
        id: stable over edits; agents are found again by it after a controller restart (facts: JENKINS-64628).
        fields: the plugin's property names to JSON values. Wanted templates hold what differs from nothing,
            found ones what differs from a new template of that controller's plugin version.
        owner: the fleet that manages it, None where nobody's mark is on it.
    """

    id: str
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    owner: str | None = None


@dataclass(frozen=True)
class CloudState:
    """What a controller answered: the cloud's own templates in their order, and how to tell that it moved.

    Attributes:
        hash: of the complete state, secrets and fields we do not know included (made on the controller).
        defaults: every field that this plugin version has, with the value of a new template.
        casc_sources: configuration-as-code sources that define clouds there; empty where nobody does.
    """

    cloud: str
    core_version: str
    plugin_version: str
    hash: str
    defaults: Mapping[str, Any]
    templates: tuple[PodTemplate, ...]
    casc_sources: tuple[str, ...] = ()
