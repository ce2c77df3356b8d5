"""The section `builds` of a configuration, and what was typed for all of them -> the builds that are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko import buildsecrets
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.buildspec import builder_of, spec_from, typed_options
from jenkins_kaniko.contexts_git import is_git
from jenkins_kaniko.errors import ConfigError, WrongInputError
from jenkins_kaniko.fleetfile import Build
from jenkins_kaniko.merge import merged
from jenkins_kaniko.model import Fleet
from jenkins_kaniko.options import problems

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
MINUTES = {"timeout": "timeoutMinutes", "pending_timeout": "agentTimeoutMinutes"}
"""Options of the command line in seconds, and the keys of a build in minutes."""


@dataclass(frozen=True)
class Wanted:
    """A build, and where its context comes from."""

    spec: Spec
    source: str


def wanted(
    fleet: Fleet,
    names: Sequence[str],
    given: Mapping[str, Any],
    typed: Mapping[str, Any],
    environment: Mapping[str, str],
) -> dict[str, Wanted]:
    """Return the named builds, all without names, in the order of the file.

    What was typed goes over what the file says; where both are mappings they are put together.

    Args:
        given: the options of the command line by their names in Python, with their defaults.
        typed: the same, where what nobody typed is None or empty.
        environment: holds the values of build arguments without one.

    Raises:
        WrongInputError: there is no such build, or an option cannot be used.
        ConfigError: there are mistakes in builds; all of them are listed.
    """
    secrets = buildsecrets.read(given["secrets"], environment)
    tags = _tags(given["tags"])
    for_all = typed_options({**typed, "tags": ()}, environment) | {"secrets": buildsecrets.places(secrets)}
    builder = builder_of(given)
    found, mistakes = {}, []
    for name, build in _chosen(fleet, names).items():
        own = build.model_dump(by_alias=True, exclude_none=True)
        context = own.pop("context", ".")
        options = merged(own, for_all) | {"tags": [*own.get("tags", []), *tags]}
        if mistake := problems(options, builder):
            mistakes.append(fleet.problem(("builds", name), mistake))
            continue
        times = {option: typed[option] or own.get(key, 0) * 60 or given[option] for option, key in MINUTES.items()}
        source = context if is_git(context) or "://" in context else str(fleet.folder / context)
        found[name] = Wanted(spec_from(options, secrets, {**given, **times}), source)
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _tags(typed: Sequence[str]) -> Sequence[str]:
    """Return the tags that all images get, where each is one."""
    for tag in typed:
        if not TAG.fullmatch(tag):
            raise WrongInputError(f"--tag: {tag!r} is not a tag; with --all it is a further tag of all images")
    return typed


def _chosen(fleet: Fleet, names: Sequence[str]) -> dict[str, Build]:
    if not fleet.builds:
        raise WrongInputError("the configuration has no builds; add one below `builds:`")
    unknown = [name for name in names if name not in fleet.builds]
    if unknown:
        raise WrongInputError(f"no build named {', '.join(unknown)}; the configuration has: {', '.join(fleet.builds)}")
    return {name: build for name, build in fleet.builds.items() if not names or name in names}
