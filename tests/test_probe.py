"""What becomes of a command that is to run in a pushed image; the cluster is a fake, and time does not pass."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jenkins_kaniko import buildreport, errors, probe
from jenkins_kaniko.build import build
from jenkins_kaniko.buildjob import Mounted, Probe
from jenkins_kaniko.cli import cli
from jenkins_kaniko.errors import DeniedError, UnansweredError
from jenkins_kaniko.probe import Probed
from tests.support.fake_builds import going
from tests.support.fake_cluster import DIGEST, Answer, FakeCluster, Told, context, ended, pod, spec, state

LOST = UnansweredError("the cluster cannot be reached: gone")
REF = f"registry.example.com/team/app@{DIGEST}"
RUNNING = state("probe", running={})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only while somebody sleeps; the list holds what it is."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    return now


class SlowCluster(FakeCluster):
    """A cluster where every look takes a second."""

    def watch(self, label: str, seconds: float) -> Iterator[Mapping[str, Any] | None]:
        yield from super().watch(label, seconds)
        time.sleep(1)


def stopped(exit_code: int, reason: str = "Completed", message: str = "") -> dict[str, Any]:
    return state("probe", terminated={"exitCode": exit_code, "reason": reason, "message": message})


def waiting(reason: str) -> dict[str, Any]:
    return state("probe", waiting={"reason": reason, "message": "why"})


def probed(
    *watches: Sequence[Answer], told: Told | None = None, events: Sequence[dict[str, Any]] = (), output: bytes = b""
) -> tuple[Probed, FakeCluster]:
    """Return what came of it after a build that went well, and the cluster after both."""
    cluster = SlowCluster([[ended()], *watches], told=list(events), output=output)
    wanted = spec(probe=Probe("app --version", 60), pending_timeout=100)
    result = build(wanted, context(), cluster, (told or Told()).listener)
    assert result.probed
    return result.probed, cluster


def test_what_it_prints_belongs_to_the_result() -> None:
    told = Told()
    found, cluster = probed([pod(), RUNNING], [], [stopped(3)], output=b"1.4\n\xff\n", told=told)
    assert found == Probed("app --version", exit_code=3, output="1.4\n\ufffd\n", seconds=2)
    assert told.lines == ["1.4", "\ufffd"]
    assert told.notes == [f"pushed {REF}; probe: app --version", "probe: exit code 3 in 2 s"]
    assert cluster.deleted == ["app", "app-probe"]


def test_it_is_data_too() -> None:
    result = build(
        spec(probe=Probe("app", 60)), context(), FakeCluster([[ended()], [stopped(0)]], output=b"x"), Told().listener
    )
    assert buildreport.data(result)["probe"] == {"command": "app", "exitCode": 0, "output": "x", "seconds": 0}
    without = build(spec(), context(), FakeCluster([[ended()]]), Told().listener)
    assert "probe" not in buildreport.data(without)


@pytest.mark.parametrize("command", ["", "  ", "sh -c 'unclosed"])
def test_a_command_that_is_none_is_refused(command: str, tmp_path: Path) -> None:
    arguments = ["build", str(tmp_path), "-t", "registry.example.com/team/app", "--probe", command]
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception).startswith("--probe: ")


def test_its_pod_may_do_little() -> None:
    given = spec(
        registry_secret=Mounted("account"), node_selector={"disk": "ssd"}, tolerations=[{"key": "a"}], timeout=9
    )
    job = probe.job(Probe("sh -c 'echo $$ $(id)' 'a b'", 30), given, REF)
    assert job["metadata"] == {
        "name": "app-probe",
        "labels": {
            "app.kubernetes.io/managed-by": "jenkins-kaniko",
            "jenkins-kaniko/build": "app",
            "jenkins-kaniko/probe": "true",
        },
        "annotations": {"jenkins-kaniko/client": "me@here abc"},
    }
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 600 + 30 + 60)
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    pod_spec = job["spec"]["template"]["spec"]
    (container,) = pod_spec.pop("containers")
    assert pod_spec == {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "imagePullSecrets": [{"name": "account"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a"}],
    }
    resources = container.pop("resources")
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == ("512Mi", "2Gi")
    assert container == {
        "name": "probe",
        "image": REF,
        "command": ["sh", "-c", "echo $$$$ $$(id)", "a b"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def test_much_output_is_cut() -> None:
    found, _ = probed([stopped(0)], output=b"x" * 100_000)
    assert found.output == "x" * 65536 + "\n[cut after 64 KiB]"
    found, _ = probed([stopped(0)], output=b"x" * 65536)
    assert found.output == "x" * 65536


def test_a_command_that_hangs_has_its_time(clock: list[float]) -> None:
    found, cluster = probed([pod()], [RUNNING], [], output=b"begun\n")
    assert found == Probed("app --version", output="begun\n", error="timed out after 60 s")
    assert clock[0] == 1000 + 1 + 60
    assert cluster.deleted == ["app", "app-probe"]


@pytest.mark.parametrize(
    ("watches", "error"),
    [
        ([[stopped(128, "StartError", 'exec: "app": not found')]], 'StartError: exec: "app": not found'),
        ([[waiting("InvalidImageName")]], "the node cannot pull an image of the pod: InvalidImageName: why"),
        ([[waiting("ErrImagePull"), waiting("ImagePullBackOff"), waiting("ErrImagePull")]],
         "the node cannot pull an image of the pod: ErrImagePull: why"),
        ([[RUNNING, pod(phase="Failed", reason="Evicted", message="low on memory")]], "Evicted: low on memory"),
        ([[RUNNING, None]], "the pod was deleted"),
        ([[RUNNING, going(stopped(143, "Error"))]], "the pod was deleted"),
        ([[waiting("ErrImagePull")], []], "the pod did not start in 100 s: ErrImagePull: why"),
        ([[]], "the pod did not start in 100 s: nobody says why"),
    ],
    ids=["no such command", "image name", "pulled twice", "evicted", "deleted", "killed", "pull goes on", "no pod"],
)  # fmt: skip
def test_what_goes_wrong_is_in_the_result(watches: list[Sequence[Answer]], error: str) -> None:
    told = Told()
    found, cluster = probed(*watches, told=told)
    assert found == Probed("app --version", error=error)
    assert told.notes[-1] == f"probe: {error}"
    assert cluster.deleted == ["app", "app-probe"]


def test_a_command_without_memory_keeps_what_it_printed() -> None:
    found, _ = probed([RUNNING, stopped(137, "OOMKilled")], output=b"x")
    assert found == Probed("app --version", exit_code=137, output="x", seconds=0, error="OOMKilled: ")


def test_a_rule_of_the_namespace_is_told() -> None:
    denied = 'pods "app-probe-1" is forbidden: violates PodSecurity "restricted:latest": x'
    found, _ = probed([], events=[{"message": f"Error creating: {denied}", "type": "Warning"}])
    assert found.error
    assert found.error.endswith(f": {denied}")


def test_an_api_server_may_be_away_for_a_while() -> None:
    found, _ = probed([LOST], [pod(), LOST], [RUNNING], [LOST], [stopped(0)], output=b"x")
    assert (found.exit_code, found.output, found.error) == (0, "x", None)


def test_an_api_server_may_be_away_when_the_command_ended() -> None:
    class Away(FakeCluster):
        answers = [LOST, LOST]  # noqa: RUF012 - of this test alone

        def printed(self, pod: str, container: str, limit: int) -> bytes:
            if self.answers:
                raise self.answers.pop()
            return super().printed(pod, container, limit)

    cluster = Away([[ended()], [stopped(0)]], output=b"1.4")
    found = build(spec(probe=Probe("app", 60)), context(), cluster, Told().listener).probed
    assert found == Probed("app", exit_code=0, output="1.4", seconds=0)


def test_the_secrets_of_the_build_stay_there() -> None:
    cluster = FakeCluster([[ended()], [stopped(0)]])
    build(spec(probe=Probe("app", 60), secrets={"token": b"x"}), context(), cluster, Told().listener)
    assert [one["kind"] for one in cluster.made] == ["Job", "Secret", "ConfigMap", "Job"]


def test_a_job_that_cannot_be_made_is_in_the_result() -> None:
    class Full(FakeCluster):
        def create_job(self, manifest: Mapping[str, Any]) -> str:
            if manifest["metadata"]["name"] == "app-probe":
                raise DeniedError("exceeded quota: builds")
            return super().create_job(manifest)

    cluster = Full([[ended()]])
    result = build(spec(probe=Probe("app", 60)), context(), cluster, Told().listener)
    assert (result.digest, result.probed) == (DIGEST, Probed("app", error="exceeded quota: builds"))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(errors.TERMINATED)])
def test_a_stop_from_outside_removes_it(stop: BaseException) -> None:
    class Stopped(FakeCluster):
        def printed(self, pod: str, container: str, limit: int) -> bytes:
            raise stop

    cluster = Stopped([[ended()], [stopped(0)]])
    with pytest.raises(type(stop)):
        build(spec(probe=Probe("app", 60)), context(), cluster, Told().listener)
    assert cluster.deleted == ["app", "app-probe"]


def test_a_stop_while_it_is_made_removes_it_and_not_the_job_that_is_kept() -> None:
    class Stopped(FakeCluster):
        def create_job(self, manifest: Mapping[str, Any]) -> str:
            uid = super().create_job(manifest)
            if manifest["metadata"]["name"] == "app-probe":
                raise KeyboardInterrupt
            return uid

        def jobs(self, label: str) -> list[dict[str, Any]]:
            found = super().jobs(label)
            return [
                {**one, "metadata": {**one["metadata"], "uid": f"uid of {one['metadata']['name']}"}} for one in found
            ]

        def delete_job(self, name: str, uid: str) -> None:
            super().delete_job(f"{name}, {uid}", uid)

    cluster = Stopped([[ended()]])
    with pytest.raises(KeyboardInterrupt):
        build(spec(probe=Probe("app", 60), keep=True), context(), cluster, Told().listener)
    assert cluster.deleted == ["app-probe, uid of app-probe"]
