"""Pod templates and clouds as configuration-as-code writes them, and back. Pure: data in, data out.

Our own form is that of XStream (class names, texts inside objects), which the script console gives; here it becomes
`{symbol: {...}}` and plain values, and what a controller exports becomes the same state that the script console
reports, so that plans do not know the difference. An export leaves out what is as in a new object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from jenkins_kaniko import plugin_versions
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, WrongInputError
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.mark import owner_of
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.templates import FAST_LOADER

KINDS: Mapping[str, Mapping[str, str]] = {
    "podRetention": {
        word[:1].lower() + word[1:]: f"pod.retention.{word}"
        for word in ("Never", "OnFailure", "Always", "Default", "Evicted")
    },
    "yamlMergeStrategy": {"override": "pod.yaml.Overrides", "merge": "pod.yaml.Merge"},
    "workspaceVolume": {
        "emptyDirWorkspaceVolume": "volumes.workspace.EmptyDirWorkspaceVolume",
        "hostPathWorkspaceVolume": "volumes.workspace.HostPathWorkspaceVolume",
        "nfsWorkspaceVolume": "volumes.workspace.NfsWorkspaceVolume",
        "persistentVolumeClaimWorkspaceVolume": "volumes.workspace.PersistentVolumeClaimWorkspaceVolume",
        "dynamicPVC": "volumes.workspace.DynamicPVCWorkspaceVolume",
        "genericEphemeralVolume": "volumes.workspace.GenericEphemeralWorkspaceVolume",
    },
    "volumes": {
        "secretVolume": "volumes.SecretVolume",
        "configMapVolume": "volumes.ConfigMapVolume",
        "emptyDirVolume": "volumes.EmptyDirVolume",
        "hostPathVolume": "volumes.HostPathVolume",
        "nfsVolume": "volumes.NfsVolume",
        "persistentVolumeClaim": "volumes.PersistentVolumeClaim",
        "dynamicPVC": "volumes.DynamicPVCVolume",
        "genericEphemeralVolume": "volumes.GenericEphemeralVolume",
    },
    "envVars": {
        "envVar": "model.KeyValueEnvVar",
        "secretEnvVar": "model.SecretEnvVar",
        "podEnvVar": "PodEnvVar",
        "containerEnvVar": "ContainerEnvVar",
    },
}
"""Properties with objects of several classes: symbol of configuration-as-code to class of the plugin."""

CLASSES = {
    "containers": "ContainerTemplate",
    "imagePullSecrets": "PodImagePullSecret",
    "ports": "PortMapping",
    "podLabels": "PodLabel",
}
"""Properties whose lists hold objects of one class, which configuration-as-code does not name."""

NOT_TEXTS = (
    "optional", "memory", "readOnly", "ttyEnabled", "privileged", "alwaysPullImage", "containerPort", "hostPort",
    "failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds",
)  # fmt: skip
"""Properties inside objects that are truth values or numbers; in our form they are texts."""


def escaped(value: Any) -> Any:
    """Return `value` with `${` as `^${` in all its texts: configuration-as-code would look a variable up."""
    return _texts(value, lambda text: text.replace("${", "^${"))


def unescaped(value: Any) -> Any:
    """Return what `escaped` made `value` of; an export is written as by `escaped`."""
    return _texts(value, lambda text: text.replace("^${", "${"))


def _texts(value: Any, change: Any) -> Any:
    if isinstance(value, Mapping):
        return {change(key): _texts(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def template(wanted: PodTemplate) -> Json:
    """Return an item of a cloud's `templates`."""
    return {"id": escaped(wanted.id), **_properties(wanted.fields)}


def cloud(
    name: str, fields: Mapping[str, Any], templates: Sequence[Json], present: Mapping[str, Any] | None = None
) -> Json:
    """Return an item of `jenkins.clouds`.

    Args:
        fields: properties of the cloud in our form.
        templates: what `template` made, or an export holds.
        present: the cloud as an export holds it; what `fields` does not say stays as it is there.
    """
    kept = {key: value for key, value in (present or {}).items() if f"{key}Str" not in (present or {})}
    # name last: the Helm chart cuts line ends off the end of a file, and a pod's YAML may end in some
    laid = {**kept, **_properties(fields), "templates": list(templates), "name": escaped(name)}
    return {"kubernetes": {key: laid[key] for key in sorted(laid, key=lambda key: key == "name")}}


def _properties(fields: Mapping[str, Any]) -> Json:
    return {name: escaped(_symbolic(name, value)) for name, value in fields.items() if value is not None}


def _symbolic(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_symbolic(name, item) for item in value]
    symbols = {kind: symbol for symbol, kind in KINDS.get(name, {}).items()}
    if isinstance(value, Mapping):
        inner = {key: _symbolic(key, item) for key, item in value.items() if key != "class"}
        symbol = symbols.get(value.get("class", ""))
        return {symbol: inner} if symbol else inner
    if name in NOT_TEXTS and isinstance(value, str):
        return {"true": True, "false": False}.get(value, value) if not value.isdecimal() else int(value)
    return symbols.get(value, value) if isinstance(value, str) else value


def defined_clouds(text: str) -> list[Json]:
    """Return `jenkins.clouds` of an export or a source.

    Raises:
        JenkinsKanikoError: it is not YAML, or not configuration-as-code, or the export of clouds failed.
    """
    found = _read(text)
    for key in ("jenkins", "clouds"):
        found = {} if found is None else found
        if not isinstance(found, Mapping):
            raise JenkinsKanikoError(f"not configuration-as-code: {str(found)[:100]!r} where {key} is expected")
        found = found.get(key)
    if found is not None and not (isinstance(found, list) and all(isinstance(item, Mapping) for item in found)):
        raise JenkinsKanikoError(f"jenkins.clouds is no list of clouds: {str(found)[:100]!r}")
    return [dict(item) for item in found or []]


def restored(text: str) -> Json:
    """Return the item of a cloud's `templates` that `text` holds. Raises WrongInputError."""
    try:
        item = _read(text)
    except JenkinsKanikoError:
        item = None
    if not isinstance(item, dict) or "id" not in item:
        raise WrongInputError("the backup was not made by --via configmap; restore it without that option")
    return item


def _read(text: str) -> Any:
    try:
        return yaml.load(text, Loader=FAST_LOADER)  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        raise JenkinsKanikoError(f"not YAML: {' '.join(str(error).split())[:200]}") from None


def cloud_name(item: Mapping[str, Any]) -> str:
    """Return the name of an item of `jenkins.clouds`, of whatever kind."""
    (kind, content), *_ = item.items()
    return str(unescaped(content.get("name"))) if isinstance(content, Mapping) else str(kind)


def kubernetes_cloud(clouds: Sequence[Json], name: str) -> Json | None:
    """Return the Kubernetes cloud of that name as it is written, None where there is none.

    Raises:
        RefusedError: another kind of cloud, or a second one, has that name.
    """
    named = [item for item in clouds if cloud_name(item) == name]
    if len(named) > 1:
        raise RefusedError(f"{len(named)} clouds are named '{name}'")
    if named and not isinstance(named[0].get("kubernetes"), Mapping):
        raise RefusedError(f"the cloud named '{name}' is not a Kubernetes cloud")
    return dict(named[0]["kubernetes"]) if named else None


def state(name: str, item: Mapping[str, Any] | None, plugin: str = "", core: str = "") -> CloudState:
    """Return a cloud as the script console reports it: fields in our form, those of a new object left out.

    Args:
        item: the cloud as an export holds it; None where there is none.
        plugin: version of the kubernetes plugin, empty where it is not known: a present one then.
    """
    defaults, cloud_defaults = plugin_versions.template_defaults(plugin), plugin_versions.cloud_defaults(plugin)
    content = item or {}
    text = json.dumps([item is None, item], sort_keys=True, ensure_ascii=False)
    return CloudState(
        cloud=name,
        core_version=core or "unknown",
        plugin_version=plugin or "unknown",
        hash=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        defaults=defaults,
        templates=tuple(_found(one, defaults) for one in content.get("templates") or []),
        exists=item is not None,
        cloud_fields=_fields(content, cloud_defaults),
        cloud_defaults=cloud_defaults,
        kinds=plugin_versions.kinds(plugin),
    )


def _found(item: Mapping[str, Any], defaults: Mapping[str, Any]) -> PodTemplate:
    fields = _fields(item, defaults)
    return PodTemplate(str(unescaped(item.get("id", ""))), fields.get("name") or "", fields, owner_of(fields))


def _fields(item: Mapping[str, Any], defaults: Mapping[str, Any]) -> Json:
    """Twins, such as idleMinutesStr beside idleMinutes, count under the name that `defaults` has."""
    fields = {}
    for name, default in defaults.items():
        twin = name.removesuffix("Str") if name.endswith("Str") else f"{name}Str"
        raw = item.get(name, item.get(twin))
        if name not in item and raw is not None:
            raw = str(raw) if name.endswith("Str") or not str(raw).isdecimal() else int(raw)
        value = _plain(name, unescaped(raw))
        if value not in (None, "", default):
            fields[name] = value
    return fields


def _plain(name: str, value: Any) -> Any:
    """A property of a template or cloud in our form."""
    if isinstance(value, list):
        return [_object(name, item) for item in value]
    return _object(name, value) if name in KINDS or isinstance(value, Mapping) else value


def _object(name: str, value: Any) -> Any:
    kinds = KINDS.get(name, {})
    if not isinstance(value, Mapping):
        return kinds.get(value, value) if isinstance(value, str) else value
    if name == "annotations":
        return {"key": value.get("key"), "value": value.get("value")}
    kind = CLASSES.get(name)
    if kinds and len(value) == 1:
        [(symbol, value)] = value.items()
        kind = kinds.get(symbol, symbol)
    inner = {key: _inside(key, item) for key, item in (value or {}).items()}
    empty = plugin_versions.empty_object(kind or "")
    inner = {key: item for key, item in inner.items() if item not in (None, "", [], empty.get(key))}
    if kind is None:
        return inner
    return {"class": kind, **inner} if inner else kind


def _inside(name: str, value: Any) -> Any:
    if isinstance(value, list | Mapping):
        return _plain(name, value)
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)
