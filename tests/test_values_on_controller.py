"""Values of every kind come back from the real program as they went in, and never as something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jenkins as python_jenkins
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jenkins_kaniko.apply import apply
from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.mark import drifted
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import Consent, make
from tests.support.fakes import fleet, wanted
from tests.support.standin import StandIn
from tests.support.strategies import SETTINGS, TEXTS

pytestmark = pytest.mark.jvm
FEW = settings(
    max_examples=3,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.too_slow],
)
"""Each example holds many values: what takes time is the controller."""


@pytest.fixture(scope="module", params=["4238", "1.29"])
def controller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("controller"), plugin=request.param) as running:
        yield running


def door(controller: StandIn) -> Controller:
    return Controller("main", controller.url, controller.admin.name, controller.admin.token, "kubernetes")


def replaced(controller: StandIn, templates: list[PodTemplate]) -> CloudState:
    """Return the cloud after `templates` have taken the place of all that was there."""
    return door(controller).apply(door(controller).read().hash, templates)


def template_of(number: int, text: str) -> PodTemplate:
    """Return a template that holds `text` wherever a text can be."""
    fields = {
        "name": f"t{number}",
        "yaml": text,
        "serviceAccount": text,
        "annotations": [{"key": f"k{text}", "value": text}],
        "workspaceVolume": {"class": "volumes.workspace.HostPathWorkspaceVolume", "hostPath": text},
        "envVars": [{"class": "model.KeyValueEnvVar", "key": text, "value": text}],
        "containers": [{"class": "ContainerTemplate", "command": text, "envVars": [
            {"class": "model.KeyValueEnvVar", "key": "A", "value": text}]}],
    }  # fmt: skip
    return PodTemplate(f"id-{number}", f"t{number}", fields)


def differences(state: CloudState, templates: list[PodTemplate]) -> list[tuple[str, Any, Any]]:
    return [
        (name, wanted_one.fields[name], found.fields.get(name))
        for found, wanted_one in zip(state.templates, templates, strict=True)
        for name in wanted_one.fields
        if found.fields.get(name) != wanted_one.fields[name]
    ]


@FEW
@given(st.lists(TEXTS, min_size=25, max_size=40))
def test_any_text_comes_back_as_it_went_in(controller: StandIn, texts: list[str]) -> None:
    templates = [template_of(number, text) for number, text in enumerate(texts)]
    state = replaced(controller, templates)
    assert differences(state, templates) == []
    assert len(state.templates) == len(templates)


EVERY = [chr(code) for code in (*range(1, 0x2028), *range(0x2029, 0xD800), *range(0xE000, 0xFFFE))]


def test_every_character_survives_a_restart(controller: StandIn) -> None:
    """All of the first plane and some of each other one, in each place that a text can have."""
    others = [chr(plane << 16 | at) for plane in range(1, 17) for at in (0, 0x10FF, 0xFFFD, 0xFFFF)]
    text = "".join([*EVERY, *others])
    templates = [template_of(0, f"a{text}z")]
    assert differences(replaced(controller, templates), templates) == []
    controller.restart()
    assert differences(door(controller).read(), templates) == []


def test_a_line_separator_is_lost_over_a_restart(controller: StandIn) -> None:
    """Which is why values.check refuses it."""
    replaced(controller, [])
    text = """
        def kind = org.csanchez.jenkins.plugins.kubernetes.PodTemplate
        def template = kind.newInstance('x')
        template.yaml = 'a\\u2028b'
        Jenkins.get().clouds[0].templates = [template]
        Jenkins.get().save()
        println()"""
    client = python_jenkins.Jenkins(controller.url, controller.admin.name, controller.admin.token, timeout=30)
    client.crumb = False
    client.run_script(text)
    assert door(controller).read().templates[0].fields["yaml"] == "a\u2028b"
    controller.restart()
    assert door(controller).read().templates[0].fields["yaml"] == "a\nb"


def test_a_mebibyte_of_yaml_comes_back_as_it_went_in(controller: StandIn) -> None:
    line = "  - 'x': \"${y}\" # é 🐳 </yaml> \\ ''' \t\r\n"
    text = line * (2**20 // len(line.encode()) + 1)
    templates = [PodTemplate("big", "big", {"name": "big", "yaml": text})]
    assert len(text.encode()) > 2**20
    assert differences(replaced(controller, templates), templates) == []


@FEW
@given(st.lists(SETTINGS, min_size=40, max_size=40))
def test_what_is_applied_never_shows_as_changed(controller: StandIn, templates: list[dict[str, Any]]) -> None:
    configuration = {"fleet": "acme", "templates": {f"t{number}": given for number, given in enumerate(templates)}}
    asked = wanted(fleet(json.dumps(configuration)))
    plan = make(door(controller).read(), asked, "acme", Consent(True, True, True))
    assert plan.refusals == ()
    state = apply(plan, door(controller)) if not plan.empty else plan.state
    again = make(door(controller).read(), asked, "acme")
    assert [(one.template.name, one.fields) for one in again.changes] == []
    assert [found.name for found in state.templates if drifted(found, state) and found.owner] == []


def test_partial_objects_are_as_wanted_and_readable_in_full(controller: StandIn) -> None:
    """What an object has anyway need not be written down, and may be."""
    short = {"class": "ContainerTemplate", "name": "a", "image": "b"}
    full = {**short, "privileged": False, "alwaysPullImage": False, "ttyEnabled": False, "command": "", "envVars": []}
    for container in (short, full):
        asked = wanted(
            fleet(json.dumps({"fleet": "acme", "templates": {"a": {"jenkins": {"containers": [container]}}}}))
        )
        replaced(controller, [])
        state = apply(make(door(controller).read(), asked, "acme"), door(controller))
        assert state.templates[0].fields["containers"] == [short]
        assert make(state, asked, "acme").empty
