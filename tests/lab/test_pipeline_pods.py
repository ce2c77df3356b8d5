"""The pipeline runner's steps on real pods do what was recorded on real controllers."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import Lab
from tests.support.pipeline import PipelineResult, run_pipeline, start_pipeline
from tests.support.repository import committed, git

FIXTURES = Path(__file__).parent.parent / "fixtures" / "pipeline"
CONFIG = """<?xml version='1.1' encoding='UTF-8'?>
<hudson><clouds><org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud><name>kubernetes</name><templates>
<org.csanchez.jenkins.plugins.kubernetes.PodTemplate>
<id>{name}</id><name>{name}</name><namespace>{namespace}</namespace><label>kaniko</label>
<slaveConnectTimeout>90</slaveConnectTimeout><showRawYaml>false</showRawYaml>
<yaml>apiVersion: v1
kind: Pod
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
  - name: jnlp
    resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
  - name: kaniko
    image: {image}
    command: [/busybox/sleep, '99999']
    workingDir: /home/jenkins/agent
</yaml></org.csanchez.jenkins.plugins.kubernetes.PodTemplate>
</templates></org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud></clouds></hudson>
"""

pytestmark = [pytest.mark.jvm, pytest.mark.lab]


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_home(lab, tmp_path_factory.mktemp("home"))


def made_home(lab: Lab, folder: Path, template: str = "runner-test") -> Path:
    """Make `folder` the home of a controller with one template, whose label is kaniko."""
    config = CONFIG.format(
        name=template, namespace=lab.settings["LAB_NAMESPACE"], image=lab.settings["LAB_KANIKO_IMAGE"]
    )
    (folder / "config.xml").write_text(config, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return committed(tmp_path_factory.mktemp("scm"), {"Dockerfile": "FROM scratch\n"})


@pytest.fixture(scope="module")
def pods(lab: Lab, home: Path, repository: Path) -> PipelineResult:
    """One build for all rows; its last lines fail on purpose, with two agents up."""
    text = (FIXTURES / "pods.jenkinsfile").read_text(encoding="utf-8")
    jenkinsfile = home / "pods.jenkinsfile"
    text = text.replace("AGENT_IMAGE", lab.settings["LAB_AGENT_IMAGE"])
    jenkinsfile.write_text(text.replace("NAMESPACE", lab.settings["LAB_NAMESPACE"]), encoding="utf-8")
    return run_pipeline(jenkinsfile, home, FIXTURES / "library", repository, kubeconfig=lab.kubeconfig, job="rows")


WORKSPACE = "/home/jenkins/agent/workspace/rows"
NODE = r"runner-test-\w{5}"
EXIT_3 = "hudson.AbortException: script returned exit code 3"
# "name: value" lines of pods.jenkinsfile, as regular expressions.
ROWS = {
    "in node": rf"({NODE})\|\1 kaniko\|{WORKSPACE}\|null\|null",
    "in container": rf"({NODE})\|\1 kaniko\|{WORKSPACE}\|null\|kaniko",
    "in podTemplate": rf"(rows-1-(\w{{5}})(?:-\w{{5}}){{2}})\|\1 rows_1-\2\|{WORKSPACE}\|rows_1-\2\|null",
    "GIT_BRANCH": "origin/main",
    "exit code": EXIT_3,
    "container exit code": EXIT_3,
    "status": "4",
    "stdout": " out ~",
    "own interpreter": "false",
    "quoting in the agent": r"\[true\]",
    "quoting in busybox": r"\[true\]",
    "readFile": "Grüße true false",
    "no file": rf"java.nio.file.NoSuchFileException: {WORKSPACE}/no.txt",
    "mode": r"\[(\d+) 644, \1, 0022\]",
    "dir": rf"{WORKSPACE}/sub {WORKSPACE}/sub {WORKSPACE}/sub@tmp",
    "id": rf"0 {WORKSPACE}",
    "timeout": "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException: null",
    "left over": "0",
    "no container": rf"io.fabric8.kubernetes.client.KubernetesClientException: "
    rf"container nope is not valid for pod {NODE}",
    "deleteDir": "false",
    "unstash": "Grüße",
    "nested": rf"(inner(?:-\w{{5}}){{2}})\|\1 rows_1-\w{{5}}\|{WORKSPACE}\|rows_1-\w{{5}}\|null",
    "inherited": r"bc /ca/ca.crt /cache [1-9]\d+",
    "unknown property": r"groovy.lang.MissingPropertyException: No such property: imagee for class: \S+ .*",
}


@pytest.mark.parametrize("name", ROWS)
def test_recorded_row(pods: PipelineResult, name: str) -> None:
    line = next((line for line in pods.log.splitlines() if line.startswith(f"{name}: ")), pods.log)
    assert re.fullmatch(f"{name}: {ROWS[name]}", line), line


def test_checkout_leaves_a_repository(pods: PipelineResult, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert f"\nGIT_COMMIT: {commit}\n" in pods.log
    assert f"\ncommit: {commit}\n" in pods.log


def test_a_timeout_kills_the_process(pods: PipelineResult) -> None:
    assert re.search("Sending interrupt signal to process\n(Terminated\n)?script returned exit code 143\n", pods.log)


def test_the_plugin_completes_the_pod(pods: PipelineResult) -> None:
    """Its YAML is printed; the one of the template with showRawYaml false is not."""
    (text,) = re.findall(r"\n(---\n.*?)\nRunning on ", pods.log, re.DOTALL)
    pod = yaml.safe_load(text)
    (agent,) = pod["spec"]["containers"]
    assert agent["image"] == "jenkins/inbound-agent:4.3-4"
    assert agent["resources"] == {"requests": {"cpu": "10m"}}
    assert {"JENKINS_AGENT_NAME", "JENKINS_SECRET", "JENKINS_URL"} < {variable["name"] for variable in agent["env"]}
    mount = {"name": "workspace-volume", "mountPath": "/home/jenkins/agent", "readOnly": False}
    assert agent["volumeMounts"] == [mount]
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert set(pod["metadata"]["labels"]) == {"jenkins", "jenkins/label", "jenkins/label-digest"}


def test_a_failed_build_leaves_no_pod(lab: Lab, pods: PipelineResult, home: Path) -> None:
    assert pods.log.count("Created Pod: ") == 5
    assert "ERROR: script returned exit code 5\nFinished: FAILURE\n" in pods.log
    assert not lab.living_pods("runner-test-", "rows-", "inner-")
    assert not list((home / "nodes").iterdir())


def test_an_abort_kills_and_deletes(lab: Lab, home: Path) -> None:
    log = long_build(lab, home, lambda process, pod: process.send_signal(signal.SIGTERM))
    assert "Sending interrupt signal to process\n" in log
    assert log.endswith("Aborted\nFinished: ABORTED\n")
    assert not lab.living_pods("runner-test-", "rows-")


def test_a_deleted_pod_ends_the_build(lab: Lab, home: Path) -> None:
    def delete(process: subprocess.Popen[str], pod: str) -> None:
        lab.kubectl("delete", "pod", "-n", lab.settings["LAB_NAMESPACE"], pod)

    log = long_build(lab, home, delete)
    assert re.search(rf"\nAgent {NODE} was deleted; cancelling node body\nFinished: ABORTED\n$", log)
    assert not list((home / "nodes").iterdir())


def long_build(lab: Lab, home: Path, act: Callable[[subprocess.Popen[str], str], None]) -> str:
    """Start a build whose step never ends by itself, act on it or its pod, and return what it says from then on."""
    arguments = ["--home", str(home), "--job", "long", str(FIXTURES / "long.jenkinsfile")]
    with start_pipeline(arguments, lab.kubeconfig) as process:
        assert process.stdout is not None
        assert "started\n" in iter(process.stdout.readline, "")
        (node,) = (home / "nodes").glob("runner-test-*/config.xml")
        act(process, node.parent.name)
        log = process.stdout.read()
    assert process.returncode != 0
    return log
