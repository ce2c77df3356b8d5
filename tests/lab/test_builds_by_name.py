"""Builds that their client leaves, by --detach or by being killed: found, followed, ended and cleared up by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.building import COMMAND, ROOT, SHELL, SLOW, Builds, Run, write, write_kubeconfig
from tests.support.cutting import CuttingProxy
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(builds: Builds) -> Ask:
    """Run one of the commands for builds that are there, as who may only build."""

    def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return asked(builds, *arguments, **environment)

    return command


def asked(builds: Builds, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=builds.environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def client(builds: Builds, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A client that waits for its build, which runs."""
    with subprocess.Popen(
        builds.command(*arguments), env=builds.environment(**environment), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            while process.stderr.readline() != "begun\n":
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def states(ask: Ask) -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(ask("ps", "-o", "json").stdout)["builds"]}


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.5)


@pytest.mark.parametrize("size", [10, 5_000_000], ids=["in a ConfigMap", "streamed"])
def test_a_detached_build_is_followed_to_its_result(
    run: Run, ask: Ask, builds: Builds, image: str, registry: Registry, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    write(tmp_path, f"{SHELL}COPY data /\nRUN echo begun && sleep 2 && echo done\n")
    (tmp_path / "data").write_bytes(content)
    sent = run(".", "-t", f"{image}:alone", "-t", f"{image}:too", "--detach", "--no-cache")
    assert sent.returncode == 0, sent.stderr
    name = sent.stdout.strip()
    done = ask("logs", "-f", name)
    assert done.returncode == 0, done.stderr
    digest, _ = registry.manifest("build/app", "alone")
    assert registry.files("build/app", "alone")["/data"] == content
    lines = done.stdout.splitlines()
    assert (lines.count("begun"), lines.count("done"), lines[-1]) == (1, 1, f"{image}@{digest}")
    assert f"pushed {image}:alone, too in " in done.stderr
    later = ask("logs", name, "-o", "json")
    result = json.loads(later.stdout)
    assert (result["command"], result["ref"], result["tags"]) == ("logs", f"{image}@{digest}", ["alone", "too"])
    assert "\nbegun\n" in later.stderr
    listed = ask("ps").stdout.splitlines()
    assert [line.split()[:2] + line.split()[-1:] for line in listed if name in line] == [
        [name, f"{image}:alone", "succeeded"]
    ]
    assert ask("cancel", name).returncode == 0
    assert builds.left() == []


def test_what_is_sent_is_data_for_scripts(run: Run, ask: Ask, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY nothing /\n")
    sent = run(".", "-t", f"{image}:json", "--detach", "--name", "mine", "-o", "json")
    assert json.loads(sent.stdout) == {
        "schemaVersion": 1, "command": "build", "name": "mine", "namespace": builds.namespace, "image": image,
    }  # fmt: skip
    done = ask("logs", "-f", "mine")
    assert done.returncode == 6
    assert f"{image}:json: build failed (exit code 1)\n  cause: COPY or ADD takes " in done.stderr
    assert states(ask) == {"mine": "failed"}
    assert ask("cancel", "mine").stderr == "mine: removed (failed)\n"
    assert builds.left() == []


def test_a_build_that_runs_is_seen_and_cancelled(
    run: Run, ask: Ask, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, SLOW)
    name = run(".", "-t", f"{image}:slow", "--detach").stdout.strip()
    until(lambda: "begun" in ask("logs", name).stdout)
    so_far = ask("logs", name)
    assert (so_far.returncode, so_far.stderr) == (
        0, f"{name} did not end yet; wait for it with: jenkins-kaniko logs -f {name}\n",
    )  # fmt: skip
    assert states(ask) == {name: "running"}
    wrong = ask("cancel", name, name[:-1])
    assert (wrong.returncode, states(ask)) == (1, {name: "running"})
    assert f"no build {name[:-1]} in namespace {builds.namespace}; did you mean {name}?" in wrong.stderr
    follower = subprocess.Popen(
        [str(COMMAND), "logs", "-f", name], env=builds.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with follower:
        assert follower.stdout
        while follower.stdout.readline() != "begun\n":
            assert follower.poll() is None
        cancelled = ask("cancel", name)
        _, said = follower.communicate(timeout=60)
    assert (cancelled.returncode, cancelled.stderr) == (0, f"{name}: cancelled (running)\n")
    assert (follower.returncode, "its Job is gone: it was cancelled" in said) == (7, True), said
    assert builds.left() == []
    assert ask("logs", name).returncode == 1


def test_who_waits_for_a_build_learns_that_it_was_cancelled(
    builds: Builds, ask: Ask, image: str, tmp_path: Path
) -> None:
    write(tmp_path, SLOW)
    with client(builds, str(tmp_path), "-t", f"{image}:slow", "--name", "waits") as process:
        assert process.stderr
        assert ask("cancel", "waits").returncode == 0
        _, said = process.communicate(timeout=60)
    assert (process.returncode, f"{image}:slow: the pod was deleted\n" in said) == (7, True), said
    assert builds.left() == []


def test_a_build_that_cannot_start_says_why_to_who_asks(
    run: Run, ask: Ask, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    name = run(".", "-t", f"{image}:never", "--detach", "--node-selector", "disk=none").stdout.strip()
    until(lambda: "waiting: Unschedulable: 0/1 nodes" in ask("ps").stdout)
    assert ask("cancel", name).returncode == 0
    name = run(".", "-t", f"{image}:never", "--detach", "--registry-secret", "nowhere").stdout.strip()
    done = ask("logs", "-f", name)
    assert (done.returncode, 'secret "nowhere" not found' in done.stderr) == (7, True), done.stderr
    assert ask("cancel", name).returncode == 0
    assert builds.left() == []


def test_a_detached_build_has_its_time_too(run: Run, ask: Ask, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    name = run(".", "-t", f"{image}:slow", "--detach").stdout.strip()
    until(lambda: states(ask) == {name: "running"})
    builds.kubectl("patch", "job", name, "-p", '{"spec": {"activeDeadlineSeconds": 6}}')
    done = ask("logs", "-f", name)
    assert (done.returncode, f"{image}:slow: timed out after 0.1 minutes" in done.stderr) == (124, True), done.stderr
    assert states(ask) == {name: "failed"}
    assert ask("logs", name).returncode == 124
    assert ask("cancel", name).returncode == 0
    assert builds.left() == []


def test_cut_connections_lose_and_repeat_no_line(
    run: Run, builds: Builds, ask: Ask, image: str, tmp_path: Path
) -> None:
    write(tmp_path, f"{SHELL}RUN i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); sleep 0.08; done\n")
    name = run(".", "-t", f"{image}:cut", "--no-cache", "--detach").stdout.strip()
    server = yaml.safe_load(builds.lab.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    with CuttingProxy(server.removeprefix("https://"), seconds=5) as proxy:
        write_kubeconfig(builds, tmp_path / "kubeconfig", f"https://{proxy.address}")
        done = ask("logs", "-f", name, KUBECONFIG=str(tmp_path / "kubeconfig"))
    assert done.returncode == 0, done.stderr
    assert proxy.cut >= 3
    lines = [line for line in done.stdout.splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(200)]
    assert ask("cancel", name).returncode == 0
    assert builds.left() == []


def test_what_a_killed_client_left_is_found_and_removed(builds: Builds, ask: Ask, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo begun && sleep 8\n")
    with client(builds, str(tmp_path), "-t", f"{image}:left", "--name", "left", "--no-cache") as process:
        process.kill()
    labels = {"app.kubernetes.io/managed-by": "jenkins-kaniko"}
    for name, more in (("orphan", {"jenkins-kaniko/build": "long-ago"}), ("other", {})):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {**labels, **more}}}
        builds.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    expected = [f"job {builds.namespace}/left: it ended", f"configmap {builds.namespace}/orphan: its Job is gone"]
    assert expected[0] not in ask("gc", "--older-than", "1s").stdout
    until(lambda: states(ask) == {"left": "succeeded"})
    until(lambda: expected[0] in ask("gc", "--older-than", "1s").stdout)
    shown = ask("gc", "--older-than", "1s")
    assert (shown.returncode, shown.stdout.splitlines()) == (0, [f"would remove {line}" for line in expected])
    assert shown.stderr.endswith("nothing was removed; --yes does it\n")
    assert "not looked at: secrets: " in shown.stderr
    assert ask("gc").stdout == "nothing is left\n"
    assert states(ask) == {"left": "succeeded"}
    removed = ask("gc", "--older-than", "1s", "--yes")
    assert (removed.returncode, removed.stdout.splitlines()) == (0, [f"removed {line}" for line in expected])
    builds.kubectl("delete", "configmap", "other")
    assert builds.left() == []


@pytest.fixture(scope="module")
def isolating(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of who has no right but those of resources/jenkins_kaniko/rbac/build-isolate.yaml."""
    account, name = f"--serviceaccount={builds.namespace}:isolating", f"{builds.namespace}-isolating"
    rules = (ROOT / "resources" / "jenkins_kaniko" / "rbac" / "build-isolate.yaml").read_text(encoding="utf-8")
    rules = rules.replace("registry-ca", "lab-ca").replace("jenkins-kaniko-isolate", name)
    builds.kubectl("create", "serviceaccount", "isolating")
    builds.kubectl("apply", "-f", "-", stdin=rules)
    builds.kubectl("create", "rolebinding", "isolating", f"--role={name}", account)
    builds.lab.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    token = builds.kubectl("create", "token", "isolating").strip()
    given: dict[str, Any] = json.loads(builds.kubeconfig.read_text())
    given["users"] = [{"name": user["name"], "user": {"token": token}} for user in given["users"]]
    path = tmp_path_factory.mktemp("isolating") / "config"
    path.write_text(json.dumps(given))
    try:
        yield {"KUBECONFIG": str(path)}
    finally:
        builds.lab.kubectl("delete", "clusterrolebinding", name)
        builds.lab.kubectl("delete", "clusterrole", name)


def own_namespaces(builds: Builds) -> list[str]:
    label = "app.kubernetes.io/managed-by=jenkins-kaniko,jenkins-kaniko/build"
    names = builds.lab.kubectl("get", "namespaces", "-l", label, "-o", "name").split()
    return [name for name in names if name.startswith(f"namespace/{builds.namespace}")]


@pytest.mark.parametrize(
    ("dockerfile", "size", "code"),
    [("COPY data /\n", 10, 0), ("COPY data /\n", 1_000_000, 0), ("COPY nothing /\n", 10, 6)],
    ids=["in a ConfigMap", "streamed", "fails"],
)
def test_a_build_in_a_namespace_of_its_own_leaves_none(
    run: Run,
    builds: Builds,
    image: str,
    isolating: dict[str, str],
    tmp_path: Path,
    dockerfile: str,
    size: int,
    code: int,
) -> None:
    write(tmp_path, f"FROM scratch\n{dockerfile}")
    (tmp_path / "data").write_bytes(os.urandom(size))
    name = f"{builds.namespace}-own"
    done = run(".", "-t", f"{image}:own", "--isolate", "--name", name, "-v", **isolating)
    assert done.returncode == code, done.stderr
    assert f"job {name}/{name} created\n" in done.stderr
    assert done.stdout.startswith(f"{image}@sha256:" if code == 0 else "")
    until(lambda: own_namespaces(builds) == [])


def test_a_stopped_build_leaves_no_namespace(
    builds: Builds, image: str, isolating: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, SLOW)
    name = f"{builds.namespace}-own"
    with client(builds, str(tmp_path), "-t", f"{image}:own", "--isolate", "--name", name, **isolating) as process:
        (found,) = json.loads(builds.lab.kubectl("get", "pods", "-n", name, "-o", "json"))["items"]
        level = builds.lab.kubectl("get", "namespace", name, "-o", "yaml")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    assert found["status"]["phase"] == "Running"
    assert yaml.safe_load(level)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    until(lambda: own_namespaces(builds) == [])


def test_the_namespace_of_a_killed_client_is_found_once_its_build_is_over(
    builds: Builds, image: str, isolating: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, SLOW)
    name = f"{builds.namespace}-left"
    with client(builds, str(tmp_path), "-t", f"{image}:own", "--isolate", "--name", name, **isolating) as process:
        process.kill()
    (row,) = [one for one in asked(builds, "ps", "-A", **isolating).stdout.splitlines() if f" {name} " in one]
    assert row.split()[:2] == [name, name]
    find = ["gc", "--older-than", "5s", "-n", name]
    time.sleep(5)
    line = f"remove namespace {name}: no build is in it"
    assert line not in asked(builds, *find, **isolating).stdout
    assert asked(builds, "cancel", name, "-n", name, **isolating).returncode == 0
    until(lambda: f"would {line}\n" in asked(builds, *find, **isolating).stdout)
    # only looked at: what else is in the cluster is not this test's
    assert f"would {line}\n" in asked(builds, "gc", "--older-than", "5s", "-A", **isolating).stdout
    assert line.replace("remove", "removed") in asked(builds, *find, "--yes", **isolating).stdout
    until(lambda: own_namespaces(builds) == [])
