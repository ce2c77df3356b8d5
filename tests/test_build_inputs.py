"""What else a build takes: a folder of the source, an engine by name, secrets for RUN lines."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.cli import cli

IMAGE = "registry.example.com/team/app"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KUBE_NAMESPACE", "BUILD_TIMEOUT", "KANIKO_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["build", ".", "-t", f"{IMAGE}:1", "--render", *arguments], env=environment)


def rendered(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    done = run(*arguments, **environment)
    assert done.exit_code == 0, done.output
    return list(yaml.safe_load_all(done.stdout))


def refusal(*arguments: str, **environment: str) -> str:
    done = run(*arguments, **environment)
    assert isinstance(done.exception, errors.WrongInputError)
    return str(done.exception)


# --- a folder of the source, and the engine --------------------------------------------------------------------------


def test_a_folder_of_the_source_is_the_context(folder: Path) -> None:
    (folder / "services" / "api" / "docker").mkdir(parents=True)
    (folder / "services" / "api" / "docker" / "Dockerfile").write_text("FROM scratch\n")
    config_map, job = rendered("--subfolder", "services/api", "--file", "docker/Dockerfile")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(config_map["binaryData"]["context.tar.gz"]))) as archive:
        assert archive.getnames() == ["docker", "docker/Dockerfile"]
    assert "--dockerfile=docker/Dockerfile" in job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_folder_that_is_not_there_is_refused() -> None:
    assert refusal("--subfolder", "nowhere") == ".: there is no folder 'nowhere' in it"
    assert refusal("--subfolder", "..") == ".: the subfolder '..' lies outside of it"


def test_the_engine_has_a_name() -> None:
    (builder,) = rendered("--engine", "kaniko")[1]["spec"]["template"]["spec"]["containers"]
    assert builder["name"] == "kaniko"
    assert refusal("--engine", "docker") == "option engine: 'docker' is not an engine (valid: kaniko)"
