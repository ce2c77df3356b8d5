"""What is known of builds by their Jobs and pods, and what becomes of one that is followed; the cluster is a fake."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from jenkins_kaniko import errors, transport
from jenkins_kaniko.build import Result
from jenkins_kaniko.builds import builds, find
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError
from jenkins_kaniko.following import follow, send_off
from tests.support.fake_builds import FakeBuilds, condition, going, job, of
from tests.support.fake_cluster import (
    DIGEST,
    IMAGE,
    RUNNING,
    Answer,
    FakeCluster,
    Told,
    context,
    ended,
    pod,
    spec,
    state,
)
from tests.test_build import UNAVAILABLE, clock, log

__all__ = ["clock"]
pytestmark = pytest.mark.usefixtures("clock")

LOST = UnansweredError("the cluster cannot be reached: gone")
EVICTED = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
OUT_OF_TIME = condition("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
KILLED = going(ended(2, "", "Error"))
DONE = state(
    "kaniko",
    terminated={"exitCode": 0, "message": DIGEST, "reason": "Completed", "finishedAt": "2026-11-21T12:00:14Z"},
)


def cluster(owner: dict[str, Any], its: Mapping[str, Any] | None = None, **more: Any) -> FakeBuilds:
    pods = [of(owner, its)] if its else []
    return FakeBuilds(**{"watches": [[]], "objects": {"jobs": [owner], "pods": pods}, **more})


@pytest.mark.parametrize(
    ("owner", "its", "expected"),
    [
        (job(), None, ("waiting", "FailedCreate: exceeded quota")),
        (job(), pod(), ("waiting", None)),
        (job(), state("kaniko", waiting={"reason": "ErrImagePull"}), ("waiting", "ErrImagePull: ")),
        (job(), state("context", running={}), ("waiting", None)),
        (job(), RUNNING, ("running", None)),
        (job(), DONE, ("succeeded", None)),
        (job("app", condition("Complete")), None, ("succeeded", None)),
        (job(), ended(3, "", "Error"), ("failed", "Error: exit code 3")),
        (job(), EVICTED, ("failed", "Evicted: The node was low on resource: memory.")),
        (job("app", condition("Failed", "Why", "so")), None, ("failed", "Why: so")),
        (job("app", OUT_OF_TIME), KILLED, ("failed", "out of time")),
        (job(), KILLED, ("failed", "the pod was deleted")),
        (job(), going(RUNNING), ("running", None)),
        (job(), going(DONE), ("succeeded", None)),
    ],
)  # fmt: skip
def test_a_build_is_as_its_job_and_pod_are(
    owner: dict[str, Any], its: dict[str, Any] | None, expected: tuple[str, str | None]
) -> None:
    told = [{"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota"}]
    (found,) = builds(cluster(owner, its, told=told))
    assert (found.state, found.why) == expected
    assert (found.name, found.reference, found.client) == ("app", IMAGE, "me@here")


def test_a_build_is_its_newest_job_and_what_is_no_build_is_none() -> None:
    first, second, other = job(created="12:00:00"), job(created="12:00:09"), job("other", created="12:00:05")
    foreign = job("foreign")
    del foreign["metadata"]["labels"]["jenkins-kaniko/build"]
    door = FakeBuilds([[]], objects={"jobs": [second, foreign, first, other], "pods": [of(first, KILLED)]})
    assert [(one.name, one.uid, one.state) for one in builds(door)] == [
        ("other", other["metadata"]["uid"], "waiting"),
        ("app", second["metadata"]["uid"], "waiting"),
    ]


def test_a_probe_is_no_build() -> None:
    probe = job(created="12:00:09")
    probe["metadata"]["labels"]["jenkins-kaniko/probe"] = "true"
    built = job(created="12:00:00")
    assert [one.uid for one in builds(FakeBuilds([[]], objects={"jobs": [built, probe], "pods": []}))] == [
        built["metadata"]["uid"]
    ]


def test_an_unknown_build_is_told_with_the_nearest() -> None:
    door = FakeBuilds([[]], objects={"jobs": [job("build-app-1"), job("zoo")]})
    with pytest.raises(errors.WrongInputError) as caught:
        find(door, "build-app-2")
    assert str(caught.value) == (
        "no build build-app-2 in namespace builds; did you mean build-app-1? (there: build-app-1, zoo)"
    )
    with pytest.raises(errors.WrongInputError, match="no build x in namespace builds; there: none"):
        find(FakeBuilds([[]]), "x")


# --- following -------------------------------------------------------------------------------------------------------


def failure(door: FakeBuilds, told: Told | None = None) -> JenkinsKanikoError:
    with pytest.raises(JenkinsKanikoError) as caught:
        follow(door, "app", (told or Told()).listener, to_end=True)
    return caught.value


def test_a_build_is_followed_to_its_result_and_no_line_comes_twice() -> None:
    owner, told = job(tags="1 latest"), Told()
    lines = log(b"INFO[0001] No cached layer found for cmd RUN one", b"two", b"three")
    running, done = of(owner, RUNNING), of(owner, DONE)
    watches: list[Sequence[Answer]] = [[LOST], [running], [running, None], [running, done]]
    logs: list[Sequence[bytes | Exception]] = [[*lines[:1], LOST], [LOST], lines[:2], lines]
    door = cluster(owner, RUNNING, watches=watches, logs=logs)
    result = follow(door, "app", told.listener, to_end=True)
    assert result == Result(
        image=IMAGE.removesuffix(":1"),
        tags=["1", "latest"],
        digest=DIGEST,
        engine="kaniko",
        seconds=14,
        cache_hits=0,
        cache_misses=1,
        first_miss="RUN one",
        commit=None,
    )
    assert told.lines == ["INFO[0001] No cached layer found for cmd RUN one", "two", "three"]
    assert (told.notes, door.deleted) == ([], [])


def test_what_a_build_waits_for_is_told_to_who_follows_it() -> None:
    owner, told = job(), Told()
    pulling = state("kaniko", waiting={"reason": "ErrImagePull", "message": "why"})
    result = follow(cluster(owner, pulling, watches=[[of(owner, DONE)]]), "app", told.listener, to_end=True)
    assert (result and result.digest, told.notes) == (DIGEST, ["waiting: ErrImagePull: why"])


@pytest.mark.parametrize("its", [None, pod(), RUNNING])
def test_who_does_not_follow_sees_what_there_is(its: dict[str, Any] | None) -> None:
    told = Told()
    assert follow(cluster(job(), its, logs=[log(b"one")]), "app", told.listener, to_end=False) is None
    assert told.lines == (["one"] if its is RUNNING else [])


@pytest.mark.parametrize(
    ("owner", "its", "code", "says"),
    [
        (job(), ended(3, "", "Error"), errors.BUILD_FAILED, f"{IMAGE}: build failed (exit code 3)\n  cause: "),
        (job(), ended(137, "", "OOMKilled"), errors.FAILED, f"{IMAGE}: OOMKilled: \n"),
        (job(), EVICTED, errors.FAILED, f"{IMAGE}: Evicted: The node was low"),
        (job("app", OUT_OF_TIME), KILLED, errors.TIMED_OUT, f"{IMAGE}: timed out after 10 minutes\n"),
        (job(), KILLED, errors.FAILED, f"{IMAGE}: the pod was deleted\n"),
        (job("app", OUT_OF_TIME), None, errors.TIMED_OUT, f"{IMAGE}: timed out after 10 minutes\n"),
        (job("app", condition("Complete")), None, errors.FAILED, f"{IMAGE}: its pod is gone, and with it the log"),
        (job(), ended(0, ""), errors.FAILED, f"{IMAGE}: the builder ended well, and told no digest"),
        (job(), state("kaniko", waiting={"reason": "InvalidImageName", "message": "why"}), errors.FAILED,
         f"{IMAGE}: InvalidImageName: why\n"),
    ],
)  # fmt: skip
def test_how_it_failed_is_explained(owner: dict[str, Any], its: dict[str, Any] | None, code: int, says: str) -> None:
    error = failure(cluster(owner, its))
    assert (error.exit_code, str(error)[: len(says)]) == (code, says)


def test_no_pod_is_waited_for_that_the_namespace_does_not_admit() -> None:
    denied = 'Error creating: pods "app-1" is forbidden: violates PodSecurity "restricted:latest": x'
    error = failure(cluster(job(), told=[{"type": "Warning", "reason": "FailedCreate", "message": denied}]))
    assert (error.exit_code, str(error).startswith(f'{IMAGE}: pods "app-1" is forbidden: ')) == (errors.FAILED, True)


def test_a_new_namespace_gets_its_account_a_little_late() -> None:
    early = 'Error creating: pods "app-1" is forbidden: error looking up service account app/default: not found'
    door = cluster(job(), told=[{"type": "Warning", "reason": "FailedCreate", "message": early}])
    assert follow(door, "app", Told().listener, to_end=False) is None


@pytest.mark.parametrize("seen", [[], [KILLED]])
def test_a_cancelled_build_ends_who_follows_it(seen: list[dict[str, Any]]) -> None:
    owner = job()

    class Cancelled(FakeBuilds):
        def watch(self, label: str, seconds: float) -> Any:
            self.objects = {}
            return iter(of(owner, one) for one in seen)

    door = Cancelled([[]], objects={"jobs": [owner], "pods": [of(owner, RUNNING)]})
    error = failure(door)
    assert (error.exit_code, str(error)) == (
        errors.FAILED, "app: its Job is gone: it was cancelled, or its own client removed it",
    )  # fmt: skip


class Retrying(FakeBuilds):
    """A build whose own client tries it again: its first Job goes, and the second comes a moment later."""

    first, second = job(created="12:00:00"), job(created="12:00:09")
    seconds = 0.0

    def watch(self, label: str, seconds: float) -> Any:
        if label.endswith(self.first["metadata"]["uid"]):
            self.gone_at = time.monotonic()
            self.objects = {}
        return super().watch(label, seconds)

    def jobs(self, label: str) -> list[dict[str, Any]]:
        if not self.objects and time.monotonic() > self.gone_at + self.seconds:
            self.objects = {"jobs": [self.second], "pods": [of(self.second, DONE)]}
        return super().jobs(label)


def retrying(end: dict[str, Any] | None, seconds: float) -> Retrying:
    first = Retrying.first
    watches: list[Sequence[Answer]] = [[of(first, end)] if end else [], []]
    door = Retrying(watches, [log(UNAVAILABLE)], objects={"jobs": [first], "pods": [of(first, RUNNING)]})
    door.seconds = seconds
    return door


@pytest.mark.parametrize(
    ("end", "begin"),
    [
        (ended(1, "", "Error"), f"{IMAGE}: build failed (exit code 1)"),
        (EVICTED, "app: its Job is gone: it was cancelled, or its own client removed it"),
        (None, "app: its Job is gone: it was cancelled, or its own client removed it"),
    ],
    ids=["the registry failed", "evicted", "nobody saw how"],
)
def test_who_follows_goes_on_with_the_next_attempt(end: dict[str, Any] | None, begin: str) -> None:
    told = Told()
    result = follow(retrying(end, seconds=7), "app", told.listener, to_end=True)
    assert (result and result.digest) == DIGEST
    assert told.notes == [f"{begin}; next attempt: job app"]


def test_who_follows_does_not_wait_for_ever_for_the_next_attempt(clock: list[float]) -> None:
    error = failure(retrying(ended(1, "", "Error"), seconds=100))
    assert (error.exit_code, str(error).splitlines()[0]) == (
        errors.BUILD_FAILED, f"{IMAGE}: build failed (exit code 1)",
    )  # fmt: skip
    assert clock[0] < 1000 + 20


def test_another_build_of_the_name_is_no_next_attempt() -> None:
    door = retrying(None, seconds=7)
    door.second = job(created="12:00:09", client="you@there x")
    assert str(failure(door)) == "app: its Job is gone: it was cancelled, or its own client removed it"


def test_a_build_that_nobody_tries_again_ends_who_follows_it(clock: list[float]) -> None:
    """Its Job stays, as that of a build that was sent off."""
    error = failure(cluster(job(), ended(1, "", "Error"), logs=[log(UNAVAILABLE)]))
    assert error.exit_code == errors.BUILD_FAILED
    assert clock[0] < 1000 + 15


def test_the_end_of_the_log_is_waited_for() -> None:
    door = cluster(job(), ended(3, "", "Error"), logs=[[LOST], log(b"INFO[0000] RUN exit 3")])
    told = Told()
    with pytest.raises(errors.BuildFailedError):
        follow(door, "app", told.listener, to_end=True)
    assert (told.lines, told.notes) == (["INFO[0000] RUN exit 3"], [])


def test_an_api_server_may_be_away_while_the_pod_does_not_start() -> None:
    class Away(FakeBuilds):
        def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]:
            raise LOST

    owner = job()
    pods = [of(owner, pod())]
    door = Away([[LOST], [of(owner, DONE)]], objects={"jobs": [owner], "pods": pods})
    result = follow(door, "app", Told().listener, to_end=True)
    assert (result and result.digest) == DIGEST


def test_an_api_server_that_stays_away_ends_who_follows() -> None:
    class Away(FakeBuilds):
        def watch(self, label: str, seconds: float) -> Any:
            self.forbidden = {"pods": LOST}
            raise LOST

    owner = job()
    door = Away([[]], objects={"jobs": [owner], "pods": [of(owner, RUNNING)]})
    assert type(failure(door)) is UnansweredError


# --- sending off -----------------------------------------------------------------------------------------------------


def test_a_small_build_is_sent_off_at_once_and_stays() -> None:
    door = FakeCluster([[LOST]])
    send_off(spec(), context(), door, Told().listener)
    assert ([one["kind"] for one in door.made], door.deleted) == (["Job", "ConfigMap"], [])
    assert door.made[0]["metadata"]["annotations"] == {
        "jenkins-kaniko/client": "me@here abc",
        "jenkins-kaniko/commit": "c0ffee",
        "jenkins-kaniko/image": IMAGE.removesuffix(":1"),
        "jenkins-kaniko/tags": "1",
    }


def test_a_large_context_is_there_before_the_client_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    door = FakeCluster([[pod(), state("context", running={}), RUNNING]])
    send_off(spec(), context(b"content"), door, Told().listener)
    assert (b"content" in door.sent[0], len(door.sent), door.deleted) == (True, 2, [])


def test_what_cannot_be_sent_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    door = FakeCluster([[state("context", waiting={"reason": "InvalidImageName", "message": "why"})]])
    with pytest.raises(JenkinsKanikoError, match=f"{IMAGE}: InvalidImageName: why"):
        send_off(spec(), context(b"content"), door, Told().listener)
    assert door.deleted == ["app"]
    door = FakeCluster([[]], creating=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        send_off(spec(), context(b"content"), door, Told().listener)
    assert door.deleted == ["app"]
