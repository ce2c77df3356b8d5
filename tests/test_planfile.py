"""A plan in a file is carried out as it was reviewed, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko import planfile
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.plan import Consent, make
from jenkins_kaniko.sync import ControllerResult, FleetResult
from tests.support.fakes import cloud, fleet, wanted

ACME = fleet("fleet: acme\ntemplates: {small: {}}")
PLAN = make(cloud(), wanted(ACME), "acme")
RESULT = FleetResult("acme", (ControllerResult("main", PLAN), ControllerResult("prod", PLAN)))
CONSENT = Consent(prune=True, allow_deletes=True)


def test_a_plan_reads_back_with_the_consent_it_was_made_with(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    planfile.write(path, RESULT, CONSENT)
    saved = planfile.load(path, ACME)
    assert (saved.hashes, saved.consent) == ({"main": PLAN.hash, "prod": PLAN.hash}, CONSENT)


def test_the_file_holds_hashes_and_nothing_of_the_templates(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    planfile.write(path, RESULT, CONSENT)
    assert json.loads(path.read_text()) == {
        "schemaVersion": 1,
        "fleet": "acme",
        "consent": {"prune": True, "adopt": False, "allow_deletes": True},
        "plans": {"main": PLAN.hash, "prod": PLAN.hash},
    }


def test_a_plan_of_another_fleet_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    planfile.write(path, RESULT, CONSENT)
    with pytest.raises(WrongInputError) as caught:
        planfile.load(path, fleet("fleet: other"))
    assert str(caught.value) == f"{path}: a plan of fleet acme, not of other"


GOOD: dict[str, Any] = {
    "schemaVersion": 1,
    "fleet": "acme",
    "consent": {"prune": False, "adopt": False, "allow_deletes": False},
    "plans": {"main": "abc"},
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**GOOD, "schemaVersion": 2}).encode(),
        json.dumps({**GOOD, "plans": ["main"]}).encode(),
        json.dumps({**GOOD, "plans": {}}).encode(),
        json.dumps({**GOOD, "consent": {"everything": True}}).encode(),
        json.dumps({**GOOD, "consent": {"prune": "no"}}).encode(),
        json.dumps({"schemaVersion": 1}).encode(),
        json.dumps(GOOD).encode()[:-3],
    ],
    ids=range(13),
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(WrongInputError) as caught:
        planfile.load(path, ACME)
    assert str(caught.value) == f"{path}: not a plan that `jenkins-kaniko plan --out` of this version wrote"


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(WrongInputError) as caught:
        planfile.load(tmp_path / "none.json", ACME)
    assert str(caught.value) == f"{tmp_path}/none.json: No such file or directory"
    with pytest.raises(WrongInputError) as caught:
        planfile.write(tmp_path, RESULT, CONSENT)
    assert str(caught.value) == f"{tmp_path}: Is a directory"
