"""`jenkins-kaniko build --all` against a real cluster: all results, and nothing that is left."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.lab.building import ROOT, SHELL, SLOW, Builds, Run, write
from tests.support.registry import Registry
from tests.test_interrupt import heeding_ctrl_c

pytestmark = pytest.mark.lab

SMALL = "FROM scratch\nARG WHO=nobody\nLABEL who=$WHO\nCOPY Dockerfile /\n"


def monorepo(folder: Path, repository: str, **dockerfiles: str) -> None:
    """Write a service for each Dockerfile, and the configuration that names their images."""
    listed = {}
    for name, dockerfile in dockerfiles.items():
        (folder / name).mkdir()
        write(folder / name, dockerfile)
        listed[name] = {"image": f"{repository}/{name}", "context": name}
    (folder / "jenkins-kaniko.yaml").write_text(yaml.safe_dump({"builds": listed}, sort_keys=False))


@pytest.fixture
def repository(image: str) -> str:
    return image.removesuffix("/app")


def test_all_go_on_where_one_fails(
    run: Run, builds: Builds, repository: str, registry: Registry, tmp_path: Path
) -> None:
    monorepo(tmp_path, repository, web=SMALL, bad=f"{SHELL}RUN echo so && exit 3\n", api=SMALL)
    done = run("--all", "--jobs", "2", "--build-arg", "WHO=me")
    digests = {name: registry.manifest(f"build/{name}", "latest")[0] for name in ("web", "api")}
    assert done.returncode == 6, done.stderr
    assert done.stdout == (
        f"web  SUCCESS    {repository}/web@{digests['web']}\n"
        f"bad  FAILURE    {repository}/bad: build failed (exit code 3)\n"
        f"api  SUCCESS    {repository}/api@{digests['api']}\n"
    )
    assert registry.config("build/api", "latest")["config"]["Labels"]["who"] == "me"
    assert "\n[bad] so\n" in done.stderr
    assert f"\nbad: {repository}/bad: build failed (exit code 3)\n  at Dockerfile:3: RUN" in done.stderr
    assert done.stderr.endswith("1 of 3 builds failed: bad\n")
    assert builds.left() == []


def test_the_named_ones_are_data_for_scripts(
    run: Run, builds: Builds, repository: str, registry: Registry, tmp_path: Path
) -> None:
    monorepo(tmp_path, repository, one=SMALL, two=SMALL, three="FROM scratch\nCOPY nothing /\n")
    done = run("--all", "three", "one", "-o", "json", "-c", str(tmp_path / "jenkins-kaniko.yaml"))
    data = json.loads(done.stdout)
    one, three = data["builds"]
    assert (done.returncode, data["command"], one["name"], three["name"]) == (6, "build", "one", "three")
    assert (one["result"], one["digest"]) == ("SUCCESS", registry.manifest("build/one", "latest")[0])
    assert (three["result"], three["error"]["exitCode"]) == ("FAILURE", 6)
    assert builds.left() == []


def test_the_first_failure_may_stop_the_others(run: Run, builds: Builds, repository: str, tmp_path: Path) -> None:
    monorepo(tmp_path, repository, slow=SLOW, bad=f"{SHELL}RUN sleep 3 && exit 3\n", never=SMALL)
    begin = time.monotonic()
    done = run("--all", "--jobs", "2", "--fail-fast")
    words = [line.split()[:2] for line in done.stdout.splitlines()]
    assert (done.returncode, words) == (6, [["slow", "ABORTED"], ["bad", "FAILURE"], ["never", "NOT_BUILT"]])
    assert time.monotonic() - begin < 60
    assert builds.left() == []


def test_the_example_of_a_monorepo_is_built(run: Run, repository: str, registry: Registry, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "monorepo", tmp_path, dirs_exist_ok=True)
    config = tmp_path / "jenkins-kaniko.yaml"
    config.write_text(config.read_text().replace("registry.example.com/monorepo", repository))
    mirror = repository.partition("/")[0]
    done = run("--all", f"--extra-arg=--registry-mirror={mirror}")
    assert done.returncode == 0, done.stderr
    for name in ("api", "web"):
        assert registry.config(f"build/{name}", "latest")["config"]["Cmd"] == ["python", "app.py"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_stopped_builds_leave_nothing(
    builds: Builds, repository: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    monorepo(tmp_path, repository, first=SLOW, second=SLOW, third=SLOW)
    with subprocess.Popen(
        builds.command("--all", "--jobs", "2"),
        cwd=tmp_path,
        env=builds.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding_ctrl_c,
    ) as process:
        assert process.stderr
        try:
            begun = 0
            while begun < 2:
                begun += process.stderr.readline().endswith("] begun\n")
                assert process.poll() is None
            process.send_signal(number)
            begin = time.monotonic()
            output, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, output) == (code, "")
    assert time.monotonic() - begin < 10
    assert "Traceback" not in said
    assert "[first] ABORTED\n[second] ABORTED\n" in said
    assert builds.left() == []
