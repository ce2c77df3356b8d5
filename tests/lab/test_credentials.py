"""Jenkins credentials with a real Kaniko and a registry that wants an account; the template has no secret."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "credentials-pods.jenkinsfile"
AWKWARD = 'it\'s "$HOME" `id` \\n %s é\nsecond line'
TOKEN = "t0ken-word"
SOURCE = {
    "Dockerfile": "FROM python:3.11-slim\nRUN env > /env\nCOPY . /context\n",
    "private/Dockerfile": "FROM registry.lab.test:5000/library/python:3.11-slim\nRUN touch /built\n",
    "broken/Dockerfile": "FROM python:3.11-slim\nRUN exit 3\n",
}


@pytest.fixture(scope="module")
def store(lab: Lab, registry: Registry) -> dict[str, dict[str, str]]:
    auth = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    config = json.dumps({"auths": {lab.settings["LAB_REGISTRY"]: {"auth": auth}}})
    return {
        "account": {"type": "usernamePassword", "username": registry.user, "password": registry.password},
        "config": {"type": "file", "name": "docker config.json", "content": config},
        "awkward": {"type": "usernamePassword", "username": "DOMAIN\\user", "password": AWKWARD},
        "token": {"type": "string", "secret": TOKEN},
    }


@pytest.fixture(scope="module")
def build(lab: Lab, store: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One run for all tests, on a controller that `jenkins-kaniko sync` brought the template to."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "credentials.json").write_text(json.dumps(store), encoding="utf-8")
    result = run_pipeline(
        JENKINSFILE,
        synced_home(folder, lambda config: config["defaults"].pop("registrySecret")),
        ROOT,
        committed(folder / "source", SOURCE),
        {"REGISTRY": lab.settings["LAB_REGISTRY"], "PLAIN": lab.settings["LAB_PLAIN_REGISTRY_ADDRESS"]},
        lab.kubeconfig,
        job="credentials",
        more=["--credentials", str(folder / "credentials.json")],
    )
    assert result.result == "SUCCESS", result.log
    return result


def said(build: PipelineResult, name: str) -> str:
    (line,) = re.findall(rf"^{name}: (.*)$", build.log, re.MULTILINE)
    return str(line)


def test_without_credentials_the_registry_refuses(build: PipelineResult) -> None:
    assert re.search("UNAUTHORIZED|unauthorized", said(build, "none"))


@pytest.mark.parametrize("name", ["account", "file"])
def test_an_account_and_a_whole_docker_config_log_in(
    lab: Lab, registry: Registry, build: PipelineResult, name: str
) -> None:
    digest, _ = registry.manifest(f"credentials/{name}", "1")
    assert said(build, name) == f"{lab.settings['LAB_REGISTRY']}/credentials/{name}@{digest}"


def test_a_private_base_image_and_a_push_elsewhere_have_an_account_each(lab: Lab, build: PipelineResult) -> None:
    place = f"{lab.settings['LAB_PLAIN_REGISTRY_ADDRESS']}/credentials/several"
    assert re.fullmatch(rf"{place}@sha256:[0-9a-f]{{64}}", said(build, "several"))


def test_wrong_credentials_end_the_step_with_what_is_wrong(build: PipelineResult) -> None:
    assert re.search("UNAUTHORIZED|unauthorized", said(build, "wrong password"))
    tried = "tried as username with password and as secret file"
    missing = "Could not find credentials entry with ID 'nope'"
    assert said(build, "unknown") == f"kanikoBuild: credentialsId 'nope': {tried}: {missing}"
    other = "Credentials 'token' is of type 'string' where 'file' was expected"
    assert said(build, "wrong type") == f"kanikoBuild: credentialsId 'token': {tried}: {other}"


def digest_of(text: str) -> str:
    return f"{hashlib.sha256(text.encode()).hexdigest()}  -"


def test_any_password_and_secret_arrives_in_the_builder(
    store: dict[str, dict[str, str]], build: PipelineResult
) -> None:
    assert said(build, "auth") == digest_of(f"DOMAIN\\user:{AWKWARD}")
    assert said(build, "secrets") == "env=JENKINS_KANIKO_SECRET_1 true"
    assert said(build, "variable") == digest_of(TOKEN)
    assert said(build, "mounted") == digest_of(store["config"]["content"])
    assert said(build, "modes").split() == ["700", "600"]


def secrets(store: dict[str, dict[str, str]]) -> list[str]:
    """Return every secret of the store, as it is and in base64."""
    words = [TOKEN, *AWKWARD.splitlines(), store["account"]["password"], store["config"]["content"]]
    for name in ("account", "awkward"):
        words += [store[name]["password"], f"{store[name]['username']}:{store[name]['password']}"]
    return words + [base64.b64encode(word.encode()).decode() for word in words]


def test_the_log_never_had_a_secret_to_mask(store: dict[str, dict[str, str]], build: PipelineResult) -> None:
    assert "****" not in build.log
    assert [word for word in secrets(store) if word in build.log] == []
    assert "failed to execute command" in said(build, "broken")  # a failed build is in that log


def test_the_image_has_neither_credentials_nor_their_variables(
    registry: Registry, store: dict[str, dict[str, str]], build: PipelineResult
) -> None:
    files = registry.files("credentials/account", "1", base_layers=2)
    mine = {name for name in files if not name.startswith("/context/.git/")}
    assert mine == {"/env", *(f"/context/{name}" for name in SOURCE)}
    content = b"\n".join(files.values())
    assert [word for word in [*secrets(store), "JENKINS_KANIKO_"] if word.encode() in content] == []


@pytest.mark.parametrize("tag", ["account", "file"])
def test_a_context_above_the_current_folder_has_no_credentials(
    registry: Registry, store: dict[str, dict[str, str]], build: PipelineResult, tag: str
) -> None:
    files = registry.files("credentials/nested", tag, base_layers=2)
    mine = {name for name in files if not name.startswith("/context/.git/")}
    assert mine == {"/env", *(f"/context/{name}" for name in SOURCE)}
    content = b"\n".join(files.values())
    assert [word for word in secrets(store) if word.encode() in content] == []


def test_a_context_that_holds_the_folder_of_the_credentials_is_refused(build: PipelineResult) -> None:
    assert said(build, "too wide") == (
        "kanikoBuild: context '../../..' holds /home/jenkins/agent/workspace/credentials@tmp, where the credentials of "
        "the build are; name a folder of the workspace, or one that does not hold that one"
    )


def test_nothing_is_left_beside_the_workspace(build: PipelineResult) -> None:
    assert said(build, "left") == "[]"


HELPED = """@Library('jenkins-kaniko') _
node('kaniko') {
    writeFile(file: 'Dockerfile', text: "FROM ${env.REGISTRY}/library/python:3.11-slim\\nCOPY Dockerfile /\\n")
    def image = kanikoBuild(image: "${env.REGISTRY}/credentials/helped:1", credentialsId: 'config', cache: false)
    echo "helped: ${image.ref}"
}
"""
HELPER = """#!/busybox/sh
read -r server
echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"USER\\",\\"Secret\\":\\"PASSWORD\\"}"
"""


@pytest.fixture
def helper(lab: Lab, registry: Registry) -> Iterator[str]:
    """A Secret with a program that stands for a cloud's helper and knows the lab's account."""
    name = f"helper-{uuid.uuid4().hex[:6]}"
    script = HELPER.replace("USER", registry.user).replace("PASSWORD", registry.password)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"helper": script}}
    lab.kubectl("create", "-n", lab.settings["LAB_NAMESPACE"], "-f", "-", stdin=json.dumps(secret))
    yield name
    lab.kubectl("delete", "-n", lab.settings["LAB_NAMESPACE"], "secret", name)


def test_the_engine_asks_the_helper_that_a_docker_config_names(
    lab: Lab, registry: Registry, helper: str, tmp_path: Path
) -> None:
    program = {"name": "helper", "mountPath": "/kaniko/docker-credential-ecr-login", "subPath": "helper"}

    def with_helper(config: dict[str, Any]) -> None:
        config["defaults"].pop("registrySecret")
        template = config["templates"]["kaniko"]
        template["containers"] = [{"name": "kaniko", "volumeMounts": [program]}]
        template["volumes"] = [{"name": "helper", "secret": {"secretName": helper, "defaultMode": 0o755}}]

    config = json.dumps({"credHelpers": {lab.settings["LAB_REGISTRY"]: "ecr-login"}})
    store = {"config": {"type": "file", "name": "config.json", "content": config}}
    (tmp_path / "credentials.json").write_text(json.dumps(store), encoding="utf-8")
    (tmp_path / "Jenkinsfile").write_text(HELPED, encoding="utf-8")
    result = run_pipeline(
        tmp_path / "Jenkinsfile",
        synced_home(tmp_path, with_helper),
        ROOT,
        env={"REGISTRY": lab.settings["LAB_REGISTRY"]},
        kubeconfig=lab.kubeconfig,
        job="helped",
        more=["--credentials", str(tmp_path / "credentials.json")],
    )
    assert result.result == "SUCCESS", result.log
    digest, _ = registry.manifest("credentials/helped", "1")
    assert said(result, "helped") == f"{lab.settings['LAB_REGISTRY']}/credentials/helped@{digest}"


SHOWN = """@Library('jenkins-kaniko') _
node('kaniko') {
    checkout scm
    withCredentials([string(credentialsId: 'token', variable: 'TOKEN')]) {
        kanikoBuild(image: "${env.REGISTRY}/credentials/shown:1", dockerfile: 'shown/Dockerfile', cache: false,
                    credentialsId: 'account', buildArgs: [TOKEN: env.TOKEN])
    }
}
"""


def test_what_a_failed_run_prints_of_a_secret_is_masked_to_the_end(
    lab: Lab, registry: Registry, store: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """A RUN is root beside the engine; the account of the step, and what the pipeline itself has bound."""
    run = "tr '\\0' '\\n' </proc/$PPID/environ | grep PASSWORD; echo \"it is $TOKEN\"; exit 3"
    source = committed(tmp_path / "source", {"shown/Dockerfile": f"FROM python:3.11-slim\nARG TOKEN\nRUN {run}\n"})
    (tmp_path / "credentials.json").write_text(json.dumps(store), encoding="utf-8")
    (tmp_path / "Jenkinsfile").write_text(SHOWN, encoding="utf-8")
    result = run_pipeline(
        tmp_path / "Jenkinsfile",
        synced_home(tmp_path, lambda config: config["defaults"].pop("registrySecret")),
        ROOT,
        source,
        {"REGISTRY": lab.settings["LAB_REGISTRY"]},
        lab.kubeconfig,
        job="shown",
        more=["--credentials", str(tmp_path / "credentials.json")],
    )
    assert result.result == "FAILURE", result.log
    assert "\n  | JENKINS_KANIKO_LOGIN_1_PASSWORD=****\n  | it is ****\n" in result.log
    assert [word for word in (registry.password, TOKEN) if word in result.log] == []
    assert "last lines of the log" not in result.log[result.log.rindex("\nERROR: ") :]
