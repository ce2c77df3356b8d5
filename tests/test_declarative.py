"""Declarative pipelines in the pipeline runner do what Jenkins does, as far as that needs no cluster."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.jvm import class_path
from tests.support.pipeline import PipelineResult, run_pipeline, start_pipeline
from tests.test_pipeline_runner import CONFIG, FIXTURES, LIBRARY

pytestmark = pytest.mark.jvm

Results = dict[str, PipelineResult]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One build per fixture, all at once, by what their names end in."""
    home = tmp_path_factory.mktemp("home")
    (home / "config.xml").write_text(CONFIG, encoding="utf-8")
    class_path()

    def run(jenkinsfile: Path) -> PipelineResult:
        env = {"GIVEN": "given", "BRANCH_NAME": "feature/x"}
        return run_pipeline(jenkinsfile, home, LIBRARY, env=env, library_name="runner-test", timeout=60)

    apart = ["declarative-credentials", "declarative-pods"]
    files = [path for path in FIXTURES.glob("declarative*.jenkinsfile") if path.stem not in apart]
    with ThreadPoolExecutor(2) as pool:
        return {file.stem.partition("-")[2]: result for file, result in zip(files, pool.map(run, files), strict=True)}


def said(result: PipelineResult) -> list[str]:
    """Return the log without the lines that name the steps."""
    return [line for line in result.log.splitlines() if not line.startswith("[Pipeline] ")]


def stages(result: PipelineResult) -> list[str]:
    """Return the names of the stages that began, in their order."""
    return re.findall(r"\[Pipeline\] stage\n\[Pipeline\] { \((.*)\)", result.log)


# "name: value" lines of declarative.jenkinsfile.
ROWS = [
    "params: [COLOUR:red, EMPTY:, LOUD:true, QUIET:false, SIZE:big, WHO:world]",
    "environment: inner|hello world, hello world from demo given|3|inner it helps true",
    "withEnv inside: before:inner it helps true",
    "outer: hello world",
    "script: [a helps, b helps]",
    "library: abc",
    "nested: me helps",
    "tries: 3 SUCCESS",
    "when: all",
    "one: parallel",
    "first: parallel two",
    "branches: parallel",
    "unstable: UNSTABLE",
    "end: FAILURE hello world",
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.partition(":")[0])
def test_row(results: Results, row: str) -> None:
    name = row.partition(": ")[0]
    line = next((line for line in said(results[""]) if line.startswith(f"{name}: ")), results[""].log)
    assert line == row


@pytest.mark.parametrize("name", ["", "unstable", "aborted", "failfast"])
def test_what_does_not_apply_is_not_run(results: Results, name: str) -> None:
    assert len(stages(results[name])) > 1
    assert "NEVER" not in said(results[name])


def test_stages_are_skipped_with_their_reason(results: Results) -> None:
    when = ["branch", "environment", "expression", "equals", "not", "any"]
    conditional = [f"when {name}" for name in when] + ["inner", "second"]
    assert [line for line in said(results[""]) if line.startswith("Stage ")] == [
        *(f'Stage "{name}" skipped due to when conditional' for name in conditional),
        *(f'Stage "{name}" skipped due to earlier failure(s)' for name in ["after", "later", "later one"]),
    ]


def test_post_conditions_run_in_the_order_of_jenkins(results: Results) -> None:
    """A failing one is logged and does not keep the others from running; the stage's own failure stays the build's."""
    log = said(results[""])
    begin = log.index("post order: always")
    assert log[begin - 1 : begin + 7] == [
        "Post stage",
        "post order: always",
        "post order: changed",
        "post order: failure",
        "Error when executing failure post condition:",
        "ERROR: worse",
        "post order: unsuccessful",
        "post order: cleanup FAILURE",
    ]
    assert log.index("nested: FAILURE") > begin
    assert log[-4:] == ["end: FAILURE hello world", "end: failure", "ERROR: broken", "Finished: FAILURE"]
    assert stages(results[""])[-1] == "Declarative: Post Actions"


def test_nothing_runs_after_an_unstable_stage(results: Results) -> None:
    assert said(results["unstable"]) == [
        "ERROR: caught",
        "stage goes on: UNSTABLE",
        'Stage "skipped" skipped due to earlier stage(s) marking the build as unstable',
        "end: unstable",
        "Finished: UNSTABLE",
    ]


def test_a_timeout_of_a_stage_aborts_the_build(results: Results) -> None:
    assert said(results["aborted"]) == [
        "Timeout set to expire in 1 sec",
        "Cancelling nested steps due to timeout",
        "Post stage",
        "stage: aborted",
        "stage: unsuccessful",
        'Stage "later" skipped due to earlier failure(s)',
        "end: ABORTED",
        "Timeout has been exceeded",
        "Finished: ABORTED",
    ]


def test_a_failed_branch_stops_the_others(results: Results) -> None:
    assert {"slow: aborted", "branches: failure", "end: FAILURE", "failed: bad"} < set(said(results["failfast"]))


def test_a_second_block_is_refused(results: Results) -> None:
    refusal = "ERROR: Only one pipeline { ... } block can be executed in a single run."
    assert said(results["failfast"])[-2:] == [refusal, "Finished: FAILURE"]


def test_credentials_are_variables(tmp_path: Path) -> None:
    """A user and password make three; other variables of the block may use them, wherever they stand."""
    (tmp_path / "config.xml").write_text(CONFIG, encoding="utf-8")
    login = {"type": "usernamePassword", "username": "me", "password": "pass"}
    store = {"login": login, "token": {"type": "string", "secret": "tok"}}
    (tmp_path / "credentials.json").write_text(json.dumps(store), encoding="utf-8")
    arguments = ["--home", str(tmp_path), "--job", "demo", "--credentials", str(tmp_path / "credentials.json")]
    with start_pipeline([*arguments, str(FIXTURES / "declarative-credentials.jenkinsfile")]) as process:
        assert process.stdout is not None
        log = process.stdout.read().splitlines()
    values = ["me:pass", "me", "pass", "tok", "https://me@host", "me:pass|pass|tok|https://me@host"]
    assert f"bound: [{', '.join(value[::-1] for value in values)}]" in log
    assert log[-2:] == ["ERROR: Could not find credentials entry with ID 'missing'", "Finished: FAILURE"]
    assert "NEVER" not in log


def mistakes(result: PipelineResult) -> list[str]:
    """Return the mistakes a build was refused with; no stage may have begun."""
    first, *found, last = said(result)
    assert (first, last, stages(result)) == ("ERROR: startup failed:", "Finished: FAILURE", [])
    return [line.removeprefix("WorkflowScript: ") for line in found]


def test_a_block_without_its_sections_is_refused(results: Results) -> None:
    assert mistakes(results["empty"]) == ['Missing required section "agent"', 'Missing required section "stages"']


MISTAKES = [
    'Undefined section "foo"',
    "Expected a stage",
    'Unknown stage section "sh". Starting with version 0.5, steps in a stage must be in a \u2018steps\u2019 block.',
    'Expected one of "steps", "stages", or "parallel" for stage "outside"',
    'Expected one of "steps", "stages", or "parallel" for stage "nothing"',
    'Expected one of "steps", "stages", or "parallel" for stage "matrix"',
    'Only one of "matrix", "parallel", "stages", or "steps" allowed for stage "both"',
    '"agent" is not allowed in stage "agent of branches" as it contains parallel stages',
    "Parallel stages or branches can only be included in a top-level stage.",
    'Invalid agent type "cluster" specified.…',
    'Invalid option type "checkers". Valid option types: retry, timeout,…',
    'Invalid parameter type "colour". Valid parameter types: booleanParam, choice, string, text',
    'Invalid condition "sometimes" - valid conditions are always,…',
    "Unknown conditional sunny. Valid conditionals are: allOf,…",
    *(
        f'The pipeline runner does not play "{name}"'
        for name in ["changeset", "docker", "input", "libraries", "matrix", "tools"]
    ),
]


def test_all_mistakes_are_said_at_once_and_by_name(results: Results) -> None:
    found = mistakes(results["mistakes"])
    assert len(found) == len(MISTAKES)
    for expected in MISTAKES:
        assert any(line.startswith(expected[:-1]) if expected.endswith("…") else line == expected for line in found)
