"""Credentials, artifacts, timeouts and lost agents in the pipeline runner, on real pods."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_pipeline_pods import FIXTURES, made_home
from tests.support.pipeline import PipelineResult, run_pipeline, start_pipeline

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

PASSWORD = "s3cr'et word"
CREDENTIALS = {
    "registry": {"type": "usernamePassword", "username": "ann", "password": PASSWORD},
    "config": {"type": "file", "name": "config.json", "content": '{"é": 1}'},
}
WORKSPACE = "/home/jenkins/agent/workspace/steps"
INTERRUPTED = "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException: null"
# "name: value" lines of steps.jenkinsfile, as regular expressions.
ROWS = {
    "from a process": r"ann \*\*\*\*",
    "in pieces": r"\*\*\*\*",
    "in the container": r"\*\*\*\*",
    "on stderr": r"\*\*\*\*",
    "no line end": r"\*\*\*\*",
    "secret file": r'{"é": 1} @tmp/secretFiles/[0-9a-f-]{36}/config.json',
    "mode": r"\[400, 700\]",
    "not captured": str(len(PASSWORD)),
    "after the block": r"false \[\]",
    "in a failing block": "hudson.AbortException: script returned exit code 5",
    "after a failing block": "false",
    "in a timeout": INTERRUPTED,
    "after a timeout": "false",
    "nothing to archive": r"hudson.AbortException: No artifacts found that match the file pattern \"\*\.jar\"\. "
    r"Configuration error\?",
    "nothing, allowed": "null",
    "stashed": r"\[./out/a.txt, ./out/sub/b.txt\]",
    "empty stash": "hudson.AbortException: No files included in stash \u2018none\u2019",
    "no stash": "hudson.AbortException: No such saved stash \u2018none\u2019",
    "own activity": "null",
    "tries after a deleted pod": "2",
    "tries after a completed container": f"1 {INTERRUPTED}",
    "before it fails": r"\*\*\*\*",
}


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = made_home(lab, tmp_path_factory.mktemp("home"), "steps-test")
    (home / "credentials.json").write_text(json.dumps(CREDENTIALS), encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def steps(lab: Lab, home: Path) -> PipelineResult:
    """One build for all rows; the pod whose name it prints is deleted under it."""

    def delete(line: str) -> None:
        if line.startswith("delete "):
            lab.kubectl("delete", "pod", "-n", lab.settings["LAB_NAMESPACE"], line.removeprefix("delete "))

    return run_pipeline(
        FIXTURES / "steps.jenkinsfile",
        home,
        FIXTURES / "library",
        env={"NAMESPACE": lab.settings["LAB_NAMESPACE"], "IMAGE": lab.settings["LAB_KANIKO_IMAGE"]},
        kubeconfig=lab.kubeconfig,
        job="steps",
        more=["--credentials", str(home / "credentials.json")],
        on_line=delete,
    )


@pytest.mark.parametrize("name", ROWS)
def test_row(steps: PipelineResult, name: str) -> None:
    line = next((line for line in steps.log.splitlines() if line.startswith(f"{name}: ")), steps.log)
    assert re.fullmatch(f"{name}: {ROWS[name]}", line), line


def test_the_log_announces_what_it_masks_and_never_shows_it(steps: PipelineResult) -> None:
    assert "Masking supported pattern matches of $PASS or $CONFIG\n" in steps.log
    assert "+ test ****\n" in steps.log  # set -x quotes the word its own way
    assert PASSWORD not in steps.log


def test_artifacts_land_in_the_build_of_the_controller(steps: PipelineResult, home: Path) -> None:
    archive = home / "jobs" / "steps" / "builds" / "1" / "archive"
    files = {str(path.relative_to(archive)): path.read_text() for path in archive.rglob("*") if path.is_file()}
    assert files == {"out/a.txt": "a\n", "out/sub/b.txt": "b\n"}, steps.log


def test_a_lost_agent_is_named_before_the_next_try(steps: PipelineResult) -> None:
    assert re.search(r"\nAgent steps-test-\w{5} was deleted; cancelling node body\nRetrying\n", steps.log)


def test_a_failed_build_leaves_no_pod(lab: Lab, steps: PipelineResult) -> None:
    assert steps.log.endswith("ERROR: script returned exit code 6\nFinished: FAILURE\n")
    assert not lab.living_pods("steps-test-", "steps-1-")


def test_an_abort_kills_the_process_and_keeps_the_secret(lab: Lab, home: Path) -> None:
    arguments = ["--home", str(home), "--job", "abort", "--credentials", str(home / "credentials.json")]
    with start_pipeline([*arguments, str(FIXTURES / "abort.jenkinsfile")], lab.kubeconfig) as process:
        assert process.stdout is not None
        assert "started ****\n" in iter(process.stdout.readline, "")
        process.send_signal(signal.SIGTERM)
        log = process.stdout.read()
    lines = ["Aborted", "Sending interrupt signal to process", "script returned exit code 143", "Aborted"]
    said = r"\n(?:.*\n)*?".join(lines)
    assert re.fullmatch(rf"(?:.*\n)*?{said}\nFinished: ABORTED\n", log), log
    assert PASSWORD not in log
    assert not lab.living_pods("steps-test-")
