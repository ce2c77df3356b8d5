"""What follows a build: a command in the pushed image, and who is told of the end, on the lab."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.building import SHELL, SLOW, Builds, Run, write
from tests.lab.test_builds_by_name import asked
from tests.support.webhook import CLOSES, HANGS, Webhook
from tests.test_interrupt import heeding_ctrl_c

pytestmark = pytest.mark.lab


def probe_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what came of the probe of a build that ended well."""
    assert done.returncode == 0, done.stderr
    probe: dict[str, Any] = json.loads(done.stdout)["probe"]
    return probe


def test_what_a_command_in_the_image_prints_is_in_the_result(
    run: Run, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, f'{SHELL}ENV WHO=me\nUSER 1000\nENTRYPOINT ["/never"]\n')
    # the runtime reads both streams at once, and keeps their order only where there is time between them
    command = "sh -c 'echo $WHO $(id -u) $$; sleep 1; echo to stderr >&2; exit 3'"
    done = run(".", "-t", f"{image}:probed", "-o", "json", "--probe", command)
    probe = probe_of(done)
    seconds = probe.pop("seconds")
    assert 0 <= seconds < 10
    assert probe == {"command": command, "exitCode": 3, "output": "me 1000 1\nto stderr\n"}
    said = done.stderr.splitlines()
    assert said[-3:-1] == ["to stderr", f"probe: exit code 3 in {seconds} s"]
    assert builds.left() == []


def test_a_kept_build_is_listed_without_its_probe(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    done = run(".", "-t", f"{image}:kept", "--name", "kept", "--keep", "--probe", "sh -c 'exit 3'")
    assert "\nprobe: exit code 3 in " in done.stderr
    (listed,) = json.loads(asked(builds, "ps", "-o", "json").stdout)["builds"]
    assert (listed["name"], listed["image"], listed["state"]) == ("kept", image, "succeeded")
    assert asked(builds, "logs", "kept").stdout.endswith(done.stdout)
    assert asked(builds, "cancel", "kept").returncode == 0
    assert builds.left() == []


def test_much_output_is_cut(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    command = "sh -c 'while echo 0123456789; do :; done | head -c 5000000'"
    probe = probe_of(run(".", "-t", f"{image}:much", "-o", "json", "--probe", command))
    assert probe["exitCode"] == 0
    assert probe["output"] == ("0123456789\n" * 6000)[: 64 * 1024] + "\n[cut after 64 KiB]"


def test_a_command_that_hangs_is_stopped_and_what_it_printed_is_kept(
    run: Run, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    command = "sh -c 'echo begun; sleep 1000'"
    probe = probe_of(run(".", "-t", f"{image}:hangs", "-o", "json", "--probe", command, "--probe-timeout", "3"))
    assert probe == {"command": command, "output": "begun\n", "error": "timed out after 3 s"}
    assert builds.left() == []


def test_a_command_that_the_image_does_not_have_is_named(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    done = run(".", "-t", f"{image}:lacks", "--probe", "nothing --version")
    assert (done.returncode, done.stdout.startswith(f"{image}@sha256:")) == (0, True)
    assert "probe: StartError: " in done.stderr
    assert 'exec: "nothing": executable file not found in $PATH' in done.stderr
    assert builds.left() == []


def test_a_node_that_cannot_pull_the_image_is_explained(run: Run, builds: Builds, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    # a name of the lab that pods know, and the node does not
    unknown = "unknown.lab.test:5001"
    insecure = f"--extra-arg=--insecure-registry={unknown}"
    begin = time.monotonic()
    done = run(".", "-t", f"{unknown}/build/app:1", insecure, "-o", "json", "--probe", "sh -c true")
    error = probe_of(done)["error"]
    assert error.startswith("the node does not know unknown.lab.test: it pulls images with its own DNS")
    assert "waiting: ErrImagePull" in done.stderr
    assert time.monotonic() - begin < 60
    assert builds.left() == []


@contextmanager
def started(builds: Builds, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A build that somebody may stop."""
    with subprocess.Popen(
        builds.command(*arguments),
        env=builds.environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding_ctrl_c,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_stopped_probe_leaves_nothing(
    builds: Builds, image: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    with started(builds, str(tmp_path), "-t", f"{image}:stopped", "--probe", "sh -c 'sleep 1000'") as process:
        while "-probe-" not in builds.kubectl("get", "pods", "-o", "name"):
            assert process.poll() is None
        process.send_signal(number)
        output, said = process.communicate(timeout=30)
    assert (process.returncode, output) == (code, "")
    assert "Traceback" not in said
    assert builds.left() == []


def test_receivers_are_told_of_an_image(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    with Webhook(503, CLOSES, 200) as program, Webhook() as slack, Webhook() as teams:
        done = run(
            ".", "-t", f"{image}:told", "-o", "json", "--probe", "sh -c 'echo fine'",
            "--notify", f"{program.url}/path?sig=5e", "--notify", "env:HOOK",
            JENKINS_KANIKO_NOTIFY="never looked at", HOOK=f"slack+{slack.url}/T0/B0",
        )  # fmt: skip
        again = run(".", "-t", f"{image}:told", JENKINS_KANIKO_NOTIFY=f"teams+{teams.url} {program.url}")
    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert "warning" not in done.stderr + again.stderr
    *tries, last = program.posts
    assert [post.body.decode() for post in tries] == [done.stdout.rstrip("\n")] * 3
    assert len({post.headers["Webhook-Id"] for post in tries}) == 1
    assert (last.data["tags"], last.headers["Webhook-Id"] in tries[0].headers.values()) == (["told"], False)
    (post,) = slack.posts
    result = json.loads(done.stdout)
    summary = f"probe: exit code 0 in {result['probe']['seconds']} s"
    assert post.data["text"].splitlines()[1:] == [result["ref"], summary]
    (post,) = teams.posts
    assert again.stdout.strip() in post.body.decode()


def test_receivers_are_told_of_a_failure(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN exit 3\n")
    with Webhook() as program:
        done = run(".", "-t", f"{image}:fails", "-o", "json", "--notify", program.url)
    (post,) = program.posts
    assert done.returncode == 6
    assert post.data == {**json.loads(done.stdout), "image": f"{image}:fails"}


def test_a_receiver_that_is_not_there_changes_nothing_but_is_told(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}CMD sh\n")
    with Webhook(404) as program:
        done = run(".", "-t", f"{image}:told", "--notify", f"{program.url}/secret?sig=secret")
    assert (done.returncode, done.stdout.startswith(f"{image}@sha256:")) == (0, True)
    assert done.stderr.endswith("\nwarning: 127.0.0.1 was not told of the end: it answers 404\n")
    assert "secret?" not in done.stderr


def test_receivers_are_told_at_once_where_somebody_stops_it(builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    with Webhook() as program, Webhook(HANGS) as silent:
        told = {"JENKINS_KANIKO_NOTIFY": f"{program.url} {silent.url}"}
        with started(builds, str(tmp_path), "-t", f"{image}:stopped", **told) as process:
            assert process.stderr
            while process.stderr.readline() != "begun\n":
                assert process.poll() is None
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert time.monotonic() - begin < 15
    assert said.endswith("warning: 127.0.0.1 was not told of the end: no answer in time\n")
    (post,) = program.posts
    error = {"message": "terminated", "exitCode": 143}
    assert post.data == {"schemaVersion": 1, "command": "build", "image": f"{image}:stopped", "error": error}
    assert builds.left() == []
