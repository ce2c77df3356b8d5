"""Each example, as a repository of its own, builds with its own Jenkinsfile: what its reader gets."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed, git

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

EXAMPLES = ROOT / "examples"
BASE_LAYERS = 2


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synced_home(tmp_path_factory.mktemp("fleet"))


def build(
    lab: Lab, home: Path, folder: Path, name: str, jenkinsfile: str = "Jenkinsfile", more: Sequence[str] = ()
) -> PipelineResult:
    example = EXAMPLES / name
    files = {path.name: path.read_text(encoding="utf-8") for path in example.iterdir()}
    source = committed(folder, files)
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    result = run_pipeline(
        example / jenkinsfile, home, ROOT, source, environment, lab.kubeconfig, job=name, build_number=7, more=more
    )
    assert result.result == "SUCCESS", result.log
    return result


def said(result: PipelineResult, name: str) -> str:
    (line,) = re.findall(rf"^{name}:? (\S+@\S+)$", result.log, re.MULTILINE)
    return str(line)


def test_the_commented_pipeline_of_the_example(lab: Lab, home: Path, registry: Registry, tmp_path: Path) -> None:
    """The one above it is what `make demo` runs."""
    text = (ROOT / "Jenkinsfile.example").read_text(encoding="utf-8")
    jenkinsfile = tmp_path / "Jenkinsfile"
    jenkinsfile.write_text(text[text.index("/*\n") + 3 : text.index("*/")], encoding="utf-8")
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    result = run_pipeline(jenkinsfile, home, ROOT, ROOT, environment, lab.kubeconfig, job="full", build_number=7)
    assert result.result == "SUCCESS", result.log
    digest, _ = registry.manifest("team/flask", "build-7")
    head = git(ROOT, "rev-parse", "HEAD")
    reference = f"{lab.settings['LAB_REGISTRY']}/team/flask@{digest}"
    assert re.search(rf"^deploy {reference}, built from {head}, \d+ steps from the cache$", result.log, re.MULTILINE)
    assert registry.config("team/flask", "build-7")["config"]["Labels"]["team"] == "web"


def test_multi_stage(lab: Lab, home: Path, registry: Registry, tmp_path: Path) -> None:
    result = build(lab, home, tmp_path, "multi-stage")
    repository = f"{lab.settings['LAB_REGISTRY']}/team/hello"
    for stage, tag in (("production", "1.0.7"), ("debug", "1.0.7-debug")):
        digest, _ = registry.manifest("team/hello", tag)
        assert said(result, stage) == f"{repository}@{digest}"
        config = registry.config("team/hello", tag)["config"]
        assert (config["User"], config["Cmd"]) == ("1000", ["python3", "/hello.pyz"])
        assert ("PYTHONDEVMODE=1" in config["Env"]) == (stage == "debug")
    files = registry.files("team/hello", "1.0.7", BASE_LAYERS)
    assert set(files) == {"/hello.pyz"}
    program = zipfile.ZipFile(io.BytesIO(files["/hello.pyz"]))
    assert program.read("version.py") == b"VERSION = '1.0.7'\n"
    assert "/src/app/version.py" in registry.files("team/hello", "1.0.7-debug", BASE_LAYERS)


def test_private_base(lab: Lab, home: Path, registry: Registry, tmp_path: Path) -> None:
    result = build(lab, home, tmp_path, "private-base")
    digest, manifest = registry.manifest("team/on-private-base", "7")
    assert said(result, "pushed") == f"{lab.settings['LAB_REGISTRY']}/team/on-private-base@{digest}"
    _, base = registry.manifest("library/python", "3.11-slim")
    assert [layer["digest"] for layer in manifest["layers"][:-1]] == [layer["digest"] for layer in base["layers"]]
    assert set(registry.files("team/on-private-base", "7", BASE_LAYERS)) == {"/etc/motd"}


def test_private_base_with_credentials_of_jenkins(lab: Lab, registry: Registry, tmp_path: Path) -> None:
    home = synced_home(tmp_path, lambda config: config["defaults"].pop("registrySecret"))
    account = {"type": "usernamePassword", "username": registry.user, "password": registry.password}
    (tmp_path / "credentials.json").write_text(json.dumps({"registry": account}), encoding="utf-8")
    more = ["--credentials", str(tmp_path / "credentials.json")]
    result = build(lab, home, tmp_path / "source", "private-base", "Jenkinsfile.credentials", more)
    digest, _ = registry.manifest("team/on-private-base", "7-credentials")
    assert said(result, "pushed") == f"{lab.settings['LAB_REGISTRY']}/team/on-private-base@{digest}"
    assert set(registry.files("team/on-private-base", "7-credentials", BASE_LAYERS)) == {"/etc/motd"}
