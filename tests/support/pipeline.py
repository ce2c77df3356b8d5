"""Run a Jenkinsfile in the pipeline runner (tests/groovy/src/pipeline): one JVM per run.

The runner executes pipelines on the CPS engine of Jenkins with steps that act on the pods of a real cluster; see its
Main for what it takes. This side finds the class path, starts the JVM, follows its log and ends it in good time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.jvm import java

ABORT_SECONDS = 150
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class PipelineResult:
    """A finished build: its console log, the result it ended with, and the exit code of the process."""

    log: str
    result: str
    exit_code: int


def run_pipeline(
    jenkinsfile: Path,
    home: Path,
    library: Path,
    scm: Path | None = None,
    env: Mapping[str, str] | None = None,
    kubeconfig: Path | None = None,
    timeout: float = 300,
    *,
    library_name: str = "jenkins-kaniko",
    job: str = "demo",
    build_number: int = 1,
    more: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
) -> PipelineResult:
    """Run to the end; past the timeout abort the build as an operator would and return what it said.

    The library is a trusted, global one; `more` are further arguments of the runner's Main.
    """
    home.mkdir(parents=True, exist_ok=True)
    options = ["--home", str(home), "--job", job, "--build-number", str(build_number)]
    options += ["--library", f"{library_name}={library}"]
    options += ["--scm", str(scm)] if scm else []
    for name, value in (env or {}).items():
        options += ["--env", f"{name}={value}"]
    with start_pipeline([*options, *more, str(jenkinsfile)], kubeconfig) as process:
        timer = threading.Timer(timeout, process.send_signal, [signal.SIGTERM])
        timer.start()
        try:
            log = _follow(process, on_line)
            exit_code = process.wait(ABORT_SECONDS)
        finally:
            timer.cancel()
            process.kill()
    return PipelineResult(log, _result(log), exit_code)


def start_pipeline(arguments: Sequence[str], kubeconfig: Path | None = None) -> subprocess.Popen[str]:
    """Start the runner with its log on a pipe; for tests that want to signal it."""
    environment = dict(os.environ)
    if kubeconfig:
        environment["KUBECONFIG"] = str(kubeconfig)
    return subprocess.Popen(
        [*java("pipeline.Main"), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def played_library(folder: Path, played: str) -> Path:
    """Make `folder` the shared library as it is, but for kanikoBuild, which needs a cluster: that is `played`."""
    for part in ("vars", "resources"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "vars" / "kanikoBuild.groovy").write_text(played, encoding="utf-8")
    return folder


def run_examples(page: Path, played: str, folder: Path, more: Sequence[str] = ()) -> PipelineResult:
    """Run the Groovy examples of a page one after the other with a `played_library`."""
    examples = re.findall(r"^```groovy\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    methods = [f"def example{number}() {{\n{text}}}\n" for number, text in enumerate(examples)]
    calls = [f"example{number}()\n" for number in range(len(examples))]
    jenkinsfile = folder / "Jenkinsfile"
    jenkinsfile.write_text("".join(["@Library('jenkins-kaniko') _\n", *methods, *calls]), encoding="utf-8")
    return run_pipeline(jenkinsfile, folder / "home", played_library(folder / "library", played), more=more)


def call_vectors(script: Path, method: str, cases: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """Call one @NonCPS method of a vars script with each argument list: {"result": …} or {"error": message} each."""
    done = subprocess.run(
        [*java("pipeline.Vectors"), str(script), method],
        input=json.dumps(cases),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    answers: list[dict[str, object]] = json.loads(done.stdout)
    return answers


def _follow(process: subprocess.Popen[str], on_line: Callable[[str], None] | None) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if on_line:
            on_line(line.rstrip("\n"))
    return "".join(lines)


def _result(log: str) -> str:
    last = log.rstrip().rpartition("\n")[2]
    return last.removeprefix("Finished: ") if last.startswith("Finished: ") else ""
