"""What `ps`, `logs`, `cancel`, `gc` and `build --detach` print and end with; the cluster is a fake."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jenkins_kaniko import buildlisting, cli_builds, cluster_pods, errors
from jenkins_kaniko.builds import builds
from jenkins_kaniko.cli import cli
from tests.support.fake_builds import LABELS, FakeBuilds, condition, job, of
from tests.support.fake_cluster import DIGEST, IMAGE, RUNNING, FakeCluster, ended
from tests.test_build import clock, log
from tests.test_builds import DONE

__all__ = ["clock"]
pytestmark = pytest.mark.usefixtures("clock")

REPOSITORY = IMAGE.removesuffix(":1")
NOON = "2026-11-21T12:00:00Z"
FORBIDDEN = errors.UnreachableError("the cluster answers 403 Forbidden")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> FakeBuilds:
    """A namespace with a build that ran well, one that runs, and one that failed long ago."""
    done, runs, failed = (
        job("app"),
        job("web", created="12:00:30"),
        job("old", condition("Failed", "Why", "so\n\x1bit is")),
    )
    pods = [of(done, DONE), of(runs, RUNNING)]
    door = FakeBuilds([[]], [log(b"one")], objects={"jobs": [runs, done, failed], "pods": pods})
    monkeypatch.setattr(cli_builds, "_door", lambda namespace: door)
    monkeypatch.setattr(cli_builds, "_now", lambda: datetime(2026, 11, 21, 12, 5, tzinfo=UTC))
    return door


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def data(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = run(*arguments, "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found.pop("schemaVersion"), found.pop("command")) == (1, arguments[0])
    return done.exit_code, found


def test_builds_are_a_table(door: FakeBuilds) -> None:
    assert run("ps").stdout == (
        "NAME  IMAGE                            AGE  CLIENT   STATE\n"
        "app   registry.example.com/team/app:1  5m   me@here  succeeded\n"
        "old   registry.example.com/team/app:1  5m   me@here  failed: Why: so  it is\n"
        "web   registry.example.com/team/app:1  4m   me@here  running\n"
    )
    door.objects = {}
    assert run("ps").stdout == "no builds\n"


def test_builds_of_all_namespaces_have_theirs(door: FakeBuilds) -> None:
    alone = job("alone", created="11:00:00")
    alone["metadata"]["namespace"] = "alone"
    door.objects |= {"jobs of alone": [alone], "pods of alone": [of(alone, RUNNING)], "jobs of empty": []}
    assert run("ps", "-A").stdout == (
        "NAMESPACE  NAME   IMAGE                            AGE  CLIENT   STATE\n"
        "alone      alone  registry.example.com/team/app:1  1h   me@here  running\n"
        "builds     app    registry.example.com/team/app:1  5m   me@here  succeeded\n"
        "builds     old    registry.example.com/team/app:1  5m   me@here  failed: Why: so  it is\n"
        "builds     web    registry.example.com/team/app:1  4m   me@here  running\n"
    )
    assert [one["namespace"] for one in data("ps", "--all-namespaces")[1]["builds"]] == ["alone", *["builds"] * 3]


@pytest.mark.parametrize("command", ["ps", "gc"])
def test_who_may_not_look_into_all_namespaces_is_told(door: FakeBuilds, command: str) -> None:
    door.forbidden = {"jobs everywhere": FORBIDDEN}
    done = run(command, "-A")
    assert (done.exception, done.stdout) == (FORBIDDEN, "")


def test_leftovers_of_all_namespaces_are_removed_where_they_are(door: FakeBuilds) -> None:
    ended = job("gone", condition("Complete"))
    door.objects |= {"namespaces": [orphan("alone")], "jobs of alone": [job("alone", condition("Complete"))]}
    door.objects |= {"jobs of ci": [ended], "configmaps of other": [orphan("context")]}
    assert run("gc", "-A", "--older-than", "1s", "--yes").stdout.splitlines() == [
        "removed job builds/old: it ended",
        "removed job ci/gone: it ended",
        "removed configmap other/context: its Job is gone",
        "removed namespace alone: no build is in it",
    ]
    assert door.deleted == [
        "jobs/old uid-of-old-12:00:00",
        "jobs/gone uid-of-gone-12:00:00 in ci",
        "configmaps/context uid-of-context in other",
        "namespaces/alone uid-of-alone",
    ]


def orphan(name: str) -> dict[str, Any]:
    """Return what is left of a build without a Job."""
    labels = {**LABELS, "jenkins-kaniko/build": name}
    return {"metadata": {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": NOON, "labels": labels}}


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (86400, "1d")])
def test_an_age_is_short(door: FakeBuilds, seconds: float, text: str) -> None:
    (found, *_) = builds(door)
    now = datetime.fromtimestamp(found.created.timestamp() + seconds, UTC)
    assert buildlisting.builds_text([found], now).splitlines()[1].split()[2] == text


def test_builds_are_data(door: FakeBuilds) -> None:
    code, found = data("ps")
    assert (code, [one["state"] for one in found["builds"]]) == (0, ["succeeded", "failed", "running"])
    assert found["builds"][1] == {
        "name": "old",
        "namespace": "builds",
        "image": REPOSITORY,
        "tags": ["1"],
        "client": "me@here",
        "created": "2026-11-21T12:00:00+00:00",
        "state": "failed",
        "why": "Why: so\n\x1bit is",
    }


def test_a_log_ends_with_the_result(door: FakeBuilds) -> None:
    done = run("logs", "app")
    assert (done.exit_code, done.stdout) == (0, f"one\n{REPOSITORY}@{DIGEST}\n")
    assert done.stderr == f"pushed {IMAGE} in 14 s\n"
    code, found = data("logs", "app")
    assert (code, found["ref"], found["seconds"]) == (0, f"{REPOSITORY}@{DIGEST}", 14)


def test_a_result_names_the_commit(door: FakeBuilds) -> None:
    door.objects["jobs"][1]["metadata"]["annotations"]["jenkins-kaniko/commit"] = "c0ffee"
    assert data("logs", "app")[1]["commit"] == "c0ffee"
    del door.objects["jobs"][1]["metadata"]["annotations"]["jenkins-kaniko/commit"]
    assert "commit" not in data("logs", "app")[1]


def test_a_log_without_a_result_says_so(door: FakeBuilds) -> None:
    done = run("logs", "web")
    assert (done.exit_code, done.stdout) == (0, "one\n")
    assert done.stderr == "web did not end yet; wait for it with: jenkins-kaniko logs -f web\n"
    assert data("logs", "web") == (0, {})


def test_a_failure_is_data_too(door: FakeBuilds) -> None:
    code, found = data("logs", "nothing")
    assert found["error"]["message"] == "no build nothing in namespace builds; there: app, old, web"
    assert (code, found["error"]["exitCode"]) == (1, errors.WRONG_INPUT)


def test_what_is_cancelled_is_told_and_nothing_else_goes(door: FakeBuilds) -> None:
    done = run("cancel", "web", "app", "web")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "web: cancelled (running)\napp: removed (succeeded)\n"
    assert door.deleted == ["web", "app"]
    assert data("cancel", "old") == (0, {"builds": [{"name": "old", "state": "failed"}]})


def test_nothing_is_cancelled_where_one_name_is_wrong(door: FakeBuilds) -> None:
    done = run("cancel", "web", "nothing")
    assert (type(done.exception), door.deleted) == (errors.WrongInputError, [])


def test_leftovers_are_shown_and_removed_only_with_yes(door: FakeBuilds) -> None:
    shown = run("gc", "--older-than", "1s")
    assert (shown.exit_code, shown.stdout) == (0, "would remove job builds/old: it ended\n")
    assert (shown.stderr, door.deleted) == ("nothing was removed; --yes does it\n", [])
    assert run("gc", "--older-than", "99999h").stdout == "nothing is left\n"
    removed = run("gc", "--older-than", "1s", "--yes")
    assert (removed.exit_code, removed.stdout, removed.stderr) == (0, "removed job builds/old: it ended\n", "")
    assert door.deleted == ["jobs/old uid-of-old-12:00:00"]


@pytest.mark.parametrize(("names", "code"), [(["old"], errors.MIXED_OUTCOMES), (["old", "older"], errors.UNREACHABLE)])
def test_what_cannot_be_removed_is_told(door: FakeBuilds, names: list[str], code: int) -> None:
    door.objects["jobs"].append(job("older", condition("Complete")))
    door.forbidden = dict.fromkeys(names, FORBIDDEN)
    done = run("gc", "--older-than", "1s", "--yes")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (code, f"could not remove job builds/old: {FORBIDDEN}")
    ended_with, found = data("gc", "--older-than", "1s", "--yes")
    assert ended_with == code
    assert found["leftovers"][0] == {
        "kind": "jobs",
        "namespace": "builds",
        "name": "old",
        "why": "it ended",
        "removed": False,
        "error": {"message": str(FORBIDDEN), "exitCode": errors.UNREACHABLE},
    }
    assert found["leftovers"][1]["removed"] is (names == ["old"])


def test_ctrl_c_ends_who_follows_and_not_the_build(door: FakeBuilds, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "watch", interrupted)
    done = run("logs", "-f", "web")
    assert (done.exit_code, done.stderr, door.deleted) == (errors.INTERRUPTED, "interrupted\n", [])


def test_a_detached_build_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = FakeCluster([[ended()]])
    monkeypatch.setattr(cluster_pods, "Pods", lambda namespace: made)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    arguments = ["build", str(tmp_path), "-t", IMAGE, "--detach"]
    done = run(*arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{made.made[0]['metadata']['name']}\n", "")
    assert data(*arguments, "--name", "mine") == (0, {"name": "mine", "namespace": "builds", "image": REPOSITORY})
    assert made.deleted == []
