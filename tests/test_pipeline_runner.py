"""The pipeline runner does what was recorded on real controllers, as far as that needs no cluster."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.pipeline import PipelineResult, call_vectors, run_pipeline, start_pipeline

FIXTURES = Path(__file__).parent / "fixtures" / "pipeline"
LIBRARY = FIXTURES / "library"
ROOT = Path(__file__).parent.parent
CREDENTIALS = {
    "registry": {"type": "usernamePassword", "username": "ann", "password": "s3cret"},
    "token": {"type": "string", "secret": "first-line\nsecond-line"},
    "config": {"type": "file", "name": "config.json", "content": "{}"},
}
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

    (home / "credentials.json").write_text(json.dumps(CREDENTIALS), encoding="utf-8")
    given = ["--credentials", str(home / "credentials.json"), "--param", "WHO=a=b"]

    def run_fixture(name: str, library_name: str = "runner-test", more: Sequence[str] = ()) -> PipelineResult:
        return run_pipeline(
            FIXTURES / f"{name}.jenkinsfile",
            home,
            LIBRARY,
            env={"GIVEN": "x=y é"},
            library_name=library_name,
            timeout=60,
            more=[*given, *more],
        )

    return run_fixture


@pytest.fixture(scope="module")
def engine(run: Run) -> PipelineResult:
    return run("engine")


INTERRUPTED = "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException: null"
NO_NODE = (
    "org.jenkinsci.plugins.workflow.steps.MissingContextVariableException: "
    "Required context class hudson.FilePath is missing / "
    "Perhaps you forgot to surround the code with a step that provides this, such as: node"
)
# "name: value" lines of engine.jenkinsfile. A value that ends in "…" is a beginning.
ROWS = [
    "env outside a node: [null, null, null, null, null, null]",
    "identity: demo 1 jenkins-demo-1 x=y é",
    "withEnv: wrïtten a:b",
    "after withEnv: null",
    "expanded: 1 x=y é $NOBODY $A $1",
    f"sh outside: {NO_NODE}",
    "container outside: org.jenkinsci.plugins.workflow.steps.MissingContextVariableException: "
    "Required context class hudson.model.Node is missing / …",
    "unknown step: java.lang.NoSuchMethodError: No such DSL method 'nope' found among steps [archiveArtifacts, …",
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
    f"timeout: {INTERRUPTED}",
    "iterators: [x, y, kv, n]",
    "currentBuild: 1 #1 described null SUCCESS",
    "after warnError: UNSTABLE",
    "after buildResult SUCCESS: UNSTABLE",
    "after catchError: FAILURE",
    "params: a=b a=b a=b null",
    "println: in the script",
    "println in a closure: too",
    "not played: java.lang.UnsupportedOperationException: the pipeline runner does not play the step 'input'",
    "utility step: java.lang.NoSuchMethodError: No such DSL method 'readJSON' found among steps [archiveArtifacts, …",
    "rawBuild: org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException: Scripts not permitted to use "
    "method org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper getRawBuild",
    "result: java.lang.IllegalArgumentException: No such result: FINE",
    "retry with conditions: hudson.AbortException: once 1",
    f"retry and a timeout: {INTERRUPTED} 1",
    f"silence: {INTERRUPTED}",
    "inner timeout: went on",
    f"outer timeout: {INTERRUPTED}",
    f"not caught: {INTERRUPTED}",
    "bound: ann 6 22",
    "masked: ****, ****",
    "both: **** ann/**** 10",
    "unbound: [null, null, null]",
    "no credential: org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException: "
    "Could not find credentials entry with ID 'x'",
    "wrong type: org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException: "
    "Credentials 'registry' is of type 'usernamePassword' where 'string' was expected",
    f"file outside: {NO_NODE}",
    f"archive outside: {NO_NODE}",
]


# "name: value" lines of sandbox.jenkinsfile: what works, and what is refused with which signature.
SANDBOX = {
    "getClass": "java.lang.Exception String",
    "values": "[2, 07, 5, 1.5, b, 004]",
    "collections": "[a1, b2, 1, 2, 3, 1, 2, 1, 3]",
    "regex": "1truea-b",
    "time": "MINUTES true",
    "uuid": "36",
    "json": '{"a":[1]}',
    "own class": "8",
    "own exception": "mine",
    "non-CPS": "[Aa, Cc]",
    "closures": "10",
    "binding": "false",
    "steps": "true",
    "pure library": "WORD",
    "JsonSlurperClassic": "new groovy.json.JsonSlurperClassic",
    "list as JSON": "staticMethod groovy.json.JsonOutput toJson java.lang.Object",
    "max": "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods max java.util.Collection",
    "findAll": f"staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods findAll{2 * ' java.lang.String'}",
    "TimeUnit": "method java.util.concurrent.TimeUnit toSeconds long",
    "Jenkins": "staticMethod jenkins.model.Jenkins get",
    "Jenkins in NonCPS": "staticMethod jenkins.model.Jenkins get",
    "getenv": "staticMethod java.lang.System getenv java.lang.String",
    "out": "staticField java.lang.System out",
    "exit": "staticMethod java.lang.System exit int",
    "Runtime": "staticMethod java.lang.Runtime getRuntime",
    "Thread": "staticMethod java.lang.Thread sleep long",
    "File": "new java.io.File java.lang.String",
    "as File": "new java.io.File java.lang.String",
    "Files": "staticMethod java.nio.file.Files exists java.nio.file.Path java.nio.file.LinkOption[]",
    "Paths": "staticMethod java.nio.file.Paths get java.lang.String java.lang.String[]",
    "URL": "new java.net.URL java.lang.String",
    "toURL": "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods toURL java.lang.String",
    "ProcessBuilder": "new java.lang.ProcessBuilder java.lang.String[]",
    "execute": "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods execute java.lang.String",
    "execute a list": "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods execute java.util.List",
    "reflection": "method java.lang.Class getDeclaredMethods",
    "forName": "staticMethod java.lang.Class forName java.lang.String",
    "class loader": "method java.lang.Class getClassLoader",
    "GroovyShell": "new groovy.lang.GroovyShell",
    "Eval": "staticMethod groovy.util.Eval me java.lang.String",
    "evaluate": "method groovy.lang.Script evaluate java.lang.String",
    "metaClass": "staticMethod org.codehaus.groovy.runtime.DefaultGroovyMethods getMetaClass java.lang.Object",
    "own metaClass": "method groovy.lang.GroovyObject getMetaClass",
    "metaClass of env": "method groovy.lang.GroovyObject getMetaClass",
    "rawBuild": "method org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper getRawBuild",
    "RuntimeException": "new java.lang.RuntimeException java.lang.String",
    "runner": "staticMethod pipeline.Build getCurrent",
}


@pytest.fixture(scope="module")
def sandbox(run: Run) -> PipelineResult:
    return run("sandbox")


@pytest.fixture(scope="module")
def untrusted(run: Run) -> PipelineResult:
    """The same Jenkinsfile with the library of a folder."""
    return run("sandbox", "unused", ["--untrusted-library", f"runner-test={LIBRARY}"])


@pytest.mark.parametrize("name", SANDBOX)
def test_sandbox(sandbox: PipelineResult, untrusted: PipelineResult, name: str) -> None:
    assert f"\n{name}: {SANDBOX[name]}\n" in sandbox.log
    assert f"\n{name}: {SANDBOX[name]}\n" in untrusted.log


def test_only_a_trusted_library_may_ask_jenkins(sandbox: PipelineResult, untrusted: PipelineResult) -> None:
    assert "\nlibrary: [empty:false, clouds:[kubernetes]]\n" in sandbox.log
    assert "\nlibrary: staticMethod jenkins.model.Jenkins get\n" in untrusted.log


def test_the_step_in_an_untrusted_library_cannot_tell_who_has_a_label(run: Run) -> None:
    result = run("untrusted", "unused", ["--untrusted-library", f"jenkins-kaniko={ROOT}"])
    assert "There are no nodes with the label \u2018nobody\u2019\n" in result.log
    assert result.log.endswith("Timeout has been exceeded\nFinished: ABORTED\n")


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
