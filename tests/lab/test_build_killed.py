"""A client that is killed: what it leaves ends by itself, and is no obstacle to the next build of the name."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.building import SHELL, SLOW, Builds, Run, write
from tests.lab.disturbing import evict, pod_of, reads, said_until, started, wait_until, write_large, write_zeros
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

NAME = "killed"
LABEL = f"jenkins-kaniko/build={NAME}"
Process = subprocess.Popen[str]


def ended(builds: Builds) -> bool:
    return builds.kubectl("get", "job", NAME, "-o", "jsonpath={.status.completionTime}") != ""


def assert_ends_by_itself(builds: Builds) -> None:
    """The Job has its time, and what is left beside it goes with it."""
    found = json.loads(builds.kubectl("get", "jobs,pods,configmaps", "-l", LABEL, "-o", "json"))["items"]
    (job,) = [one for one in found if one["kind"] == "Job"]
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["ttlSecondsAfterFinished"]) == (3600 + 600 + 60, 3600)
    owners = [one["metadata"]["ownerReferences"] for one in found if one is not job]
    assert [owner["uid"] for (owner,) in owners] == [job["metadata"]["uid"]] * len(owners)


def assert_is_no_obstacle(builds: Builds, run: Run, *command: str) -> None:
    assert run(*command).returncode == 4
    builds.kubectl("delete", "job", NAME)
    assert builds.left() == []
    again = run(*command)
    assert again.returncode == 0, again.stderr
    assert builds.left() == []


def test_while_the_context_is_packed_nothing_is_made(builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    last = write_zeros(tmp_path, 1 << 32)  # packed it is so small that most of it is read for that
    with started(builds, tmp_path, ".", "-t", f"{image}:killed", "--name", NAME) as process:
        wait_until(lambda: reads(process, last))
        process.kill()
    assert builds.left() == []


def test_right_after_the_job_is_made(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    command = [".", "-t", f"{image}:killed", "--name", NAME]
    with started(builds, tmp_path, *command, "-v") as process:
        said_until(process, f"job {builds.namespace}/{NAME} created")
        process.kill()
    assert_ends_by_itself(builds)
    assert_is_no_obstacle(builds, run, *command)


def test_while_the_context_is_sent(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    last = write_large(tmp_path)
    command = [".", "-t", f"{image}:killed", "--name", NAME]
    with started(builds, tmp_path, *command) as process:
        wait_until(lambda: reads(process, last))
        process.kill()
    last.unlink()
    assert_ends_by_itself(builds)
    assert_is_no_obstacle(builds, run, *command)


def while_the_builder_runs(_builds: Builds, process: Process) -> None:
    said_until(process, "begun\n")


def before_the_log_was_read_to_its_end(builds: Builds, process: Process) -> None:
    said_until(process, "begun\n")
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: ended(builds))


@pytest.mark.parametrize("when", [while_the_builder_runs, before_the_log_was_read_to_its_end])
def test_a_build_that_runs_comes_to_its_end(
    run: Run,
    builds: Builds,
    image: str,
    registry: Registry,
    tmp_path: Path,
    when: Callable[[Builds, Process], None],
) -> None:
    write(tmp_path, f"{SHELL}RUN echo begun && sleep 3 && echo {when.__name__} >/result\n")
    command = [".", "-t", f"{image}:killed", "--name", NAME, "--no-cache"]
    with started(builds, tmp_path, *command) as process:
        when(builds, process)
        process.kill()
    wait_until(lambda: ended(builds))
    assert registry.files("build/app", "killed")["/result"].decode() == f"{when.__name__}\n"
    assert_ends_by_itself(builds)
    assert_is_no_obstacle(builds, run, *command)


def test_while_no_node_takes_its_pod(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    command = [".", "-t", f"{image}:killed", "--name", NAME]
    with started(builds, tmp_path, *command, "--node-selector", "disk=none") as process:
        said_until(process, "waiting: Unschedulable")
        process.kill()
    assert_ends_by_itself(builds)
    assert_is_no_obstacle(builds, run, *command)


def test_between_two_attempts_nothing_is_left(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    with started(builds, tmp_path, ".", "-t", f"{image}:killed", "--name", NAME, "--no-cache") as process:
        said_until(process, "begun\n")
        evict(builds, pod_of(builds, NAME))
        said_until(process, "; attempt 2 in 5 s\n")
        process.kill()
    assert builds.left() == []
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    assert run(".", "-t", f"{image}:killed", "--name", NAME).returncode == 0


def test_while_the_probe_runs(run: Run, builds: Builds, image: str, registry: Registry, tmp_path: Path) -> None:
    """The image is pushed by then; the probe has its own time, and is as little an obstacle as the build."""
    write(tmp_path, f"{SHELL}CMD sh\n")
    command = [".", "-t", f"{image}:probe-killed", "--name", NAME]
    with started(builds, tmp_path, *command, "--probe", "sh -c 'sleep 1000'") as process:
        wait_until(lambda: f"pod/{NAME}-probe-" in builds.kubectl("get", "pods", "-o", "name"))
        process.kill()
    registry.manifest("build/app", "probe-killed")
    (job,) = json.loads(builds.kubectl("get", "jobs", "-l", LABEL, "-o", "json"))["items"]
    assert job["metadata"]["name"] == f"{NAME}-probe"
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["ttlSecondsAfterFinished"]) == (600 + 60 + 60, 3600)
    assert run(*command).returncode == 4
    builds.kubectl("delete", "job", f"{NAME}-probe")
    assert builds.left() == []


def test_what_is_left_goes_by_itself_once_its_time_is_over(builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    with started(builds, tmp_path, ".", "-t", f"{image}:killed", "--name", NAME, "--no-cache") as process:
        said_until(process, "begun\n")
        process.kill()
    assert_ends_by_itself(builds)
    soon = {"spec": {"activeDeadlineSeconds": 1, "ttlSecondsAfterFinished": 1}}
    builds.kubectl("patch", "job", NAME, "-p", json.dumps(soon))
    wait_until(lambda: builds.left() == [])
