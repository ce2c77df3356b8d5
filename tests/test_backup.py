"""What was replaced is kept before it is replaced, and comes back: the fleet's own, and nothing of others."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko import backup
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import CREATE, DELETE, UPDATE, Consent, Plan, make
from tests.support.fakes import applied, cloud, fleet, found, swapped, wanted, with_xml

ACME = fleet("fleet: acme\ntemplates: {small: {}, big: {idleMinutes: 5}}")
SMALL, BIG = applied(ACME)
HERS = found("8d3c", "maven", label="maven")
OTHERS = found("9e4d", "go", owner="other")


def kept(tmp_path: Path, state: CloudState) -> backup.Backup:
    return backup.load(backup.write(tmp_path, "main", "acme", with_xml(state)))


def undone(tmp_path: Path, before: CloudState, now: CloudState) -> tuple[Plan, CloudState]:
    """Return the plan that leads from `now` to a backup of `before`, and where it leads."""
    plan = backup.undo(kept(tmp_path, before), with_xml(now))
    return plan, swapped(now, plan.order)


def synced(before: CloudState, asked: str, **consent: bool) -> CloudState:
    """Return `before` after a sync of a configuration with these templates."""
    plan = make(before, wanted(fleet(f"fleet: acme\ntemplates: {asked}")), "acme", Consent(**consent))
    assert not plan.refusals
    assert not plan.empty
    return swapped(before, plan.order)


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.template.name) for change in plan.changes]


# --- the file ----------------------------------------------------------------------------------------------------


def test_a_backup_reads_back(tmp_path: Path) -> None:
    state = with_xml(cloud(SMALL, HERS, OTHERS))
    saved = kept(tmp_path, cloud(SMALL, HERS, OTHERS))
    assert (saved.controller, saved.fleet, saved.cloud) == ("main", "acme", "kubernetes")
    assert saved.templates == tuple(
        PodTemplate(one.id, one.name, owner=one.owner, xml=one.xml) for one in state.templates
    )


def test_only_the_user_may_read_it_and_git_leaves_it_out(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        path = backup.write(tmp_path, "main", "acme", with_xml(cloud(SMALL)))
    finally:
        os.umask(previous)
    assert path.parent == tmp_path / ".jenkins-kaniko" / "backups" / "main"
    modes = {part: stat.S_IMODE(part.stat().st_mode) for part in (path, *path.parents[:3])}
    assert list(modes.values()) == [0o600, 0o700, 0o700, 0o700]
    assert (tmp_path / ".jenkins-kaniko" / ".gitignore").read_text() == "*\n"


def test_names_never_collide_and_sort_by_time(tmp_path: Path) -> None:
    paths = [backup.write(tmp_path, "main", "acme", with_xml(cloud(SMALL))) for _ in range(20)]
    assert len(set(paths)) == 20
    assert sorted(paths) == paths
    assert all(path.name[:9].endswith("T") and path.suffix == ".json" for path in paths)


def test_it_is_on_the_disk_before_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced_names = []
    real = os.fsync

    def recording(number: int) -> None:
        synced_names.append(Path(f"/proc/self/fd/{number}").readlink())
        real(number)

    monkeypatch.setattr(os, "fsync", recording)
    path = backup.write(tmp_path, "main", "acme", with_xml(cloud(SMALL)))
    assert synced_names == [path, path.parent]


@pytest.mark.parametrize("in_the_way", [".jenkins-kaniko", ".jenkins-kaniko/backups", ".jenkins-kaniko/backups/main"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).write_text("a file")
    with pytest.raises(WrongInputError) as caught:
        backup.write(tmp_path, "main", "acme", with_xml(cloud(SMALL)))
    assert str(caught.value).startswith(f"{tmp_path}/.jenkins-kaniko/backups/main: the backup cannot be written (")
    assert str(caught.value).endswith("); nothing was changed on main")


GOOD: dict[str, Any] = {
    "schemaVersion": 1,
    "controller": "main",
    "fleet": "acme",
    "cloud": "kubernetes",
    "taken": "x",
    "templates": [{"id": "a", "name": "a", "owner": None, "xml": "<a/>"}],
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**GOOD, "schemaVersion": 2}).encode(),
        json.dumps({**GOOD, "templates": [{"id": "a"}]}).encode(),
        json.dumps({**GOOD, "templates": 7}).encode(),
        json.dumps({**GOOD, "templates": [{**GOOD["templates"][0], "xml": None}]}).encode(),
        json.dumps({name: value for name, value in GOOD.items() if name != "cloud"}).encode(),
        json.dumps({**GOOD, "controller": 7}).encode(),
        json.dumps(GOOD).encode()[:-9],
    ],
    ids=range(13),
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "backup.json"
    path.write_bytes(content)
    with pytest.raises(WrongInputError) as caught:
        backup.load(path)
    assert str(caught.value) == f"{path}: not a backup of jenkins-kaniko, or of another version of it"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongInputError) as caught:
        backup.load(tmp_path / "none.json")
    assert str(caught.value) == f"{tmp_path}/none.json: No such file or directory"


# --- undo --------------------------------------------------------------------------------------------------------


def test_after_an_update_the_old_one_is_back_at_its_place(tmp_path: Path) -> None:
    before = cloud(HERS, SMALL, OTHERS)
    plan, after = undone(tmp_path, before, synced(before, "{small: {idleMinutes: 9}}"))
    assert (actions(plan), after) == ([(UPDATE, "small")], before)


def test_after_a_creation_it_is_gone(tmp_path: Path) -> None:
    before = cloud(HERS, SMALL)
    plan, after = undone(tmp_path, before, synced(before, "{small: {}, big: {}}"))
    assert (actions(plan), after) == ([(DELETE, "big")], before)


def test_after_the_first_sync_into_an_empty_cloud_it_is_empty(tmp_path: Path) -> None:
    before = cloud()
    plan, after = undone(tmp_path, before, synced(before, "{small: {}, big: {}}"))
    assert (actions(plan), after) == ([(DELETE, "small"), (DELETE, "big")], before)


def test_after_a_deletion_it_is_back_at_its_place(tmp_path: Path) -> None:
    before = cloud(SMALL, HERS, BIG, OTHERS)
    plan, after = undone(tmp_path, before, synced(before, "{big: {idleMinutes: 5}}", prune=True))
    assert (actions(plan), after) == ([(CREATE, "small")], before)


@pytest.mark.parametrize("asked", ["{maven: {}}", "{maven: {id: 8d3c}}"], ids=["with another id", "with its id"])
def test_after_an_adoption_it_is_nobodys_again(tmp_path: Path, asked: str) -> None:
    before = cloud(OTHERS, HERS, SMALL)
    plan, after = undone(tmp_path, before, synced(before, asked, adopt=True))
    assert after == before
    assert not plan.refusals


def test_foreign_ones_that_came_changed_or_went_since_stay_as_they_are(tmp_path: Path) -> None:
    before = cloud(HERS, SMALL, OTHERS, found("gone", "gone"))
    changed = replace(HERS, fields={**HERS.fields, "label": "newer"})
    new = found("new", "new")
    now = cloud(changed, replace(SMALL, fields={**SMALL.fields, "idleMinutes": 9}), OTHERS, new)
    plan, after = undone(tmp_path, before, now)
    assert actions(plan) == [(UPDATE, "small")]
    assert after.templates == (changed, SMALL, OTHERS, new)


def test_what_another_fleet_owns_by_now_stays(tmp_path: Path) -> None:
    taken = found(SMALL.id, "small", owner="other")
    plan, after = undone(tmp_path, cloud(SMALL), cloud(taken))
    assert (plan.empty, after.templates) == (True, (taken,))


def test_ours_whose_mark_somebody_removed_comes_back(tmp_path: Path) -> None:
    plan, after = undone(tmp_path, cloud(SMALL), cloud(found(SMALL.id, "small")))
    assert (actions(plan), after) == ([(UPDATE, "small")], cloud(SMALL))


def test_a_foreign_one_that_took_the_name_since_is_in_the_way(tmp_path: Path) -> None:
    now = cloud(found("new", "small"), found("go", "big", owner="other"))
    plan, _ = undone(tmp_path, cloud(SMALL, BIG), now)
    assert plan.refusals == (
        "template small: one named small (id new) is there and nobody's mark is on it; --adopt takes it over, "
        "its id and content become yours",
        "template big: one named big (id go) is there and fleet other owns it; rename yours, or remove that one there",
    )


def test_a_foreign_one_that_had_the_name_before_is_not_in_the_way(tmp_path: Path) -> None:
    twin = found("twin", "small")
    plan, after = undone(tmp_path, cloud(twin, SMALL), cloud(twin))
    assert (plan.refusals, after) == ((), cloud(twin, SMALL))


def test_nothing_to_undo_is_an_empty_plan(tmp_path: Path) -> None:
    state = cloud(HERS, SMALL, OTHERS)
    plan, after = undone(tmp_path, state, state)
    assert (plan.empty, plan.order, after) == (True, (0, 1, 2), state)


def test_an_undo_can_be_undone(tmp_path: Path) -> None:
    before = cloud(HERS, SMALL)
    now = synced(before, "{small: {idleMinutes: 9}, big: {}}")
    _, back = undone(tmp_path, before, now)
    _, again = undone(tmp_path, now, back)
    assert (back, again) == (before, now)


def test_a_cloud_that_configuration_as_code_defines_by_now_is_refused(tmp_path: Path) -> None:
    plan, _ = undone(tmp_path, cloud(SMALL), cloud(BIG, casc_sources=("/var/casc.yaml",)))
    assert len(plan.refusals) == 1
    assert "defined by configuration-as-code (/var/casc.yaml)" in plan.refusals[0]
