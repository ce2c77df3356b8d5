"""action.yml and what the docs say of it; tests/lab/test_action.py runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from jenkins_kaniko.cli_build import build
from tests.support.github_action import Action

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "from-build-scripts.md").read_text(encoding="utf-8")


@pytest.fixture
def action(tmp_path: Path) -> Action:
    return Action(ROOT, tmp_path)


def test_no_input_is_pasted_into_a_script_and_each_is_used(action: Action) -> None:
    assert [step["name"] for step in action.steps if "${{" in step["run"] or "uses" in step] == []
    given = [value for step in action.steps for value in step["env"].values()]
    used = set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", "".join(given)))
    assert used == action.text["inputs"].keys()
    for step in action.steps:
        assert [name for name in step["env"] if f'"${name}' not in step["run"]] == []


def test_its_options_are_those_of_the_command(action: Action) -> None:
    script = action.steps[-1]["run"]
    known = {name for parameter in build.params for name in parameter.opts}
    assert {name for name in re.findall(r"(--[a-z-]+)=", script) if name not in known} == set()


def test_the_workflow_in_the_docs_gives_inputs_that_there_are(action: Action) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["image"]["steps"]
    (used,) = (step for step in steps if "jenkins-kaniko" in step.get("uses", ""))
    required = {name for name, each in action.text["inputs"].items() if each.get("required")}
    assert required <= used["with"].keys() <= action.text["inputs"].keys()
    assert set(re.findall(r"outputs\.(\w+)", text)) <= action.text["outputs"].keys()
    rows = re.findall(r"^\| ([a-z, -]+) \| ", PAGE[PAGE.index("| input | option |") :], re.MULTILINE)
    told = {name for row in rows for name in row.split(", ")} - {"input"}
    assert told == action.text["inputs"].keys()
