"""Build options -> the engine's argument list, by the table in engines.json. Pure.

vars/kanikoArguments.groovy interprets the same table; tests/vectors holds what both must yield, errors included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko import resources
from jenkins_kaniko.errors import WrongInputError

CACHE_KEYS = ("copyLayers", "repo", "ttl")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
URL = re.compile(r"[a-z0-9]+://.*", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where a build runs: what the options alone do not tell.

    Attributes:
        workspace: absolute folder that relative contexts are below.
        digest_file: absolute path the engine writes the pushed digest to.
        cache_repo, cache_ttl: of the template, None where it names none.
    """

    workspace: str
    digest_file: str
    cache_repo: str | None = None
    cache_ttl: str | None = None


def argv(options: Mapping[str, Any], place: Place, engine: str = "kaniko") -> list[str]:
    """Return the engine's command with one argument for each flag.

    Args:
        options: as a pipeline author gives them to kanikoBuild(); a None counts as not given.

    Raises:
        WrongInputError: an option is unknown, missing or of the wrong form; all of them are named.
    """
    given = {name: value for name, value in options.items() if value is not None}
    problems = _problems(given)
    if problems:
        raise WrongInputError("; ".join(problems))
    table = resources.engines()[engine]
    values = _values(given, place)
    result = [table["executor"]]
    for row in table["options"]:
        result += _arguments(row, values.get(row["option"]))
    return result


def _arguments(row: Mapping[str, str], value: Any) -> list[str]:
    flag, kind = row["flag"], row["kind"]
    if value is None or value is False:
        return []
    if kind == "switch":
        return [flag]
    if kind == "value":
        return [f"{flag}={value}"]
    if kind == "repeated":
        return [f"{flag}={item}" for item in value]
    return [f"{flag}={name}={_text(item)}" for name, item in value.items()]


def _values(options: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the values of the table's options, defaults and the template's settings included."""
    context = options.get("context", ".")
    remote = bool(URL.fullmatch(context))
    folder = _joined(place.workspace, context)
    dockerfile = options.get("dockerfile", None if remote else "Dockerfile")
    return {
        "context": context if remote else f"dir://{folder}",
        "dockerfile": dockerfile if remote else _joined(folder, dockerfile),
        "target": options.get("target"),
        "destinations": destinations(options["image"], options.get("tags", [])),
        "buildArgs": options.get("buildArgs", {}),
        "cleanup": True,
        "digestFile": place.digest_file,
        **_cache_values(options.get("cache", True), place),
    }


def _cache_values(cache: Any, place: Place) -> dict[str, Any]:
    if cache is False:
        return {}
    own = cache if isinstance(cache, Mapping) else {}
    return {
        "cache": True,
        "cacheRepo": own.get("repo", place.cache_repo),
        "cacheTtl": own.get("ttl", place.cache_ttl),
        "cacheCopyLayers": own.get("copyLayers", False),
    }


def destinations(image: str, tags: Sequence[str]) -> list[str]:
    """Return every reference to push, each once: the image's own tag first, `latest` when there is no tag."""
    repository, tag = split_tag(image)
    names = ([tag] if tag else []) + list(tags)
    return [f"{repository}:{name}" for name in dict.fromkeys(names or ["latest"])]


def split_tag(image: str) -> tuple[str, str | None]:
    """Return repository and tag; a colon before the last slash belongs to the registry's port."""
    colon = image.rfind(":")
    if colon > image.rfind("/"):
        return image[:colon], image[colon + 1 :]
    return image, None


def _joined(folder: str, path: str) -> str:
    if path.startswith("/"):
        return path
    return folder if path == "." else f"{folder}/{path}"


def _problems(options: Mapping[str, Any]) -> list[str]:
    types = {row["option"]: row["type"] for row in resources.options()}
    valid = ", ".join(sorted(types))
    problems = [f"unknown option {name} (valid: {valid})" for name in options if name not in types]
    for name, kind in types.items():
        if name in options:
            problems += _wrong_form(name, kind, options[name])
    return problems + ([] if "image" in options else ["option image is required"])


def _wrong_form(name: str, kind: str, value: Any) -> list[str]:
    if kind == "text" and not (isinstance(value, str) and value):
        return [f"option {name}: a text is expected"]
    if kind == "texts" and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return [f"option {name}: a list of texts is expected"]
    if kind == "map" and not isinstance(value, Mapping):
        return [f"option {name}: a map is expected"]
    if kind == "cache":
        return _wrong_cache(value)
    if name == "image":
        return _wrong_image(value)
    if name == "tags":
        return [f"option tags: '{tag}' is not a tag" for tag in value if not TAG.fullmatch(tag)]
    return []


def _wrong_cache(value: Any) -> list[str]:
    if isinstance(value, bool):
        return []
    if not isinstance(value, Mapping):
        return ["option cache: true, false or a map is expected"]
    valid = ", ".join(CACHE_KEYS)
    return [f"option cache: unknown key {key} (valid: {valid})" for key in value if key not in CACHE_KEYS]


def _wrong_image(value: str) -> list[str]:
    repository, tag = split_tag(value)
    if "@" in value:
        return [f"option image: '{value}' names a digest; a push needs a repository or a tag"]
    if not repository or re.search(r"\s", value) or (tag is not None and not TAG.fullmatch(tag)):
        return [f"option image: '{value}' is not a repository or repository:tag"]
    return []


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
