"""What counts as left by killed clients, and that its removal goes on where a part fails; the cluster is a fake."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from jenkins_kaniko.errors import UnansweredError, UnreachableError
from jenkins_kaniko.leftovers import leftovers, remove
from tests.support.fake_builds import LABELS, FakeBuilds, condition, job

NOON = "2026-11-21T12:00:00Z"
"""When all objects of these tests were made."""
FORBIDDEN = UnreachableError("namespace builds: the cluster answers 403 Forbidden")


def made(name: str, owner: str | None = None, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": NOON}
    metadata["labels"] = {**LABELS, "jenkins-kaniko/build": name, **labels}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner}]
    return {"metadata": metadata}


def found(door: FakeBuilds, minutes: float, told: list[str] | None = None, age: float = 60) -> list[str]:
    """Return what is left some minutes after noon."""
    now = datetime.fromisoformat(NOON) + timedelta(minutes=minutes)
    names = [] if told is None else told
    return [f"{one.title}: {one.why}" for one in leftovers(door, timedelta(minutes=age), now, names.append)]


def test_a_job_is_left_an_hour_after_its_end() -> None:
    door = FakeBuilds([[]], objects={"jobs": [job("app", condition("Complete")), job("slow")]})
    assert found(door, 60) == []
    assert found(door, 61) == ["job builds/app: it ended"]
    assert found(door, 9, age=8) == ["job builds/app: it ended"]


def test_a_job_is_left_an_hour_after_its_deadline() -> None:
    door = FakeBuilds([[]], objects={"jobs": [job("slow")]})
    assert found(door, 69) == []
    assert found(door, 70) == ["job builds/slow: its deadline passed"]


def test_a_job_without_a_deadline_is_left_once_it_ended() -> None:
    """Somebody made it of what --render printed."""
    running, over = job("edited"), job("over", condition("Complete"))
    for one in (running, over):
        del one["spec"]["activeDeadlineSeconds"]
    assert found(FakeBuilds([[]], objects={"jobs": [running, over]}), 10_000) == ["job builds/over: it ended"]


def test_what_a_job_owned_is_left_without_it() -> None:
    running = job("app")
    objects = {
        "jobs": [running],
        "configmaps": [made("mine", running["metadata"]["uid"]), made("orphan", "gone"), made("bare")],
        "secrets": [made("token", "gone")],
    }
    del (foreign := made("foreign"))["metadata"]["labels"]["jenkins-kaniko/build"]
    objects["configmaps"].append(foreign)
    door = FakeBuilds([[]], objects=objects)
    assert found(door, 59) == []
    assert found(door, 60) == [
        "configmap builds/orphan: its Job is gone",
        "configmap builds/bare: its Job is gone",
        "secret builds/token: its Job is gone",
    ]


def test_a_namespace_is_left_once_no_build_is_in_it() -> None:
    goes = made("goes")
    goes["metadata"]["deletionTimestamp"] = NOON
    objects = {
        "namespaces": [made("empty"), made("over"), made("works"), goes],
        "jobs of over": [job("over", condition("Failed"))],
        "jobs of works": [job("works")],
    }
    door = FakeBuilds([[]], objects=objects)
    assert found(door, 5) == []
    assert found(door, 5, age=5) == [
        "namespace empty: no build is in it",
        "namespace over: no build is in it",
    ]
    assert "namespace works: no build is in it" in found(door, 60)


@pytest.mark.parametrize(
    "event",
    [
        {"lastTimestamp": "2026-11-21T12:55:00Z", "metadata": {"creationTimestamp": NOON}},
        {"eventTime": "2026-11-21T12:55:00.123456Z", "lastTimestamp": None, "metadata": {"creationTimestamp": NOON}},
        {"metadata": {"creationTimestamp": "2026-11-21T12:55:00Z"}},
    ],
)
def test_a_namespace_in_which_something_happened_is_not_left_yet(event: dict[str, Any]) -> None:
    """Between two attempts of a build there is no Job."""
    door = FakeBuilds([[]], objects={"namespaces": [made("app")], "events of app": [event]})
    assert found(door, 114) == []
    assert found(door, 116) == ["namespace app: no build is in it"]


def test_kinds_that_may_not_be_listed_are_told() -> None:
    objects = {"jobs": [job("app", condition("Complete"))]}
    told: list[str] = []
    door = FakeBuilds([[]], objects=objects, forbidden={"secrets": FORBIDDEN, "namespaces": FORBIDDEN})
    assert found(door, 90, told) == ["job builds/app: it ended"]
    assert told == [f"not looked at: secrets: {FORBIDDEN}", f"not looked at: namespaces: {FORBIDDEN}"]


@pytest.mark.parametrize("kind", ["jobs", "events"])
def test_a_namespace_that_may_not_be_looked_into_is_left_alone(kind: str) -> None:
    told: list[str] = []
    door = FakeBuilds([[]], objects={"namespaces": [made("app")]}, forbidden={f"{kind} of app": FORBIDDEN})
    assert (found(door, 90, told), told) == ([], [f"not looked at: {kind}: {FORBIDDEN}"])


@pytest.mark.parametrize(("kind", "error"), [("jobs", FORBIDDEN), ("secrets", UnansweredError("away"))])
def test_what_cannot_be_known_is_not_guessed(kind: str, error: Exception) -> None:
    with pytest.raises(type(error)):
        found(FakeBuilds([[]], forbidden={kind: error}), 90)


def test_what_cannot_be_removed_keeps_nothing_else() -> None:
    objects = {"configmaps": [made("one"), made("two")], "secrets": [made("three")]}
    door = FakeBuilds([[]], objects=objects, forbidden={"one": FORBIDDEN})
    items = leftovers(door, timedelta(0), datetime.fromisoformat(NOON), lambda _: None)
    failed = remove(door, items)
    assert {one.name: error for one, error in failed.items()} == {"one": FORBIDDEN}
    assert door.deleted == ["configmaps/two uid-of-two", "secrets/three uid-of-three"]
