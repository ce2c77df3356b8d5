"""What is behind the doors, in memory: a cloud that keeps pod templates as sync.groovy and the plugin do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import requests

from jenkins_kaniko.config import parse
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
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
    "podRetention": "Default",
    "nodeUsageMode": "EXCLUSIVE",
    "showRawYaml": True,
    "annotations": [],
    "yaml": None,
    "volumes": [],
    "serviceAccount": None,
}
"""A new template of kubernetes 4238, as the program reports it."""


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


def cloud(
    *templates: PodTemplate, casc: tuple[str, ...] = (), defaults: Mapping[str, Any] = DEFAULTS
) -> CloudState:  # fmt: skip
    """Return the state of a cloud that holds `templates`; its hash tells states apart."""
    content = repr([(one.id, one.name, sorted(one.fields.items())) for one in templates])
    digest = hashlib.sha256(content.encode()).hexdigest()
    return CloudState("kubernetes", "2.452.1", "4238.v41b_3ef14a_5d", digest, defaults, templates, casc)


def stored(template: PodTemplate, defaults: Mapping[str, Any] = DEFAULTS) -> PodTemplate:
    """Return `template` as it reads back: values of a new template are not reported."""
    fields = {name: value for name, value in template.fields.items() if value != defaults[name]}
    return replace(template, fields=fields)


def swapped(state: CloudState, order: Sequence[int | PodTemplate]) -> CloudState:
    """Return what `state` becomes when the list `order` is applied to it."""
    templates = (state.templates[item] if isinstance(item, int) else stored(item, state.defaults) for item in order)
    return cloud(*templates, casc=state.casc_sources, defaults=state.defaults)


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

    def read(self) -> CloudState:
        self.requests.append("read")
        if self._failure:
            raise self._failure
        return self.state

    def apply(self, state_hash: str, templates: Sequence[int | PodTemplate]) -> CloudState:
        self.requests.append("apply")
        if state_hash != self.state.hash:
            raise RefusedError(f"controller {self.name}: the pod templates changed since the plan")
        self.state = self._overwritten or swapped(self.state, templates)
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
        "templates": [{"id": one.id, "name": one.name, "fields": dict(one.fields)} for one in state.templates],
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
            return self.controller.read()
        items = [item["keep"] if "keep" in item else _put(item["put"]) for item in asked["templates"]]
        return self.controller.apply(asked["hash"], items)


def _put(item: Mapping[str, Any]) -> PodTemplate:
    fields = item["fields"]
    owner = next((mark["value"] for mark in fields["annotations"] if mark["key"] == OWNER_ANNOTATION), None)
    return PodTemplate(item["id"], fields["name"], fields, owner)
