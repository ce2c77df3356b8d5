"""The cases that Python and Groovy share: what was seen of a failure, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jenkins_kaniko.explain import Seen

FILE = Path(__file__).parent.parent / "vectors" / "failures.json"


def load_failures() -> list[dict[str, Any]]:
    """Return the cases; `explanation`, a list of lines, is not in each of them."""
    cases: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return cases


def seen(case: dict[str, Any]) -> Seen:
    """Return what was seen, for Python."""
    given = seen_for_groovy(case)
    return Seen(given["log"], given.get("exitCode"), given.get("exception"), given.get("dockerfile"), given.get("path"))


def seen_for_groovy(case: dict[str, Any]) -> dict[str, Any]:
    """Return the same for Groovy."""
    return {**case["seen"], "log": "\n".join(case["seen"].get("log", []))}
