"""What pydantic says of a file -> what its author reads: the place, what is wrong, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from jenkins_kaniko.document import Document, KeyPath
from jenkins_kaniko.errors import Problem
from jenkins_kaniko.fleetfile import FleetPart
from jenkins_kaniko.fleetvalues import NAME_RULE

RULES = {
    "fleet": f"is not a name: {NAME_RULE}",
    "controllers": f"is not a name: {NAME_RULE}",
    "url": "is not the URL of a controller: https:// or http://, a host, no user or password in it",
    "labels": "is not a label: no blanks, quotes or any of ()!&|<>",
    "ttl": "is not a duration: a number with h, m or s, such as 168h",
    "proxy": "is not the URL of a proxy without user and password; a secret goes into `containers`, as valueFrom",
}
"""What a text must be like, by the key that it stands under."""


def mistakes(document: Document, error: ValidationError) -> list[Problem]:
    """Return one problem per mistake: not one for each branch of a union, nor for what YAML could not read."""
    known = {(problem.line, problem.key) for problem in document.problems}
    found = []
    for item in error.errors():
        problem = _problem(document, dict(item))
        if (problem.line, problem.key) not in known:
            known.add((problem.line, problem.key))
            found.append(problem)
    return found


def nearest(key: str, allowed: list[str]) -> str:
    """Return words on what was probably meant, and on what else there is."""
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{hint} (allowed: {', '.join(allowed)})" if allowed else hint


def _problem(document: Document, error: dict[str, Any]) -> Problem:
    path: KeyPath = tuple(error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return document.problem(path, f"unknown key{nearest(str(path[-1]), _keys_at(path[:-1]))}")
    if kind == "missing":
        return document.problem(path, "missing; it has no default")
    if path and path[-1] == "[key]":
        return document.problem(path[:-1], _wrong_name(path[:-1], kind))
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


def _wrong_name(path: KeyPath, kind: str) -> str:
    if kind == "literal_error":
        return f"unknown key{nearest(str(path[-1]), _keys_at(path[:-1]))}"
    return "a name is empty" if kind == "string_too_short" else f"not a name: {NAME_RULE}"


def _without_union_branches(document: Document, path: KeyPath) -> KeyPath:
    """Cut what pydantic appends to name the branch of a union; a place in the file has no such part."""
    while path and path not in document.lines and path[:-1] in document.lines:
        path = path[:-1]
    return path


def _rule(path: KeyPath) -> str:
    return next((RULES[str(key)] for key in reversed(path) if key in RULES), "has the wrong form")


def _keys_at(path: KeyPath) -> list[str]:
    """Return the keys that a mapping of the file may have, found by walking the model's types."""
    kind: Any = FleetPart
    for key in path:
        kind = _field_type(kind, str(key))
    if _is_model(kind):
        return [str(field.alias) for field in kind.model_fields.values()]
    return list(get_args(get_args(kind)[0])) if get_origin(kind) is dict else []


def _field_type(kind: Any, key: str) -> Any:
    if _is_model(kind):
        fields = {field.alias: field.annotation for field in kind.model_fields.values()}
        return _unwrapped(fields.get(key))
    return _unwrapped(get_args(kind)[1]) if get_origin(kind) is dict else None


def _unwrapped(kind: Any) -> Any:
    """Return X of `X | None`."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if len(parts) == 1 and type(None) in get_args(kind) else kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return repr(value)


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ").split(" or instance of ")[0]
    message = message.replace("a valid dictionary", "a mapping")
    return message[:1].lower() + message[1:]
