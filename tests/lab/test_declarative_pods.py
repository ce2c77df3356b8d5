"""Declarative pipelines on real pods do what was recorded on real controllers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.test_pipeline_pods import FIXTURES, NODE, made_home
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.repository import committed, git

WORKSPACE = "/home/jenkins/agent/workspace/declared"
POD = """\
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers: [{name: jnlp, resources: {requests: {cpu: 10m, memory: 16Mi}}}]
"""

pytestmark = [pytest.mark.jvm, pytest.mark.lab]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return committed(tmp_path_factory.mktemp("scm"), {"Dockerfile": "FROM scratch\n", "pod.yaml": POD})


@pytest.fixture(scope="module")
def build(lab: Lab, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One build for all; its last stages fail on purpose, with two agents up."""
    home = made_home(lab, tmp_path_factory.mktemp("home"))
    text = (FIXTURES / "declarative-pods.jenkinsfile").read_text(encoding="utf-8")
    jenkinsfile = home / "declarative-pods.jenkinsfile"
    jenkinsfile.write_text(text.replace("NAMESPACE", lab.settings["LAB_NAMESPACE"]), encoding="utf-8")
    return run_pipeline(jenkinsfile, home, FIXTURES / "library", repository, kubeconfig=lab.kubeconfig, job="declared")


# "name: value" lines of declarative-pods.jenkinsfile, as regular expressions; COMMIT is the repository's.
MADE = r"(declared-1-(\w{5})-\w{5}-\w{5})\|(?!.*\bkaniko\b.*\|/).*declared_1-\2.*"
ROWS = {
    "inherits": rf"{MADE}\|{WORKSPACE}\|declared_1-\2\|kaniko",
    "checkout": "FROM scratch at COMMIT",
    "shell": r"FROM scratch at COMMIT\|FROM scratch",
    "other container": rf"{MADE}\|{WORKSPACE}\|declared_1-\2\|jnlp",
    "label": rf"({NODE})\|(\1 kaniko|kaniko \1)\|{WORKSPACE}\|.* true",
    "node": rf"({NODE})\|(\1 kaniko|kaniko \1)\|/home/jenkins/agent/own\|.* /home/jenkins/agent/own false",
    "in shell": "/home/jenkins/agent/own /home/jenkins/agent/own",
    "slow": "0 left",
    "yaml": rf"{MADE}\|{WORKSPACE}\|declared_1-\2\|.*",
    "post": r"in declared-1(-\w{5}){3}",
    "end": "FROM scratch",
    "result": rf"ABORTED {MADE}\|{WORKSPACE}\|declared_1-\2\|kaniko",
}


@pytest.mark.parametrize("name", ROWS)
def test_row(build: PipelineResult, repository: Path, name: str) -> None:
    line = next((line for line in build.log.splitlines() if line.startswith(f"{name}: ")), build.log)
    expected = ROWS[name].replace("COMMIT", git(repository, "rev-parse", "HEAD"))
    assert re.fullmatch(f"{name}: {expected}", line), line
