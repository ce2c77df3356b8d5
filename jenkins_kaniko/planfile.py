"""A plan in a file: what somebody reviewed, so that `sync` does exactly that or nothing.

The file holds no templates: they come from the configuration again. A hash per controller ties both sides, what is
there and what is wanted, to what the reviewer saw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.model import Fleet
from jenkins_kaniko.plan import Consent
from jenkins_kaniko.sync import FleetResult

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """The hash of the plan of each controller, and what its author allowed."""

    hashes: Mapping[str, str]
    consent: Consent


def write(path: Path, result: FleetResult, consent: Consent) -> None:
    """Keep the plans of `result`, which has one for each controller. Raises WrongInputError."""
    content = {
        "schemaVersion": SCHEMA_VERSION,
        "fleet": result.fleet,
        "consent": asdict(consent),
        "plans": {one.controller: one.plan.hash for one in result.controllers if one.plan},
    }
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise WrongInputError(f"{path}: {error.strerror}") from None


def load(path: Path, fleet: Fleet) -> SavedPlan:
    """Read a plan of `fleet`. Raises WrongInputError."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError
        consent = Consent(**content["consent"])
        saved = SavedPlan({str(k): str(v) for k, v in content["plans"].items()}, consent)
        if not saved.hashes or not all(isinstance(value, bool) for value in asdict(consent).values()):
            raise ValueError
    except OSError as error:
        raise WrongInputError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WrongInputError(f"{path}: not a plan that `jenkins-kaniko plan --out` of this version wrote") from None
    if content.get("fleet") != fleet.name:
        raise WrongInputError(f"{path}: a plan of fleet {content.get('fleet')}, not of {fleet.name}")
    return saved
