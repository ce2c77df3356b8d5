"""What jenkins-kaniko.yaml is made of: the kinds of its values, and the small mappings that its sections hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

NAME_RULE = "lower-case letters, digits and dashes, beginning and ending with a letter or digit, at most 40"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(pattern=r"^[^\s\"'()!&|<>]+$")]
Duration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)?(h|m|s))+$")]
ProxyUrl = Annotated[str, StringConstraints(pattern=r"^[^\s@]+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Quantity = Annotated[str | int | float, Field(union_mode="left_to_right")]
Texts = dict[Text, str | None]
"""By name; null takes away what `defaults` give under that name."""
Json = dict[str, Any]
Values = dict[Text, str | bool | int | float]
Minutes = Annotated[int | float, Field(gt=0)]


def _unique(items: list[str]) -> list[str]:
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        raise PydanticCustomError("twice", "{items} given twice", {"items": ", ".join(twice)})
    return items


UNIQUE = (AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True}))


def key(description: str) -> Any:
    """Return a key that may be left out."""
    return Field(None, description=description)


class Strict(BaseModel):
    """A mapping of the file: unknown keys are mistakes, values are not converted, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class OneOf(Strict):
    """A mapping with exactly one of its keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _exactly_one(self) -> OneOf:
        fields = type(self).model_fields
        if [getattr(self, name) for name in fields].count(None) != len(fields) - 1:
            keys = ", ".join(to_camel(name) for name in fields)
            raise PydanticCustomError("one_of", "give exactly one of {keys}", {"keys": keys})
        return self


class SecretKey(Strict):
    """A key of a Kubernetes Secret."""

    namespace: Text = Field(description="its namespace")
    name: Text = Field(description="its name")
    key: Text = Field(description="the key in it")


class SecretRef(OneOf):
    """Where a secret is; the file never holds one itself."""

    env: Text | None = key("an environment variable")
    file: Text | None = key("a file; relative to the main file")
    secret: SecretKey | None = key("a Kubernetes Secret in the cluster of the current context")


class Resources(Strict):
    """Kubernetes quantities by resource name; null takes one of the profile or the defaults away."""

    requests: dict[str, Quantity | None] | None = key("what the scheduler reserves")
    limits: dict[str, Quantity | None] | None = key("what the container may not exceed")


class Cache(Strict):
    """The layer cache that builds on this template use."""

    repo: Text | None = key("a repository; default: beside the image")
    ttl: Duration | None = key("how long a layer counts, such as 168h")


class Proxy(Strict):
    """How builds reach the world; set in upper and lower case, because programs differ in which one they read."""

    http: ProxyUrl | None = key("HTTP_PROXY")
    https: ProxyUrl | None = key("HTTPS_PROXY")
    no_proxy: Text | None = key("NO_PROXY: hosts and domains, separated by commas")


class CaBundle(Strict):
    """Certificates that the builder trusts beside the system's when it talks to registries."""

    config_map: Text = Field(description="a ConfigMap in the build namespace")
    key: Text = Field("ca.crt", description="its key with PEM text")


class Claim(Strict):
    """A volume that is made for each agent and goes with it."""

    storage_class_name: Text | None = key("default: the cluster's")
    requests_size: Text | None = key("such as 10Gi")
    access_modes: Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"] | None = key("default: ReadWriteOnce")


class EmptyDir(Strict):
    """A folder of the node that goes with the pod."""

    memory: bool = Field(False, description="held in memory, which counts against the limits of the containers")


class HostPath(Strict):
    """A folder of the node."""

    host_path: Text = Field(description="its path")


class Nfs(Strict):
    """A folder of an NFS server."""

    server_address: Text = Field(description="the server")
    server_path: Text = Field(description="the exported path")
    read_only: bool = Field(False, description="only for reading")


class ExistingClaim(Strict):
    """A PersistentVolumeClaim that is there."""

    claim_name: Text = Field(description="its name")
    read_only: bool = Field(False, description="only for reading")


class WorkspaceVolume(OneOf):
    """What holds the workspace of an agent."""

    empty_dir: EmptyDir | None = key("a folder of the node that goes with the pod")
    host_path: HostPath | None = key("a folder of the node")
    nfs: Nfs | None = key("a folder of an NFS server")
    persistent_volume_claim: ExistingClaim | None = key("a claim that is there")
    dynamic_pvc: Claim | None = Field(None, alias="dynamicPVC", description="a claim that Jenkins makes and removes")
    generic_ephemeral: Claim | None = key("a claim that Kubernetes makes and removes; kubernetes plugin 4174 and later")
