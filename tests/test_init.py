"""`init`, `validate` and `list` from the command line, as far as no controller is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jenkins_kaniko.config import load
from jenkins_kaniko.lint import warnings


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "jenkins-kaniko"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_init_writes_a_file_that_is_valid(tmp_path: Path) -> None:
    made = run(tmp_path, "init", "--fleet", "acme")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == "jenkins-kaniko.yaml: written; change it to your needs, then: jenkins-kaniko validate\n"
    fleet = load(tmp_path / "jenkins-kaniko.yaml")
    assert (fleet.name, list(fleet.controllers), [one.name for one in fleet.templates]) == (
        "acme",
        ["main"],
        ["kaniko"],
    )
    assert warnings(fleet) == []


def test_what_is_commented_out_in_it_is_valid_too(tmp_path: Path) -> None:
    run(tmp_path, "init")
    file = tmp_path / "jenkins-kaniko.yaml"
    keys = ("namespace", "registrySecret", "proxy", "registryMirrors", "caBundle", "ca", "cache")
    text = file.read_text(encoding="utf-8")
    for key in keys:
        assert f"# {key}: " in text
        text = text.replace(f"# {key}: ", f"{key}: ")
    file.write_text(text, encoding="utf-8")
    fleet = load(file)
    assert fleet.controllers["main"].ca == "jenkins-ca.pem"
    given = fleet.templates[0].settings.model_dump(by_alias=True, exclude_none=True)
    assert set(keys) - {"ca"} <= set(given)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "jenkins-kaniko.yaml"
    file.write_text("mine", encoding="utf-8")
    refused = run(tmp_path, "init")
    said = "jenkins-kaniko: jenkins-kaniko.yaml: there already; it is not overwritten\n"
    assert (refused.returncode, refused.stderr, file.read_text(encoding="utf-8")) == (1, said, "mine")


@pytest.mark.parametrize("name", ["Acme", "a'b", 'a"\n'])
def test_a_fleet_that_is_no_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    refused = run(tmp_path, "init", "--fleet", name)
    assert refused.returncode == 1
    assert "is not a name: lower-case letters" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_from_and_user_belong_together(tmp_path: Path) -> None:
    refused = run(tmp_path, "init", "--from", "https://jenkins.example.com")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, "Error: --from and --user belong together")


WARNED = "fleet: acme\ntemplates:\n  kaniko:\n    image: 'kaniko:latest'\n"
WARNING = "kaniko:latest changes under your feet; name a version"


def test_validate_shows_warnings_and_fails_on_them_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "jenkins-kaniko.yaml").write_text(WARNED, encoding="utf-8")
    shown = run(tmp_path, "validate")
    assert (shown.returncode, shown.stdout.splitlines()) == (
        0,
        [
            f"warning: jenkins-kaniko.yaml:4: templates.kaniko.image: {WARNING}",
            "jenkins-kaniko.yaml: fleet acme: 1 template, 0 controllers: valid, 1 warning",
        ],
    )
    strict = run(tmp_path, "validate", "--strict", "-o", "json")
    place = {"file": "jenkins-kaniko.yaml", "line": 4, "key": "templates.kaniko.image", "message": WARNING}
    assert (strict.returncode, json.loads(strict.stdout)["warnings"]) == (1, [place])
