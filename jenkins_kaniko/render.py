"""Model -> manifests.

A template becomes one Pod as YAML text plus the few fields that only Jenkins knows. The plugin's own `volumes`
and `containers` stay unused: they do not reach containers that only stand in YAML, and cannot map the key of a
secret (facts: kubernetes-plugin, PodTemplateBuilder).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from jenkins_kaniko import resources
from jenkins_kaniko.document import Document
from jenkins_kaniko.fleetvalues import Proxy, Strict, WorkspaceVolume
from jenkins_kaniko.merge import merged
from jenkins_kaniko.model import OWNER_ANNOTATION, Fleet, PodTemplate, Template
from jenkins_kaniko.templates import NOT_PLAIN_IN_YAML, PROFILES, parsed, text_template

NO_TEXT_ELSEWHERE = re.compile(r"[yYnN]|[-+]?(0o[0-7]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+)")
"""Texts that need no quotes for PyYAML, but that other readers, such as kubectl, take for booleans and numbers."""
WRITTEN_ALIKE = re.compile(r"[!-~]{1,100}|[ -~]{1,60}")
"""Texts that PyYAML and libyaml write alike; of others they differ in line breaks and escapes."""
FAST_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Of libyaml, which is part of PyYAML's packages on most machines."""

JENKINS_FIELDS = {
    "namespace": "namespace",
    "idle_minutes": "idleMinutes",
    "instance_cap": "instanceCap",
    "connect_timeout_seconds": "slaveConnectTimeout",
    "active_deadline_seconds": "activeDeadlineSeconds",
    "node_usage_mode": "nodeUsageMode",
    "inherit_from": "inheritFrom",
    "inherit_yaml_merge_strategy": "inheritYamlMergeStrategy",
    "agent_container": "agentContainer",
    "agent_injection": "agentInjection",
}
"""Keys of the configuration to properties of the plugin's PodTemplate."""

CLOUD_FIELDS = {
    "server_url": "serverUrl",
    "server_certificate": "serverCertificate",
    "skip_tls_verify": "skipTlsVerify",
    "credentials_id": "credentialsId",
    "namespace": "namespace",
    "jenkins_url": "jenkinsUrl",
    "jenkins_tunnel": "jenkinsTunnel",
    "web_socket": "webSocket",
    "direct_connection": "directConnection",
    "connect_timeout_seconds": "connectTimeout",
    "read_timeout_seconds": "readTimeout",
    "retention_timeout_minutes": "retentionTimeout",
    "wait_for_pod_seconds": "waitForPodSec",
    "restricted_pod_security": "restrictedPssSecurityContext",
    "usage_restricted": "usageRestricted",
}
"""Keys of `ensureCloud` to properties of the plugin's KubernetesCloud."""

YAML_MERGE_CLASSES = {"Override": "pod.yaml.Overrides", "Merge": "pod.yaml.Merge"}
WORKSPACE_CLASSES = {
    "emptyDir": "EmptyDir",
    "hostPath": "HostPath",
    "nfs": "Nfs",
    "persistentVolumeClaim": "PersistentVolumeClaim",
    "dynamicPVC": "DynamicPVC",
    "genericEphemeral": "GenericEphemeral",
}


def pod_template(template: Template, fleet: Fleet) -> PodTemplate:
    """Return what Jenkins shall hold for `template`."""
    settings = template.settings
    fields: dict[str, Any] = {
        "name": template.name,
        "label": " ".join(template.labels),
        "showRawYaml": bool(settings.show_raw_yaml),
        **_given(settings, JENKINS_FIELDS),
    }
    if settings.pod_retention:
        fields["podRetention"] = f"pod.retention.{settings.pod_retention}"
    if settings.yaml_merge_strategy:
        fields["yamlMergeStrategy"] = YAML_MERGE_CLASSES[settings.yaml_merge_strategy]
    if settings.workspace_volume:
        fields["workspaceVolume"] = _workspace_volume(settings.workspace_volume)
    fields |= {str(name): value for name, value in (settings.jenkins or {}).items()}
    annotations = {**(settings.annotations or {}), OWNER_ANNOTATION: fleet.name}
    fields["annotations"] = [{"key": key, "value": value} for key, value in annotations.items()]
    fields["yaml"] = template.yaml if template.yaml is not None else pod_yaml(template, fleet)
    fields = {name: value for name, value in fields.items() if value != ""}  # the plugin keeps an empty text as none
    return PodTemplate(
        template.id_in(fleet.name), template.name, fields, fleet.name, declared_id=settings.id is not None
    )


def _workspace_volume(volume: WorkspaceVolume) -> str | dict[str, str]:
    """As the plugin's own object: its class, its values as texts."""
    ((kind, values),) = volume.model_dump(by_alias=True, exclude_none=True).items()
    name = f"volumes.workspace.{WORKSPACE_CLASSES[kind]}WorkspaceVolume"
    texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in values.items()}
    return {"class": name, **texts} if texts else name


def cloud_fields(fleet: Fleet, controller: str) -> dict[str, Any] | None:
    """Return the properties of the cloud that the configuration manages there; None where it only uses it."""
    ensured = fleet.controllers[controller].ensure_cloud
    if ensured is None:
        return None
    fields = _given(ensured, CLOUD_FIELDS)
    if ensured.container_cap:
        fields["containerCapStr"] = str(ensured.container_cap)
    if ensured.max_requests_per_host:
        fields["maxRequestsPerHostStr"] = str(ensured.max_requests_per_host)
    if ensured.pod_retention:
        fields["podRetention"] = f"pod.retention.{ensured.pod_retention}"
    if ensured.pod_labels:
        fields["podLabels"] = [{"class": "PodLabel", "key": k, "value": v} for k, v in ensured.pod_labels.items()]
    return fields


def _given(settings: Strict, names: Mapping[str, str]) -> dict[str, Any]:
    values = {name: getattr(settings, key) for key, name in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def pod_yaml(template: Template, fleet: Fleet) -> str:
    """Return the agent pod as YAML text, `pod:` of the configuration merged last."""
    return dump(pod(template, fleet))


class _UnlikeError(Exception):
    """A text that libyaml would write otherwise than PyYAML."""


def _represent_str(dumper: yaml.representer.SafeRepresenter, data: str) -> yaml.ScalarNode:
    """Write texts of several lines as blocks, which people can read and a diff can show line by line."""
    style = "|" if "\n" in data else "'" if NO_TEXT_ELSEWHERE.fullmatch(data) else None
    if NOT_PLAIN_IN_YAML.search(data):
        style = '"'  # PyYAML would write them as they are, and readers take some for line ends
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _represent_alike(dumper: yaml.representer.SafeRepresenter, data: str) -> yaml.ScalarNode:
    if not WRITTEN_ALIKE.fullmatch(data):
        raise _UnlikeError
    return _represent_str(dumper, data)


class _Dumper(yaml.SafeDumper):
    """Writes every text; in Python."""


class _FastDumper(FAST_DUMPER):  # type: ignore[misc]
    """Writes most of them, ten times as fast."""


_Dumper.add_representer(str, _represent_str)
_FastDumper.add_representer(str, _represent_alike)


def dump(data: Any) -> str:
    """Return `data` as YAML text that every reader takes for the same, and that is the same on every machine."""
    try:
        return _dumped(data, _FastDumper)
    except _UnlikeError:
        return _dumped(data, _Dumper)


def _dumped(data: Any, dumper: type[Any]) -> str:
    return yaml.dump(data, Dumper=dumper, sort_keys=False, width=120, allow_unicode=True)


def pod(template: Template, fleet: Fleet) -> dict[str, Any]:
    """Return the agent pod as a Kubernetes object, empty where the template has none."""
    if template.yaml is not None:
        own: dict[str, Any] = Document(template.yaml, "").data
        return own
    settings = template.settings
    engine = resources.engines()[template.engine]
    given = settings.resources.model_dump(exclude_unset=True) if settings.resources else {}
    text = text_template("agent-pod.yaml").render(
        fleet=fleet.name,
        engine=engine,
        engine_name=template.engine,
        image=settings.image or engine["image"],
        agent_image=settings.agent_image,
        registry_secret=settings.registry_secret,
        resources=merged(PROFILES[settings.profile or "medium"], given),
    )
    manifest: dict[str, Any] = merged(parsed(text), _pod_keys(template, engine))
    laid: dict[str, Any] = merged(manifest, settings.pod or {})
    return laid


def _pod_keys(template: Template, engine: dict[str, Any]) -> dict[str, Any]:
    """The keys of a template that stand for fields of the pod, as a patch of it."""
    settings = template.settings
    environment = _builder_environment(template, engine)
    builder: dict[str, Any] = {
        "name": template.engine,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
    }
    spec: dict[str, Any] = {
        "serviceAccountName": settings.service_account,
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets or []],
        "nodeSelector": settings.node_selector,
        "tolerations": settings.tolerations,
        "affinity": settings.affinity,
        "hostUsers": settings.host_users,
        "hostNetwork": settings.host_network,
        "priorityClassName": settings.priority_class,
        "schedulerName": settings.scheduler_name,
        "terminationGracePeriodSeconds": settings.termination_grace_period_seconds,
        "containers": [builder, *(settings.containers or [])],
        "volumes": settings.volumes,
    }
    if settings.ca_bundle:
        bundle = settings.ca_bundle
        mount = {"name": "ca-bundle", "mountPath": f"{engine['caDir']}/{bundle.config_map}.crt", "subPath": bundle.key}
        builder["volumeMounts"] = [{**mount, "readOnly": True}]
        spec["volumes"] = [{"name": "ca-bundle", "configMap": {"name": bundle.config_map}}, *(settings.volumes or [])]
    return {"spec": {key: value for key, value in spec.items() if value not in (None, [], {})}}


def _builder_environment(template: Template, engine: dict[str, Any]) -> dict[str, str]:
    """What the step must know of the template it runs on; an unknown image has no distribution."""
    settings = template.settings
    packaged = settings.image is None
    values = {
        "ENGINE": template.engine,
        "DISTRIBUTION": settings.distribution or (engine["distribution"] if packaged else None),
        "VERSION": settings.version or (engine["version"] if packaged else None),
        "CACHE_REPO": settings.cache and settings.cache.repo,
        "CACHE_TTL": settings.cache and settings.cache.ttl,
        "TEMPLATE": template.name,
    }
    facts = {f"JENKINS_KANIKO_{name}": value for name, value in values.items() if value}
    own = {name: value for name, value in (settings.env or {}).items() if value is not None}
    return {**facts, **_proxies(settings.proxy), **_mirrors(settings.registry_mirrors), **own}


def _proxies(proxy: Proxy | None) -> dict[str, str]:
    """In both spellings: programs differ in which one they read."""
    if proxy is None:
        return {}
    values = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https, "NO_PROXY": proxy.no_proxy}
    given = {name: value for name, value in values.items() if value}
    return given | {name.lower(): value for name, value in given.items()}


def _mirrors(mirrors: list[str] | None) -> dict[str, str]:
    """Of Docker Hub; Kaniko takes several from its map of registries only."""
    if not mirrors:
        return {}
    return {"KANIKO_REGISTRY_MAP": ";".join(f"index.docker.io={mirror}" for mirror in mirrors)}


def starter(
    fleet: str, controller: Mapping[str, str | None], include: str | None = None, *, taken: bool = False
) -> str:
    """Return a configuration to start from, with comments.

    Args:
        controller: url, user, token_env, and ca and cloud where they are known.
        include: a file beside it.
        taken: the templates come from that controller, so there is none as an example.
    """
    given = {"ca": None, "cloud": None, **controller}
    text: str = text_template("jenkins-kaniko.yaml").render(fleet=fleet, include=include, taken=taken, **given)
    return text + "\n"
