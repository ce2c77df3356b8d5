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
