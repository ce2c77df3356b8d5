"""Build options -> the engine's argument list, by the table in engines.json. Pure.

vars/kanikoArguments.groovy interprets the same table; tests/vectors holds what both must yield, errors included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.options import Builder, complete, engine_of, problems

URL = re.compile(r"[a-z0-9]+://.*", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where a build runs: what the options alone do not tell.

    Attributes:
        workspace: absolute folder that relative contexts are below.
        digest_file: absolute path the engine writes the digest to.
        cache_repo, cache_ttl: of the template, None where it names none.
        labels: what every image gets; the author's own go over them.
        archive: absolute path of the image archive that is made instead of a push.
        secrets: by the id that the Dockerfile names, where the engine finds each: env=NAME or src=/path.
        less_memory: whether a slower build with less memory is wanted.
        used_once: nobody builds here afterwards, so nothing needs to be cleaned up.
    """

    workspace: str
    digest_file: str
    cache_repo: str | None = None
    cache_ttl: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    archive: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    less_memory: bool = False
    used_once: bool = False


def argv(options: Mapping[str, Any], place: Place, builder: Builder | None = None) -> list[str]:
    """Return the engine's command with one argument for each flag.

    Args:
        options: as a pipeline author gives them to kanikoBuild(); a None counts as not given.
        builder: where it is known: flags that it does not have are mistakes then.

    Raises:
        WrongInputError: there are mistakes in the options; all of them are named.
    """
    mistakes = problems(options, builder)
    if mistakes:
        raise WrongInputError(mistakes)
    given = complete(options)
    engine = engine_of(given)
    values = _values(given, place)
    result: list[str] = [engine["executor"]]
    for row in engine["arguments"]:
        result += _arguments(row, values.get(row["value"]))
    return [*result, *given["extraArgs"]]


def _arguments(row: Mapping[str, Any], value: Any) -> list[str]:
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
    """Return the values of the engine's arguments, those of the template and of the step included."""
    context = options["context"]
    remote = bool(URL.fullmatch(context))
    folder = _joined(place.workspace, context)
    dockerfile = options.get("dockerfile", None if remote else "Dockerfile")
    return {
        "context": context if remote else f"dir://{folder}",
        "dockerfile": dockerfile if remote else _joined(folder, dockerfile),
        "target": options.get("target"),
        "platforms": options["platforms"],
        "destinations": destinations(options["image"], options["tags"]),
        "noPush": not options["push"],
        "archive": None if options["push"] else place.archive,
        "buildArgs": options["buildArgs"],
        "labels": {**place.labels, **options["labels"]},
        "annotations": options["annotations"],
        "secrets": [f"id={name},{source}" for name, source in place.secrets.items()],
        "compressedCaching": "false" if place.less_memory else None,
        "retries": options["retries"] or None,
        "cleanup": not place.used_once,
        "digestFile": place.digest_file,
        **_cache_values(options, place),
    }


def _cache_values(options: Mapping[str, Any], place: Place) -> dict[str, Any]:
    cache = options["cache"]
    own = cache if isinstance(cache, Mapping) else {}
    repo = own.get("repo", place.cache_repo)
    # without a push there is no place beside the image, and Kaniko refuses a cache without a place
    if cache is False or not (repo or options["push"]):
        return {}
    return {
        "cache": True,
        "cacheRepo": repo,
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


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
