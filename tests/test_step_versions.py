"""What a template's builder lacks is told before a pod starts: the step looks the template up on its controller."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.standin import StandIn

pytestmark = pytest.mark.jvm

ROOT = Path(__file__).parent.parent
JENKINSFILE = """\
@Library('jenkins-kaniko') _

def attempt(String name, Closure body) {
    try {
        body()
    } catch (error) {
        echo "${name}: ${error.message.replace('\\n', ' / ')}"
    }
}

Map noted = [image: 'r/noted', context: 'git://git.example.com/app.git', annotations: [team: 'a'], agent: 'old']
attempt('one') { kanikoBuild(noted) }
attempt('all') { kanikoBuildAll([noted, noted + [name: 'again'], [image: 'r/plain', agent: 'nobody']]) }
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """A run of a trusted library, which may ask, on a controller with a template of an old builder; no cluster."""
    folder = tmp_path_factory.mktemp("fleet")
    with StandIn(folder / "controller") as controller:
        config = {
            "fleet": "acme",
            "defaults": {"namespace": "builds"},
            "controllers": {"main": {"url": controller.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}}},
            "templates": {
                "old": {"labels": ["old"], "image": "r/kaniko:1", "distribution": "google", "version": "1.24.0"}
            },
        }
        (folder / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "sync"]
        subprocess.run(command, cwd=folder, env={**os.environ, "JENKINS_TOKEN": controller.admin.token}, check=True)
    (folder / "Jenkinsfile").write_text(JENKINSFILE, encoding="utf-8")
    result = run_pipeline(folder / "Jenkinsfile", folder / "controller", ROOT)
    assert result.result == "SUCCESS", result.log
    return result


def said(build: PipelineResult, name: str) -> str:
    (line,) = re.findall(rf"^{name}: (.*)$", build.log, re.MULTILINE)
    return str(line)


LACKS = (
    "option annotations: --annotation needs chainguard 1.25.6 or osscontainertools 1.25.3 or later; "
    "the template's builder is google 1.24.0"
)


def test_one_build(build: PipelineResult) -> None:
    assert said(build, "one") == f"kanikoBuild: {LACKS}"


def test_of_many_builds_all_at_once(build: PipelineResult) -> None:
    assert said(build, "all") == f"kanikoBuildAll: noted: {LACKS} /   again: {LACKS}"


def test_no_agent_is_asked_for(build: PipelineResult) -> None:
    assert "[Pipeline] node\n" not in build.log
    assert "the packaged agent pod is used" not in build.log
