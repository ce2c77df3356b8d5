"""What commands of a registry say where there is no cluster, where it does not answer, and where it lets nobody in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jenkins_kaniko.cli import main
from tests.test_cluster import Api, api, home, kubeconfig

__all__ = ["api", "home"]

COMMANDS = {
    "install": ["install"],
    "status": ["status"],
    "ls": ["ls"],
    "rm": ["rm", "app:1", "--yes"],
    "gc": ["gc"],
    "remove": ["remove", "--yes"],
    "trust": ["trust"],
    "verify": ["verify"],
}
FIRST = {"trust": "service shared-services", "verify": "service shared-services"}
"""What a command asks for first, where that is not the registry's settings."""
every_command = pytest.mark.parametrize("name", COMMANDS)
every_output = pytest.mark.parametrize("output", ["text", "json"])


def refused(name: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a command ends with, which is in its JSON too."""
    monkeypatch.setattr(sys, "argv", ["jenkins-kaniko", "registry", *COMMANDS[name], "-o", output])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 5
    [line] = said.err.splitlines()
    message = line.removeprefix("jenkins-kaniko: ")
    error = {"message": message, "exitCode": 5}
    told = {"schemaVersion": 1, "command": f"registry {name}", "error": error}
    assert (json.loads(said.out) if output == "json" else said.out) == (told if output == "json" else "")
    return message


def first(name: str) -> str:
    return FIRST.get(name, "configmap shared-services")


@every_output
@every_command
def test_no_cluster_is_configured(
    home: Path, name: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(name, output, monkeypatch, capsys)
    assert said == "the cluster: no cluster configured: Service host/port is not set."


@every_output
@every_command
def test_the_cluster_does_not_answer(
    home: Path, name: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "kubeconfig").write_text(json.dumps(kubeconfig("http://127.0.0.1:9")), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    said = refused(name, output, monkeypatch, capsys)
    assert said.startswith(f"{first(name)}: the cluster cannot be reached: ")
    assert "Connection refused" in said


@every_output
@every_command
def test_the_cluster_lets_nobody_in(
    api: Api, name: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.status = 401
    said = refused(name, output, monkeypatch, capsys)
    assert said == f"{first(name)}: the cluster answers 401 Unauthorized; log in to it again"
