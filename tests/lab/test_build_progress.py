"""What a person sees while `jenkins-kaniko build` builds, and what it says of cache and memory, with a real Kaniko."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.building import SHELL, Builds, Run, write

pytestmark = pytest.mark.lab

MIB = 1 << 20


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


ALLOCATE = "x=aaaaaaaaaaaaaaaa; i=0; while [ $i -lt 22 ]; do x=$x$x; i=$((i+1)); done; sleep 2"
"""A shell with 64 MiB in a variable, twice while it doubles."""


def test_memory_is_measured_and_files_do_not_count(run: Run, image: str, tmp_path: Path) -> None:
    files = "dd if=/dev/zero of=/big bs=1M count=400; rm /big"
    write(tmp_path, f"{SHELL}RUN {files}\nRUN {ALLOCATE}\n")
    done = run(".", "-t", f"{image}:memory", "--no-cache", "-o", "json")
    assert done.returncode == 0, done.stderr
    peak = json.loads(done.stdout)["peakMemoryBytes"]
    assert 64 * MIB < peak < 250 * MIB
    assert f"\npeak memory {peak // MIB} MiB of 2048 MiB\n" in done.stderr


def test_a_failing_build_tells_its_memory(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN {ALLOCATE}; exit 3\n")
    done = run(".", "-t", f"{image}:fails", "--no-cache")
    assert done.returncode == 6
    (peak,) = re.findall(r"^peak memory (\d+) MiB of 2048 MiB$", done.stderr, re.MULTILINE)
    assert 64 < int(peak) < 250
    assert "build failed (exit code 3)" in done.stderr
