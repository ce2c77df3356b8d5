"""The result of a build -> text for people, data for scripts. Pure."""

from __future__ import annotations

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
