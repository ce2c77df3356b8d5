"""Model -> manifests; the only importer of jinja2.

A template becomes one Pod as YAML text plus the few fields that only Jenkins knows. The plugin's own `volumes`
and `containers` stay unused: they do not reach containers that only stand in YAML, and cannot map the key of a
secret (facts: kubernetes-plugin, PodTemplateBuilder).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2
import yaml

from jenkins_kaniko import resources
from jenkins_kaniko.merge import merged
from jenkins_kaniko.model import OWNER_ANNOTATION, Fleet, PodTemplate, Template

DEFAULT_RESOURCES = {
    "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "4Gi"},
    "limits": {"memory": "4Gi", "ephemeral-storage": "10Gi"},
}

NOT_PLAIN_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
NO_TEXT_ELSEWHERE = re.compile(r"[yYnN]|[-+]?(0o[0-7]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+)")
"""Texts that need no quotes for PyYAML, but that other readers, such as kubectl, take for booleans and numbers."""

JENKINS_FIELDS = {
    "namespace": "namespace",
    "idle_minutes": "idleMinutes",
    "instance_cap": "instanceCap",
    "connect_timeout_seconds": "slaveConnectTimeout",
    "active_deadline_seconds": "activeDeadlineSeconds",
    "pod_retention": "podRetention",
    "node_usage_mode": "nodeUsageMode",
    "inherit_from": "inheritFrom",
}
"""Keys of the configuration to properties of the plugin's PodTemplate."""


def pod_template(template: Template, fleet: Fleet) -> PodTemplate:
    """Return what Jenkins shall hold for `template`.

    The id is made of fleet and name and never of content: a changed id breaks agents over a controller restart.
    """
    fields: dict[str, Any] = {
        "name": template.name,
        "label": " ".join(template.labels),
        "showRawYaml": False,
        "annotations": [{"key": OWNER_ANNOTATION, "value": fleet.name}],
    }
    for key, name in JENKINS_FIELDS.items():
        value = getattr(template.settings, key)
        if value is not None:
            fields[name] = value
    fields["yaml"] = pod_yaml(template, fleet)
    return PodTemplate(f"jenkins-kaniko-{fleet.name}-{template.name}", template.name, fields, fleet.name)


def as_data(form: str, templates: Sequence[Template], fleet: Fleet) -> Any:
    """Return `templates` in one of the forms pod, jcasc, helm as plain data."""
    if form == "pod":
        return [pod(template, fleet) for template in templates]
    items = [_casc_item(pod_template(template, fleet)) for template in templates]
    if form == "jcasc":
        return items
    return {"agent": {"podTemplates": {item["name"]: _helm_text([item]) for item in items}}}


def as_text(form: str, templates: Sequence[Template], fleet: Fleet) -> str:
    """Return the same as YAML text: a document for each pod, or one document."""
    data = as_data(form, templates, fleet)
    documents = data if form == "pod" else [data]
    return "---\n".join(_dump(document) for document in documents)


def _casc_item(template: PodTemplate) -> dict[str, Any]:
    """A template as configuration-as-code names it; `${` would be resolved there, `^${` is taken as it is."""
    fields = {name: _casc_value(value) for name, value in template.fields.items()}
    if "podRetention" in fields:
        fields["podRetention"] = fields["podRetention"][:1].lower() + fields["podRetention"][1:]
    return {"id": template.id, **fields}


def _casc_value(value: Any) -> Any:
    return value.replace("${", "^${") if isinstance(value, str) else value


def _helm_text(items: list[dict[str, Any]]) -> str:
    """The chart runs each text through its own template engine, which must find nothing to do."""
    return _dump(items).replace("{{", '{{ "{{" }}')


def pod_yaml(template: Template, fleet: Fleet) -> str:
    """Return the agent pod as YAML text, `pod:` of the configuration merged last."""
    return _dump(pod(template, fleet))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, which people can read and a diff can show line by line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else "'" if NO_TEXT_ELSEWHERE.fullmatch(data) else None
        if NOT_PLAIN_IN_YAML.search(data):
            style = '"'  # PyYAML would write them as they are, and readers take some for line ends
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _dump(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def pod(template: Template, fleet: Fleet) -> dict[str, Any]:
    """Return the agent pod as a Kubernetes object."""
    settings = template.settings
    engine = resources.engines()[template.engine]
    given = settings.resources.model_dump() if settings.resources else {}
    text = _agent_pod().render(
        fleet=fleet.name,
        engine=engine,
        engine_name=template.engine,
        image=settings.image or engine["image"],
        agent_image=settings.agent_image,
        registry_secret=settings.registry_secret,
        resources=merged(DEFAULT_RESOURCES, given),
        environment=_builder_environment(template, engine),
    )
    manifest: dict[str, Any] = merged(yaml.safe_load(text), settings.pod or {})
    return manifest


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
    return {f"JENKINS_KANIKO_{name}": value for name, value in values.items() if value}


@cache
def _agent_pod() -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - YAML
    environment.filters["json"] = _quoted
    return environment.from_string(resources.text("templates/agent-pod.yaml.j2"))


def _quoted(value: Any) -> str:
    """Return `value` as JSON that is YAML too: what YAML takes for line ends or refuses is escaped.

    Not Jinja's own tojson, which writes quotes and angle brackets as escapes, for HTML.
    """
    return NOT_PLAIN_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
