"""The cases that Python and Groovy share: options of a build, and the argument list or the error they give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jenkins_kaniko.engines import Place
from jenkins_kaniko.options import Builder

WORKSPACE = "/w"
DIGEST_FILE = "/w@tmp/digest"
FILE = Path(__file__).parent.parent / "vectors" / "kaniko.json"


def load_vectors(outcome: str) -> list[dict[str, Any]]:
    """Return the cases whose outcome is "argv" or "error"."""
    vectors: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return [vector for vector in vectors if outcome in vector]


def place(vector: Mapping[str, Any]) -> Place:
    """Return where the build of a case runs, for Python."""
    own = vector.get("place", {})
    return Place(
        WORKSPACE,
        DIGEST_FILE,
        own.get("cacheRepo"),
        own.get("cacheTtl"),
        own.get("labels", {}),
        own.get("archive"),
        own.get("secrets", {}),
        own.get("lessMemory", False),
    )


def place_for_groovy(vector: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for Groovy."""
    return {"workspace": WORKSPACE, "digestFile": DIGEST_FILE, **vector.get("place", {})}


def builder(vector: Mapping[str, Any]) -> Builder | None:
    """Return the builder image of a case, for Python; for Groovy it is the case's own mapping."""
    return Builder(**vector["builder"]) if "builder" in vector else None
