"""What becomes of a build whatever the cluster does; the cluster is a fake, and time does not pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from jenkins_kaniko import errors, patience, transport
from jenkins_kaniko.build import Result, build
from jenkins_kaniko.errors import JenkinsKanikoError, MissingError, UnansweredError
from tests.support.fake_builds import going
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

LOST = UnansweredError("the cluster cannot be reached: gone")
UNAVAILABLE = b"error pushing image: failed to push: unexpected status code 503 Service Unavailable"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only while somebody sleeps; the list holds what it is."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    return now


def log(*texts: bytes) -> list[bytes]:
    return [b"2026-11-21T20:54:25.%09dZ %s" % (number, text) for number, text in enumerate(texts)]


def failure(cluster: FakeCluster, told: Told | None = None, **changes: Any) -> JenkinsKanikoError:
    with pytest.raises(JenkinsKanikoError) as caught:
        build(spec(**changes), context(), cluster, (told or Told()).listener)
    return caught.value


def test_a_build_that_ends_well_gives_its_image_and_leaves_nothing() -> None:
    lines = log(
        b"\x1b[36mINFO\x1b[0m[0000] Using caching version of cmd: RUN one  ",
        b"INFO[0001] No cached layer found for cmd RUN two",
        b"INFO[0001] No cached layer found for cmd RUN three",
    )
    cluster, told = FakeCluster([[pod(), RUNNING], [ended()]], [lines[:2], lines]), Told()
    options = {"image": IMAGE, "tags": ["2", "latest"]}
    assert build(spec(options=options), context(), cluster, told.listener) == Result(
        image="registry.example.com/team/app",
        tags=["1", "2", "latest"],
        digest=DIGEST,
        engine="kaniko",
        seconds=0,
        cache_hits=1,
        cache_misses=2,
        first_miss="RUN two",
        commit="c0ffee",
    )
    assert told.lines[0] == "INFO[0000] Using caching version of cmd: RUN one"
    assert len(told.lines) == 3
    job, config_map = cluster.made
    assert config_map["metadata"]["ownerReferences"][0]["uid"] == "uid-of-app"
    assert job["spec"]["template"]["spec"]["volumes"][0]["configMap"] == {"name": config_map["metadata"]["name"]}
    assert (cluster.deleted, told.notes) == (["app"], [])


def test_a_digest_counts_only_after_a_good_end() -> None:
    cluster, told = (
        FakeCluster(
            [[ended(3)]],
            [log(b"INFO[0000] RUN exit 3", b"error building image: waiting for process to exit: exit status 3")],
        ),
        Told(),
    )
    error = failure(cluster, told)
    assert error.exit_code == errors.BUILD_FAILED
    assert str(error).startswith(f"{IMAGE}: build failed (exit code 3)\n  at Dockerfile:2: RUN exit 3\n  cause: ")
    assert (cluster.deleted, told.notes) == (["app"], [])


def test_what_the_cluster_warns_of_meanwhile_is_told_once() -> None:
    def event(kind: str, when: str, reason: str) -> dict[str, Any]:
        return {"type": kind, "lastTimestamp": when, "reason": reason, "message": "why"}

    events = [
        event("Warning", "2026-11-21T20:54:24Z", "FailedScheduling"),
        event("Normal", "2026-11-21T20:54:26Z", "Pulled"),
        event("Warning", "2026-11-21T20:54:26Z", "NodeNotReady"),
    ]
    running = state("kaniko", running={"startedAt": "2026-11-21T20:54:25Z"})
    cluster, told = FakeCluster([[running], [], [running], [], [ended()]], told=events), Told()
    build(spec(), context(), cluster, told.listener)
    assert told.notes == ["NodeNotReady: why"]


def test_what_the_cluster_warns_of_is_told_between_the_lines_of_a_log(clock: list[float]) -> None:
    """A RUN that prints all the time leaves no other moment for it, and is not slowed by it."""
    asked: list[float] = []

    class Chatty(FakeCluster):
        def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
            for line in log(*[b"line"] * 60):
                clock[0] += 1 if follow else 0
                yield line

        def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]:
            asked.append(clock[0])
            return [{"type": "Warning", "lastTimestamp": "2026-11-21T20:54:26Z", "reason": "NodeNotReady"}]

    told = Told()
    build(spec(), context(), Chatty([[RUNNING], [ended()]]), told.listener)
    assert told.notes == ["NodeNotReady: "]
    assert (told.lines.count("line"), asked) == (60, [1030.0, 1060.0])


def test_the_peak_of_memory_is_part_of_the_result() -> None:
    told = Told()
    result = build(spec(), context(), FakeCluster([[ended(message=f"{DIGEST}\nmemory=4000000000")]]), told.listener)
    assert (result.digest, result.peak_memory) == (DIGEST, 4_000_000_000)
    assert told.notes == ["peak memory 3814 MiB of 4096 MiB; that is close to the end: --profile large"]


def test_a_failed_build_tells_its_peak_of_memory_too() -> None:
    told = Told()
    failure(FakeCluster([[ended(3, "\nmemory=40000000")]]), told)
    assert told.notes == ["peak memory 38 MiB of 4096 MiB"]


def test_a_builder_that_tells_no_digest_did_not_push() -> None:
    error = failure(FakeCluster([[ended(0, "")]]))
    assert (error.exit_code, "told no digest" in str(error)) == (errors.FAILED, True)


def test_what_can_pass_is_tried_again_in_a_new_job(clock: list[float]) -> None:
    cluster, told = FakeCluster([[ended(1)], [ended(1)], [ended()]], [log(UNAVAILABLE)]), Told()
    build(spec(), context(), cluster, told.listener)
    assert cluster.deleted == ["app", "app-2", "app-3"]
    cause = "the registry, or a proxy before it, has a failure: 503 Service Unavailable"
    assert told.notes == [f"{cause}; attempt 2 in 5 s", f"{cause}; attempt 3 in 20 s"]
    assert clock[0] == 1025


def test_it_is_not_tried_for_ever() -> None:
    cluster = FakeCluster([[ended(1)]], [log(UNAVAILABLE)])
    assert failure(cluster, options={"image": IMAGE, "retries": 1}).exit_code == errors.BUILD_FAILED
    assert cluster.deleted == ["app", "app-2"]


def test_a_builder_without_memory_gets_one_more_chance_with_less_in_use() -> None:
    cluster = FakeCluster([[ended(137, "", "OOMKilled")]])
    assert failure(cluster).exit_code == errors.FAILED
    first, _, second, _ = cluster.made
    extra = [job["spec"]["template"]["spec"]["containers"][0]["args"] for job in (first, second)]
    assert set(extra[1]) - set(extra[0]) == {"--compressed-caching=false"}
    assert cluster.deleted == ["app", "app-2"]


def taken(reason: str) -> dict[str, Any]:
    """Return a pod that the cluster takes off its node, and whose builder was stopped for that."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}
    return going(pod(**ended(2)["status"], conditions=[condition]))


@pytest.mark.parametrize(
    "evicted",
    [
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        pod(phase="Failed", reason="Terminated", message="Pod was terminated in response to imminent node shutdown."),
        pod(phase="Failed", reason="NodeShutdown", message="Pod was rejected as the node is shutting down."),
        taken("EvictionByEvictionAPI"),
        taken("PreemptionByScheduler"),
        taken("DeletionByTaintManager"),
    ],
    ids=["by the kubelet", "by a node that stops", "by a node that is to stop", "by an administrator",
         "for another pod", "for a lost node"],
)  # fmt: skip
def test_an_evicted_pod_is_replaced(evicted: dict[str, Any]) -> None:
    cluster, told = FakeCluster([[RUNNING], [evicted], [ended()]]), Told()
    assert build(spec(), context(), cluster, told.listener).digest == DIGEST
    assert told.notes == ["the cluster took the pod off its node; attempt 2 in 5 s"]


def test_a_pod_that_its_node_has_no_room_for_is_replaced() -> None:
    refused = pod(phase="Failed", reason="OutOfcpu", message="Pod was rejected: Node didn't have enough resource: cpu")
    cluster, told = FakeCluster([[refused], [ended()]]), Told()
    assert build(spec(), context(), cluster, told.listener).digest == DIGEST
    assert told.notes == ["the node had no room any more for the pod that it got; attempt 2 in 5 s"]


def with_sidecar(own: dict[str, Any], **terminated: Any) -> dict[str, Any]:
    """Return a pod into which a service mesh put a sidecar, which ended at least once."""
    status = {"name": "istio-proxy", "state": {"terminated": {"reason": "Error", **terminated}}}
    sidecar = {"name": "istio-proxy", "restartPolicy": "Always"}
    told = {**own["status"], "initContainerStatuses": [status]}
    return {**own, "spec": {"initContainers": [sidecar]}, "status": told}


def test_a_sidecar_of_the_pod_is_not_the_builder() -> None:
    """It is restarted while the pod is there, and killed when the builder ended."""
    seen = (with_sidecar(pod(), exitCode=1), with_sidecar(RUNNING, exitCode=1), with_sidecar(ended(), exitCode=137))
    assert build(spec(), context(), FakeCluster([[one] for one in seen]), Told().listener).digest == DIGEST


def test_a_pod_that_is_evicted_after_a_good_end_counts() -> None:
    """As one that a sidecar keeps."""
    evicted = pod(**ended()["status"] | {"phase": "Failed", "reason": "Evicted", "message": "why"})
    assert build(spec(), context(), FakeCluster([[RUNNING], [evicted]]), Told().listener).digest == DIGEST


def test_an_init_container_that_fails_is_named() -> None:
    failed = {"name": "istio-init", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    error = failure(FakeCluster([[pod(initContainerStatuses=[failed])]]))
    assert str(error).splitlines()[0] == f"{IMAGE}: Error: exit code 1 of the container istio-init"


def test_an_evicted_pod_that_is_gone_before_anybody_looked_is_replaced() -> None:
    """Its Job tells it, a moment later."""
    remembered = {
        "type": "FailureTarget",
        "reason": "PodFailurePolicy",
        "message": "Pod builds/app-x1 has condition DisruptionTarget matching FailJob rule at index 0",
    }
    cluster, told = FakeCluster([[RUNNING], [None], [ended()]], failed={"app": [[], [remembered]]}), Told()
    assert build(spec(), context(), cluster, told.listener).digest == DIGEST
    assert told.notes == ["the cluster took the pod off its node; attempt 2 in 5 s"]
    policy = cluster.made[0]["spec"]["podFailurePolicy"]
    conditions = [{"type": "DisruptionTarget", "status": "True"}]
    assert policy == {"rules": [{"action": "FailJob", "onPodConditions": conditions}]}


def test_a_pod_that_its_job_blames_is_not_replaced() -> None:
    failed = {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "Job has reached the backoff limit"}
    error = failure(FakeCluster([[RUNNING], [None]], failed={"app": [[failed]]}))
    assert str(error).splitlines()[0] == f"{IMAGE}: the pod was deleted"


@pytest.mark.parametrize(
    "watches",
    [[[RUNNING, None]], [[RUNNING], [None]], [[RUNNING], []], [[RUNNING], [going(RUNNING)]], [[going(ended(2, ""))]]],
)
def test_a_deleted_pod_ends_the_build(watches: list[Sequence[Answer]]) -> None:
    cluster = FakeCluster(watches, there_is_one=False)
    error = failure(cluster)
    assert (error.exit_code, str(error).splitlines()[0]) == (errors.FAILED, f"{IMAGE}: the pod was deleted")
    assert cluster.deleted == ["app"]


def test_a_pod_that_is_deleted_after_a_good_end_counts() -> None:
    cluster = FakeCluster([[RUNNING], [going(ended())]])
    assert build(spec(), context(), cluster, Told().listener).digest == DIGEST


def test_an_api_server_may_be_away_for_a_while() -> None:
    lines = log(b"one", b"two", b"three")
    watches: list[Sequence[Answer]] = [[LOST], [pod(), LOST], [LOST], [RUNNING], [LOST], [RUNNING], [ended()]]
    logs: list[Sequence[bytes | Exception]] = [[*lines[:1], LOST], [LOST], [*lines[:2]], lines]
    told = Told()
    assert build(spec(), context(), FakeCluster(watches, logs), told.listener).digest == DIGEST
    assert (told.lines, told.notes) == (["one", "two", "three"], [])


def test_the_time_that_an_api_server_may_be_away_begins_after_its_last_line_of_log(clock: list[float]) -> None:
    class Chatty(FakeCluster):
        """An API server that restarts after a log that was longer than it may be away."""

        def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
            for line in super().log(pod, container, since, follow=follow, quiet=quiet):
                clock[0] += patience.PATIENCE_SECONDS
                yield line

    lines = log(b"one", b"two", b"three")
    cluster, told = Chatty([[RUNNING], [LOST], [ended()]], [[*lines[:2], LOST], [LOST], lines]), Told()
    assert build(spec(), context(), cluster, told.listener).digest == DIGEST
    assert (told.lines, cluster.deleted) == (["one", "two", "three"], ["app"])


def test_the_end_of_the_log_is_waited_for() -> None:
    """It says why the build failed, and which step it was."""
    lines = log(b"INFO[0000] RUN exit 3", b"error building image: waiting for process to exit: exit status 3")
    error = failure(FakeCluster([[ended(3)]], [[LOST], [lines[0], LOST], lines]))
    assert str(error).startswith(f"{IMAGE}: build failed (exit code 3)\n  at Dockerfile:2: RUN exit 3\n  cause: ")


@pytest.mark.parametrize("error", [LOST, MissingError("log of pod builds/app-x1: not found")])
def test_an_end_of_the_log_that_does_not_come_is_told(clock: list[float], error: Exception) -> None:
    told = Told()
    assert build(spec(), context(), FakeCluster([[ended()]], [[error]]), told.listener).digest == DIGEST
    assert told.notes == [f"the end of the log is missing: {error}"]
    assert (clock[0] > 1000 + patience.PATIENCE_SECONDS) == (error is LOST)


def test_an_api_server_that_stays_away_ends_the_build(clock: list[float]) -> None:
    cluster = FakeCluster([[RUNNING], [LOST]], deleting=[LOST] * 1000)
    told = Told()
    assert type(failure(cluster, told)) is UnansweredError
    assert told.notes == [f"job app is left until an hour after its end: {LOST}"]
    assert clock[0] < 1000 + 3 * patience.PATIENCE_SECONDS


def test_a_job_is_removed_once_the_api_server_is_back() -> None:
    cluster = FakeCluster([[ended()]], deleting=[LOST, LOST])
    build(spec(), context(), cluster, Told().listener)
    assert cluster.deleted == ["app"]


def test_a_build_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    class Slow(FakeCluster):
        def there(self, label: str) -> bool:
            clock[0] += 60
            return True

    cluster = Slow([[RUNNING], []])
    error = failure(cluster, timeout=150)
    assert (error.exit_code, str(error).splitlines()[0]) == (
        errors.TIMED_OUT, f"{IMAGE}: timed out after 2.5 minutes",
    )  # fmt: skip
    assert cluster.deleted == ["app"]


class Taking(FakeCluster):
    """A cluster whose builders take a while, before the registry has a failure at the push."""

    clock: list[float]
    seconds: float

    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
        yield from log(b"INFO[0000] RUN one")
        self.clock[0] += self.seconds if follow else 0
        yield from log(b"INFO[0000] RUN one", UNAVAILABLE)


def test_all_attempts_share_the_time_that_a_build_may_take(clock: list[float]) -> None:
    cluster, told = Taking([[RUNNING], [ended(1)]] * 3), Told()
    cluster.clock, cluster.seconds = clock, 80
    error = failure(cluster, told, timeout=150)
    assert (error.exit_code, str(error).splitlines()[0]) == (
        errors.TIMED_OUT, f"{IMAGE}: timed out after 2.5 minutes",
    )  # fmt: skip
    assert cluster.deleted == ["app", "app-2"]
    assert clock[0] < 1000 + 150 + 80


def test_nothing_is_tried_again_where_no_time_is_left(clock: list[float]) -> None:
    cluster, told = Taking([[RUNNING], [ended(1)]]), Told()
    cluster.clock, cluster.seconds = clock, 146
    assert failure(cluster, told, timeout=150).exit_code == errors.BUILD_FAILED
    assert (cluster.deleted, told.notes) == (["app"], [])


def waiting(reason: str, message: str = "why") -> dict[str, Any]:
    return state("kaniko", waiting={"reason": reason, "message": message})


@pytest.mark.parametrize(
    ("watches", "events", "why"),
    [
        ([[waiting("InvalidImageName")]], [], "InvalidImageName: why"),
        ([[waiting("ErrImagePull"), waiting("ImagePullBackOff"), waiting("ErrImagePull")]], [], "ErrImagePull: why"),
        ([[pod()]], ['MountVolume.SetUp failed for volume "docker-config" : secret "x" not found'], "MountVolume"),
        ([[pod()]], ['MountVolume.SetUp failed for volume "ca" : references non-existent config key: ca.crt'],
         "MountVolume"),
        ([[pod()]], ['MountVolume.SetUp failed for volume "x" : references non-existent secret key: .dockerconfigjson'],
         "MountVolume"),
        ([[]], ['Error creating: pods "app-1" is forbidden: violates PodSecurity "restricted:latest": x'], "pods "),
        ([[]], ['Error creating: admission webhook "policy" denied the request: \n\nPod was blocked:\n  no-root: why'],
         'admission webhook "policy" denied the request: Pod was blocked: no-root: why'),
        ([[state("context", terminated={"exitCode": 128, "reason": "StartError", "message": "no shell"})]], [],
         "StartError: no shell"),
    ],
    ids=["image name", "pulled twice", "no secret", "no key", "no account", "admission", "policy", "no shell"],
)  # fmt: skip
def test_waiting_in_vain_ends_at_once(watches: list[Sequence[Answer]], events: list[str], why: str) -> None:
    told = [{"message": text, "type": "Warning", "reason": "Failed"} for text in events]
    cluster = FakeCluster(watches, told=told)
    error = failure(cluster)
    assert (error.exit_code, str(error).startswith(f"{IMAGE}: {why}")) == (errors.FAILED, True)
    assert cluster.deleted == ["app"]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", 'failed to reserve container name "kaniko_0": name is reserved for "c1"'),
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
    ],
)
def test_a_node_that_is_slow_is_waited_for(reason: str, message: str) -> None:
    """The kubelet tries again to make a container."""
    slow = state("kaniko", waiting={"reason": reason, "message": message})
    told = Told()
    assert build(spec(), context(), FakeCluster([[slow], [ended()]]), told.listener).digest == DIGEST
    assert told.notes == [f"waiting: {reason}: {message}"]


def test_an_earlier_job_of_the_name_that_was_denied_does_not_matter() -> None:
    text = 'Error creating: pods "app-1" is forbidden: violates PodSecurity "restricted:latest": x'
    event = {"message": text, "type": "Warning", "reason": "Failed", "involvedObject": {"uid": "another"}}
    told = Told()
    assert build(spec(), context(), FakeCluster([[], [ended()]], told=[event]), told.listener).digest == DIGEST
    assert told.notes == []


def test_what_can_pass_is_waited_for_and_told_once() -> None:
    own = 'MountVolume.SetUp failed for volume "context" : configmap "app-abc" not found'
    quota = 'Error creating: pods "app-1" is forbidden: exceeded quota: builds'
    events = [{"message": text, "type": "Warning", "reason": "Failed"} for text in (own, quota)]
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    unschedulable = pod(conditions=[condition])
    watches: list[Sequence[Answer]] = [[], [], [unschedulable], [unschedulable], [waiting("ErrImagePull")], [ended()]]
    told = Told()
    build(spec(), context(), FakeCluster(watches, told=events), told.listener)
    assert told.notes == [
        f"waiting: Failed: {quota}",
        "waiting: Unschedulable: 0/1 nodes",
        "waiting: ErrImagePull: why",
    ]


def test_a_pod_that_does_not_start_in_time_ends_the_build(clock: list[float]) -> None:
    class Slow(FakeCluster):
        def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]:
            clock[0] += 3
            return [{"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota: builds"}]

    cluster = Slow([[]])
    error = failure(cluster, pending_timeout=10)
    assert error.exit_code == errors.TIMED_OUT
    assert str(error).startswith(f"{IMAGE}: the pod did not start in 10 s: FailedCreate: exceeded quota: builds\n")
    assert cluster.deleted == ["app"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_job_is_removed_where_its_creation_is_interrupted(stop: BaseException) -> None:
    cluster = FakeCluster([[]], creating=stop)
    with pytest.raises(type(stop)):
        build(spec(keep=True), context(), cluster, Told().listener)
    assert cluster.deleted == ["app"]


def somebody_elses(name: str, **annotations: str) -> dict[str, Any]:
    labels = {"jenkins-kaniko/build": "app"}
    return {"kind": "Job", "metadata": {"name": name, "labels": labels, "annotations": annotations}}


@pytest.mark.parametrize("is_made", [False, True], ids=["away", "answer lost"])
@pytest.mark.parametrize("kind", ["Job", "Secret", "ConfigMap"])
def test_an_api_server_may_be_away_while_a_build_is_made(kind: str, is_made: bool) -> None:
    cluster, told = FakeCluster([[ended()]], lost={kind: [(LOST, is_made), (LOST, False)]}), Told()
    secrets = {"netrc": b"s3cret"}
    assert build(spec(secrets=secrets), context(), cluster, told.listener).digest == DIGEST
    assert [one["kind"] for one in cluster.made] == ["Job", "Secret", "ConfigMap"]
    assert cluster.deleted == ["app"]
    assert told.notes == [f"{LOST}; asking again for {patience.PATIENCE_SECONDS} s"]


def test_a_job_of_somebody_else_that_came_meanwhile_stays() -> None:
    cluster = FakeCluster([[]], lost={"Job": [(LOST, False)]})
    cluster.made.append(somebody_elses("app"))
    error = failure(cluster)
    assert (error.exit_code, str(error)) == (
        errors.REFUSED, "job builds/app: there already; wait for its end, or give another --name",
    )  # fmt: skip
    assert cluster.deleted == []


def test_an_api_server_may_be_away_while_names_are_compared() -> None:
    class Away(FakeCluster):
        answers = [LOST, LOST]  # noqa: RUF012 - of this test alone

        def jobs(self, label: str) -> list[dict[str, Any]]:
            if self.answers:
                raise self.answers.pop()
            return super().jobs(label)

    assert build(spec(), context(), Away([[ended()]]), Told().listener).digest == DIGEST


def test_a_build_that_no_api_server_makes_is_ended(clock: list[float]) -> None:
    cluster, told = FakeCluster([[]], lost={"Job": [(LOST, False)] * 1000}), Told()
    assert type(failure(cluster, told)) is UnansweredError
    assert clock[0] < 1002 + patience.PATIENCE_SECONDS
    assert told.notes == [f"{LOST}; asking again for {patience.PATIENCE_SECONDS} s"]


def test_a_job_of_somebody_else_stays() -> None:
    cluster = FakeCluster([[]], creating=errors.RefusedError("there already"))
    cluster.made.append(somebody_elses("app"))
    assert type(failure(cluster)) is errors.RefusedError
    assert cluster.deleted == []


@pytest.mark.parametrize("annotations", [{"jenkins-kaniko/client": "you@there x"}, {}])
def test_a_name_is_taken_at_whatever_attempt(annotations: dict[str, str]) -> None:
    cluster = FakeCluster([[ended()]])
    other = somebody_elses("app-2", **annotations)
    if not annotations:
        del other["metadata"]["annotations"]  # kubectl made it
    cluster.made.append(other)
    error = failure(cluster)
    assert (error.exit_code, str(error)) == (
        errors.REFUSED, "job builds/app-2: there already; wait for its end, or give another --name",
    )  # fmt: skip
    assert cluster.deleted == ["app"]


def test_a_namespace_that_does_not_take_the_job_is_explained() -> None:
    cluster = FakeCluster([[]], creating=errors.DeniedError('jobs "app" is forbidden: exceeded quota: builds'))
    error = failure(cluster)
    assert (error.exit_code, "a rule of the namespace refuses the pod" in str(error)) == (errors.FAILED, True)


def test_a_kept_job_stays_after_its_end() -> None:
    cluster = FakeCluster([[ended()]])
    build(spec(keep=True), context(), cluster, Told().listener)
    assert cluster.deleted == []


def test_a_large_context_is_sent_into_the_waiting_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    waits = state("context", running={})
    cluster, told = FakeCluster([[pod(), waits, waits, ended()]], cut=[LOST]), Told()
    build(spec(), context(b"content"), cluster, told.listener)
    (job,) = cluster.made
    assert job["spec"]["template"]["spec"]["volumes"][0]["emptyDir"] == {}
    assert "--context=dir:///jenkins-kaniko/context" in job["spec"]["template"]["spec"]["containers"][0]["args"]
    tar, done = cluster.sent
    assert (b"content" in tar, done) == (True, b"")
    assert told.notes[0] == f"sending the build context: {LOST}; from its begin again"


@pytest.mark.parametrize(
    "broken", [[LOST] * transport.TRIES, [JenkinsKanikoError("exit code 137")]], ids=["connection", "command"]
)
def test_a_pod_that_is_evicted_while_the_context_is_sent_is_replaced(
    monkeypatch: pytest.MonkeyPatch, broken: list[Exception]
) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    waits = state("context", running={})
    watches: list[Sequence[Answer]] = [[waits], [waits, taken("EvictionByEvictionAPI")], [waits, ended()]]
    cluster, told = FakeCluster(watches, cut=broken), Told()
    assert build(spec(), context(b"content"), cluster, told.listener).digest == DIGEST
    assert "the cluster took the pod off its node; attempt 2 in 5 s" in told.notes


def test_a_disk_that_the_context_fills_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    full = JenkinsKanikoError("pod builds/app-x1: tar: write error: No space left on device")
    error = failure(FakeCluster([[state("context", running={})]], cut=[full]))
    assert error.exit_code == errors.FAILED
    assert str(error).startswith(f"{IMAGE}: {full}\n  cause: the disk of the builder is full\n  fix: ")


def test_a_context_that_is_not_there_in_time_ends_the_build(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """The command in the pod goes on, and nothing else asks for the time."""

    class Endless(FakeCluster):
        def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
            list(chunks)
            clock[0] = until + 1
            raise LOST

    monkeypatch.setattr(transport, "SMALL", 10)
    error = failure(Endless([[state("context", running={})]]), timeout=150)
    assert str(error).splitlines()[0] == f"{IMAGE}: timed out after 2.5 minutes"
    assert clock[0] < 1000 + 150 + 10


def test_a_connection_that_breaks_too_often_ends_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SMALL", 10)
    waits = state("context", running={})
    cluster = FakeCluster([[waits]], cut=[LOST] * transport.TRIES)
    assert failure(cluster).exit_code == errors.UNREACHABLE
    assert cluster.deleted == ["app"]
