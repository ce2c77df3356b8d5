"""`import` and `init --from`: templates that are on a controller become configuration that means the very same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jenkins as python_jenkins
import pytest
import yaml

from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.model import CloudState
from tests.support.standin import StandIn

pytestmark = pytest.mark.jvm

RECORDED = (Path(__file__).parent / "fixtures" / "contract" / "clouds.groovy").read_text(encoding="utf-8")
UNOWNED = RECORDED.replace("'jenkins-kaniko/owner', 'fleet-a'", "'team', 'builds'")
FULL_POD = b"""apiVersion: v1
kind: Pod
spec:
  containers:
  - name: kaniko
    image: ghcr.io/osscontainertools/kaniko:debug
"""
CONFIGURATION: dict[str, Any] = {
    "fleet": "acme",
    "defaults": {
        "namespace": "elsewhere",
        "registrySecret": "docker-config",
        "idleMinutes": 7,
        "labels": ["builder"],
        "annotations": {"cost-center": "42"},
        "workspaceVolume": {"hostPath": {"hostPath": "/data"}},
        "jenkins": {"runAsUser": "7"},
    },
    "templates": {"own": {}},
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", params=["4238", "1.29"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("controller"), plugin=request.param) as standin:
        yield standin


@pytest.fixture
def controller(running: StandIn) -> StandIn:
    """The running controller with the recorded cloud."""
    script(running, UNOWNED)
    return running


def script(controller: StandIn, text: str) -> str:
    client = python_jenkins.Jenkins(controller.url, controller.admin.name, controller.admin.token, timeout=30)
    client.crumb = False
    answer: str = client.run_script(f"{text}\nprintln()")
    return answer


def state(controller: StandIn) -> CloudState:
    return Controller("main", controller.url, controller.admin.name, controller.admin.token, "kubernetes").read()


@pytest.fixture
def run(tmp_path: Path, controller: StandIn) -> Run:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "JENKINS_TOKEN": controller.admin.token}
        argv = [str(Path(sys.executable).parent / "jenkins-kaniko"), *arguments]
        return subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return command


def configure(folder: Path, controller: StandIn, **changes: Any) -> None:
    main = {"url": controller.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}}
    content = {**CONFIGURATION, "controllers": {"main": main}, **changes}
    (folder / "jenkins-kaniko.yaml").write_text(json.dumps(content), encoding="utf-8")


def test_what_is_taken_over_is_as_it_was_until_it_changes(controller: StandIn, run: Run, tmp_path: Path) -> None:
    configure(tmp_path, controller, templates={})
    before = state(controller)
    taken = run("import", "--controller", "main")
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout.splitlines() == [
        f"{tmp_path}/imported-main.yaml: 2 templates; add to jenkins-kaniko.yaml: include: [imported-main.yaml]"
    ]
    assert (tmp_path / "imported-main" / "kaniko.yaml").read_bytes() == FULL_POD
    configure(tmp_path, controller, templates={}, include=["imported-main.yaml"])
    planned = run("plan")
    assert (planned.returncode, planned.stderr.splitlines()[-1:]) == (0, ["main: unchanged"]), planned.stdout

    imported = tmp_path / "imported-main.yaml"
    imported.write_text(imported.read_text(encoding="utf-8").replace("idleMinutes: 5", "idleMinutes: 6"))
    synced = run("sync")
    assert synced.returncode == 0, synced.stdout
    after = state(controller)
    assert [found.id for found in after.templates] == ["jenkins-kaniko-kaniko", "min"]
    assert after.templates[1] == before.templates[1]
    old, new = before.templates[0].fields, dict(after.templates[0].fields)
    assert old["annotations"][0] in new.pop("annotations")
    assert new == {name: 6 if name == "idleMinutes" else value for name, value in old.items() if name != "annotations"}
    assert run("plan").returncode == 0


def test_the_file_says_what_the_templates_are(controller: StandIn, run: Run, tmp_path: Path) -> None:
    """Whatever the defaults give that the templates did not have is taken away again."""
    configure(tmp_path, controller)
    assert run("import", "--controller", "main", "-o", "json").returncode == 0
    templates = yaml.safe_load((tmp_path / "imported-main.yaml").read_text(encoding="utf-8"))["templates"]
    raw = templates["kaniko"].pop("jenkins")
    assert templates == {
        "kaniko": {
            "id": "jenkins-kaniko-kaniko",
            "controllers": ["main"],
            "labels": ["kaniko", "docker"],
            "yamlFile": "imported-main/kaniko.yaml",
            "namespace": "builds",
            "inheritFrom": "base",
            "idleMinutes": 5,
            "instanceCap": 10,
            "connectTimeoutSeconds": 300,
            "activeDeadlineSeconds": 3600,
            "podRetention": "OnFailure",
            "showRawYaml": False,
            "yamlMergeStrategy": "Merge",
            "workspaceVolume": {"emptyDir": {"memory": True}},
            "annotations": {"cost-center": None, "team": "builds"},
        },
        "min": {
            "id": "min",
            "controllers": ["main"],
            "labels": ["min"],
            "engine": "none",
            "showRawYaml": True,
            "jenkins": {"runAsUser": None},
            "annotations": {"cost-center": None},
            **dict.fromkeys(["namespace", "idleMinutes", "workspaceVolume"]),
        },
    }
    plugin = "org.csanchez.jenkins.plugins.kubernetes."
    assert {name: raw[name] for name in ("runAsUser", "serviceAccount", "nodeSelector", "envVars")} == {
        "runAsUser": None,
        "serviceAccount": "kaniko",
        "nodeSelector": "kubernetes.io/arch=amd64",
        "envVars": [
            {"class": "model.KeyValueEnvVar", "key": "A", "value": "b"},
            {
                "class": "model.SecretEnvVar",
                "key": "TOKEN",
                "secretName": "sec",
                "secretKey": "key",
            },
        ],
    }
    assert plugin not in (tmp_path / "imported-main.yaml").read_text(encoding="utf-8")
    configure(tmp_path, controller, templates={}, include=["imported-main.yaml"])
    assert run("plan").returncode == 0


ODD = r"""
import org.csanchez.jenkins.plugins.kubernetes.*
def made = { id, name, yaml, values = [:] ->
    def template = new PodTemplate(id)
    template.name = name
    template.yaml = yaml
    values.each { template[it.key] = it.value }
    template
}
def pod = "# caf\u00e9 \ud83d\udc33\r\nspec:\r\n  nodeName: '\${NODE} </yaml>'\r\n"
Jenkins.get().clouds[0].templates = [
    made('1', 'Maven (JDK 17)', pod, [label: ' maven  jdk17 ', annotations: [new PodAnnotation('a', 'b')]]),
    made('2', 'maven-jdk-17', 'spec: {}', [label: 'a b a', instanceCap: 0]),
    made('3', 'broken', 'spec: {'),
    made('4', 'fleet-b', 'spec: {}', [annotations: [new PodAnnotation('jenkins-kaniko/owner', 'b')]]),
    made('5', '', 'spec: {}'),
    made('6', 'maven-jdk-17', 'spec: {}'),
]
Jenkins.get().save()
"""


def test_what_cannot_be_written_down_is_named_and_the_rest_is_exact(
    controller: StandIn, run: Run, tmp_path: Path
) -> None:
    script(controller, ODD)
    configure(tmp_path, controller, templates={})
    taken = run("import", "--controller", "main", "--out", "taken.yaml")
    assert taken.stderr.splitlines() == [
        "template broken: not taken: its YAML is not one readable Pod",
        "template 5: not taken: it has no name",
        "template maven-jdk-17: not taken: an earlier one has the same name or id, and Jenkins uses that",
    ]
    pod = "# caf\u00e9 \U0001f433\r\nspec:\r\n  nodeName: '${NODE} </yaml>'\r\n"
    assert (tmp_path / "taken" / "maven-jdk-17.yaml").read_bytes() == pod.encode()
    configure(tmp_path, controller, templates={}, include=["taken.yaml"])
    planned = run("plan")
    assert planned.returncode == 0, planned.stdout
    named = run("import", "--controller", "main", "fleet-b", "--out", "more.yaml")
    assert (named.returncode, named.stderr) == (1, "jenkins-kaniko: template fleet-b: not taken: fleet b owns it\n")
    absent = run("import", "--controller", "main", "gradle")
    assert absent.returncode == 1
    assert "controller main: no template gradle there; it has: Maven (JDK 17), maven-jdk-17, " in absent.stderr


def test_every_key_arrives_and_the_next_plan_is_empty(
    running: StandIn, controller: StandIn, run: Run, tmp_path: Path
) -> None:
    script(controller, "Jenkins.get().clouds[0].templates = []; Jenkins.get().save()")
    case = Path(__file__).parent / "fixtures" / "render" / "every-key"
    templates = yaml.safe_load((case / "jenkins-kaniko.yaml").read_text(encoding="utf-8"))["templates"]
    if state(controller).plugin_version.startswith("1.29"):
        del templates["ephemeral"]  # its class came later
    (tmp_path / "own.yaml").write_bytes((case / "own.yaml").read_bytes())
    configure(tmp_path, controller, defaults={}, templates=templates)
    synced = run("sync")
    assert synced.returncode == 0, synced.stdout
    assert [run(command).returncode for command in ("plan", "drift")] == [0, 0]


def test_nothing_is_overwritten(controller: StandIn, run: Run, tmp_path: Path) -> None:
    configure(tmp_path, controller, templates={})
    (tmp_path / "imported-main").mkdir()
    there = tmp_path / "imported-main" / "kaniko.yaml"
    there.write_text("mine", encoding="utf-8")
    refused = run("import", "--controller", "main")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"jenkins-kaniko: {there}: there already; it is not overwritten\n",
    )
    assert (there.read_text(encoding="utf-8"), (tmp_path / "imported-main.yaml").exists()) == ("mine", False)


def test_init_from_a_controller_takes_all_of_it(controller: StandIn, run: Run, tmp_path: Path) -> None:
    made = run("init", "--fleet", "acme", "--from", controller.url, "--user", "admin")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == "jenkins-kaniko.yaml: written, with 2 templates; now: jenkins-kaniko plan\n"
    assert run("plan").returncode == 0
    assert run("validate").returncode == 0
    again = run("init", "--from", controller.url, "--user", "admin")
    assert (again.returncode, again.stderr) == (
        1,
        "jenkins-kaniko: jenkins-kaniko.yaml: there already; it is not overwritten\n",
    )


def test_list_says_what_is_there_and_whose(controller: StandIn, run: Run, tmp_path: Path) -> None:
    script(controller, RECORDED)
    configure(tmp_path, controller)
    assert run("sync").returncode == 0
    listed = run("list")
    assert listed.returncode == 0
    headline, *rows = listed.stdout.splitlines()
    assert headline.startswith("main (cloud kubernetes, Jenkins ")
    assert [row.split("  ") and [cell.strip() for cell in row.split("  ") if cell] for row in rows] == [
        ["NAME", "ID", "OWNER", "LABELS", "AGENTS"],
        ["kaniko", "jenkins-kaniko-kaniko", "fleet fleet-a", "kaniko docker", "0"],
        ["min", "min", "nobody", "min", "0"],
        ["own", "jenkins-kaniko-acme-own", "this fleet", "builder", "0"],
    ]
    (data,) = json.loads(run("list", "-o", "json").stdout)["controllers"]
    assert data["templates"][0] == {
        "name": "kaniko",
        "id": "jenkins-kaniko-kaniko",
        "owner": "fleet-a",
        "labels": ["kaniko", "docker"],
        "agents": [],
    }
