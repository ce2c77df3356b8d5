"""The pipeline runner does what was recorded on real controllers, as far as that needs no cluster."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pipeline import PipelineResult, call_vectors, run_pipeline, start_pipeline

FIXTURES = Path(__file__).parent / "fixtures" / "pipeline"
LIBRARY = FIXTURES / "library"
CONFIG = """<?xml version='1.1' encoding='UTF-8'?>
<hudson><clouds><org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud><name>kubernetes</name><templates>
<org.csanchez.jenkins.plugins.kubernetes.PodTemplate><id>t</id><name>kaniko</name><label>kaniko</label>
</org.csanchez.jenkins.plugins.kubernetes.PodTemplate>
</templates></org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud></clouds></hudson>
"""

pytestmark = pytest.mark.jvm

Run = Callable[..., PipelineResult]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("home")
    (home / "config.xml").write_text(CONFIG, encoding="utf-8")

    def run_fixture(name: str) -> PipelineResult:
        jenkinsfile = FIXTURES / f"{name}.jenkinsfile"
        return run_pipeline(jenkinsfile, home, LIBRARY, env={"GIVEN": "x=y é"}, library_name="runner-test", timeout=60)

    return run_fixture


@pytest.fixture(scope="module")
def engine(run: Run) -> PipelineResult:
    return run("engine")


# "name: value" lines of engine.jenkinsfile. A value that ends in "…" is a beginning.
ROWS = [
    "env outside a node: [null, null, null, null, null, null]",
    "identity: demo 1 jenkins-demo-1 x=y é",
    "withEnv: wrïtten a:b",
    "after withEnv: null",
    "sh outside: org.jenkinsci.plugins.workflow.steps.MissingContextVariableException: "
    "Required context class hudson.FilePath is missing / "
    "Perhaps you forgot to surround the code with a step that provides this, such as: node",
    "container outside: org.jenkinsci.plugins.workflow.steps.MissingContextVariableException: "
    "Required context class hudson.model.Node is missing / …",
    "unknown step: java.lang.NoSuchMethodError: No such DSL method 'nope' found among steps [catchError, …",
    "unknown parameter: java.lang.IllegalArgumentException: Unknown parameter(s) found for step 'echo': colour",
    "map: abc",
    "unknown argument: abc",
    "positional: groovy.lang.MissingMethodException: No signature of method: probe.call() is applicable "
    "for argument types: (java.lang.String) values: [abc] / Possible solutions: call(java.util.Map)…",
    "this.binding: groovy.lang.MissingFieldException: No such field: binding for class: probe",
    "getBinding: false",
    "resource: Grüße, é",
    "no resource: hudson.AbortException: No such library resource nope could be found.",
    "LazyMap: java.io.NotSerializableException: groovy.json.internal.LazyMap",
    "classic: 1",
    "label: [empty:false, clouds:[kubernetes]]",
    "no label: [empty:true, clouds:[]]",
    "retry: 2",
    "parallel: [a:A, b:B] wrïtten b",
    "failFast: hudson.AbortException: bad",
    "timeout: org.jenkinsci.plugins.workflow.steps.FlowInterruptedException: null",
    "iterators: [x, y, kv, n]",
    "currentBuild: 1 #1 described null SUCCESS",
    "after catchError: FAILURE",
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.partition(":")[0])
def test_recorded_row(engine: PipelineResult, row: str) -> None:
    name = row.partition(": ")[0]
    line = next((line for line in engine.log.splitlines() if line.startswith(f"{name}: ")), engine.log)
    assert line.startswith(row[:-1]) if row.endswith("…") else line == row


def test_matcher_across_a_step_fails_the_build(engine: PipelineResult) -> None:
    assert "java.io.NotSerializableException: java.util.regex.Matcher" in engine.log
    assert "must not get here" not in engine.log
    assert (engine.result, engine.exit_code) == ("FAILURE", 1)


def test_a_label_nobody_has_waits_for_ever(run: Run) -> None:
    result = run("queue")
    assert "Still waiting to schedule task\nThere are no nodes with the label \u2018nobody\u2019\n" in result.log
    assert "Timeout has been exceeded\nFinished: ABORTED" in result.log
    assert (result.result, result.exit_code) == ("ABORTED", 1)


def test_unknown_library(run: Run) -> None:
    result = run("unknown-library")
    assert "ERROR: Could not find any definition of libraries [unheard-of]" in result.log
    assert "WorkflowScript: Loading libraries failed" in result.log
    assert result.result == "FAILURE"


def test_a_step_in_non_cps_code_fails_the_build(run: Run) -> None:
    result = run("noncps")
    assert "expected to call probe.wrapped but wound up catching sh; see: https://jenkins.io/redirect/" in result.log
    assert result.result == "FAILURE"


def test_sigterm_aborts(tmp_path: Path) -> None:
    with start_pipeline(["--home", str(tmp_path), "--job", "demo", str(FIXTURES / "queue.jenkinsfile")]) as process:
        assert process.stdout is not None
        assert "[Pipeline] node\n" in iter(process.stdout.readline, "")
        process.send_signal(signal.SIGTERM)
        log = process.stdout.read()
    assert process.returncode != 0
    assert log.endswith("Finished: ABORTED\n")


def test_vectors() -> None:
    script = LIBRARY / "vars" / "probe.groovy"
    assert call_vectors(script, "pure", [["é"], [""]]) == [{"result": "É"}, {"result": ""}]
    assert call_vectors(script, "refuse", [["so"]]) == [{"error": "not so"}]
    assert call_vectors(script, "viaMethod", [[]]) == [{"error": "viaMethod calls viaMethod, which is not @NonCPS"}]
