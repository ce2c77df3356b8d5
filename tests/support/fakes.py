"""What is behind the doors, in memory: a cloud that keeps pod templates as sync.groovy and the plugin do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import requests

from jenkins_kaniko.config import parse
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.mark import marked, owner_of
from jenkins_kaniko.model import OWNER_ANNOTATION, CloudState, Fleet, PodTemplate
from jenkins_kaniko.render import pod_template

DEFAULTS: dict[str, Any] = {
    "name": None,
    "label": None,
    "namespace": None,
    "inheritFrom": None,
    "idleMinutes": 0,
    "instanceCap": 2147483647,
    "slaveConnectTimeout": 1000,
    "activeDeadlineSeconds": 0,
    "podRetention": "pod.retention.Default",
    "nodeUsageMode": "EXCLUSIVE",
    "showRawYaml": True,
    "annotations": [],
    "yaml": None,
    "yamlMergeStrategy": None,
    "inheritYamlMergeStrategy": False,
    "workspaceVolume": {"class": "volumes.workspace.EmptyDirWorkspaceVolume", "memory": "false"},
    "containers": [],
    "volumes": [],
    "envVars": [],
    "serviceAccount": None,
    "runAsUser": None,
}
"""A new template of kubernetes 4238, as the program reports it; not every field of it."""

OLDER = {name: value for name, value in DEFAULTS.items() if name != "inheritYamlMergeStrategy"} | {
    "slaveConnectTimeout": 100,
    "yamlMergeStrategy": "pod.yaml.Overrides",
}
"""The same of kubernetes 1.29."""

CLOUD_DEFAULTS: dict[str, Any] = {
    "serverUrl": None,
    "namespace": None,
    "jenkinsUrl": None,
    "skipTlsVerify": False,
    "containerCapStr": None,
    "connectTimeout": 5,
    "waitForPodSec": 600,
    "podRetention": "pod.retention.Never",
    "podLabels": [{"class": "PodLabel", "key": "jenkins", "value": "slave"}],
}
"""A new cloud of it."""

KINDS: dict[str, dict[str, str | None] | None] = {
    "ContainerTemplate": {"name": None, "image": None, "command": None, "privileged": "false", "envVars": None},
    "PodLabel": {"key": None, "value": None},
    "model.KeyValueEnvVar": {"key": None, "value": None},
    "pod.retention.Always": {},
    "pod.retention.Default": {},
    "pod.retention.Evicted": None,
    "pod.retention.Never": {},
    "pod.retention.OnFailure": {},
    "pod.yaml.Merge": {},
    "pod.yaml.Overrides": {},
    "volumes.EmptyDirVolume": {"mountPath": None, "memory": None},
    "volumes.HostPathVolume": {"mountPath": None, "hostPath": None},
    "volumes.workspace.EmptyDirWorkspaceVolume": {"memory": None},
    "volumes.workspace.HostPathWorkspaceVolume": {"hostPath": None},
}
"""Some classes of it."""


def fleet(text: str) -> Fleet:
    """Return the checked configuration `text`."""
    return parse(text, Path("/fleet/jenkins-kaniko.yaml"))


def wanted(given: Fleet) -> list[PodTemplate]:
    """Return what Jenkins shall hold for `given`."""
    return [pod_template(template, given) for template in given.templates]


def found(identifier: str, name: str, owner: str | None = None, **fields: Any) -> PodTemplate:
    """Return a template as a controller reports it."""
    marks = {"annotations": [{"key": OWNER_ANNOTATION, "value": owner}]} if owner else {}
    return PodTemplate(identifier, name, {"name": name, **marks, **fields}, owner)


def cloud(*templates: PodTemplate, defaults: Mapping[str, Any] = DEFAULTS, **others: Any) -> CloudState:
    """Return the state of a cloud that holds `templates`; its hash tells states apart."""
    state = CloudState(
        "kubernetes",
        "2.452.1",
        "4238.v41b_3ef14a_5d",
        "",
        defaults,
        templates,
        cloud_defaults=CLOUD_DEFAULTS,
        kinds=KINDS,
    )
    return _hashed(replace(state, **others))


def _hashed(state: CloudState) -> CloudState:
    content = [(one.id, one.name, sorted(one.fields.items()), one.xml) for one in state.templates]
    text = repr([content, state.exists, sorted(state.cloud_fields.items())])
    return replace(state, hash=hashlib.sha256(text.encode()).hexdigest())


def stored(template: PodTemplate, defaults: Mapping[str, Any] = DEFAULTS) -> PodTemplate:
    """Return `template` as it reads back: values of a new template are not reported."""
    if template.xml is not None:
        return of_xml(template.xml)
    fields = {name: value for name, value in template.fields.items() if value != defaults[name]}
    return PodTemplate(template.id, template.name, fields, owner_of(fields))


def applied(given: Fleet, *names: str, **fields: Any) -> list[PodTemplate]:
    """Return `given`'s templates, or the named ones, as they were once applied, with some fields otherwise since."""
    there = [stored(marked(template)) for template in wanted(given) if not names or template.name in names]
    return [replace(template, fields={**template.fields, **fields}) for template in there]


def swapped(
    state: CloudState, order: Sequence[int | PodTemplate], cloud_fields: Mapping[str, Any] | None = None
) -> CloudState:
    """Return what `state` becomes when the list `order` is applied to it."""
    templates = [state.templates[item] if isinstance(item, int) else stored(item, state.defaults) for item in order]
    given = {**state.cloud_fields, **(cloud_fields or {})}
    kept = {name: value for name, value in given.items() if value != state.cloud_defaults[name]}
    bare = [replace(template, xml=None) for template in templates]
    return _hashed(replace(state, templates=tuple(bare), cloud_fields=kept, exists=True))


def with_xml(state: CloudState) -> CloudState:
    """Return `state` as a controller reports it for a backup; what it holds is in the texts, whatever their form."""
    return replace(state, templates=tuple(replace(one, xml=json.dumps(asdict(one))) for one in state.templates))


def of_xml(xml: str) -> PodTemplate:
    """Return the template that a text of `with_xml` holds."""
    return replace(PodTemplate(**json.loads(xml)), declared_id=False)


class FakeController:
    """A controller as sync and apply see one; it records what is asked of it.

    Args:
        state: what the cloud holds.
        failure: raised by every request.
        overwritten: what another tool puts there right after each apply.
    """

    def __init__(
        self, name: str, state: CloudState, failure: Exception | None = None, overwritten: CloudState | None = None
    ) -> None:
        self.name = name
        self.state = state
        self.requests: list[str] = []
        self._failure = failure
        self._overwritten = overwritten

    def read(self, *, backup: bool = False) -> CloudState:
        self.requests.append("read")
        if self._failure:
            raise self._failure
        return with_xml(self.state) if backup else self.state

    def apply(
        self,
        state_hash: str,
        templates: Sequence[int | PodTemplate],
        cloud_fields: Mapping[str, Any] | None = None,
    ) -> CloudState:
        self.requests.append("apply")
        if state_hash != self.state.hash:
            raise RefusedError(f"controller {self.name}: cloud 'kubernetes' changed since the plan")
        self.state = self._overwritten or swapped(self.state, templates, cloud_fields)
        return self.state


def request_of(body: str | bytes | None) -> dict[str, Any]:
    """Return what a request to the script console hands to the program."""
    return handed_over(script_of(body))


def script_of(body: str | bytes | None) -> str:
    """Return the program in a form posted to the script console."""
    text = body.decode() if isinstance(body, bytes) else str(body)
    return parse_qs(text, strict_parsing=True)["script"][0]


def literals_of(program: str) -> list[str]:
    """Return the string literals that the call at the end of `program` hands over."""
    call = program[program.rindex("\nanswer([") :]
    return re.findall(r"'([^']*)'", call)


def handed_over(program: str) -> dict[str, Any]:
    """Return the data that `program` is called with."""
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode("".join(literals_of(program)), validate=True)))
    return data


def printed(envelope: Mapping[str, Any]) -> str:
    """Return what the script console answers when the program answers `envelope`."""
    return f"<<<jenkins-kaniko\n{json.dumps(envelope)}\njenkins-kaniko>>>\n)]}}."


def envelope(state: CloudState) -> dict[str, Any]:
    """Return the program's answer that reports `state`."""
    return {
        "ok": True,
        "cloud": state.cloud,
        "core": state.core_version,
        "plugin": state.plugin_version,
        "hash": state.hash,
        "defaults": dict(state.defaults),
        "casc": list(state.casc_sources),
        "exists": state.exists,
        "cloudFields": dict(state.cloud_fields),
        "cloudDefaults": dict(state.cloud_defaults),
        "agents": [{"name": one.name, "template": one.template_id, "idle": one.idle} for one in state.agents],
        "kinds": dict(state.kinds),
        "templates": [
            {"id": one.id, "name": one.name, "fields": dict(one.fields)} | ({"xml": one.xml} if one.xml else {})
            for one in state.templates
        ],
    }


class ScriptConsole:
    """The script console in front of a FakeController: what `responses` calls for each POST."""

    def __init__(self, controller: FakeController) -> None:
        self.controller = controller

    def __call__(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        asked = request_of(request.body)
        try:
            state = self._state(asked)
        except JenkinsKanikoError as error:
            return 200, {}, printed({"ok": False, "code": "state-moved", "message": str(error)})
        return 200, {}, printed(envelope(state))

    def _state(self, asked: Mapping[str, Any]) -> CloudState:
        if asked["verb"] == "read":
            return self.controller.read(backup=asked["backup"])
        items = [item["keep"] if "keep" in item else _put(item["put"]) for item in asked["templates"]]
        return self.controller.apply(asked["hash"], items, asked.get("cloudFields"))


def _put(item: Mapping[str, Any]) -> PodTemplate:
    if "xml" in item:
        return replace(of_xml(item["xml"]), xml=item["xml"])
    fields = item["fields"]
    return PodTemplate(item["id"], fields["name"], fields, owner_of(fields))
