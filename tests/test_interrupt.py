"""Ctrl-C ends a command at once, whatever a controller does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def heeding_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so does all that it starts in turn."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("command", ["plan", "drift", "sync"])
def test_ctrl_c_does_not_wait_for_a_silent_controller(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        controller = {
            "url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "user": "ci",
            "token": {"env": "JENKINS_TOKEN"},
        }
        content = {"fleet": "acme", "controllers": {"main": controller}, "templates": {"kaniko": {}}}
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(content), encoding="utf-8")
        with subprocess.Popen(
            [Path(sys.executable).parent / "jenkins-kaniko", command],
            cwd=tmp_path,
            env={**os.environ, "JENKINS_TOKEN": "secret"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeding_ctrl_c,
        ) as process:
            connection, _ = silent.accept()  # it waits for an answer now
            process.send_signal(signal.SIGINT)
            try:
                output, said = process.communicate(timeout=10)
            finally:
                process.kill()
                connection.close()
    assert (process.returncode, output) == (130, "")
    assert said.splitlines()[-1] == "interrupted; what a controller was just asked for it may still do: plan tells"


STOPPED = """
import sys, time
from jenkins_kaniko import isolation, jobs
from jenkins_kaniko.buildjob import job
from jenkins_kaniko.cli_shared import say, told_as
from tests.support.fake_builds import FakeBuilds
from tests.support.fake_cluster import FakeCluster, context, spec

def here(text, seconds):
    print(text, flush=True)
    time.sleep(seconds)

class Slow(FakeCluster):
    def delete_job(self, name, uid):
        here("removing the job", 1)
        print("removed the job", flush=True)

class Namespaces(FakeBuilds):
    def delete(self, kind, name, uid):
        here("removing the namespace", 1)
        print("removed the namespace", flush=True)

spec = spec()
with (
    told_as("build", "text"),
    isolation.isolated(Namespaces([[]]), FakeBuilds([[]]), spec, say),
    jobs.made(Slow([[]]), spec, 1, job(spec, context().facts, streamed=True), None, say),
):
    here("building", float(sys.argv[1]))
"""
"""A build as it is stopped, in a cluster that takes its time."""
REMOVED = ["removing the job", "removed the job", "removing the namespace", "removed the namespace"]


def heeding_a_closed_terminal() -> None:
    heeding_ctrl_c()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("seconds", "numbers", "code"),
    [
        (60, {"building": signal.SIGINT, "removing the job": signal.SIGTERM}, 130),
        (60, {"building": signal.SIGTERM, "removing the namespace": signal.SIGINT}, 143),
        (60, {"building": signal.SIGHUP, "removing the job": signal.SIGHUP}, 143),
        (0, {"removing the job": signal.SIGTERM, "removing the namespace": signal.SIGINT}, 143),
        (0, {"removing the namespace": signal.SIGINT}, 130),
    ],
    ids=["as GitHub does", "impatient", "closed terminal", "after the build", "late"],
)
def test_what_is_in_the_cluster_is_removed_whatever_signals_come(
    seconds: float, numbers: dict[str, signal.Signals], code: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(seconds)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding_a_closed_terminal,
    ) as process:
        try:
            assert process.stdout
            heard = []
            for line in process.stdout:
                heard.append(line.strip())
                if heard[-1] in numbers:
                    process.send_signal(numbers[heard[-1]])
            said = process.stderr.read() if process.stderr else ""
        finally:
            process.kill()
    assert (process.wait(), heard) == (code, ["building", *REMOVED])
    interrupted = ["interrupted"] if code == 130 else []
    assert said.splitlines() == ["it ends once what it has in the cluster is removed", *interrupted]
