"""A plan is carried out once, only when it may be, and proved by what the controller answers."""

from __future__ import annotations

import pytest

from jenkins_kaniko.apply import apply
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.plan import Consent, make
from tests.support.fakes import FakeController, applied, cloud, fleet, found, wanted

ACME = fleet("fleet: acme\ntemplates:\n  small: {}\n  big: {idleMinutes: 5}\n")
WANTED = wanted(ACME)


def test_the_controller_holds_what_was_wanted() -> None:
    controller = FakeController("main", cloud(found("8d3c", "maven")))
    state = apply(make(controller.state, WANTED, "acme"), controller)
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
        apply(make(controller.state, WANTED, "acme"), controller)
    assert str(caught.value) == (
        "controller main: template small: one named small (id 8d3c) is there and nobody's mark is on it; "
        "--adopt takes it over, its id and content become yours\n"
        "template big: one named big (id 9e4d) is there and fleet other owns it; rename yours, or remove that one there"
    )
    assert controller.requests == []


def test_a_state_that_moved_since_the_plan_is_refused() -> None:
    plan = make(cloud(), WANTED, "acme")
    moved = cloud(found("8d3c", "maven"))
    controller = FakeController("main", moved)
    with pytest.raises(RefusedError, match="changed since the plan"):
        apply(plan, controller)
    assert controller.state == moved


def test_the_fields_of_the_cloud_are_sent_only_where_one_of_them_changes() -> None:
    seen = []

    class Recording(FakeController):
        def apply(self, state_hash, templates, cloud_fields=None):  # type: ignore[no-untyped-def]
            seen.append(cloud_fields)
            return super().apply(state_hash, templates, cloud_fields)

    controller = Recording("main", cloud(exists=False))
    for asked in (WANTED[:1], WANTED[:1], WANTED):
        plan = make(controller.state, asked, "acme", cloud={"namespace": "builds"})
        if not plan.empty:
            apply(plan, controller)
    assert seen == [{"namespace": "builds"}, None]


def test_what_reads_back_otherwise_is_an_error_that_names_the_fields() -> None:
    small, big = applied(ACME)
    overwritten = cloud(
        found(**{**small.fields, "identifier": small.id, "label": "other", "serviceAccount": "x"}),
        found(**{**big.fields, "identifier": big.id, "yaml": ""}),
        found("8d3c", "old", owner="acme"),
        cloud_fields={"namespace": "other"},
    )
    controller = FakeController("main", cloud(found("8d3c", "old", owner="acme")), overwritten=overwritten)
    plan = make(controller.state, WANTED, "acme", Consent(prune=True), {"namespace": "builds"})
    with pytest.raises(JenkinsKanikoError) as caught:
        apply(plan, controller)
    assert str(caught.value) == (
        "controller main: applied, but it reads back otherwise: small.label, small.serviceAccount, big.yaml, old, "
        "kubernetes.namespace. Run plan to see both sides; another tool may be writing the same cloud."
    )
    assert caught.value.exit_code == 7


def test_a_template_that_is_not_there_afterwards_is_named() -> None:
    controller = FakeController("main", cloud(), overwritten=cloud())
    with pytest.raises(JenkinsKanikoError, match=r"reads back otherwise: small, big\. Run plan"):
        apply(make(controller.state, WANTED, "acme"), controller)
