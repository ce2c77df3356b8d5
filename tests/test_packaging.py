"""What is installed is whole: resources, metadata and the command, as a wheel and from a working copy."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from jenkins_kaniko import __version__

ROOT = Path(__file__).parent.parent
RESOURCES = ROOT / "resources" / "jenkins_kaniko"
FILES = sorted(
    str(path.relative_to(RESOURCES))
    for path in RESOURCES.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
READ = """
import json, sys
from jenkins_kaniko import resources
names = json.load(sys.stdin)
print(json.dumps({"from": resources.__file__, "texts": {name: resources.text(name) for name in names}}))
"""


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: str = "") -> str:
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, env=env, cwd=cwd, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged: building writes into its tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("jenkins_kaniko", "resources"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, tree)
    [built] = folder.iterdir()
    return built


class Place:
    """An empty environment that sees the dependencies installed here, but not this package."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.bin = folder / "venv" / "bin"
        dependencies = folder / "dependencies"
        dependencies.mkdir()
        for path in Path(pytest.__file__).parent.parent.iterdir():
            if "jenkins_kaniko" not in path.name and path.suffix != ".pth":
                (dependencies / path.name).symlink_to(path)
        self.env = {**os.environ, "PYTHONPATH": str(dependencies)}

    def install(self, *what: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.bin / "python", "install")
        run(*pip, "--quiet", "--no-deps", "--no-index", "--no-build-isolation", *what, env=self.env)

    def check(self, home: Path) -> None:
        """Prove that the package below `home` runs and reads every resource."""
        found = json.loads(run(self.bin / "python", "-c", READ, env=self.env, cwd=self.bin, stdin=json.dumps(FILES)))
        assert found["texts"] == {name: (RESOURCES / name).read_text(encoding="utf-8") for name in FILES}
        assert Path(found["from"]).is_relative_to(home)
        assert (
            run(self.bin / "jenkins-kaniko", "--version", env=self.env, cwd=self.bin)
            == f"jenkins-kaniko {__version__}\n"
        )


def test_no_file_is_a_symbolic_link() -> None:
    listed = run("git", "-C", ROOT, "ls-files", "--stage").splitlines()
    assert len(listed) > 20
    assert [line for line in listed if line.startswith("120000")] == []


def test_the_wheel_holds_the_package_and_every_resource(wheel: Path) -> None:
    modules = {f"jenkins_kaniko/{path.name}" for path in (ROOT / "jenkins_kaniko").iterdir() if path.is_file()}
    resources = {f"jenkins_kaniko/data/{name}" for name in FILES}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == modules | resources


def test_the_wheel_asks_for_what_the_package_needs(wheel: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode().splitlines()
    needed = {line.removeprefix("Requires-Dist: ") for line in metadata if line.startswith("Requires-Dist: ")}
    assert {line for line in needed if "extra ==" not in line} == set(setup["options"]["install_requires"].split())
    assert f"Version: {__version__}" in metadata
    assert f"Requires-Python: {setup['options']['python_requires']}" in metadata


def test_an_installed_wheel_is_whole(wheel: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.install(wheel)
    place.check(tmp_path / "venv")


def test_an_editable_install_is_whole(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    place = Place(tmp_path)
    place.install("--editable", copy)
    place.check(copy)
