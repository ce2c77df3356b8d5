"""The examples in the docs are true: a reader who copies one gets what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jenkins_kaniko import resources
from jenkins_kaniko.config import parse
from jenkins_kaniko.model import Controller, FleetFile, TemplateSettings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


CONFIGURATIONS = [(page, text) for page in PAGES for text in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "text"), CONFIGURATIONS, ids=lambda value: getattr(value, "name", ""))
def test_each_configuration_is_valid(page: Path, text: str) -> None:
    assert parse(text, page).name == "acme"


def test_the_reference_shows_every_key() -> None:
    whole = blocks(ROOT / "docs" / "configuration.md", "yaml")[0]
    keys = {
        str(field.alias) for kind in (FleetFile, Controller, TemplateSettings) for field in kind.model_fields.values()
    }
    assert {key for key in keys if not re.search(rf"\b{key}:", whole)} == set()


def test_the_readme_shows_the_example_pipeline() -> None:
    example = (ROOT / "Jenkinsfile.example").read_text(encoding="utf-8")
    without_comments = "".join(line for line in example.splitlines(True) if not line.startswith("//"))
    assert blocks(ROOT / "README.md", "groovy") == [without_comments]


def test_the_step_page_shows_every_option() -> None:
    (call,) = blocks(ROOT / "docs" / "kaniko-build.md", "groovy")
    shown = set(re.findall(r"^    (\w+):", call, re.MULTILINE))
    assert shown == {row["option"] for row in resources.options()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_table_of_records_names_tests_that_exist() -> None:
    table = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    named = {name.rpartition("::")[2] for name in re.findall(r"`([\w./]*(?:::)?test_\w+)`", table)}
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in sources} == set()
