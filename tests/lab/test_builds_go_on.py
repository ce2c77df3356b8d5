"""What kanikoBuild() makes of agents that die, never come, or that nobody has given a template."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from jenkins_kaniko import resources
from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, run_pipeline, start_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

PIPELINES = ROOT / "tests" / "fixtures" / "pipeline" / "builds"
BASE = 'FROM scratch\nCOPY busybox /bin/\nSHELL ["/bin/busybox", "sh", "-c"]\n'
SOURCE = {
    "app/Dockerfile": BASE,
    "memory/Dockerfile": f"{BASE}RUN dd if=/dev/urandom of=/big bs=1M count=300\n",
    "slow/Dockerfile": f"{BASE}RUN echo it runs now && busybox sleep 1000\n",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCE:
        (folder / name).parent.mkdir()
        shutil.copy("/bin/busybox", (folder / name).parent)
    return committed(folder, SOURCE)


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def more(config: dict[str, Any]) -> None:
        kaniko = config["templates"]["kaniko"]
        little = {"requests": {"memory": "64Mi"}, "limits": {"memory": "100Mi"}}
        config["templates"] |= {
            "small": {
                **kaniko,
                "labels": ["small"],
                "resources": little,
            },
            "nowhere": {**kaniko, "labels": ["nowhere"], "nodeSelector": {"no": "where"}},
        }

    return synced_home(tmp_path_factory.mktemp("fleet"), more)


def run(lab: Lab, name: str, home: Path, source: Path, **settings: Any) -> PipelineResult:
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    jenkinsfile = PIPELINES / f"{name}.jenkinsfile"
    return run_pipeline(jenkinsfile, home, ROOT, source, environment, lab.kubeconfig, job=name, **settings)


def pods(log: str) -> list[str]:
    """Return the names of the agents' pods; others may run in the namespace."""
    return re.findall(r"^Created Pod: kubernetes \S+/(\S+)$", log, re.MULTILINE)


def test_what_needs_too_much_memory_is_built_once_more_with_less_in_use(lab: Lab, home: Path, source: Path) -> None:
    """The lab's kernel kills the executor alone (cgroup v1), which the step sees as exit code 137."""
    result = run(lab, "memory", home, source)
    assert result.result == "SUCCESS", result.log
    image = f"{lab.settings['LAB_REGISTRY']}/where/big:1"
    (out_of_memory,) = [entry for entry in resources.diagnoses() if entry["name"] == "out-of-memory"]
    again = f"kanikoBuild: {image}: {out_of_memory['cause']}; once more in a new pod, with less memory in use\n"
    assert result.log.count(again) == 1
    assert len(pods(result.log)) == 2
    assert f"kanikoBuild: pushed {image.removesuffix(':1')}@sha256:" in result.log


def disturbed(lab: Lab, home: Path, source: Path, act: Callable[[subprocess.Popen[str], str], None]) -> PipelineResult:
    """Run the slow build, disturb it when its RUN works, and end the second try, if there is one, by an abort."""
    arguments = ["--home", str(home), "--job", "slow", "--library", f"jenkins-kaniko={ROOT}", "--scm", str(source)]
    arguments += ["--env", f"REGISTRY={lab.settings['LAB_REGISTRY']}", str(PIPELINES / "slow.jenkinsfile")]
    log, starts = "", 0
    with start_pipeline(arguments, lab.kubeconfig) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log += line
            if line == "it runs now\n":
                starts += 1
                act(process, pods(log)[-1]) if starts == 1 else process.send_signal(signal.SIGTERM)
    return PipelineResult(log, log.rstrip().rpartition("Finished: ")[2], process.returncode)


def kill_builder(lab: Lab, pod: str) -> None:
    """As a kernel does that ends all processes of a container at once (cgroup v2): its first process and the others."""
    namespace = lab.settings["LAB_NAMESPACE"]
    uid = lab.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = uid in (process / "cgroup").read_text() and (process / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if ours and ours.startswith(b"/busybox/sleep\0"):
            os.kill(int(process.name), signal.SIGKILL)


@pytest.mark.parametrize("how", ["container", "pod"])
def test_a_build_whose_agent_dies_is_built_once_more_in_a_new_pod(lab: Lab, home: Path, source: Path, how: str) -> None:
    def act(process: subprocess.Popen[str], pod: str) -> None:
        if how == "container":
            kill_builder(lab, pod)
        else:
            lab.kubectl("delete", "pod", pod, "-n", lab.settings["LAB_NAMESPACE"], "--wait=false")

    result = disturbed(lab, home, source, act)
    image = f"{lab.settings['LAB_REGISTRY']}/where/disturbed:1"
    lost = "the agent was lost during the build (out of memory, or its pod was evicted)"
    again = f"kanikoBuild: {image}: {lost}; once more in a new pod, with less memory in use\n"
    assert result.log.count(again) == 1, result.log
    assert result.log.count("it runs now\n") == 2
    assert result.result == "ABORTED"
    wait_until_gone(lab, pods(result.log))


def test_an_abort_leaves_no_build_no_pod_and_no_tag(lab: Lab, home: Path, source: Path, registry: Registry) -> None:
    result = disturbed(lab, home, source, lambda process, pod: process.send_signal(signal.SIGTERM))
    assert result.result == "ABORTED", result.log
    assert result.log.count("it runs now\n") == 1
    wait_until_gone(lab, pods(result.log))
    with pytest.raises(HTTPError, match="404"):
        registry.manifest("where/disturbed", "1")


def wait_until_gone(lab: Lab, names: list[str]) -> None:
    assert names
    for _ in range(50):
        if not set(lab.living_pods("kaniko-", "small-")) & set(names):
            return
        time.sleep(0.2)
    pytest.fail(f"pods are left: {names}")


def test_an_agent_that_never_comes_ends_the_step(lab: Lab, home: Path, source: Path) -> None:
    result = run(lab, "waiting", home, source)
    assert result.result == "FAILURE", result.log
    assert "kanikoBuild: no agent 'nowhere' came up within 0.1 minutes (agentTimeoutMinutes)." in result.log
    assert "jenkins-kaniko doctor" in result.log
    assert re.search(r"\[Warning\]\[\S+/nowhere-\S+\]\[FailedScheduling\]", result.log)
    assert lab.living_pods("nowhere-") == []


@contextmanager
def alias(lab: Lab, name: str) -> Iterator[None]:
    """Give the lab's Kaniko a second name on the node."""

    def images(*arguments: str) -> None:
        # from a folder nearby: the whole path of a socket may be longer than its address can be
        command = ["ctr", "--address", "run/containerd/containerd.sock", "--namespace", "k8s.io", "images", *arguments]
        subprocess.run(command, cwd=lab.settings["LAB_NODE_ROOT"], check=True)

    images("tag", "--force", lab.settings["LAB_KANIKO_IMAGE"], name)
    try:
        yield
    finally:
        images("rm", name)


def test_without_a_template_the_packaged_pod_builds(lab: Lab, source: Path, registry: Registry, tmp_path: Path) -> None:
    """Its image has the name that the lab's Kaniko has for this test."""

    def no_templates(config: dict[str, Any]) -> None:
        del config["templates"]
        config["controllers"]["main"]["ensureCloud"] = {"namespace": lab.settings["LAB_NAMESPACE"]}

    with alias(lab, resources.engines()["kaniko"]["image"]):
        result = run(lab, "packaged", synced_home(tmp_path, no_templates), source)
    assert result.result == "SUCCESS", result.log
    notice = "kanikoBuild: no pod template on this controller has the label 'kaniko': the packaged agent pod is used. "
    assert result.log.count(notice) == 1
    assert f"packaged: {registry.manifest('where/packaged', '1')[0]}\n" in result.log
