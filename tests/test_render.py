"""Pods and fields are what the golden files show, and no value of a configuration can change their shape."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import render
from jenkins_kaniko.config import load
from jenkins_kaniko.fleetfile import TemplateSettings
from jenkins_kaniko.model import Fleet, Template
from tests.support.fakes import fleet

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "render"
CASES = sorted(path.parent for path in FOLDER.glob("*/jenkins-kaniko.yaml"))

AWKWARD = ["\n", " a\n", "\n b", "a\x85b", "a\x85\nb", "\u2028", "\u2029\n", "\ufeff", "\x00", "\x7f\n", "\U0001f433"]
AWKWARD += ["{{ x }}", "{% x %}", "{# x #}", "${x}", "^${x}", '{{ "{{" }}', '"', "'", '", x: "y', "a: b", "- a", "# a"]
AWKWARD += ["yes", "0123", "~", "", "---", "*a", "&a b", "!!int 1", "\\", "\\u0041", "%", "| ", "a\n---\nb", "</x>"]
TEXTS = (st.text(min_size=1) | st.lists(st.sampled_from(AWKWARD), min_size=1).map("".join)).filter(bool)
LABELS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Z"), exclude_characters="\"'()!&|<>"), min_size=1)


class _Readable(yaml.SafeDumper):
    """Shows texts of several lines as blocks."""


_Readable.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
)


def rendered(case: Path) -> list[dict[str, Any]]:
    """Return everything that comes out of a case: id, owner and fields for Jenkins, and the pod as an object."""
    given_fleet = load(case / "jenkins-kaniko.yaml")
    result = []
    for template in given_fleet.templates:
        made = render.pod_template(template, given_fleet)
        result.append(
            {
                "id": made.id,
                "name": made.name,
                "owner": made.owner,
                "fields": dict(made.fields),
                "pod": render.pod(template, given_fleet),
            }
        )
    return result


def regenerating() -> bool:
    """Tell whether golden files are rewritten; a run that proves something must not."""
    wanted = os.environ.get("JENKINS_KANIKO_REGENERATE") == "1"
    assert not (wanted and os.environ.get("CI") == "true"), "JENKINS_KANIKO_REGENERATE is not for CI"
    return wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_configuration_renders_as_its_golden_file(case: Path) -> None:
    golden = case / "expected.yaml"
    found = rendered(case)
    if regenerating():
        golden.write_text(yaml.dump(found, Dumper=_Readable, sort_keys=False, width=120), encoding="utf-8")
    assert found == yaml.safe_load(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_text_in_jenkins_is_the_pod(case: Path) -> None:
    for template in rendered(case):
        assert yaml.safe_load(template["fields"].get("yaml", "{}")) == template["pod"]


def test_golden_files_cannot_be_rewritten_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JENKINS_KANIKO_REGENERATE", "1")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(AssertionError, match="not for CI"):
        regenerating()


def one(said: dict[str, Any], labels: tuple[str, ...] = ("kaniko",)) -> tuple[Template, Fleet]:
    """Return a template that says `said`, and its fleet."""
    return Template("kaniko", labels, TemplateSettings.model_validate(said)), fleet("fleet: acme")


def with_texts(texts: tuple[str, str, str, str, str]) -> dict[str, Any]:
    image, agent, secret, repo, value = texts
    container = {"name": "kaniko", "env": [{"name": "VALUE", "value": value}]}
    return {
        "image": image,
        "agentImage": agent,
        "registrySecret": secret,
        "cache": {"repo": repo},
        "pod": {"spec": {"containers": [container]}},
    }


def replaced(data: Any, texts: dict[str, str]) -> Any:
    """Return `data` with each text that is a key of `texts` replaced."""
    if isinstance(data, dict):
        return {key: replaced(value, texts) for key, value in data.items()}
    if isinstance(data, list):
        return [replaced(value, texts) for value in data]
    return texts.get(data, data) if isinstance(data, str) else data


MARKS = ("an-image", "an-agent", "a-secret", "a-repo", "a-value")


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
def test_any_text_arrives_unchanged_and_adds_nothing(texts: tuple[str, str, str, str, str]) -> None:
    expected = replaced(render.pod(*one(with_texts(MARKS))), dict(zip(MARKS, texts, strict=True)))
    template, given_fleet = one(with_texts(texts))
    assert render.pod(template, given_fleet) == expected
    assert yaml.safe_load(render.pod_yaml(template, given_fleet)) == expected


@given(st.lists(LABELS, min_size=1, unique=True))
def test_labels_arrive_as_jenkins_separates_them(labels: list[str]) -> None:
    template, given_fleet = one({}, tuple(labels))
    assert render.pod_template(template, given_fleet).fields["label"].split(" ") == labels


def test_the_id_does_not_change_with_the_content() -> None:
    contents: list[dict[str, Any]] = [{}, {"image": "a"}, {"namespace": "b", "pod": {"spec": {"hostUsers": False}}}]
    assert {render.pod_template(*one(each)).id for each in contents} == {"jenkins-kaniko-acme-kaniko"}


def test_a_pod_of_ones_own_is_kept_to_the_byte() -> None:
    text = "# caf\u00e9\r\nspec: {date: 2024-01-01, x: '${A} {{ b }}'}\r\n"
    own = Template("maven", (), TemplateSettings.model_validate({"yamlFile": "maven.yaml"}), text)
    given_fleet = fleet("fleet: acme")
    assert render.pod_template(own, given_fleet).fields["yaml"] == text
    assert render.pod(own, given_fleet) == {"spec": {"date": "2024-01-01", "x": "${A} {{ b }}"}}


@pytest.mark.parametrize(
    "text", ["y", "N", "1e3", "12e5", "-1.5E+3", ".5e1", "1.e5", "0o17", "yes", "0123", "1_000", "~"]
)
def test_a_text_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    template, given_fleet = one({"agentImage": text})
    assert f"image: '{text}'\n" in render.pod_yaml(template, given_fleet)


PACKAGED = {"DISTRIBUTION": "osscontainertools", "VERSION": "1.28.3"}


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("{}", PACKAGED),
        ("{image: example.com/kaniko}", {}),
        ("{image: example.com/kaniko, version: '1.24.0'}", {"VERSION": "1.24.0"}),
        ("{image: example.com/kaniko, distribution: chainguard}", {"DISTRIBUTION": "chainguard"}),
        ("{version: '1.24.0'}", {**PACKAGED, "VERSION": "1.24.0"}),
        (
            "{cache: {repo: example.com/cache, ttl: 1h}}",
            {**PACKAGED, "CACHE_REPO": "example.com/cache", "CACHE_TTL": "1h"},
        ),
    ],
)
def test_the_builder_knows_of_its_template_what_is_known(said: str, known: dict[str, str]) -> None:
    given_fleet = fleet(f"fleet: acme\ntemplates: {{big: {said}}}")
    builder = render.pod(given_fleet.templates[0], given_fleet)["spec"]["containers"][1]
    expected = {"ENGINE": "kaniko", **known, "TEMPLATE": "big"}
    assert {item["name"]: item["value"] for item in builder["env"]} == {
        f"JENKINS_KANIKO_{name}": value for name, value in expected.items()
    }


ALIKE = st.from_regex(render.WRITTEN_ALIKE, fullmatch=True)
DATA = st.recursive(
    ALIKE | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ALIKE, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(ALIKE, DATA, min_size=1, max_size=4))
def test_the_text_of_a_pod_is_the_same_with_and_without_libyaml(data: Any) -> None:
    assert render._dumped(data, render._FastDumper) == render._dumped(data, render._Dumper)


@pytest.mark.parametrize("text", ["", "a" * 101, "a " * 31, "\n", "\u00e4", "\U0001f433"])
def test_what_libyaml_may_write_otherwise_is_left_to_pyyaml(text: str) -> None:
    assert render.dump({"env": text}) == render._dumped({"env": text}, render._Dumper)


SMALLEST: dict[str, Any] = {
    "fleet": "packaged",
    "defaults": {"registrySecret": "docker-config"},
    "templates": {
        "kaniko": {
            "labels": ["kaniko"],
            # where nobody has made the Secret the pod starts all the same: a public registry may do without
            "pod": {"spec": {"volumes": [{"name": "docker-config", "secret": {"optional": True}}]}},
        }
    },
}


@pytest.mark.parametrize("name", ["kaniko"])
def test_the_packaged_agent_is_what_a_smallest_template_yields(name: str, tmp_path: Path) -> None:
    """kanikoBuild uses it on a controller without a synced template."""
    file = tmp_path / "jenkins-kaniko.yaml"
    file.write_text(yaml.safe_dump(SMALLEST), encoding="utf-8")
    given_fleet = load(file)
    (template,) = [template for template in given_fleet.templates if template.name == name]
    packaged = ROOT / "resources" / "jenkins_kaniko" / "agents" / f"{name}.yaml"
    text = render.pod_yaml(template, given_fleet)
    if regenerating():
        packaged.write_text(text, encoding="utf-8")
    assert packaged.read_text(encoding="utf-8") == text
