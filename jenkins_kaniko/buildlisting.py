"""Builds and leftovers -> text for people, plain data for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jenkins_kaniko.builds import Build
from jenkins_kaniko.errors import JenkinsKanikoError
from jenkins_kaniko.leftovers import Leftover
from jenkins_kaniko.report import UNPRINTABLE, error_data

HEADINGS = ("NAME", "IMAGE", "AGE", "CLIENT", "STATE")
UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def builds_data(builds: Sequence[Build]) -> dict[str, Any]:
    """Return the builds; what nobody knows is null."""
    return {
        "builds": [
            {
                "name": one.name,
                "namespace": one.namespace,
                "image": one.image or None,
                "tags": one.tags,
                "client": one.client or None,
                "created": one.created.isoformat(),
                "state": one.state,
                "why": one.why,
            }
            for one in builds
        ]
    }


def builds_text(builds: Sequence[Build], now: datetime, *, everywhere: bool = False) -> str:
    """Return a table.

    Args:
        everywhere: whether the builds are of several namespaces, which it has a column for then.
    """
    if not builds:
        return "no builds"
    rows: list[tuple[str, ...]] = [HEADINGS, *(_row(one, now) for one in builds)]
    if everywhere:
        where = ["NAMESPACE", *(one.namespace for one in builds)]
        rows = [(namespace, *row) for namespace, row in zip(where, rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(build: Build, now: datetime) -> tuple[str, ...]:
    """What Jobs and the cluster say is anybody's, and could steer a terminal."""
    state = f"{build.state}: {build.why}" if build.why else build.state
    age = _age((now - build.created).total_seconds())
    cells = (build.name, build.reference or "-", age, build.client or "-", state)
    return tuple(UNPRINTABLE.sub(" ", cell) for cell in cells)


def _age(seconds: float) -> str:
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def leftovers_data(
    found: Sequence[Leftover], failed: Mapping[Leftover, JenkinsKanikoError], *, removed: bool
) -> dict[str, Any]:
    """Return what was found, and what became of it."""
    items = []
    for one in found:
        item: dict[str, Any] = {"kind": one.kind, "namespace": one.namespace, "name": one.name, "why": one.why}
        item["removed"] = removed and one not in failed
        if one in failed:
            item["error"] = error_data(failed[one])
        items.append(item)
    return {"leftovers": items}


def leftovers_text(found: Sequence[Leftover], failed: Mapping[Leftover, JenkinsKanikoError], *, removed: bool) -> str:
    """Return a line for each."""
    lines = []
    for one in found:
        done = "would remove" if not removed else "could not remove" if one in failed else "removed"
        lines.append(f"{done} {one.title}: {failed.get(one, one.why)}")
    return "\n".join(lines) or "nothing is left"
