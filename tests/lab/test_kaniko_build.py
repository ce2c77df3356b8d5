"""kanikoBuild() with real Kaniko in real agent pods: what the registry holds afterwards, and what a failure says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lablib import demo

from tests.lab.conftest import ROOT, Lab
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed
from tests.support.standin import StandIn

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "kaniko.jenkinsfile"
SOURCE = {
    "first/build/app.Dockerfile": """\
FROM python:3.11-slim AS build
ARG NOTE
ARG EMPTY
ARG NUMBER
RUN mkdir /srv/first && printf %s "$NOTE|$EMPTY|$NUMBER" > /srv/first/note
FROM scratch AS final
COPY --from=build /srv/first/note /note
COPY hello.txt /hello.txt
ENV STAGE=final
FROM scratch AS never
COPY missing /missing
""",
    "first/hello.txt": "hello\n",
    "second/Dockerfile": "FROM python:3.11-slim\nRUN ls /srv /note > /listing 2>&1 || true\n",
    "second/x.txt": "x\n",
    "slow/Dockerfile": "FROM python:3.11-slim\nRUN sleep 1000\n",
    "broken/Dockerfile": "FROM python:3.11-slim\nUSER root\nRUN echo one && \\\n  echo boom >&2 && \\\n  exit 3\n",
}


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    settings = lab.settings
    password = Path(settings["LAB_REGISTRY_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    return Registry(
        settings["LAB_REGISTRY_ADDRESS"], Path(settings["LAB_REGISTRY_CA"]), settings["LAB_REGISTRY_USER"], password
    )


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a controller that `jenkins-kaniko sync` brought the demo's template to."""
    folder = tmp_path_factory.mktemp("fleet")
    with StandIn(folder / "controller") as controller:
        config = demo.configuration(demo.lab_settings(), controller.url, controller.admin.name)
        # a token that only the cluster knows: read from its Secret by sync
        lab.kubectl("delete", "secret", "jenkins-token", "--ignore-not-found")
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "jenkins-token"},
            "stringData": {"token": controller.admin.token},
        }
        lab.kubectl("create", "-f", "-", stdin=json.dumps(secret))
        place = {"namespace": "default", "name": "jenkins-token", "key": "token"}
        config["controllers"]["main"]["token"] = {"secret": place}
        (folder / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "sync"]
        subprocess.run(command, cwd=folder, env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)}, check=True)
        lab.kubectl("delete", "secret", "jenkins-token")
    return folder / "controller"


@pytest.fixture(scope="module")
def build(lab: Lab, home: Path, tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One run of the pipeline for all tests of this module."""
    source = committed(tmp_path_factory.mktemp("source"), SOURCE)
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    result = run_pipeline(JENKINSFILE, home, ROOT, source, environment, lab.kubeconfig, job="step")
    assert result.result == "SUCCESS", result.log
    return result


def said(build: PipelineResult, name: str) -> str:
    (line,) = re.findall(rf"^{name}: (.*)$", build.log, re.MULTILINE)
    return str(line)


def test_the_returned_digest_is_that_of_every_pushed_tag(lab: Lab, registry: Registry, build: PipelineResult) -> None:
    digest, _ = registry.manifest("step/first", "1")
    assert registry.manifest("step/first", "latest")[0] == digest
    reference = f"{lab.settings['LAB_REGISTRY']}/step/first@{digest}"
    assert said(build, "first") == f"{reference} [1, latest] kaniko true"


def test_target_and_build_arguments_arrive_unchanged(registry: Registry, build: PipelineResult) -> None:
    files = registry.files("step/first", "1")
    assert files["/note"].decode() == 'it\'s "$HOME" `id` é\nsecond line||3'
    assert files["/hello.txt"] == b"hello\n"
    assert "STAGE=final" in registry.config("step/first", "1")["config"]["Env"]


def test_the_next_build_in_the_pod_sees_nothing_of_the_one_before(
    lab: Lab, registry: Registry, build: PipelineResult
) -> None:
    digest, _manifest = registry.manifest("step/second", "1")
    assert said(build, "second") == f"{lab.settings['LAB_REGISTRY']}/step/second {digest} [1]"
    files = registry.files("step/second", "1", base_layers=2)  # the base has two
    assert set(files) == {"/listing"}
    assert b"first" not in files["/listing"]


def test_a_build_inside_container_kaniko_works_and_caches_where_it_is_told(
    registry: Registry, build: PipelineResult
) -> None:
    assert said(build, "third").endswith(registry.manifest("step/third", "latest")[0])
    assert re.search(r"Checking for cached layer \S+/step/cache:", build.log)


def test_shells_and_workspace_survive_the_builds(build: PipelineResult) -> None:
    assert "the shell of the agent works" in build.log
    assert "the shell of the builder works" in build.log


def test_a_broken_dockerfile_is_named_with_line_and_cause(lab: Lab, build: PipelineResult) -> None:
    explained = build.log[build.log.index("\nbroken: ") :].splitlines()[1:4]
    image = f"{lab.settings['LAB_REGISTRY']}/step/broken"
    assert explained == [
        f"broken: kanikoBuild: {image}: build failed (exit code 3)",
        "  at /home/jenkins/agent/workspace/step/broken/Dockerfile:3: RUN echo one && \\",
        "  cause: the command of a RUN failed; its own message is in the lines below",
    ]


def test_a_timeout_ends_the_build_and_keeps_its_reason(build: PipelineResult) -> None:
    assert said(build, "slow") == "FlowInterruptedException"


def test_nothing_of_the_builds_is_left_beside_the_workspace(build: PipelineResult) -> None:
    assert said(build, "left in the temporary folder") == "[]"


def test_no_agent_is_left(lab: Lab, build: PipelineResult) -> None:
    made = re.findall(r"^Created Pod: .*/(\S+)$", build.log, re.MULTILINE)
    assert made
    assert not set(lab.living_pods("kaniko-")) & set(made)


def test_the_log_has_no_colour_codes(build: PipelineResult) -> None:
    assert "\033" not in build.log
