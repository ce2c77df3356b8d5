"""A configuration is read strictly, and every mistake in it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import resources
from jenkins_kaniko.config import load, parse
from jenkins_kaniko.errors import ConfigError, WrongInputError
from jenkins_kaniko.fleetfile import Build, Controller, TemplateSettings
from jenkins_kaniko.fleetvalues import SecretRef, WorkspaceVolume
from jenkins_kaniko.model import Fleet, Template

FOLDER = Path(__file__).parent / "fixtures" / "config"
EXPECT = "# expect: "

CONTROLLER = "{url: 'https://jenkins.example.com', user: ci-bot, token: {env: JENKINS_TOKEN}}"


def templates(text: str) -> tuple[Template, ...]:
    return parse(text, Path("jenkins-kaniko.yaml")).templates


@pytest.mark.parametrize("path", sorted(FOLDER.glob("bad-*.yaml")), ids=lambda path: path.stem.removeprefix("bad-"))
def test_mistakes_are_named_as_the_file_expects(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).replace(f"{FOLDER}/", "").splitlines() == expected


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "jenkins-kaniko.yaml"
    file.write_text(
        f"fleet: acme\ncontrollers:\n  main: {CONTROLLER}\ntemplates:\n  kaniko:\n    labels: [kaniko, big]\n",
        encoding="utf-8",
    )
    assert load(file) == Fleet(
        name="acme",
        folder=tmp_path,
        controllers={
            "main": Controller(url="https://jenkins.example.com", user="ci-bot", token=SecretRef(env="JENKINS_TOKEN"))
        },
        templates=(Template("kaniko", ("kaniko", "big"), TemplateSettings(labels=["kaniko", "big"])),),
    )


def test_a_controller_that_names_no_cloud_uses_the_usual_one() -> None:
    fleet = parse(f"fleet: acme\ncontrollers: {{main: {CONTROLLER}}}", Path("x.yaml"))
    assert (fleet.controllers["main"].cloud, fleet.controllers["main"].ca) == ("kubernetes", None)


def test_a_file_without_controllers_and_templates_is_valid() -> None:
    assert parse("fleet: acme", Path("/fleet/x.yaml")) == Fleet("acme", Path("/fleet"), {}, ())


def test_builds_alone_need_no_fleet() -> None:
    text = "builds: {api: {image: registry.example.com/api, cache: {ttl: 24h}, buildArgs: {DEBUG: true}}}"
    fleet = parse(text, Path("/shop/x.yaml"))
    build = Build(image="registry.example.com/api", cache={"ttl": "24h"}, buildArgs={"DEBUG": True})
    assert fleet == Fleet("", Path("/shop"), {}, (), builds={"api": build})


def test_the_keys_of_a_build_are_options_of_the_step() -> None:
    keys = {field.alias for field in Build.model_fields.values()}
    of_jenkins = {"secrets", "engine", "push", "agent", "credentialsId"}
    assert keys == {row["option"] for row in resources.options()} - of_jenkins


def test_defaults_lie_under_every_template() -> None:
    text = """
        fleet: acme
        defaults:
          namespace: builds
          idleMinutes: 5
          resources: {requests: {cpu: 500m, memory: 1Gi}}
          cache: {repo: registry.example.com/cache}
        templates:
          plain: {}
          own: {idleMinutes: 0, resources: {requests: {memory: 2Gi}}, cache: {ttl: 24h}}
          without: {namespace: }
    """
    given_keys = {template.name: template.settings.model_dump(exclude_none=True) for template in templates(text)}
    defaults = {
        "namespace": "builds",
        "idle_minutes": 5,
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "cache": {"repo": "registry.example.com/cache"},
    }
    assert given_keys == {
        "plain": defaults,
        "own": {
            **defaults,
            "idle_minutes": 0,
            "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}},
            "cache": {"repo": "registry.example.com/cache", "ttl": "24h"},
        },
        "without": {key: value for key, value in defaults.items() if key != "namespace"},
    }


def test_the_pod_of_a_template_lies_on_the_pod_of_the_defaults() -> None:
    text = """
        fleet: acme
        defaults:
          pod: {metadata: {labels: {env: test}}, spec: {nodeSelector: {disk: ssd}, hostUsers: false}}
        templates:
          kaniko:
            pod: {metadata: {labels: {env: production}}, spec: {nodeSelector: null}}
    """
    assert templates(text)[0].settings.pod == {
        "metadata": {"labels": {"env": "production"}},
        "spec": {"nodeSelector": None, "hostUsers": False},
    }


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("fleet: acme\ntemplates: {kaniko: {}}", ("kaniko",)),
        ("fleet: acme\ntemplates: {kaniko: {labels: []}}", ()),
        ("fleet: acme\ntemplates: {kaniko: {name: builder}}", ("builder",)),
        ("fleet: acme\ndefaults: {labels: [builder]}\ntemplates: {kaniko: {}}", ("builder",)),
        ("fleet: acme\ndefaults: {labels: [builder]}\ntemplates: {kaniko: {labels: [a, b]}}", ("a", "b")),
        ("fleet: acme\ndefaults: {labels: [builder]}\ntemplates: {kaniko: {labels: }}", ("kaniko",)),
    ],
)
def test_labels_are_the_name_unless_given(text: str, labels: tuple[str, ...]) -> None:
    assert templates(text)[0].labels == labels


def test_variables_are_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESPACE", "builds")
    text = "fleet: acme\ntemplates: {kaniko: {namespace: '${NAMESPACE}', image: $NAMESPACE}}"
    own = templates(text)[0].settings
    assert (own.namespace, own.image) == ("${NAMESPACE}", "$NAMESPACE")


def test_merge_keys_share_what_templates_have_in_common() -> None:
    text = """
        fleet: acme
        templates:
          small: &small {namespace: builds, idleMinutes: 5}
          big: &big
            <<: *small
            idleMinutes: 0
          copy: *big
    """
    found = [(each.name, each.settings.namespace, each.settings.idle_minutes) for each in templates(text)]
    assert found == [("small", "builds", 5), ("big", "builds", 0), ("copy", "builds", 0)]


def test_null_takes_away_what_the_defaults_give() -> None:
    text = """
        fleet: acme
        defaults:
          profile: small
          env: {A: '1', B: '2'}
          nodeSelector: {disk: ssd}
          annotations: {team: builds}
          resources: {limits: {memory: 1Gi}}
          jenkins: {runAsUser: '1', workspaceVolume: {class: x, memory: 'true'}}
        templates:
          kaniko:
            profile: null
            env: {A: null}
            nodeSelector: {disk: null}
            annotations: null
            resources: {limits: {cpu: '1', memory: null}}
            jenkins: {runAsUser: null, workspaceVolume: {class: y}}
    """
    assert templates(text)[0].settings.model_dump(exclude_none=True) == {
        "env": {"B": "2"},
        "node_selector": {},
        "resources": {"limits": {"cpu": "1", "memory": None}},
        "jenkins": {"workspaceVolume": {"class": "y"}},
    }


def test_one_kind_of_workspace_replaces_another() -> None:
    text = """
        fleet: acme
        defaults: {workspaceVolume: {emptyDir: {memory: true}}}
        templates: {kaniko: {workspaceVolume: {dynamicPVC: {requestsSize: 1Gi}}}}
    """
    volume = templates(text)[0].settings.workspace_volume
    assert volume == WorkspaceVolume.model_validate({"dynamicPVC": {"requestsSize": "1Gi"}})


def test_a_template_with_a_pod_of_its_own_takes_no_pod_from_the_defaults(tmp_path: Path) -> None:
    pod = b"spec: {containers: [{name: maven}]}\r\n# \xc3\xa9\r\n"
    (tmp_path / "maven.yaml").write_bytes(pod)
    text = """
        fleet: acme
        defaults: {namespace: builds, image: own, pod: {spec: {hostUsers: false}}, jenkins: {runAsUser: '1'}}
        templates:
          maven: {yamlFile: maven.yaml}
          base: {engine: none}
    """
    maven, base = parse(text, tmp_path / "x.yaml").templates
    shared = {"namespace": "builds", "jenkins": {"runAsUser": "1"}}
    assert maven.settings.model_dump(exclude_none=True) == {**shared, "yaml_file": "maven.yaml"}
    assert base.settings.model_dump(exclude_none=True) == {**shared, "engine": "none"}
    assert (maven.yaml, base.yaml) == (pod.decode(), "")


def test_included_files_lie_below(tmp_path: Path) -> None:
    """Each is read once though two include it, and all paths are relative to the main file's folder."""
    (tmp_path / "parts").mkdir()
    files = {
        "parts/common.yaml": "defaults: {namespace: common, idleMinutes: 1, instanceCap: 1}\ntemplates: {base: {}}",
        "parts/a.yaml": "include: [parts/common.yaml]\ndefaults: {namespace: a, idleMinutes: 2}",
        "parts/b.yaml": "fleet: acme\ninclude: [parts/common.yaml]\ntemplates: {maven: {yamlFile: parts/pod.yaml}}",
        "parts/pod.yaml": "spec: {}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    main = "fleet: acme\ninclude: [parts/a.yaml, parts/b.yaml]\ndefaults: {namespace: main}\ntemplates: {kaniko: {}}"
    found = parse(main, tmp_path / "x.yaml")
    assert [template.key for template in found.templates] == ["base", "maven", "kaniko"]
    values = {"namespace": "main", "idle_minutes": 2, "instance_cap": 1}
    assert [template.settings.model_dump(exclude_none=True) for template in found.templates] == [
        values,
        {**values, "yaml_file": "parts/pod.yaml"},
        values,
    ]


def test_two_templates_may_share_a_name_on_different_controllers() -> None:
    text = f"""
        fleet: acme
        controllers: {{main: {CONTROLLER}, second: {CONTROLLER}}}
        templates:
          maven: {{controllers: [main]}}
          maven-2: {{controllers: [second], name: maven, id: maven}}
    """
    assert [(each.name, each.id_in("acme")) for each in templates(text)] == [
        ("maven", "jenkins-kaniko-acme-maven"),
        ("maven", "maven"),
    ]


@pytest.mark.parametrize("name", ["a", "a-b", "0", "a" * 40])
def test_names_may_have_letters_digits_and_dashes(name: str) -> None:
    assert parse(f"fleet: '{name}'", Path("x.yaml")).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "ä", "a" * 41, "a\\n", "a b"])
def test_other_names_are_mistakes(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml:1: fleet: '.*' is not a name: "):
        parse(f'fleet: "{name}"', Path("x.yaml"))


def test_a_missing_file_says_how_to_give_one(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    with pytest.raises(WrongInputError) as caught:
        load(file)
    assert str(caught.value) == (
        f"{file}: no such file. Give one with --config, or write a jenkins-kaniko.yaml here: "
        "`jenkins-kaniko init` makes one to start from."
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WrongInputError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: [Errno 21] Is a directory: '{tmp_path}'"


def test_a_file_that_is_not_utf8_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("fleet: münchen".encode("latin-1"))
    with pytest.raises(WrongInputError, match=r"latin\.yaml: cannot be read: 'utf-8' codec can't decode byte 0xfc"):
        load(file)


KEYWORDS = ["fleet", "templates", "controllers", "defaults", "pod", "labels", "token", "url", "kaniko"]
VALUES = ["1", ".nan", "0x", "2024-13-01", "~", "=", "@", "#", "%"]
SYNTAX = [
    ": ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!set ",
    "? ",
    "|\n",
    "---\n",
]
CHARACTERS = ["'", '"', "\\u", "\\ud800", "\t", "\x00", "\x85", "\u2028", "\ufeff"]
TEXTS = st.text() | st.lists(st.sampled_from(KEYWORDS + VALUES + SYNTAX + CHARACTERS), max_size=30).map("".join)
BELOW_A_BEGINNING = TEXTS.map(lambda text: f"fleet: acme\ntemplates:\n  kaniko:\n    pod: {text}")


def fleet_or_mistakes(text: str) -> Fleet | ConfigError:
    try:
        return parse(text, Path("x.yaml"))
    except ConfigError as error:
        return error


@given(TEXTS | BELOW_A_BEGINNING)
def test_any_text_is_a_fleet_or_a_list_of_mistakes(text: str) -> None:
    result = fleet_or_mistakes(text)
    if isinstance(result, ConfigError):
        assert result.problems
        assert all(str(problem).startswith("x.yaml:") for problem in result.problems)
