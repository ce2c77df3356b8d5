"""Drift: what somebody changed by hand, told by the hashes that were left when it was applied."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jenkins_kaniko.mark import drifted, marked, owner_of, unmarked
from jenkins_kaniko.model import PodTemplate
from jenkins_kaniko.plan import Consent, make
from tests.support.fakes import DEFAULTS, applied, cloud, fleet, found, stored, swapped, wanted

ACME = fleet("fleet: acme\ntemplates: {small: {idleMinutes: 5, podRetention: Default}}")
[SMALL] = applied(ACME)
OWNER = {"key": "jenkins-kaniko/owner", "value": "acme"}
APPLIED = SMALL.fields["annotations"][1]


def drift_of(template: PodTemplate, defaults: dict[str, Any] = DEFAULTS) -> tuple[str, ...] | None:
    return drifted(template, cloud(template, defaults=defaults))


def changed(**fields: Any) -> PodTemplate:
    return replace(SMALL, fields={**SMALL.fields, **fields})


def test_the_mark_holds_a_short_hash_of_each_field_and_nothing_of_its_content() -> None:
    hashes = json.loads(APPLIED["value"])
    assert set(hashes) == {*wanted(ACME)[0].fields}
    assert {len(value) for value in hashes.values()} == {12}
    assert APPLIED["key"] == "jenkins-kaniko/applied"


def test_what_was_applied_has_not_drifted() -> None:
    assert drift_of(SMALL) == ()


def test_a_template_is_marked_the_same_each_time() -> None:
    [asked] = wanted(ACME)
    assert marked(asked) == marked(asked)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"idleMinutes": 6}, ("idleMinutes",)),
        ({"yaml": "spec: {}\n", "label": "other"}, ("label", "yaml")),
        ({"serviceAccount": "root"}, ("serviceAccount",)),
        ({"volumes": [{"class": "volumes.EmptyDirVolume", "mountPath": "/a"}]}, ("volumes",)),
        ({"podRetention": "pod.retention.Always"}, ("podRetention",)),
        ({"annotations": [OWNER, APPLIED, {"key": "team", "value": "a"}]}, ("annotations",)),
        ({"annotations": [APPLIED, OWNER]}, ()),
    ],
)
def test_each_field_that_somebody_changed_is_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert drift_of(changed(**fields)) == names


def test_a_field_that_somebody_took_back_to_the_plugins_default_is_named() -> None:
    without = {name: value for name, value in SMALL.fields.items() if name != "idleMinutes"}
    assert drift_of(replace(SMALL, fields=without)) == ("idleMinutes",)


def test_what_another_plugin_version_reads_in_another_way_is_no_drift() -> None:
    assert drift_of(changed(idleMinutes="5")) == ()
    explicit = {name: value for name, value in DEFAULTS.items() if name != "idleMinutes"} | {"idleMinutes": 5}
    without = {name: value for name, value in SMALL.fields.items() if name != "idleMinutes"}
    assert drift_of(replace(SMALL, fields=without), explicit) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"x"', "[" * 100_000], ids=lambda text: text[:4] or "-")
def test_a_mark_that_cannot_be_read_tells_nothing(text: str) -> None:
    assert drift_of(changed(annotations=[OWNER, {"key": "jenkins-kaniko/applied", "value": text}])) is None


@pytest.mark.parametrize("annotations", [[OWNER], [], None])
def test_a_mark_that_is_gone_tells_nothing(annotations: Any) -> None:
    assert drift_of(changed(annotations=annotations)) is None


def test_a_field_of_the_mark_that_nobody_knows_has_drifted() -> None:
    hashes = json.dumps({**json.loads(APPLIED["value"]), "gone": "0123456789ab"})
    assert drift_of(changed(annotations=[OWNER, {"key": APPLIED["key"], "value": hashes}])) == ("gone",)


def test_a_template_that_was_adopted_drifts_from_what_was_applied_not_from_what_it_was() -> None:
    state = cloud(found("8d3c", "small", serviceAccount="old"))
    after = swapped(state, make(state, wanted(ACME), "acme", Consent(adopt=True)).order)
    [adopted] = after.templates
    assert drifted(adopted, after) == ()
    assert drift_of(replace(adopted, fields={**adopted.fields, "serviceAccount": "old"})) == ("serviceAccount",)


def test_plan_and_drift_are_two_questions() -> None:
    """The configuration moved: plan sees that, drift does not; somebody's hand on the controller both see."""
    newer = wanted(fleet("fleet: acme\ntemplates: {small: {idleMinutes: 9}}"))
    assert drift_of(SMALL) == ()
    assert [change.template.name for change in make(cloud(SMALL), newer, "acme").changes] == ["small"]
    by_hand = changed(idleMinutes=9)
    assert drift_of(by_hand) == ("idleMinutes",)
    assert "idleMinutes" not in {one.field for one in make(cloud(by_hand), newer, "acme").changes[0].fields}


def test_annotations_of_ones_own_never_take_the_place_of_the_marks() -> None:
    given = "{team: a, jenkins-kaniko/owner: other, jenkins-kaniko/applied: x}"
    [asked] = wanted(fleet(f"fleet: acme\ntemplates: {{a: {{annotations: {given}}}}}"))
    annotations = marked(asked).fields["annotations"]
    assert annotations[:2] == [OWNER, {"key": "team", "value": "a"}]
    assert [one["key"] for one in annotations] == ["jenkins-kaniko/owner", "team", "jenkins-kaniko/applied"]
    assert drift_of(stored(marked(asked))) == ()


def test_the_owner_is_who_the_mark_names() -> None:
    assert owner_of(SMALL.fields) == "acme"
    assert owner_of({"annotations": [{"key": "team", "value": "acme"}]}) is None
    assert owner_of({}) is None


def test_annotations_without_marks() -> None:
    team = {"key": "team", "value": "a"}
    assert unmarked([OWNER, team, APPLIED]) == [team]
    assert unmarked(None) == []


def test_an_objects_numbers_and_switches_are_the_same_as_their_texts() -> None:
    [asked] = wanted(
        fleet("fleet: acme\ntemplates: {a: {jenkins: {envVars: [{class: model.SecretEnvVar, optional: true}]}}}")
    )
    read = replace(stored(marked(asked)))
    fields = {**read.fields, "envVars": [{"class": "model.SecretEnvVar", "optional": "true"}]}
    assert drift_of(replace(read, fields=fields)) == ()
