"""What kanikoBuild() makes of agents that die, never come, or that nobody has given a template."""

from __future__ import annotations

import json
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
from tests.lab.building import Builds
from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, run_pipeline, start_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

ENTRIES = {entry["name"]: entry for entry in resources.diagnoses()}
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
def home(lab: Lab, builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Path:
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
            "noimage": {**kaniko, "labels": ["noimage"], "image": f"{lab.settings['LAB_REGISTRY']}/no/such:1"},
            "elsewhere": {**kaniko, "labels": ["elsewhere"], "namespace": builds.namespace},
        }

    return synced_home(tmp_path_factory.mktemp("fleet"), more)


def run(lab: Lab, name: str, home: Path, source: Path, **settings: Any) -> PipelineResult:
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"], **settings.pop("env", {})}
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
    again = (
        f"kanikoBuild: {image}: {ENTRIES['out-of-memory']['cause']}; once more in a new pod, with less memory in use\n"
    )
    assert result.log.count(again) == 1
    assert len(pods(result.log)) == 2
    assert f"kanikoBuild: pushed {image.removesuffix(':1')}@sha256:" in result.log


def disturbed(
    lab: Lab,
    home: Path,
    source: Path,
    act: Callable[[subprocess.Popen[str], str], None],
    library: tuple[str, Path] = ("--library", ROOT),
    looks: Callable[[str], None] = lambda pod: None,
) -> PipelineResult:
    """Run the slow build, disturb it when its RUN works, and end the second try, if there is one, by an abort.

    At each start `looks` is called with the pod before that.
    """
    arguments = ["--home", str(home), "--job", "slow", library[0], f"jenkins-kaniko={library[1]}", "--scm", str(source)]
    arguments += ["--env", f"REGISTRY={lab.settings['LAB_REGISTRY']}", str(PIPELINES / "slow.jenkinsfile")]
    log, starts = "", 0
    with start_pipeline(arguments, lab.kubeconfig) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log += line
            if line == "it runs now\n":
                starts += 1
                looks(pods(log)[-1])
                act(process, pods(log)[-1]) if starts == 1 else process.send_signal(signal.SIGTERM)
    return PipelineResult(log, log.rstrip().rpartition("Finished: ")[2], process.returncode)


def processes(lab: Lab, pod: str) -> dict[int, list[str]]:
    """Return the command lines of all processes of a pod."""
    namespace = lab.settings["LAB_NAMESPACE"]
    uid = lab.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if uid in (process / "cgroup").read_text():
                found[int(process.name)] = (process / "cmdline").read_text().split("\0")
        except OSError:  # it has ended
            continue
    return found


def kill_builder(lab: Lab, pod: str) -> None:
    """As a kernel does that ends all processes of a container at once (cgroup v2): its first process and the others."""
    for process, command in processes(lab, pod).items():
        if command[0] == "/busybox/sleep":
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("how", ["container", "pod"])
def test_a_build_whose_agent_dies_is_built_once_more_in_a_new_pod(lab: Lab, home: Path, source: Path, how: str) -> None:
    def act(process: subprocess.Popen[str], pod: str) -> None:
        if how == "container":
            kill_builder(lab, pod)
        else:
            delete(lab, pod)

    engines: list[list[str]] = []

    def looks(pod: str) -> None:
        engines.extend(command for command in processes(lab, pod).values() if command[0] == "/kaniko/executor")

    result = disturbed(lab, home, source, act, looks=looks)
    image = f"{lab.settings['LAB_REGISTRY']}/where/disturbed:1"
    lost = ENTRIES["agent-lost"]["cause"]
    again = f"kanikoBuild: {image}: {lost}; once more in a new pod, with less memory in use\n"
    assert result.log.count(again) == 1, result.log
    assert ["--compressed-caching=false" in engine for engine in engines] == [False, True]
    assert result.result == "ABORTED"
    wait_until_gone(lab, pods(result.log))


def delete(lab: Lab, pod: str) -> None:
    lab.kubectl("delete", "pod", pod, "-n", lab.settings["LAB_NAMESPACE"], "--wait=false")


def test_a_sandboxed_library_does_not_build_again_what_somebody_may_have_stopped(
    lab: Lab, home: Path, source: Path
) -> None:
    """It may not ask why it was interrupted, so it says what that can mean and stops."""
    library = ("--untrusted-library", ROOT)
    result = disturbed(lab, home, source, lambda process, pod: delete(lab, pod), library)
    assert result.result == "ABORTED", result.log
    assert result.log.count("it runs now\n") == 1
    assert (
        "kanikoBuild: interrupted, and the sandbox of this library does not let it ask by whom. If nobody stopped "
        "this build, its agent 'kaniko' was lost or could not come up: the lines above tell why, and "
        "'jenkins-kaniko doctor' finds what is wrong with cluster, image and rights\n"
    ) in result.log
    assert "Scripts not permitted" not in result.log
    wait_until_gone(lab, pods(result.log))


def test_an_agent_that_dies_before_the_engine_runs_is_replaced(
    lab: Lab, home: Path, source: Path, tmp_path: Path
) -> None:
    """Its bringing of the source takes long enough to be disturbed here; memory was not used yet."""
    for part in ("vars", "resources"):
        shutil.copytree(ROOT / part, tmp_path / part)
    script = tmp_path / "vars" / "kanikoSource.groovy"
    brought = "Map brought(Map options, Map source) {\n"
    text = script.read_text(encoding="utf-8")
    assert text.count(brought) == 1
    script.write_text(text.replace(brought, f"{brought}    sh('echo it runs now; sleep 30')\n"), encoding="utf-8")
    result = disturbed(lab, home, source, lambda process, pod: delete(lab, pod), ("--library", tmp_path))
    again = f"{ENTRIES['agent-lost']['cause']}; once more in a new pod\n"
    assert result.log.count(f"kanikoBuild: {lab.settings['LAB_REGISTRY']}/where/disturbed:1: {again}") == 1, result.log
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
    result = run(lab, "waiting", home, source, env={"AGENT": "nowhere"})
    assert result.log.endswith(f"ERROR: {came_not_up('nowhere')}\nFinished: FAILURE\n"), result.log
    assert re.search(r"\[Warning\]\[\S+/nowhere-\S+\]\[FailedScheduling\]", result.log)
    assert lab.living_pods("nowhere-") == []


def came_not_up(label: str) -> str:
    return (
        f"kanikoBuild: no agent '{label}' came up within 0.1 minutes (agentTimeoutMinutes). The lines above tell what "
        "its pod waits for; 'jenkins-kaniko doctor' finds what is wrong with cluster, image and rights"
    )


def refused(lab: Lab) -> str:
    entry = ENTRIES["agent-refused"]
    image = f"{lab.settings['LAB_REGISTRY']}/where/never:1"
    lines = ["Queue task was cancelled", f"  cause: {entry['cause']}", f"  fix: {entry['fix']}"]
    return "\n".join([f"kanikoBuild: {image}: {lines[0]}", *lines[1:], "  see: docs/failures.md#agent-refused"])


def test_an_image_that_cannot_be_pulled_ends_the_step(lab: Lab, home: Path, source: Path) -> None:
    result = run(lab, "waiting", home, source, env={"AGENT": "noimage", "PATIENT": "yes"})
    assert result.log.endswith(f"ERROR: {refused(lab)}\nFinished: FAILURE\n"), result.log
    assert f'ERROR: Unable to pull Docker image "{lab.settings["LAB_REGISTRY"]}/no/such:1"' in result.log
    assert lab.living_pods("noimage-") == []


def test_in_a_sandbox_it_ends_the_step_too(lab: Lab, home: Path, source: Path) -> None:
    more = ["--untrusted-library", f"jenkins-kaniko={ROOT}"]
    environment = {"AGENT": "noimage", "PATIENT": "yes"}
    result = run(lab, "waiting", home, source, env=environment, library_name="unused", more=more)
    assert result.result == "ABORTED", result.log
    assert "If nobody stopped this build, its agent 'noimage' was lost or could not come up" in result.log
    assert "jenkins-kaniko doctor" in result.log


@contextmanager
def there(builds: Builds, kind: str, spec: dict[str, Any]) -> Iterator[None]:
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "rule"}, "spec": spec}
    builds.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    try:
        yield
    finally:
        builds.kubectl("delete", kind, "rule")


def test_a_quota_that_stays_full_ends_the_step(lab: Lab, builds: Builds, home: Path, source: Path) -> None:
    with there(builds, "ResourceQuota", {"hard": {"pods": "0"}}):
        builds.kubectl("wait", "--for=jsonpath={.status.hard}", "resourcequota/rule", "--timeout=30s")
        result = run(lab, "waiting", home, source, env={"AGENT": "elsewhere"})
    assert result.log.endswith(f"ERROR: {came_not_up('elsewhere')}\nFinished: FAILURE\n"), result.log
    assert re.search(r"pods \S+ is forbidden: exceeded quota: rule, requested: pods=1, used: pods=0", result.log)


def test_a_pod_that_the_cluster_refuses_ends_the_step(lab: Lab, builds: Builds, home: Path, source: Path) -> None:
    limits = {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]}
    with there(builds, "LimitRange", limits):
        result = run(lab, "waiting", home, source, env={"AGENT": "elsewhere", "PATIENT": "yes"})
    assert result.log.endswith(f"ERROR: {refused(lab)}\nFinished: FAILURE\n"), result.log
    assert 'is invalid: spec.containers[0].resources.requests: Invalid value: "256Mi": must be less than' in result.log


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
        maven = {"MAVEN": lab.settings["LAB_BUSYBOX_IMAGE"]}
        result = run(lab, "packaged", synced_home(tmp_path, no_templates), source, env=maven)
    assert result.result == "SUCCESS", result.log
    notice = "kanikoBuild: no pod template on this controller has the label 'kaniko': the packaged agent pod is used. "
    assert result.log.count(notice) == 2
    assert len(re.findall('^ *-? *name: "?maven"?$', result.log, re.MULTILINE)) == 1
    assert f"packaged: {registry.manifest('where/packaged', '1')[0]}\n" in result.log
