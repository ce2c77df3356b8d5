"""Real failures of a real Kaniko in real agent pods: what the step says of each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko import resources
from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.faulty_registry import FaultyRegistry
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.repository import committed

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "failures.jenkinsfile"
ENTRIES = {entry["name"]: entry for entry in resources.diagnoses()}
WORKSPACE = "/home/jenkins/agent/workspace/failures"
SHELL = "FROM scratch\nCOPY sh /bin/sh\n"
"""A base of one file, which the pipeline puts into the context: nothing is pulled and unpacked."""
SOURCE = {
    "works/Dockerfile": "FROM scratch\nCOPY sh /bin/sh\n",
    "run/Dockerfile": f"{SHELL}RUN echo one && \\\n  echo boom >&2 && \\\n  exit 3\n",
    "command/Dockerfile": f"{SHELL}RUN nosuchcommand --now\n",
    "noshell/Dockerfile": "FROM scratch\nRUN true\n",
    "copy/Dockerfile": f"{SHELL}COPY sh \\\n  missing.txt /x/\n",
    "arg/Dockerfile": "ARG VERSION\nFROM python:${VERSION}\nRUN true\n",
    "memory/Dockerfile": f"{SHELL}RUN dd if=/dev/urandom of=/big bs=1M count=300\n",
    "disk/Dockerfile": f"{SHELL}RUN dd if=/dev/zero of=/big bs=1M count=16\n"
    "FROM scratch\nCOPY --from=0 /big /data/big\n",
    "slow/Dockerfile": "FROM python:3.11-slim\nRUN sleep 1000\n",
}


def with_templates(config: dict[str, Any]) -> None:
    """Beside the demo's template put one for each thing that a template can lack."""
    kaniko: dict[str, Any] = config["templates"]["kaniko"]
    kaniko["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    small = {"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
    config["templates"] |= {
        "nosecret": kaniko | {"labels": ["nosecret"], "registrySecret": None},
        "noca": kaniko | {"labels": ["noca"], "caBundle": None},
        "smallmemory": kaniko
        | {"labels": ["smallmemory"], "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "100Mi"}}},
        "smalldisk": kaniko
        | {
            "labels": ["smalldisk"],
            "volumes": [small],
            "containers": [{"name": "kaniko", "volumeMounts": [{"name": "small", "mountPath": "/data"}]}],
        },
        "other": {"labels": ["other"], "yamlFile": "other.yaml"},
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a controller that `jenkins-kaniko sync` brought the templates to."""
    folder = tmp_path_factory.mktemp("fleet")
    agent = {"name": "jnlp", "resources": {"requests": {"cpu": "50m"}}}
    (folder / "other.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [agent]}}))
    return synced_home(folder, with_templates)


@pytest.fixture(scope="module")
def build(lab: Lab, home: Path, tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One run of the pipeline for all tests of this module."""
    source = committed(tmp_path_factory.mktemp("source"), SOURCE)
    host = lab.settings["LAB_REGISTRY_ADDRESS"].split(":")[0]
    with FaultyRegistry(host) as faulty:
        environment = {
            "REGISTRY": lab.settings["LAB_REGISTRY"],
            "PLAIN_REGISTRY": lab.settings["LAB_PLAIN_REGISTRY"],
            "FAULTY_REGISTRY": faulty.address,
        }
        result = run_pipeline(JENKINSFILE, home, ROOT, source, environment, lab.kubeconfig, job="failures")
    assert result.result == "SUCCESS", result.log
    return result


def said(build: PipelineResult, name: str) -> list[str]:
    """Return the lines that the step gave as its failure."""
    (text,) = re.findall(rf"^{name}: (.*?)\n{name}: end$", build.log, re.MULTILINE | re.DOTALL)
    return str(text).splitlines()


def filled_in(text: str, *groups: str) -> str:
    for number, group in enumerate(groups, start=1):
        text = text.replace(f"{{{number}}}", group)
    return text


R = "registry.lab.test:5000"


@pytest.mark.parametrize(
    ("name", "exit_code", "diagnosis", "groups", "line"),
    [
        ("unauthorized", 1, "registry-login", [R], None),
        ("unknown authority", 1, "unknown-authority", [R], None),
        ("plain HTTP", 1, "plain-http", ["plain.lab.test:5001"], None),
        ("unknown host", 1, "unknown-host", ["registry.nowhere.invalid"], None),
        ("no registry", 1, "no-registry", ["app:latest"], None),
        ("immutable", 1, "tag-immutable", [], None),
        ("unavailable", 1, "registry-failure", ["503 Service Unavailable"], None),
        ("cut", 1, "connection-cut", [], None),
        ("no Dockerfile", 1, "dockerfile-missing", [], None),
        ("folder", 1, "dockerfile-missing", [], None),
        ("no image", 0, "no-image", [], None),
        ("RUN", 3, "run-failed", [], "run/Dockerfile:3: RUN echo one && \\"),
        ("no command", 127, "run-no-such-command", [], "command/Dockerfile:3: RUN nosuchcommand --now"),
        ("no shell", 1, "run-without-shell", ["/bin/sh"], "noshell/Dockerfile:2: RUN true"),
        ("no source", 1, "copy-source-missing", [f"{WORKSPACE}/copy/missing.txt"], "copy/Dockerfile:3: COPY sh \\"),
        ("no value", 1, "base-image-name", ["python:"], "arg/Dockerfile:2: FROM python:${VERSION}"),
        ("memory", 137, "out-of-memory", [], "memory/Dockerfile:3: RUN dd if=/dev/urandom of=/big bs=1M count=300"),
        ("disk", 1, "disk-full", [], "disk/Dockerfile:5: COPY --from=0 /big /data/big"),
    ],
)
def test_a_failed_build_says_where_why_and_what_to_do(
    build: PipelineResult, name: str, exit_code: int, diagnosis: str, groups: list[str], line: str | None
) -> None:
    entry = ENTRIES[diagnosis]
    first, *lines = said(build, name)
    assert re.fullmatch(rf"kanikoBuild: \S+: build failed \(exit code {exit_code}\)", first)
    expected = [f"  at {WORKSPACE}/{line}"] if line else []
    expected += [f"  cause: {filled_in(entry['cause'], *groups)}", f"  fix: {filled_in(entry['fix'], *groups)}"]
    expected += [f"  see: {entry.get('see', f'docs/failures.md#{diagnosis}')}"]
    assert lines[: len(expected)] == expected
    # the log has more of it: what the engine said
    whole = "\n".join([first, *expected])
    told = rf"^{re.escape(whole)}\n  the engine said: (.*)\nlast lines of the log:\n((?:  \| .*\n){{1,15}})"
    errors = {
        (f"  the engine said: {last}",) if last.startswith(("error ", "Error: ")) else ()
        for last, shown in re.findall(told, build.log, re.MULTILINE)
        if shown.endswith(f"  | {last}\n")
    }
    assert tuple(lines[len(expected) :]) in errors


@pytest.mark.parametrize(
    ("name", "first", "diagnosis", "group"),
    [
        (
            "no container",
            r"kanikoBuild: KubernetesClientException: container kaniko is not valid for pod other-\S+",
            "container-missing",
            "kaniko",
        ),
        ("time", rf"kanikoBuild: {R}/failures/app: timed out after 0\.1 minutes", "timed-out", "0.1"),
    ],
)
def test_what_jenkins_ends_is_explained(
    build: PipelineResult, name: str, first: str, diagnosis: str, group: str
) -> None:
    entry = ENTRIES[diagnosis]
    headline, *lines = said(build, name)
    assert re.fullmatch(first, headline)
    assert lines == [
        f"  cause: {filled_in(entry['cause'], group)}",
        f"  fix: {entry['fix']}",
        f"  see: docs/failures.md#{diagnosis}",
    ]


def test_what_can_pass_is_tried_again_and_said_so(build: PipelineResult) -> None:
    cause = filled_in(ENTRIES["registry-failure"]["cause"], "503 Service Unavailable")
    tries = re.findall(r"^kanikoBuild: \S+: (.*; attempt \d+ of \d+ in \d+ s)$", build.log, re.MULTILINE)
    assert tries == [f"{cause}; attempt 2 of 2 in 5 s"]


def test_no_agent_is_left(lab: Lab, build: PipelineResult) -> None:
    prefixes = ("nosecret-", "noca-", "smallmemory-", "smalldisk-", "other-")
    assert lab.living_pods(*prefixes) == []
