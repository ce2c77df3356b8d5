"""The result of a build -> text for people, data for scripts and for the CI system around."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jenkins_kaniko.build import Result
from jenkins_kaniko.probe import Probed


def data(result: Result) -> dict[str, Any]:
    """Return the result with the keys of what kanikoBuild() returns; what does not exist has no key."""
    found = {
        "image": result.image,
        "tags": result.tags,
        "digest": result.digest,
        "ref": result.ref,
        "engine": result.engine,
        "seconds": result.seconds,
        "cacheHits": result.cache_hits,
        "cacheMisses": result.cache_misses,
        "firstMiss": result.first_miss,
        "firstMissReason": result.first_miss_reason,
        "peakMemoryBytes": result.peak_memory,
        "commit": result.commit,
        "probe": _probe(result.probed) if result.probed else None,
    }
    return _known(found)


def _probe(probed: Probed) -> dict[str, Any]:
    found = {
        "command": probed.command,
        "exitCode": probed.exit_code,
        "output": probed.output,
        "seconds": probed.seconds,
        "error": probed.error,
    }
    return _known(found)


def _known(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None}


def summary(result: Result) -> str:
    """Return one line."""
    line = f"pushed {result.image}:{', '.join(result.tags)} in {result.seconds} s"
    if not result.cache_hits and not result.cache_misses:
        return line
    first = f", the first at: {result.first_miss}" if result.first_miss else ""
    why = f"; {result.first_miss_reason}" if result.first_miss_reason else ""
    return f"{line}; cache: {result.cache_hits} hits, {result.cache_misses} misses{first}{why}"


def export(result: Result, environment: Mapping[str, str]) -> None:
    """Hand the result to the CI system that runs us.

    Tekton names files for its results, by absolute paths; GitHub Actions one file for NAME=VALUE lines.
    """
    values = {"IMAGE_DIGEST": result.digest, "IMAGE_URL": f"{result.image}:{result.tags[0]}"}
    for name, value in values.items():
        if environment.get(name, "").startswith("/"):
            Path(environment[name]).write_text(value, encoding="utf-8")
    if path := environment.get("GITHUB_OUTPUT"):
        outputs = {"image": result.image, "digest": result.digest, "ref": result.ref}
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in outputs.items())
