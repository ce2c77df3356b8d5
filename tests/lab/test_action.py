"""action.yml: its scripts, run as GitHub runs them, build on the lab; and what is given to them stays data."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.lab.building import Builds, write
from tests.support.github_action import Action, Ran
from tests.support.registry import Registry

ROOT = Path(__file__).parent.parent.parent
PACKAGED = ("jenkins_kaniko", "resources", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
HOSTILE = "'\"`touch pwned`$(touch pwned);touch pwned\\ *"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Action:
    """The action as a runner checks it out, after its first step."""
    checkout = tmp_path_factory.mktemp("checkout of the action")
    for name in (*PACKAGED, "constraints.txt", "action.yml"):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, checkout / name)
    action = Action(checkout, tmp_path_factory.mktemp("temp of the runner"))
    installed = action.run({}, checkout, environment(), last=1)
    assert installed.returncode == 0, installed.stderr
    return action


@pytest.fixture
def inputs(builds: Builds, image: str) -> dict[str, str]:
    return {
        "tags": f"{image}:action",
        "namespace": builds.namespace,
        "ca-bundle": "lab-ca",
        "builder-image": builds.lab.settings["LAB_KANIKO_IMAGE"],
        "builder-distribution": "chainguard",
        "builder-version": "1.25.6",
        "options": "--profile=small\n",
    }


def environment() -> dict[str, str]:
    """What a runner gives to a step; what is installed for the tests is not on its path."""
    path = os.environ["PATH"].split(os.pathsep)
    return {**os.environ, "PATH": os.pathsep.join(one for one in path if Path(one) != Path(sys.executable).parent)}


def run(action: Action, inputs: dict[str, str], builds: Builds, workspace: Path) -> Ran:
    return action.run(inputs, workspace, {**environment(), "KUBECONFIG": str(builds.kubeconfig)}, first=1)


def test_a_workflow_gets_its_image(
    action: Action, inputs: dict[str, str], builds: Builds, image: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "app" / "docker").mkdir(parents=True)
    (tmp_path / "app" / "docker" / "File").write_text(
        "FROM scratch AS wanted\nARG WHO\nLABEL who=$WHO\nCOPY . /app\nFROM scratch\n"
    )
    more = {
        "context": ".",
        "subfolder": "app",
        "file": "docker/File",
        "target": "wanted",
        "tags": f"{image}:action\n{image}:latest\n",
        "build-args": "WHO=somebody\nUNUSED=1\n",
        "timeout": "5m",
    }
    done = run(action, {**inputs, **more}, builds, tmp_path)
    assert done.returncode == 0, done.stderr
    digest, _ = registry.manifest("build/app", "action")
    assert registry.manifest("build/app", "latest")[0] == digest
    assert done.outputs == {"image": image, "digest": digest, "ref": f"{image}@{digest}"}
    assert registry.config("build/app", "action")["config"]["Labels"] == {"who": "somebody"}
    assert "/app/docker/File" in registry.files("build/app", "action")
    assert builds.left() == []


def test_what_is_given_is_never_code(
    action: Action, inputs: dict[str, str], builds: Builds, registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    write(folder, "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY Dockerfile /\n")
    before = sorted(tmp_path.iterdir())
    hostile = {
        "context": HOSTILE,
        "build-args": f"WHO=--no-push=true -t x\nUNUSED={HOSTILE}",
        "options": f"--profile=small\n--label=text={HOSTILE}",
    }
    done = run(action, {**inputs, **hostile}, builds, tmp_path)
    assert done.returncode == 0, done.stderr
    assert registry.config("build/app", "action")["config"]["Labels"] == {"text": HOSTILE, "who": "--no-push=true -t x"}
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("subfolder", 1), ("file", 1), ("target", 6), ("tags", 1), ("namespace", 5), ("timeout", 1), ("secrets", 1),
        ("options", 1),
    ],
)  # fmt: skip
def test_a_wrong_input_is_refused_as_what_it_is(
    action: Action, inputs: dict[str, str], builds: Builds, tmp_path: Path, name: str, code: int
) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(action, {**inputs, name: HOSTILE}, builds, tmp_path)
    assert (done.returncode, done.outputs) == (code, {"image": "", "digest": "", "ref": ""}), done.stderr
    assert sorted(tmp_path.iterdir()) == [tmp_path / "Dockerfile"]
    assert builds.left() == []
