"""What every step and every file in vars/ keeps; files are found by walking, so a new one is covered.

That nothing which cannot be saved lives across a step is checked by the pipeline runner at each step of each test that
runs one (test_pipeline_runner.py::test_matcher_across_a_step_fails_the_build).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.house_rules import findings
from tests.support.pipeline import run_pipeline

ROOT = Path(__file__).parent.parent
VARS = ROOT / "vars"
BROKEN = ROOT / "tests" / "fixtures" / "house_rules"
SCRIPTS = sorted(VARS.glob("*.groovy"))
STEPS = [path for path in SCRIPTS if re.search(r"^\S.* call\(", path.read_text(encoding="utf-8"), re.MULTILINE)]
# The same two mistakes, as each step is given them.
MISTAKES = "image: 'r/app', tag: ['1'], context: ['.']"
CALLS = {"kanikoBuild": f"kanikoBuild({MISTAKES})", "kanikoBuildAll": f"kanikoBuildAll([[{MISTAKES}]])"}


def test_every_file_in_vars_is_a_script_or_its_help() -> None:
    assert {path.name for path in VARS.iterdir()} == {
        path.with_suffix(suffix).name for path in SCRIPTS for suffix in (".groovy", ".txt")
    }


@pytest.mark.parametrize("step", STEPS, ids=lambda path: path.stem)
def test_the_help_of_a_step_shows_a_call(step: Path) -> None:
    examples = re.findall(r"<pre>(.*?)</pre>", step.with_suffix(".txt").read_text(encoding="utf-8"), re.DOTALL)
    assert any(re.search(rf"\b{step.stem}\(", example) for example in examples)


@pytest.mark.jvm
def test_vars_keep_the_rules() -> None:
    assert findings(SCRIPTS) == []


@pytest.mark.jvm
def test_every_break_of_a_rule_is_found_and_nothing_else() -> None:
    want = set()
    for path in BROKEN.glob("*.groovy"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            _, _, rules = line.partition(" // ")
            want |= {(path.name, number, rule) for rule in rules.split(", ") if rule}
    found = findings(sorted(BROKEN.glob("*.groovy")))
    assert {(finding.file, finding.line, finding.rule) for finding in found} == want


@pytest.mark.jvm
def test_steps_refuse_unknown_options_and_wrong_types_before_a_pod_starts(tmp_path: Path) -> None:
    tries = [f'try {{ {CALLS[step.stem]} }} catch (e) {{ echo "{step.stem}: $e.message" }}' for step in STEPS]
    jenkinsfile = tmp_path / "Jenkinsfile"
    jenkinsfile.write_text("\n".join(["@Library('jenkins-kaniko') _", *tries]), encoding="utf-8")
    result = run_pipeline(jenkinsfile, tmp_path / "home", ROOT)
    assert result.result == "SUCCESS", result.log
    for step in STEPS:
        (said,) = re.findall(rf"^{step.stem}: (.*)$", result.log, re.MULTILINE)
        assert re.search(r"unknown option tag\b.*\btags\b.*option context: a text", said)
