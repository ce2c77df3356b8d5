"""`jenkins-kaniko build` from the command line's outside, in a namespace of its own, by an identity that has no right
but those of resources/jenkins_kaniko/rbac/build.yaml."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.building import SHELL, SLOW, Builds, Run, server_of, write, write_kubeconfig
from tests.support.cutting import CuttingProxy
from tests.support.registry import Registry
from tests.test_interrupt import heeding_a_closed_terminal

pytestmark = pytest.mark.lab


def test_a_small_context_arrives_as_it_is(
    run: Run, builds: Builds, image: str, registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY . /app\n")
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "sub" / "run").chmod(0o750)
    (tmp_path / "link").symlink_to("sub/run")
    tags = ["-t", f"{image}:1", "-t", f"{image}:2"]
    done = run(
        ".", *tags, "--build-arg", "WHO", "--label", "team=a $$ $(PATH)", "--digest-file", "digest", "-v", WHO="me"
    )
    assert done.returncode == 0, done.stderr
    digest, _ = registry.manifest("build/app", "1")
    assert registry.manifest("build/app", "2")[0] == digest
    assert (done.stdout, (tmp_path / "digest").read_text()) == (f"{image}@{digest}\n", digest)
    labels = registry.config("build/app", "1")["config"]["Labels"]
    assert {"who": "me", "team": "a $$ $(PATH)"}.items() <= labels.items()
    found = registry.members("build/app", "1")
    assert (found["app/sub/run"].mode, found["app/link"].linkname) == (0o750, "sub/run")
    assert found["app/sub/empty"].isdir()
    assert "in a ConfigMap" in done.stderr
    assert "\nINFO[0000] COPY . /app\n" in done.stderr
    assert builds.left() == []


def test_a_large_context_is_streamed(run: Run, builds: Builds, image: str, registry: Registry, tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    write(tmp_path, "FROM scratch\nCOPY data /\n")
    (tmp_path / "data").write_bytes(content)
    done = run(".", "-t", f"{image}:large")
    assert done.returncode == 0, done.stderr
    assert registry.files("build/app", "large") == {"/data": content}
    assert "build context sent: 5.0 MB" in done.stderr
    assert builds.left() == []


def test_the_result_is_data_for_scripts_and_for_the_system_around(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "IMAGE_DIGEST", "IMAGE_URL")}
    done = run(".", "-t", f"{image}:json", "-o", "json", **files)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    digest, seconds = result["digest"], result.pop("seconds")
    result.pop("peakMemoryBytes", None)  # a build as short as this one may end unseen
    assert result == {
        "schemaVersion": 1,
        "command": "build",
        "image": image,
        "tags": ["json"],
        "digest": digest,
        "ref": f"{image}@{digest}",
        "engine": "kaniko",
        "cacheHits": 0,
        "cacheMisses": 0,
    }
    assert 0 < seconds < 60
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"image={image}\ndigest={digest}\nref={image}@{digest}\n"
    assert (tmp_path / "IMAGE_DIGEST").read_text() == digest
    assert (tmp_path / "IMAGE_URL").read_text() == f"{image}:json"


def test_a_failing_build_says_where_and_why(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}RUN echo so && \\\n  exit 3\n")
    done = run(".", "-t", f"{image}:fails")
    assert (done.returncode, done.stdout) == (6, "")
    assert (
        f"{image}:fails: build failed (exit code 3)\n  at Dockerfile:3: RUN echo so && \\\n  cause: the" in done.stderr
    )
    assert builds.left() == []


def test_a_failure_is_data_too(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY nothing /\n")
    done = run(".", "-t", f"{image}:fails", "-o", "json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exitCode"]) == (6, 6)
    assert "Dockerfile:2: COPY nothing /" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--image", "lab.test/nothing:1"], "cause: the node does not know lab.test: "),
        (["--image", "lab.test/UPPER:1"], "InvalidImageName: "),
        (["--registry-secret", "nowhere"], 'secret "nowhere" not found'),
        (["--ca-bundle", "nowhere"], 'configmap "nowhere" not found'),
        (["--ca-bundle", "lab-ca:nothing"], "references non-existent config key: nothing"),
        (["--registry-secret", "of-another-kind"], "references non-existent secret key: .dockerconfigjson"),
    ],
    ids=["no such image", "no image name", "no secret", "no certificate", "no key", "secret of another kind"],
)
def test_what_cannot_start_ends_at_once(
    run: Run, builds: Builds, image: str, tmp_path: Path, arguments: list[str], says: str
) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    if "of-another-kind" in arguments:
        builds.kubectl("create", "secret", "generic", "of-another-kind", "--from-literal=config.json={}")
    begin = time.monotonic()
    done = run(".", "-t", f"{image}:never", *arguments)
    assert (done.returncode, done.stdout) == (7, ""), done.stderr
    assert says in done.stderr
    assert "waiting: " in done.stderr
    assert time.monotonic() - begin < 60
    assert builds.left() == []


def test_a_pod_that_no_node_takes_is_explained_while_it_waits(
    run: Run, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(".", "-t", f"{image}:never", "--node-selector", "disk=none", "--pending-timeout", "5")
    assert (done.returncode, done.stdout) == (124, "")
    assert "waiting: Unschedulable: 0/1 nodes are available" in done.stderr
    assert f"{image}:never: the pod did not start in 5 s: Unschedulable: 0/1 nodes" in done.stderr
    assert builds.left() == []


def test_a_namespace_that_does_not_admit_the_pod_is_named(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    level = "pod-security.kubernetes.io/enforce"
    builds.lab.kubectl("label", "namespace", builds.namespace, f"{level}=restricted", "--overwrite")
    try:
        done = run(".", "-t", f"{image}:never")
    finally:
        builds.lab.kubectl("label", "namespace", builds.namespace, f"{level}=baseline", "--overwrite")
    assert (done.returncode, done.stdout) == (7, "")
    assert "the namespace does not admit the builder's security context: restricted" in done.stderr
    assert builds.left() == []


def test_a_build_has_its_time(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, SLOW)
    done = run(".", "-t", f"{image}:slow", BUILD_TIMEOUT="6")
    assert (done.returncode, done.stdout) == (124, "")
    assert "\nbegun\n" in done.stderr
    assert f"{image}:slow: timed out after 0.1 minutes" in done.stderr
    assert builds.left() == []


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 143),
        ([signal.SIGINT, signal.SIGTERM], 130),
    ],
    ids=["Ctrl-C", "SIGTERM", "closed terminal", "impatient"],
)
def test_a_stopped_build_leaves_nothing(
    builds: Builds, image: str, tmp_path: Path, numbers: list[signal.Signals], code: int
) -> None:
    write(tmp_path, SLOW)
    with subprocess.Popen(
        builds.command(str(tmp_path), "-t", f"{image}:stopped"),
        env=builds.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding_a_closed_terminal,
    ) as process:
        assert process.stderr
        try:
            while process.stderr.readline() != "begun\n":
                assert process.poll() is None
            for number in numbers:
                process.send_signal(number)
            output, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, output) == (code, "")
    assert "Traceback" not in said
    assert builds.left() == []


def test_a_name_is_taken_once(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    assert run(".", "-t", f"{image}:kept", "--name", "mine", "--keep").returncode == 0
    second = run(".", "-t", f"{image}:kept", "--name", "mine")
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr == (
        f"jenkins-kaniko: job {builds.namespace}/mine: there already; wait for its end, or give another --name\n"
    )
    builds.kubectl("delete", "job", "mine")
    assert builds.left() == []


def test_cut_connections_lose_and_repeat_no_line(builds: Builds, image: str, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    count = "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); sleep 0.08; done"
    write(context, f"{SHELL}RUN {count}\n")
    with CuttingProxy(server_of(builds), seconds=5, sent=[700_000, 700_000]) as proxy:
        write_kubeconfig(builds, tmp_path / "kubeconfig", f"https://{proxy.address}")
        done = subprocess.run(
            builds.command(str(context), "-t", f"{image}:cut", "--no-cache"),
            env=builds.environment(KUBECONFIG=str(tmp_path / "kubeconfig")),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert proxy.cut >= 4
    assert "sending the build context: " in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(200)]
    assert builds.left() == []


def test_who_may_not_build_is_told_what_is_missing(run: Run, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(".", "-t", f"{image}:never", "--namespace", "default")
    assert (done.returncode, done.stdout) == (5, "")
    assert 'cannot create resource "jobs" in API group "batch" in the namespace "default"' in done.stderr
    nowhere = run(".", "-t", f"{image}:never", KUBECONFIG="/nowhere")
    assert (nowhere.returncode, nowhere.stdout) == (5, "")
    assert "the cluster: no cluster configured: " in nowhere.stderr
