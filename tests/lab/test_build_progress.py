"""What a person sees while `jenkins-kaniko build` builds, and what it says of cache and memory, with a real Kaniko."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.lab.building import SHELL, Builds, Run, write

pytestmark = pytest.mark.lab


def on_a_terminal(builds: Builds, folder: Path, *arguments: str, term: str = "xterm") -> tuple[int, str]:
    """Run a build whose stderr is a terminal of 80 columns; return its exit code and what is written there."""
    terminal, stderr = pty.openpty()
    environment = builds.environment(TERM=term, COLUMNS="80")
    command = builds.command(str(folder), *arguments)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stderr) as process:
        os.close(stderr)
        written = b""
        try:
            while piece := os.read(terminal, 65536):
                written += piece
        except OSError:  # how Linux tells that nobody writes there any more
            pass
    os.close(terminal)
    return process.returncode, written.decode()


def test_a_terminal_shows_where_the_build_is(builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo begun && sleep 2 && echo ended\n")
    code, written = on_a_terminal(builds, tmp_path, "-t", f"{image}:seen", "--no-cache")
    assert code == 0, written
    shown = "stage 1/1 scratch  step 2/2  RUN echo begun && sleep 2 && echo ended"
    assert f"{shown}  1s" in written
    assert "\x1b[2Kbegun\r\n" in written  # the log scrolls above the line
    assert written.endswith("\r\n")
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back


def test_a_dumb_terminal_and_a_pipe_show_the_log_alone(builds: Builds, run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    code, written = on_a_terminal(builds, tmp_path, "-t", f"{image}:seen", term="dumb")
    piped = run(".", "-t", f"{image}:seen")
    assert (code, piped.returncode) == (0, 0)
    for text in (written, piped.stderr):
        assert "INFO[0000] COPY Dockerfile /" in text
        assert "\x1b" not in text
        assert "stage 1/1" not in text
