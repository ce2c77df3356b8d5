"""A plan is carried out once, only when it may be, and proved by what the controller answers."""

from __future__ import annotations

import pytest

from jenkins_kaniko.apply import apply
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.plan import make
from tests.support.fakes import FakeController, cloud, fleet, found, wanted

ACME = fleet("fleet: acme\ntemplates:\n  small: {}\n  big: {idleMinutes: 5}\n")
WANTED = wanted(ACME)


def test_the_controller_holds_what_was_wanted() -> None:
    controller = FakeController("main", cloud(found("8d3c", "maven")))
    state = apply(make(controller.state, WANTED, "acme"), controller, WANTED, "acme")
    assert [template.id for template in state.templates] == [
        "8d3c",
        "jenkins-kaniko-acme-small",
        "jenkins-kaniko-acme-big",
    ]
    assert state == controller.state
    assert controller.requests == ["apply"]


def test_a_plan_with_refusals_stops_before_any_request() -> None:
    controller = FakeController("main", cloud(found("8d3c", "small"), found("9e4d", "big", owner="other")))
    with pytest.raises(RefusedError) as caught:
        apply(make(controller.state, WANTED, "acme"), controller, WANTED, "acme")
    advice = "rename yours, or remove that one from the cloud if it is not needed"
    assert str(caught.value) == (
        f"controller main: template small: one named small (id 8d3c) is there and nobody's mark is on it; {advice}\n"
        f"template big: one named big (id 9e4d) is there and fleet other owns it; {advice}"
    )
    assert controller.requests == []


def test_a_state_that_moved_since_the_plan_is_refused() -> None:
    plan = make(cloud(), WANTED, "acme")
    moved = cloud(found("8d3c", "maven"))
    controller = FakeController("main", moved)
    with pytest.raises(RefusedError, match="changed since the plan"):
        apply(plan, controller, WANTED, "acme")
    assert controller.state == moved


def test_what_reads_back_otherwise_is_an_error_that_names_the_fields() -> None:
    small, big = WANTED
    overwritten = cloud(
        found(
            small.id, "small", "acme", label="other", showRawYaml=False, yaml=small.fields["yaml"], serviceAccount="x"
        ),
        found(big.id, "big", "acme", label="big", idleMinutes=5, showRawYaml=False, yaml=""),
    )
    controller = FakeController("main", cloud(), overwritten=overwritten)
    with pytest.raises(JenkinsKanikoError) as caught:
        apply(make(controller.state, WANTED, "acme"), controller, WANTED, "acme")
    assert str(caught.value) == (
        "controller main: applied, but it reads back otherwise: small.label, small.serviceAccount, big.yaml. "
        "Run plan to see both sides; another tool may be writing the same cloud."
    )
    assert caught.value.exit_code == 7
