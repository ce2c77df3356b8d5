"""YAML file -> Fleet, strictly, with the line of every mistake.

All mistakes are collected before anything is said, so that a user mends a file in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from jenkins_kaniko.document import Document, KeyPath
from jenkins_kaniko.errors import ConfigError, Problem, WrongInputError
from jenkins_kaniko.merge import merged
from jenkins_kaniko.model import NAME_RULE, Fleet, FleetFile, Template, TemplateSettings

DEFAULT_FILE = "jenkins-kaniko.yaml"


def load(path: Path) -> Fleet:
    """Read and check a configuration.

    Args:
        path: the file; relative paths in it are relative to its folder.

    Raises:
        WrongInputError: the file cannot be read.
        ConfigError: it holds mistakes; all of them are listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WrongInputError(
            f"{path}: no such file. Give one with --config, or write a {DEFAULT_FILE} here: "
            "the README has one to start from."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInputError(f"{path}: cannot be read: {error}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Fleet:
    """Check the text of a configuration; `path` is named in problems. Raises ConfigError."""
    document = Document(text, str(path))
    try:
        file = FleetFile.model_validate(document.data)
    except ValidationError as error:
        for problem in [_problem(document, dict(found)) for found in error.errors()]:
            # one mistake, one line: not one for each branch of a union, nor one for what YAML could not read
            if (problem.line, problem.key) not in {(known.line, known.key) for known in document.problems}:
                document.problems.append(problem)
        raise ConfigError(document.problems) from None
    if document.problems:
        raise ConfigError(document.problems)
    templates = tuple(_template(name, file) for name in file.templates)
    return Fleet(file.fleet, path.resolve().parent, file.controllers, templates)


def _template(name: str, file: FleetFile) -> Template:
    laid = merged(_given(file.defaults), _given(file.templates[name]), keep_nulls=True)
    settings = TemplateSettings.model_validate(laid)
    return Template(name, tuple(settings.labels or [name]), settings)


def _given(settings: TemplateSettings) -> dict[str, Any]:
    """Return the keys that the file gives, as it spells them; a null in `pod` stays, for the last merge."""
    return settings.model_dump(by_alias=True, exclude_unset=True)


def _problem(document: Document, error: dict[str, Any]) -> Problem:
    path: KeyPath = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return document.problem(path, f"unknown key{_nearest(str(path[-1]), _keys_at(path[:-1]))}")
    if kind == "missing":
        return document.problem(path, "missing; it has no default")
    if path and path[-1] == "[key]":
        return document.problem(path[:-1], f"not a name: {NAME_RULE}")
    path = _without_union_branches(document, path)
    if kind == "string_pattern_mismatch":
        value = str(error["input"])
        shown = "a text with an @, not shown in case it holds a password," if "@" in value else repr(value)
        return document.problem(path, f"{shown} {_rule(path)}")
    if kind == "literal_error":
        return document.problem(path, f"{error['input']!r} is not one of {error['ctx']['expected']}")
    if path[-1:] == ("token",) and isinstance(error["input"], str):
        return document.problem(path, "a text given; name the place of the token: one of env, file, secret")
    if kind.endswith("_type"):
        return document.problem(path, f"{_shown(error['input'])} given; {_lower(error['msg'])}")
    return document.problem(path, _lower(error["msg"]))


def _without_union_branches(document: Document, path: KeyPath) -> KeyPath:
    """Cut what pydantic appends to name the branch of a union; a place in the file has no such part."""
    while path and path not in document.lines and path[:-1] in document.lines:
        path = path[:-1]
    return path


def _rule(path: KeyPath) -> str:
    rules = {
        "fleet": f"is not a name: {NAME_RULE}",
        "url": "is not the URL of a controller: https:// or http://, a host, no user or password in it",
        "labels": "is not a label: no blanks, quotes or any of ()!&|<>",
        "ttl": "is not a duration: a number with h, m or s, such as 168h",
    }
    return next((rules[str(key)] for key in reversed(path) if key in rules), "has the wrong form")


def _keys_at(path: KeyPath) -> list[str]:
    """Return the keys that a mapping of the file may have, found by walking the model's types."""
    kind: Any = FleetFile
    for key in path:
        kind = _field_type(kind, str(key))
    return [str(f.alias) for f in kind.model_fields.values()] if _is_model(kind) else []


def _field_type(kind: Any, key: str) -> Any:
    if _is_model(kind):
        fields = {f.alias: f.annotation for f in kind.model_fields.values()}
        return _unwrapped(fields.get(key))
    return _unwrapped(get_args(kind)[1]) if get_origin(kind) is dict else None


def _unwrapped(kind: Any) -> Any:
    """Return X of `X | None`."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if get_origin(kind) is not dict and any(_is_model(part) for part in parts) else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{hint} (allowed: {', '.join(allowed)})" if allowed else hint


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return repr(value)


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ").split(" or instance of ")[0]
    return message[:1].lower() + message[1:]
