"""A plan says what would change and what must not, and is empty when there is nothing to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.mark import marked
from jenkins_kaniko.model import Agent, CloudState, Fleet, PodTemplate
from jenkins_kaniko.plan import ADOPT, CREATE, DELETE, UPDATE, Change, Consent, FieldChange, Plan, make
from tests.support.fakes import CLOUD_DEFAULTS, DEFAULTS, OLDER, applied, cloud, fleet, found, swapped, wanted
from tests.support.strategies import fleets

ACME = fleet("fleet: acme\ntemplates:\n  small: {}\n  big: {idleMinutes: 5}\n")
SMALL, BIG = (marked(template) for template in wanted(ACME))
ASKED = wanted(ACME)
HERS = found("8d3c", "maven", label="maven")
OTHERS = found("jenkins-kaniko-other-kaniko", "kaniko", owner="other")


def own(name: str, **fields: Any) -> PodTemplate:
    """Return a template as acme once applied it, with some fields otherwise since."""
    [template] = applied(ACME, name, **fields)
    return template


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.template.name) for change in plan.changes]


def test_a_template_that_is_not_there_is_created_with_all_its_fields() -> None:
    state = cloud(HERS)
    assert make(state, ASKED[1:], "acme") == Plan(
        state=state,
        changes=(
            Change(
                CREATE,
                BIG,
                (
                    FieldChange("name", None, "big"),
                    FieldChange("label", None, "big"),
                    FieldChange("showRawYaml", True, False),
                    FieldChange("idleMinutes", 0, 5),
                    FieldChange("annotations", [], BIG.fields["annotations"]),
                    FieldChange("yaml", None, BIG.fields["yaml"]),
                ),
            ),
        ),
        order=(0, BIG),
    )


def test_a_template_that_differs_is_updated_at_its_place() -> None:
    state = cloud(own("big", label="large", idleMinutes=7), HERS)
    assert make(state, ASKED[1:], "acme") == Plan(
        state=state,
        changes=(Change(UPDATE, BIG, (FieldChange("label", "large", "big"), FieldChange("idleMinutes", 7, 5))),),
        order=(BIG, 1),
    )


def test_what_is_as_wanted_gives_an_empty_plan() -> None:
    state = cloud(own("small"), HERS, own("big"))
    plan = make(state, ASKED, "acme")
    assert plan == Plan(state, (), (0, 1, 2))
    assert plan.empty


def test_a_field_that_somebody_set_is_reset() -> None:
    state = cloud(own("small", idleMinutes=30, serviceAccount="admin"))
    assert make(state, ASKED[:1], "acme").changes == (
        Change(UPDATE, SMALL, (FieldChange("idleMinutes", 30, 0), FieldChange("serviceAccount", "admin", None))),
    )


def test_a_mark_that_somebody_removed_is_written_again() -> None:
    bare = [{"key": "jenkins-kaniko/owner", "value": "acme"}]
    [change] = make(cloud(own("small", annotations=bare)), ASKED[:1], "acme").changes
    assert change == Change(UPDATE, SMALL, (FieldChange("annotations", bare, SMALL.fields["annotations"]),))


# --- values as the plugin keeps them -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        pytest.param("idleMinutes: 0, podRetention: Default, nodeUsageMode: EXCLUSIVE", {}, id="defaults"),
        pytest.param("inheritFrom: ' base '", {"inheritFrom": "base"}, id="blanks around"),
        pytest.param("jenkins: {serviceAccount: ''}", {}, id="empty text"),
        pytest.param("jenkins: {volumes: null}", {}, id="nothing"),
        pytest.param("jenkins: {runAsUser: 1000}", {"runAsUser": "1000"}, id="number for a text"),
        pytest.param("jenkins: {idleMinutes: '5'}", {"idleMinutes": 5}, id="text for a number"),
        pytest.param(
            "jenkins: {containers: [{class: ContainerTemplate, name: a, privileged: false, command: ''}]}",
            {"containers": [{"class": "ContainerTemplate", "name": "a"}]},
            id="what an object has anyway",
        ),
        pytest.param(
            "jenkins: {workspaceVolume: {class: volumes.workspace.EmptyDirWorkspaceVolume, memory: true}}",
            {"workspaceVolume": {"class": "volumes.workspace.EmptyDirWorkspaceVolume", "memory": "true"}},
            id="switch in an object",
        ),
        pytest.param(
            "jenkins: {yamlMergeStrategy: {class: pod.yaml.Merge}}",
            {"yamlMergeStrategy": "pod.yaml.Merge"},
            id="object without values",
        ),
    ],
)
def test_another_spelling_of_what_is_there_is_no_difference(asked: str, there: dict[str, Any]) -> None:
    templates = wanted(fleet(f"fleet: acme\ntemplates: {{a: {{{asked}}}}}"))
    [stored] = swapped(cloud(), make(cloud(), templates, "acme").order).templates
    assert make(cloud(replace(stored, fields={**stored.fields, **there})), templates, "acme").empty


def test_a_value_that_only_looks_like_nothing_counts() -> None:
    variable = {"class": "model.KeyValueEnvVar", "key": "DEBUG", "value": "false"}
    [asked] = wanted(fleet("fleet: acme\ntemplates: {a: {jenkins: {envVars: [" + str(variable) + "]}}}"))
    there = swapped(cloud(), make(cloud(), [asked], "acme").order)
    emptied = replace(there.templates[0], fields={**there.templates[0].fields, "envVars": [{**variable, "value": "0"}]})
    [change] = make(cloud(emptied), [asked], "acme").changes
    assert change.fields == (FieldChange("envVars", [{**variable, "value": "0"}], [variable]),)


# --- versions ----------------------------------------------------------------------------------------------------


def test_a_field_that_the_plugin_does_not_have_is_left_out_and_noted() -> None:
    asked = wanted(fleet("fleet: acme\ntemplates: {a: {inheritYamlMergeStrategy: true, agentContainer: a}}"))
    plan = make(cloud(defaults=OLDER, plugin_version="1.29.0"), asked, "acme")
    assert plan.notes == (
        "template a: kubernetes plugin 1.29.0 has no field inheritYamlMergeStrategy; left out",
        "template a: kubernetes plugin 1.29.0 has no field agentContainer; left out",
    )
    assert not {"inheritYamlMergeStrategy", "agentContainer"} & set(plan.changes[0].template.fields)
    again = make(swapped(plan.state, plan.order), asked, "acme")
    assert (again.empty, again.notes) == (True, plan.notes)


def test_a_value_of_an_object_that_the_plugin_does_not_have_is_left_out_and_noted() -> None:
    volume = "{class: volumes.HostPathVolume, hostPath: /a, mountPath: /b, readOnly: true}"
    asked = wanted(fleet(f"fleet: acme\ntemplates: {{a: {{jenkins: {{volumes: [{volume}]}}}}}}"))
    plan = make(cloud(plugin_version="1.29.0"), asked, "acme")
    assert plan.notes == ("template a: volumes: kubernetes plugin 1.29.0 has no readOnly of volumes.HostPathVolume; "
                          "left out",)  # fmt: skip
    assert plan.changes[0].template.fields["volumes"] == [
        {"class": "volumes.HostPathVolume", "hostPath": "/a", "mountPath": "/b"}
    ]
    assert make(swapped(plan.state, plan.order), asked, "acme").empty


@pytest.mark.parametrize(
    "key", ["podRetention: Evicted", "jenkins: {volumes: [{class: pod.retention.Evicted}]}"], ids=["field", "list"]
)
def test_a_kind_of_value_that_the_plugin_does_not_have_is_refused(key: str) -> None:
    asked = wanted(fleet(f"fleet: acme\ntemplates: {{a: {{{key}}}}}"))
    field = "podRetention" if key.startswith("pod") else "volumes"
    assert make(cloud(plugin_version="4238"), asked, "acme").refusals == (
        f"template a: {field}: kubernetes plugin 4238 has no pod.retention.Evicted",
    )


# --- whose it is -------------------------------------------------------------------------------------------------

ADOPT_IT = "nobody's mark is on it; --adopt takes it over, its id and content become yours"
NOT_YOURS = "fleet other owns it; rename yours, or remove that one there"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (found("8d3c", "small"), f"one named small (id 8d3c) is there and {ADOPT_IT}"),
        (found("8d3c", "small", owner="other"), f"one named small (id 8d3c) is there and {NOT_YOURS}"),
        (found(SMALL.id, "renamed"), f"one named renamed (id {SMALL.id}) is there and {ADOPT_IT}"),
        (found(SMALL.id, "small", owner="other"), f"one named small (id {SMALL.id}) is there and {NOT_YOURS}"),
    ],
)
def test_what_is_not_ours_is_refused(there: PodTemplate, said: str) -> None:
    plan = make(cloud(there), ASKED[:1], "acme")
    assert plan.refusals == (f"template small: {said}",)
    assert actions(plan) == [(ADOPT, "small")]
    assert not plan.empty


def test_nobodys_is_taken_over_at_its_place_with_consent() -> None:
    there = found("8d3c", "small", label="old", annotations=[{"key": "team", "value": "a"}])
    plan = make(cloud(HERS, there), ASKED[:1], "acme", Consent(adopt=True))
    assert (plan.refusals, plan.order) == ((), (0, SMALL))
    [change] = plan.changes
    assert (change.action, change.fields[:2]) == (
        ADOPT,
        (FieldChange("id", "8d3c", SMALL.id), FieldChange("label", "old", "small")),
    )
    assert make(swapped(plan.state, plan.order), ASKED[:1], "acme").empty


def test_another_fleets_is_never_taken_over() -> None:
    there = found(SMALL.id, "small", owner="other")
    declared = [replace(ASKED[0], declared_id=True)]
    assert make(cloud(there), declared, "acme", Consent(True, True, True)).refusals == (
        f"template small: one named small (id {SMALL.id}) is there and {NOT_YOURS}",
    )


def declared(text: str = "id: 8d3c, idleMinutes: 5") -> list[PodTemplate]:
    return wanted(fleet(f"fleet: acme\ntemplates: {{maven: {{{text}}}}}"))


def test_a_declared_id_is_consent_for_the_template_that_has_it() -> None:
    plan = make(cloud(HERS), declared(), "acme")
    assert (plan.refusals, actions(plan), plan.changes[0].template.id) == ((), [(ADOPT, "maven")], "8d3c")
    assert make(swapped(plan.state, plan.order), declared(), "acme").empty


def test_a_declared_id_is_no_consent_for_another_of_the_same_name() -> None:
    assert make(cloud(found("9e4d", "maven")), declared(), "acme").refusals == (
        f"template maven: one named maven (id 9e4d) is there and {ADOPT_IT}",
    )


def test_a_declared_template_that_matches_but_for_the_mark_is_no_change() -> None:
    [asked] = declared()
    team = {"key": "team", "value": "a"}
    there = found("8d3c", **{**asked.fields, "annotations": [team]})
    asked = replace(asked, fields={**asked.fields, "annotations": [*asked.fields["annotations"], team]})
    plan = make(cloud(there), [asked], "acme")
    note = "template maven: as declared; it gets this fleet's mark with its first change, or by --adopt"
    assert plan == Plan(cloud(there), (), (0,), notes=(note,))
    assert plan.empty
    marking = make(cloud(there), [asked], "acme", Consent(adopt=True))
    assert actions(marking) == [(ADOPT, "maven")]
    assert make(swapped(cloud(there), marking.order), [asked], "acme").empty


def test_a_declared_template_with_another_annotation_is_a_change() -> None:
    [asked] = declared()
    there = found("8d3c", **{**asked.fields, "annotations": [{"key": "team", "value": "a"}]})
    assert actions(make(cloud(there), [asked], "acme")) == [(ADOPT, "maven")]


def test_ours_under_another_id_is_taken_back() -> None:
    state = cloud(replace(own("small"), id="8d3c"))
    plan = make(state, ASKED[:1], "acme")
    assert (plan.changes, plan.refusals) == ((Change(UPDATE, SMALL, (FieldChange("id", "8d3c", SMALL.id),)),), ())


# --- order and names ---------------------------------------------------------------------------------------------


def test_found_templates_keep_their_order_and_new_ones_come_last() -> None:
    state = cloud(HERS, own("big", label="large"), OTHERS)
    assert make(state, ASKED, "acme").order == (0, BIG, 2, SMALL)


def test_changes_are_in_the_order_of_the_configuration() -> None:
    assert actions(make(cloud(own("big", label="large")), ASKED, "acme")) == [(CREATE, "small"), (UPDATE, "big")]


def test_of_two_with_one_name_the_first_is_used_and_both_are_noted() -> None:
    state = cloud(found("1", "small"), found("2", "small"))
    plan = make(state, ASKED[:1], "acme", Consent(adopt=True))
    assert (plan.order, plan.notes) == ((SMALL, 1), ("2 templates are named small; the plugin uses the first",))


def test_the_id_decides_before_the_name() -> None:
    plan = make(cloud(found("1", "small"), own("small", idleMinutes=5)), ASKED[:1], "acme")
    assert (plan.refusals, plan.order) == ((), (0, SMALL))
    assert plan.notes == ("2 templates are named small; the plugin uses the first",)


def test_two_templates_never_take_the_same_place() -> None:
    """One was renamed and kept its id, another one has the old name now."""
    text = "fleet: acme\ntemplates: {maven: {idleMinutes: 5}, java: {id: 8d3c}}"
    there = applied(fleet("fleet: acme\ntemplates: {maven: {id: 8d3c}}"))
    plan = make(cloud(*there), wanted(fleet(text)), "acme")
    assert actions(plan) == [(CREATE, "maven"), (UPDATE, "java")]
    assert [item.name for item in plan.order if isinstance(item, PodTemplate)] == ["java", "maven"]
    assert plan.refusals == ()


def test_a_parent_that_is_not_there_is_noted() -> None:
    asked = wanted(fleet("fleet: acme\ntemplates: {a: {inheritFrom: maven base a}}"))
    orphan = found("9e4d", "somebody-elses", inheritFrom="gone")
    assert make(cloud(HERS, orphan), asked, "acme").notes == (
        "template a: inherits from base, which is not there; the plugin ignores that silently",
    )


def test_a_parent_that_is_deleted_is_noted() -> None:
    asked = wanted(fleet("fleet: acme\ntemplates: {a: {inheritFrom: small}}"))
    assert make(cloud(own("small")), asked, "acme", Consent(prune=True)).notes == (
        "template a: inherits from small, which is not there; the plugin ignores that silently",
    )


# --- what is no longer declared ----------------------------------------------------------------------------------


def test_ours_that_is_not_declared_is_noted_and_stays() -> None:
    plan = make(cloud(own("small"), HERS, own("big"), OTHERS), ASKED[1:], "acme")
    assert (plan.order, plan.empty) == ((0, 1, 2, 3), True)
    assert plan.notes == ("template small is this fleet's but not declared; it stays (--prune removes it)",)


def test_ours_that_is_not_declared_is_deleted_with_consent_and_nothing_else_is() -> None:
    state = cloud(own("small"), HERS, own("big"), OTHERS)
    plan = make(state, ASKED[1:], "acme", Consent(prune=True))
    assert plan == Plan(state, (Change(DELETE, state.templates[0]),), (1, 2, 3))


def test_a_second_one_of_ours_with_a_declared_name_is_not_declared() -> None:
    twin = replace(own("small"), id="8d3c")
    assert make(cloud(own("small"), twin), ASKED[:1], "acme", Consent(prune=True)).order == (0,)


def many(number: int) -> Fleet:
    return fleet("fleet: acme\ntemplates: {" + ", ".join(f"t{n}: {{}}" for n in range(number)) + "}")


@pytest.mark.parametrize(
    ("there", "deleted", "refused"),
    [(2, 2, False), (3, 3, True), (9, 3, True), (10, 3, False), (11, 3, False), (11, 4, True), (100, 30, False)],
)
def test_deleting_more_than_three_tenths_and_at_least_three_needs_a_word(
    there: int, deleted: int, refused: bool
) -> None:
    asked = wanted(many(there))[deleted:]
    state = cloud(*applied(many(there)), HERS, OTHERS)
    names = ", ".join(f"t{n}" for n in range(deleted))
    said = f"{deleted} of the {there} templates of fleet acme would be deleted: {names}; if that is meant, give "
    plan = make(state, asked, "acme", Consent(prune=True))
    assert plan.refusals == ((said + "--allow-deletes",) if refused else ())
    allowed = make(state, asked, "acme", Consent(prune=True, allow_deletes=True))
    assert (allowed.refusals, len(allowed.changes)) == ((), deleted)


# --- configuration-as-code, the cloud itself, agents -------------------------------------------------------------

CASC = (
    "cloud kubernetes is defined by configuration-as-code (/var/casc/a.yaml, /var/casc/b.yaml): its next "
    "reload would undo this; put the templates there instead: jenkins-kaniko render --format jcasc"
)
SOURCES = ("/var/casc/a.yaml", "/var/casc/b.yaml")


def test_a_cloud_of_configuration_as_code_is_refused() -> None:
    assert make(cloud(casc_sources=SOURCES), ASKED[:1], "acme").refusals == (CASC,)
    cloud_only = make(cloud(casc_sources=SOURCES), [], "acme", cloud={"namespace": "builds"})
    assert cloud_only.refusals == (CASC,)


def test_a_cloud_of_configuration_as_code_that_is_as_wanted_is_not_refused() -> None:
    assert make(cloud(own("small"), casc_sources=SOURCES), ASKED[:1], "acme").refusals == ()


MANAGED = {"namespace": "builds", "skipTlsVerify": False, "jenkinsUrl": " http://jenkins:8080 "}
LABELS = [{"class": "PodLabel", "key": "team", "value": "a"}]


def test_a_cloud_that_is_not_there_is_created_with_its_fields() -> None:
    plan = make(cloud(exists=False), [], "acme", cloud={**MANAGED, "podLabels": LABELS})
    assert plan.cloud == (
        FieldChange("namespace", None, "builds"),
        FieldChange("jenkinsUrl", None, "http://jenkins:8080"),
        FieldChange("podLabels", CLOUD_DEFAULTS["podLabels"], LABELS),
    )
    assert not plan.empty
    again = make(swapped(plan.state, plan.order, plan.cloud_fields), [], "acme", cloud={**MANAGED, "podLabels": LABELS})
    assert again.empty


def test_a_cloud_that_is_not_there_is_created_without_fields_too() -> None:
    plan = make(cloud(exists=False), [], "acme", cloud={})
    assert (plan.empty, plan.cloud, plan.cloud_fields) == (False, (), {})


def test_what_the_configuration_does_not_manage_of_a_cloud_is_left() -> None:
    state = cloud(cloud_fields={"namespace": "old", "serverUrl": "https://k8s"})
    plan = make(state, [], "acme", cloud={"namespace": "builds", "connectTimeout": 5})
    assert plan.cloud == (FieldChange("namespace", "old", "builds"),)
    assert plan.cloud_fields == {"namespace": "builds", "connectTimeout": 5}
    assert make(state, [], "acme").empty


def test_a_field_of_the_cloud_that_the_plugin_does_not_have_is_left_out_and_noted() -> None:
    plan = make(cloud(), [], "acme", cloud={"restrictedPssSecurityContext": True})
    assert plan.notes == (
        "cloud kubernetes: kubernetes plugin 4238.v41b_3ef14a_5d has no field restrictedPssSecurityContext; left out",
    )
    assert plan.empty


def test_a_kind_of_value_of_the_cloud_that_the_plugin_does_not_have_is_refused() -> None:
    assert make(cloud(), [], "acme", cloud={"podRetention": "pod.retention.Evicted"}).refusals == (
        "cloud kubernetes: podRetention: kubernetes plugin 4238.v41b_3ef14a_5d has no pod.retention.Evicted",
    )


def test_agents_of_what_changes_are_told() -> None:
    agents = tuple(Agent(f"of-{id_}", id_, idle=True) for id_ in (SMALL.id, BIG.id, "8d3c", "9e4d", None))
    state = cloud(own("small"), own("big", idleMinutes=7), HERS, found("9e4d", "java"), agents=agents)
    asked = [*ASKED, *wanted(fleet("fleet: acme\ntemplates: {java: {}}"))]
    assert make(state, asked, "acme", Consent(adopt=True)).outdated_agents == (f"of-{BIG.id}", "of-9e4d")
    assert make(state, [], "acme", Consent(prune=True)).outdated_agents == (f"of-{SMALL.id}", f"of-{BIG.id}")


# --- the hash of a plan ------------------------------------------------------------------------------------------


def test_the_hash_tells_apart_what_would_be_done() -> None:
    twin = found("9e4d", "small")
    hashes = [
        make(cloud(), ASKED, "acme").hash,
        make(cloud(HERS), ASKED, "acme").hash,
        make(cloud(), ASKED[:1], "acme").hash,
        make(cloud(), [replace(ASKED[0], id="other")], "acme").hash,
        make(cloud(twin), ASKED[:1], "acme").hash,
        make(cloud(twin), ASKED[:1], "acme", Consent(adopt=True)).hash,
        make(cloud(exists=False), ASKED, "acme", cloud={}).hash,
        make(cloud(exists=False), ASKED, "acme", cloud={"namespace": "a"}).hash,
    ]
    assert len(set(hashes)) == len(hashes)
    assert make(cloud(), ASKED, "acme").hash == hashes[0]


# --- properties --------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d"])
CHANGED = st.fixed_dictionaries(
    {}, optional={"idleMinutes": st.integers(0, 9), "label": st.sampled_from("xyz"), "serviceAccount": st.just("root")}
)
OWN = st.builds(lambda name, fields: found(f"jenkins-kaniko-acme-{name}", name, "acme", **fields), NAMES, CHANGED)
FOREIGN = st.builds(
    lambda number, owner, name: found(f"id-{number}", name, owner), st.integers(0, 3), st.none() | st.just("x"), NAMES
)
STATES = st.builds(
    lambda templates, defaults: cloud(*templates, defaults=defaults),
    st.lists(OWN | FOREIGN, max_size=6, unique_by=lambda template: template.id),
    st.sampled_from([DEFAULTS, OLDER]),
)
CONSENTS = st.builds(Consent, prune=st.booleans(), adopt=st.booleans(), allow_deletes=st.booleans())


@given(fleets(NAMES), STATES, CONSENTS)
def test_after_a_plan_is_applied_the_next_one_is_empty(
    asked: list[PodTemplate], state: CloudState, consent: Consent
) -> None:
    plan = make(state, asked, "acme", consent)
    if not plan.refusals:
        after = swapped(state, plan.order)
        again = make(after, asked, "acme", consent)
        assert (again.changes, again.refusals) == ((), ())
        assert again.order == tuple(range(len(after.templates)))


@given(fleets(NAMES), STATES, CONSENTS)
def test_what_is_not_ours_is_never_touched(asked: list[PodTemplate], state: CloudState, consent: Consent) -> None:
    plan = make(state, asked, "acme", consent)
    if not plan.refusals:
        after = swapped(state, plan.order).templates
        kept = [
            one for one in state.templates
            if one.owner == "x" or (one.owner is None and not consent.adopt)
        ]  # fmt: skip
        assert [template for template in after if template in kept] == kept
        assert consent.prune or {one.name for one in state.templates} <= {one.name for one in after}
