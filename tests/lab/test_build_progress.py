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


ALLOCATE = "x=aaaaaaaaaaaaaaaa; i=0; while [ $i -lt 22 ]; do x=$x$x; i=$((i+1)); done; sleep 2; :"
"""A shell that keeps 64 MiB in a variable; without a command after it, sleep would take its place."""


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


def test_the_first_miss_has_a_probable_reason(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo {tmp_path}\nARG WHO=me\nRUN echo two\nCOPY source /\nRUN echo three\n")

    def miss(*arguments: str, source: str) -> tuple[str | None, str | None]:
        (tmp_path / "source").write_text(source)
        done = run(".", "-t", f"{image}:missed", "-o", "json", *arguments)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        if why := result.get("firstMissReason"):
            assert f"the first at: {result['firstMiss']}; {why}\n" in done.stderr
        return result.get("firstMiss"), why

    nothing_yet = "probably the cache holds nothing of this build yet; else changed: what COPY sh /bin/sh takes"
    assert miss(source="one") == (f"RUN echo {tmp_path}", nothing_yet)
    assert miss(source="one") == (None, None)
    assert miss(source="other") == ("RUN echo three", "probably changed: what COPY source / takes")
    assert miss("--build-arg", "WHO=you", source="one") == ("RUN echo two", "probably changed: build argument WHO")
    too_old = "it is in the cache, and older than --cache-ttl allows"
    assert miss("--cache-ttl", "1s", source="one") == (f"RUN echo {tmp_path}", too_old)


def test_a_cache_that_cannot_be_written_is_named(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo one\n")
    done = run(".", "-t", f"{image}:missed", "--cache-repo", "nowhere.lab.test/cache", "--retries", "0")
    assert done.returncode == 0, done.stderr
    assert (
        "the first at: RUN echo one; probably nothing could be kept before: writing to the cache fails" in done.stderr
    )
