"""What configuration-as-code gets is spelled as it spells things, and what it exports reads as what was wanted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import casc, forms, render
from jenkins_kaniko.config import load
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, WrongInputError
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.mark import marked
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import make
from tests.support.fakes import fleet
from tests.test_render import CASES, TEXTS, one, with_texts

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
RECORDED = {
    "1.29.0": (CONTRACT / "clouds-1.29.0.casc.yaml").read_text(encoding="utf-8"),
    "4238.v41b_3ef14a_5d8": (CONTRACT / "clouds-4238.casc.yaml").read_text(encoding="utf-8"),
}
POD = """apiVersion: v1
kind: Pod
spec:
  containers:
  - name: kaniko
    image: ghcr.io/osscontainertools/kaniko:debug
"""
RECORDED_FIELDS: dict[str, Any] = {
    "name": "kaniko",
    "label": "kaniko docker",
    "namespace": "builds",
    "inheritFrom": "base",
    "serviceAccount": "kaniko",
    "nodeSelector": "kubernetes.io/arch=amd64",
    "idleMinutes": 5,
    "instanceCap": 10,
    "slaveConnectTimeout": 300,
    "activeDeadlineSeconds": 3600,
    "showRawYaml": False,
    "yaml": POD,
    "podRetention": "pod.retention.OnFailure",
    "yamlMergeStrategy": "pod.yaml.Merge",
    "annotations": [{"key": "jenkins-kaniko/owner", "value": "fleet-a"}],
    "workspaceVolume": {"class": "volumes.workspace.EmptyDirWorkspaceVolume", "memory": "true"},
    "imagePullSecrets": [{"class": "PodImagePullSecret", "name": "regcred"}],
    "envVars": [
        {"class": "model.KeyValueEnvVar", "key": "A", "value": "b"},
        {
            "class": "model.SecretEnvVar",
            "key": "TOKEN",
            "secretKey": "key",
            "secretName": "sec",
        },
    ],
    "volumes": [
        {
            "class": "volumes.SecretVolume",
            "mountPath": "/kaniko/.docker",
            "secretName": "docker-config",
        },
        {"class": "volumes.EmptyDirVolume", "mountPath": "/cache"},
    ],
    "containers": [
        {
            "class": "ContainerTemplate",
            "name": "tools",
            "image": "busybox:1",
            "command": "sleep",
            "args": "99d",
            "ttyEnabled": "true",
            "resourceLimitMemory": "1Gi",
        }
    ],
}
"""The recorded template as the script console reports it."""


def read(text: str, plugin: str = "", name: str = "kubernetes") -> CloudState:
    return casc.state(name, casc.kubernetes_cloud(casc.defined_clouds(text), name), plugin)


def written(*items: Json, **fields: Any) -> str:
    return render.dump(forms.source(casc.cloud("kubernetes", fields, items)))


@pytest.mark.parametrize("plugin", RECORDED)
def test_a_recorded_export_reads_as_the_script_console_reports_it(plugin: str) -> None:
    state = read(RECORDED[plugin], plugin)
    full, minimal = state.templates
    assert (full.id, full.name, full.owner, full.fields) == (
        "jenkins-kaniko-kaniko",
        "kaniko",
        "fleet-a",
        RECORDED_FIELDS,
    )
    assert (minimal.id, minimal.fields) == ("min", {"name": "min", "label": "min"})
    assert state.cloud_fields == {
        "jenkinsUrl": "http://jenkins:8080",
        "namespace": "jenkins",
        "serverUrl": "https://10.244.7.1:6443",
        "skipTlsVerify": True,
    }
    assert (state.exists, state.plugin_version) == (True, plugin)


@pytest.mark.parametrize("plugin", RECORDED)
def test_what_was_read_is_written_as_it_was_exported(plugin: str) -> None:
    [exported] = casc.defined_clouds(RECORDED[plugin])
    twins = {"idleMinutesStr", "instanceCapStr", "slaveConnectTimeoutStr", "activeDeadlineSecondsStr", "yamls"}
    expected = {key: value for key, value in exported["kubernetes"]["templates"][0].items() if key not in twins}
    again = casc.template(read(RECORDED[plugin], plugin).templates[0])
    for symbol in (*expected["volumes"], *expected["envVars"]):  # what is off is as good as not said
        [inner] = symbol.values()
        for name in [name for name, value in inner.items() if value is False]:
            del inner[name]
    assert again == expected


def test_every_kind_of_object_goes_by_its_symbol_and_comes_back() -> None:
    for field, kinds in casc.KINDS.items():
        for symbol, kind in kinds.items():
            plain = field in ("podRetention", "yamlMergeStrategy")
            value: Any = kind if plain else {"class": kind, "mountPath": "/x"}
            wanted = PodTemplate("i", "n", {"name": "n", field: [value] if field in ("volumes", "envVars") else value})
            item = casc.template(wanted)
            told = symbol if plain else {symbol: {"mountPath": "/x"}}
            assert item[field] == ([told] if field in ("volumes", "envVars") else told)
            assert read(written(item)).templates[0].fields.get(field, "pod.retention.Default") == wanted.fields[field]


def test_objects_inside_containers_come_back() -> None:
    container = {
        "class": "ContainerTemplate",
        "name": "c",
        "privileged": "true",
        "runAsUser": "0",
        "envVars": [{"class": "model.KeyValueEnvVar", "key": "PORT", "value": "8080"}],
        "ports": [{"class": "PortMapping", "name": "http", "containerPort": "80"}],
        "livenessProbe": {"execArgs": "true", "failureThreshold": "1", "timeoutSeconds": "5"},
    }
    item = casc.template(PodTemplate("i", "n", {"name": "n", "containers": [container]}))
    assert item["containers"] == [
        {
            "name": "c",
            "privileged": True,
            "runAsUser": "0",
            "envVars": [{"envVar": {"key": "PORT", "value": "8080"}}],
            "ports": [{"name": "http", "containerPort": 80}],
            "livenessProbe": {"execArgs": "true", "failureThreshold": 1, "timeoutSeconds": 5},
        }
    ]
    assert read(written(item)).templates[0].fields["containers"] == [container]


VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_nothing_is_left_for_configuration_as_code_to_look_up(value: Any) -> None:
    def texts(data: Any) -> list[str]:
        if isinstance(data, dict):
            return [text for pair in data.items() for each in pair for text in texts(each)]
        return [text for each in data for text in texts(each)] if isinstance(data, list) else [str(data)]

    for text in texts(casc.escaped(value)):
        assert not re.search(r"(?<!\^)\$\{", text)
    assert casc.unescaped(casc.escaped(value)) == value


def test_an_escape_that_stands_in_a_text_is_kept() -> None:
    assert casc.escaped({"^${a}": ["${b}^${c}"]}) == {"^^${a}": ["^${b}^^${c}"]}


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
def test_plan_after_an_export_of_what_was_written_is_empty(texts: tuple[str, str, str, str, str]) -> None:
    template, given_fleet = one(with_texts(texts))
    wanted = render.pod_template(template, given_fleet)
    state = read(written(casc.template(marked(wanted))))
    assert make(state, [wanted], given_fleet.name).empty
    assert not make(state, [replace(wanted, fields={**wanted.fields, "label": "x"})], given_fleet.name).empty


def test_defaults_differ_by_version() -> None:
    item = casc.template(PodTemplate("i", "n", {"name": "n", "slaveConnectTimeout": 100}))
    for plugin, left in (("1.29.0", {}), ("1.30.0", {"slaveConnectTimeout": 100}), ("", {"slaveConnectTimeout": 100})):
        assert read(written(item), plugin).templates[0].fields == {"name": "n", **left}
    lacks = {"schedulerName", "inheritYamlMergeStrategy", "agentContainer", "agentInjection"}
    assert set(read(written()).defaults) - set(read(written(), "1.29.0").defaults) == lacks
    assert set(read(written()).defaults) - set(read(written(), "4238.v4").defaults) == {
        "agentContainer",
        "agentInjection",
    }


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"idleMinutesStr": "5"}, {"idleMinutes": 5}),
        ({"idleMinutes": 5, "idleMinutesStr": "5"}, {"idleMinutes": 5}),
        ({"idleMinutesStr": ""}, {}),
        ({"annotations": [{"key": "a", "value": ""}]}, {"annotations": [{"key": "a", "value": ""}]}),
        ({"podRetention": {"never": {}}}, {"podRetention": "pod.retention.Never"}),
        ({"volumes": [{"newKind": {"x": 1}}]}, {"volumes": [{"class": "newKind", "x": "1"}]}),
    ],
)
def test_an_export_may_say_it_otherwise(present: Json, expected: Json) -> None:
    assert read(written({"id": "i", **present})).templates[0].fields == expected


def test_a_cloud_keeps_what_the_configuration_does_not_say() -> None:
    present = {
        "name": "k",
        "serverUrl": "https://a",
        "containerCap": 7,
        "containerCapStr": "7",
        "templates": [{"id": "x"}],
    }
    fields = {"containerCapStr": "8", "podRetention": "pod.retention.Always"}
    assert casc.cloud("k", fields, [{"id": "y"}], present) == {
        "kubernetes": {
            "serverUrl": "https://a",
            "containerCapStr": "8",
            "podRetention": "always",
            "templates": [{"id": "y"}],
            "name": "k",
        }
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jenkins: [", "not YAML"),
        ("jenkins: FAILED TO EXPORT", "not configuration-as-code: 'FAILED TO EXPORT' where clouds is expected"),
        ("jenkins: {clouds: FAILED TO EXPORT}", "jenkins.clouds is no list of clouds: 'FAILED TO EXPORT'"),
    ],
)
def test_what_is_no_export_is_told(text: str, said: str) -> None:
    with pytest.raises(JenkinsKanikoError, match=re.escape(said)):
        casc.defined_clouds(text)


@pytest.mark.parametrize("text", ["", "jenkins:", "jenkins: {}", "jenkins: {clouds: }", "unclassified: {a: b}"])
def test_a_source_without_clouds_defines_none(text: str) -> None:
    assert casc.defined_clouds(text) == []
    assert not read(text).exists


def test_a_name_must_be_of_one_kubernetes_cloud() -> None:
    clouds: list[Json] = [{"kubernetes": {"name": "a"}}, {"kubernetes": {"name": "a"}}, {"amazonEC2": {"name": "b"}}]
    for name, said in (("a", "2 clouds are named 'a'"), ("b", "not a Kubernetes cloud")):
        with pytest.raises(RefusedError, match=said):
            casc.kubernetes_cloud(clouds, name)
    assert casc.kubernetes_cloud(clouds, "c") is None


# What `render` prints


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_forms_for_people_hold_the_same(case: Path) -> None:
    given_fleet = load(case / "jenkins-kaniko.yaml")
    for form in (forms.POD, forms.JCASC, forms.HELM):
        data = forms.as_data(form, given_fleet.templates, given_fleet)
        text = forms.as_text(form, data)
        assert (list(yaml.safe_load_all(text)) if form == forms.POD else yaml.safe_load(text)) == data


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
def test_any_text_comes_through_helm(texts: tuple[str, str, str, str, str]) -> None:
    template, given_fleet = one(with_texts(texts))
    values = yaml.safe_load(forms.as_text(forms.HELM, forms.as_data(forms.HELM, [template], given_fleet)))
    text = values["agent"]["podTemplates"]["kaniko"]
    assert "{{" not in text.replace('{{ "{{" }}', "")
    after_tpl = yaml.safe_load(text.replace('{{ "{{" }}', "{{"))
    assert after_tpl == forms.as_data(forms.JCASC, [template], given_fleet)


def test_templates_are_printed_with_the_marks_that_sync_leaves() -> None:
    template, given_fleet = one({"podRetention": "OnFailure", "idleMinutes": 5, "inheritFrom": "${base}"})
    [item] = forms.as_data(forms.JCASC, [template], given_fleet)
    assert [mark["key"] for mark in item.pop("annotations")] == ["jenkins-kaniko/owner", "jenkins-kaniko/applied"]
    assert item == {
        "id": "jenkins-kaniko-acme-kaniko",
        "name": "kaniko",
        "label": "kaniko",
        "showRawYaml": False,
        "idleMinutes": 5,
        "podRetention": "onFailure",
        "inheritFrom": "^${base}",
        "yaml": render.pod_yaml(template, given_fleet),
    }


def test_no_templates_render_as_nothing() -> None:
    given_fleet = fleet("fleet: acme")
    printed = [forms.as_text(form, forms.as_data(form, [], given_fleet)) for form in ("pod", "jcasc", "helm")]
    assert printed == ["", "[]\n", "agent:\n  podTemplates: {}\n"]


WHOLE = """
fleet: acme
controllers:
  main:
    url: https://jenkins.example.com
    user: ci-bot
    token: {env: JENKINS_TOKEN}
    cloud: builders
    ensureCloud: {namespace: builds, containerCap: 20, podRetention: OnFailure, podLabels: {team: a}}
    sidecar: {namespace: jenkins, label: jenkins-jenkins-config}
  other: {url: https://other.example.com, user: ci-bot, token: {env: JENKINS_TOKEN}, ensureCloud: {}}
  used: {url: https://used.example.com, user: ci-bot, token: {env: JENKINS_TOKEN}}
templates:
  kaniko: {agentImage: "a{{b}}${c}"}
  elsewhere: {controllers: [other]}
"""


def test_a_whole_cloud_is_one_source() -> None:
    given_fleet = fleet(WHOLE)
    whole = forms.cloud_as_data(forms.JCASC, given_fleet, "main")
    [item] = forms.as_data(forms.JCASC, given_fleet.templates[:1], given_fleet)
    content = {
        "namespace": "builds",
        "containerCapStr": "20",
        "podRetention": "onFailure",
        "podLabels": [{"key": "team", "value": "a"}],
        "templates": [item],
        "name": "builders",
    }
    assert whole == {"jenkins": {"clouds": [{"kubernetes": content}]}}


def test_a_whole_cloud_for_the_chart_survives_its_template_engine_and_loses_no_line() -> None:
    given_fleet = fleet(WHOLE)
    values = forms.cloud_as_data(forms.HELM, given_fleet, "main")
    [(name, text)] = values["controller"]["JCasC"]["configScripts"].items()
    # the chart writes the text into a ConfigMap with the line ends at its end cut off
    after_chart = text.replace('{{ "{{" }}', "{{").rstrip("\n")
    assert (name, "{{ b" in after_chart) == ("jenkins-kaniko-acme", False)
    assert yaml.safe_load(after_chart) == forms.cloud_as_data(forms.JCASC, given_fleet, "main")


def test_a_config_map_is_labelled_for_the_sidecar() -> None:
    given_fleet = fleet(WHOLE)
    manifest = forms.cloud_as_data(forms.CONFIG_MAP, given_fleet, "main")
    [(file, text)] = manifest.pop("data").items()
    assert yaml.safe_load(text) == forms.cloud_as_data(forms.JCASC, given_fleet, "main")
    assert (file, manifest) == (
        "jenkins-kaniko.yaml",
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "jenkins-kaniko",
                "namespace": "jenkins",
                "labels": {
                    "jenkins-jenkins-config": "true",
                    "jenkins-kaniko/owner": "acme",
                    "app.kubernetes.io/managed-by": "jenkins-kaniko",
                },
            },
        },
    )


@pytest.mark.parametrize(("controller", "key"), [("used", "ensureCloud"), ("other", "sidecar")])
def test_what_a_whole_cloud_needs_is_named(controller: str, key: str) -> None:
    with pytest.raises(WrongInputError, match=f"^controllers.{controller}.{key}: missing"):
        forms.cloud_as_data(forms.CONFIG_MAP, fleet(WHOLE), controller)
