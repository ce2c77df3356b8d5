"""The section `builds` of a configuration: what only the table of options can say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jenkins_kaniko import resources
from jenkins_kaniko.document import Document, mapping
from jenkins_kaniko.errors import Problem
from jenkins_kaniko.fleetfile import Build
from jenkins_kaniko.options import complete, mistakes_in

KEYS = {str(field.alias) for field in Build.model_fields.values()}
OF_JENKINS = {"controllers", "templates", "defaults", "include"}


def only_builds(data: Mapping[str, Any]) -> bool:
    """Return whether a file is of somebody without Jenkins: nothing in it needs an owner mark."""
    return bool(data.get("builds")) and not data.keys() & OF_JENKINS


def build_mistakes(document: Document, known: Sequence[Problem]) -> list[Problem]:
    """Return what is wrong with the values of options, where it is not known from the form of the file already."""
    found = []
    rows = [row for row in resources.options() if row["option"] in KEYS]
    for name, options in mapping(mapping(document.data).get("builds")).items():
        for row in rows:
            option = row["option"]
            said = mistakes_in(row, complete(options)) if mapping(options).get(option) is not None else []
            texts = [text.removeprefix("option ").removeprefix(f"{option}: ") for text in said]
            found += [document.problem(("builds", name, option), text) for text in texts]
    return [one for one in found if not any(f"{other.key}.".startswith(f"{one.key}.") for other in known)]
