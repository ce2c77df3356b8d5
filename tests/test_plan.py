"""A plan says what would change and what must not, and is empty when there is nothing to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import CREATE, UPDATE, Change, FieldChange, Plan, make
from tests.support.fakes import DEFAULTS, cloud, fleet, found, swapped, wanted

ACME = fleet("fleet: acme\ntemplates:\n  small: {}\n  big: {idleMinutes: 5}\n")
SMALL, BIG = wanted(ACME)
HERS = found("8d3c", "maven", label="maven")
OTHERS = found("jenkins-kaniko-other-kaniko", "kaniko", owner="other")


def own(template: PodTemplate, **fields: Any) -> PodTemplate:
    """Return `template` as acme once applied it, with some fields otherwise."""
    return PodTemplate(template.id, template.name, {**template.fields, **fields}, "acme")


def test_a_template_that_is_not_there_is_created_with_all_its_fields() -> None:
    state = cloud(HERS)
    assert make(state, [BIG], "acme") == Plan(
        state=state,
        changes=(
            Change(
                CREATE,
                BIG,
                (
                    FieldChange("name", None, "big"),
                    FieldChange("label", None, "big"),
                    FieldChange("showRawYaml", True, False),
                    FieldChange("annotations", [], [{"key": "jenkins-kaniko/owner", "value": "acme"}]),
                    FieldChange("idleMinutes", 0, 5),
                    FieldChange("yaml", None, BIG.fields["yaml"]),
                ),
            ),
        ),
        order=(0, BIG),
        undeclared=(),
        refusals=(),
    )


def test_a_template_that_differs_is_updated_at_its_place() -> None:
    state = cloud(own(BIG, label="large", idleMinutes=7), HERS)
    assert make(state, [BIG], "acme") == Plan(
        state=state,
        changes=(Change(UPDATE, BIG, (FieldChange("label", "large", "big"), FieldChange("idleMinutes", 7, 5))),),
        order=(BIG, 1),
        undeclared=(),
        refusals=(),
    )


def test_what_is_as_wanted_gives_an_empty_plan() -> None:
    state = cloud(own(SMALL), HERS, own(BIG))
    plan = make(state, [SMALL, BIG], "acme")
    assert plan == Plan(state, (), (0, 1, 2), (), ())
    assert plan.empty


def test_a_value_of_a_new_template_counts_as_equal() -> None:
    [asked] = wanted(
        fleet("fleet: acme\ntemplates: {a: {idleMinutes: 0, podRetention: Default, nodeUsageMode: EXCLUSIVE}}")
    )
    there = {name: value for name, value in asked.fields.items() if value != DEFAULTS[name]}
    assert set(asked.fields) - set(there) == {"idleMinutes", "podRetention", "nodeUsageMode"}
    assert make(cloud(PodTemplate(asked.id, asked.name, there, "acme")), [asked], "acme").empty


def test_a_field_that_somebody_set_is_reset() -> None:
    state = cloud(own(SMALL, idleMinutes=30, serviceAccount="admin"))
    assert make(state, [SMALL], "acme").changes == (
        Change(UPDATE, SMALL, (FieldChange("idleMinutes", 30, 0), FieldChange("serviceAccount", "admin", None))),
    )


@pytest.mark.parametrize(
    ("there", "whose"),
    [
        (found("8d3c", "small"), "named small (id 8d3c) is there and nobody's mark is on it"),
        (found("8d3c", "small", owner="other"), "named small (id 8d3c) is there and fleet other owns it"),
        (found(SMALL.id, "renamed"), f"named renamed (id {SMALL.id}) is there and nobody's mark is on it"),
        (found(SMALL.id, "small", owner="other"), f"named small (id {SMALL.id}) is there and fleet other owns it"),
    ],
)
def test_what_is_not_ours_is_refused_and_stays(there: PodTemplate, whose: str) -> None:
    plan = make(cloud(there), [SMALL], "acme")
    assert plan.refusals == (
        f"template small: one {whose}; rename yours, or remove that one from the cloud if it is not needed",
    )
    assert [(change.action, change.wanted) for change in plan.changes] == [(CREATE, SMALL)]
    assert not plan.empty
    assert plan.order[0] == 0


def test_ours_under_another_id_is_taken_back() -> None:
    state = cloud(PodTemplate("8d3c", "small", dict(SMALL.fields), "acme"))
    plan = make(state, [SMALL], "acme")
    assert (plan.changes, plan.refusals) == ((Change(UPDATE, SMALL, (FieldChange("id", "8d3c", SMALL.id),)),), ())


def test_found_templates_keep_their_order_and_new_ones_come_last() -> None:
    state = cloud(HERS, own(BIG, label="large"), OTHERS)
    assert make(state, [SMALL, BIG], "acme").order == (0, BIG, 2, SMALL)


def test_changes_are_in_the_order_of_the_configuration() -> None:
    changes = make(cloud(own(BIG, label="large")), [SMALL, BIG], "acme").changes
    assert [change.wanted.name for change in changes] == ["small", "big"]


def test_ours_that_is_not_declared_is_listed_and_stays() -> None:
    plan = make(cloud(own(SMALL), HERS, own(BIG), OTHERS), [BIG], "acme")
    assert (plan.undeclared, plan.order, plan.empty) == (("small",), (0, 1, 2, 3), True)


def test_a_field_that_the_plugin_does_not_have_is_refused() -> None:
    defaults = {name: value for name, value in DEFAULTS.items() if name != "idleMinutes"}
    plan = make(cloud(defaults=defaults), [SMALL, BIG], "acme")
    assert plan.refusals == ("template big: kubernetes plugin 4238.v41b_3ef14a_5d has no field idleMinutes",)


def test_a_cloud_of_configuration_as_code_is_refused() -> None:
    plan = make(cloud(casc=("/var/casc/a.yaml", "/var/casc/b.yaml")), [SMALL], "acme")
    assert plan.refusals == (
        "cloud kubernetes is defined by configuration-as-code (/var/casc/a.yaml, /var/casc/b.yaml): its next "
        "reload would undo this; put the templates there instead: jenkins-kaniko render --format jcasc",
    )


def test_a_cloud_of_configuration_as_code_that_is_as_wanted_is_not_refused() -> None:
    assert make(cloud(own(SMALL), casc=("/var/casc/a.yaml",)), [SMALL], "acme").refusals == ()


NAMES = st.sampled_from(["a", "b", "c", "d"])
SETTINGS = st.sampled_from(
    ["{}", "{idleMinutes: 0}", "{idleMinutes: 5}", "{labels: [x, y]}", "{namespace: builds, podRetention: Always}"]
)
FLEETS = st.dictionaries(NAMES, SETTINGS, max_size=4).map(
    lambda items: wanted(fleet("fleet: acme\ntemplates: {" + ", ".join(f"{k}: {v}" for k, v in items.items()) + "}"))
)
CHANGED = st.dictionaries(st.sampled_from(["idleMinutes", "label", "volumes"]), st.sampled_from([0, 9, "z"]))
OWN = st.builds(lambda name, fields: found(f"jenkins-kaniko-acme-{name}", name, "acme", **fields), NAMES, CHANGED)
FOREIGN = st.builds(
    lambda number, owner: found(f"id-{number}", f"foreign-{number}", owner), st.integers(0, 3), st.none() | st.just("x")
)
STATES = st.lists(OWN | FOREIGN, max_size=6, unique_by=lambda template: template.id).map(lambda found: cloud(*found))


@given(FLEETS, STATES)
def test_after_a_plan_is_applied_the_next_one_is_empty(asked: list[PodTemplate], state: CloudState) -> None:
    plan = make(state, asked, "acme")
    after = swapped(state, plan.order)
    again = make(after, asked, "acme")
    assert plan.refusals == ()
    assert (again.changes, again.order) == ((), tuple(range(len(after.templates))))
    assert again.undeclared == plan.undeclared


@given(FLEETS, STATES)
def test_what_is_not_declared_is_never_touched(asked: list[PodTemplate], state: CloudState) -> None:
    after = swapped(state, make(state, asked, "acme").order)
    declared = {template.id for template in asked}
    kept = [template for template in state.templates if template.id not in declared]
    assert [template for template in after.templates if template.id not in declared] == kept
