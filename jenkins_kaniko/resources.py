"""The only opener of packaged files.

They live in resources/jenkins_kaniko because Jenkins' `libraryResource` reads them there; setup.cfg maps that
folder onto the package `jenkins_kaniko.data`, in wheels and in editable installs alike.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

PACKAGE = "jenkins_kaniko.data"


def text(name: str) -> str:
    """Return the packaged file `name` (a path below resources/jenkins_kaniko, with slashes)."""
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


def roles() -> list[str]:
    """Return the names of the files in rbac/, each the rights that a command needs."""
    return sorted(file.name.removesuffix(".yaml") for file in files(PACKAGE).joinpath("rbac").iterdir())


@cache
def engines_file() -> dict[str, Any]:
    """Return all of engines.json, as the step reads it too."""
    content: dict[str, Any] = json.loads(text("engines.json"))
    return content


def engines() -> dict[str, Any]:
    """Return the builder engines by name: images, mount paths, security contexts, flags."""
    table: dict[str, Any] = engines_file()["engines"]
    return table


def options() -> list[dict[str, Any]]:
    """Return the options of a build as a pipeline author knows them: name, type, default, rules and help of each."""
    rows: list[dict[str, Any]] = engines_file()["options"]
    return rows


def types() -> dict[str, str]:
    """Return the words for the types of options."""
    words: dict[str, str] = engines_file()["types"]
    return words


@cache
def diagnoses() -> list[dict[str, Any]]:
    """Return the known failures, special ones first: what they look like, what they mean, what to do."""
    entries: list[dict[str, Any]] = json.loads(text("diagnoses.json"))["diagnoses"]
    return entries
