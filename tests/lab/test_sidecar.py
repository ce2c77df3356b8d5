"""`--via configmap` from the command line's outside: real ConfigMaps, an identity with no right but that, the stand-in
as controller, and in between a sidecar that does what the Helm chart's does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from jenkins_kaniko import cluster
from jenkins_kaniko.errors import RefusedError
from tests.lab.conftest import ROOT, Lab
from tests.support.standin import StandIn

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

LABEL = "jenkins-jenkins-config"
RELOAD_TOKEN = "jenkins-0 &?"
OTHER_CLOUD = "jenkins:\n  clouds:\n  - kubernetes:\n      name: other\n"
HAND_MADE = """
import org.csanchez.jenkins.plugins.kubernetes.*
def cloud = new KubernetesCloud('kubernetes')
cloud.serverUrl = 'https://by-hand'
def template = new PodTemplate('hand-made')
template.name = 'maven'
template.yaml = 'a: "${HOME}"'
cloud.templates = [template]
Jenkins.get().clouds.replaceBy([cloud])
"""


@dataclass
class Release:
    """A controller as the chart installs it: a folder of sources that a sidecar fills from labelled ConfigMaps."""

    lab: Lab
    namespace: str
    folder: Path
    controller: StandIn
    kubeconfig: Path
    stop: threading.Event = field(default_factory=threading.Event)
    reloads: bool = True

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.lab.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def config_map(self, name: str = "jenkins-kaniko") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "configmap", name, "-o", "json"))
        return found

    def put(self, name: str, text: str) -> None:
        """Another source."""
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {LABEL: "true"}},
            "data": {f"{name}.yaml": text},
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def sidecar(self) -> None:
        """Copy what is labelled into the folder, and have it loaded when something changed."""
        known: dict[str, str] = {}
        while not self.stop.wait(0.5):
            listed = json.loads(self.kubectl("get", "configmaps", "-l", LABEL, "-o", "json"))["items"]
            files = {name: text for one in listed for name, text in one.get("data", {}).items()}
            if files != known:
                for name in known.keys() - files.keys():
                    (self.folder / name).unlink()
                for name, text in files.items():
                    (self.folder / name).write_text(text, encoding="utf-8")
                known = files
                if self.reloads:
                    url = f"{self.controller.url}reload-configuration-as-code/"
                    requests.post(url, params={"casc-reload-token": RELOAD_TOKEN}, timeout=30)


@pytest.fixture(scope="module")
def installed(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """A namespace with the rights that resources/jenkins_kaniko/rbac/sync.yaml gives, and a controller."""
    namespace, folder = f"sidecar-{secrets.token_hex(4)}", tmp_path_factory.mktemp("casc")
    lab.kubectl("create", "namespace", namespace)
    try:
        kubeconfig = tmp_path_factory.mktemp("kube") / "config"
        standin = StandIn(tmp_path_factory.mktemp("home"), casc=[folder], reload_token=RELOAD_TOKEN)
        standin.add_user("reader", "SystemRead")
        with standin:
            release = Release(lab, namespace, folder, standin, kubeconfig)
            release.kubectl("create", "serviceaccount", "ci")
            release.kubectl("apply", "-f", str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / "sync.yaml"))
            account = f"--serviceaccount={namespace}:ci"
            release.kubectl("create", "rolebinding", "jenkins-kaniko", "--role=jenkins-kaniko", account)
            kubeconfig.write_text(json.dumps(as_account(lab, release.kubectl("create", "token", "ci").strip())))
            yield release
    finally:
        lab.kubectl("delete", "namespace", namespace, "--wait=false")


def as_account(lab: Lab, token: str) -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load(lab.kubeconfig.read_text())
    given["users"] = [{"name": user["name"], "user": {"token": token}} for user in given["users"]]
    return given


@pytest.fixture
def release(installed: Release) -> Iterator[Release]:
    """The controller without clouds, no ConfigMap, and a sidecar at work."""
    installed.kubectl("delete", "configmaps", "-l", LABEL)
    for file in installed.folder.iterdir():
        file.unlink()
    installed.controller.run("Jenkins.get().clouds.replaceBy([])")
    installed.stop, installed.reloads = threading.Event(), True
    thread = threading.Thread(target=installed.sidecar)
    thread.start()
    yield installed
    installed.stop.set()
    thread.join()


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, release: Release) -> Run:
    """The command line in a folder of its own, as a user who may only read, and an identity with three rights."""

    def command(*arguments: str, token: bool = True, kubeconfig: Path | None = None, templates: Any = None) -> Any:
        sidecar = {"namespace": release.namespace, "label": LABEL}
        main = {
            "url": release.controller.url,
            "user": "reader",
            "token": {"env": "JENKINS_TOKEN"},
            "ensureCloud": {"namespace": "builds", "containerCap": 20, "podLabels": {"a": "b"}},
            "sidecar": {**sidecar, "reloadToken": {"env": "RELOAD_TOKEN"}} if token else sidecar,
        }
        content = {"fleet": "acme", "controllers": {"main": main}, "templates": templates or {"kaniko": {}}}
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(content))
        environment = {
            **os.environ,
            "JENKINS_TOKEN": release.controller.user("reader").token,
            "RELOAD_TOKEN": RELOAD_TOKEN,
            "KUBECONFIG": str(kubeconfig or release.kubeconfig),
        }
        done = subprocess.run(
            [Path(sys.executable).parent / "jenkins-kaniko", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for secret in (RELOAD_TOKEN, "jenkins-0+", "jenkins-0%20", environment["JENKINS_TOKEN"]):
            assert secret not in done.stdout + done.stderr
        return done

    return command


FULL = {
    "kaniko": {
        "labels": ["kaniko", "docker"],
        "idleMinutes": 5,
        "podRetention": "OnFailure",
        "yamlMergeStrategy": "Merge",
        "env": {"A": "${HOME} ^${HOME} $${x} {{ x }}"},
        "jenkins": {
            "workspaceVolume": {"class": "volumes.workspace.EmptyDirWorkspaceVolume", "memory": "true"},
            "volumes": [{"class": "volumes.SecretVolume", "mountPath": "/s", "secretName": "${s}", "optional": "true"}],
            "envVars": [{"class": "model.KeyValueEnvVar", "key": "K", "value": "true"}],
            "imagePullSecrets": [{"class": "PodImagePullSecret", "name": "regcred"}],
        },
    }
}


@pytest.mark.parametrize("token", [True, False], ids=["reload by token", "the sidecar's own reload"])
def test_templates_arrive_and_the_next_plan_is_empty(release: Release, run: Run, token: bool) -> None:
    release.reloads = not token
    done = run("sync", "--via", "configmap", "--timeout", "60", token=token, templates=FULL)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 applied"), done.stdout + done.stderr
    labels = {LABEL: "true", "jenkins-kaniko/owner": "acme", "app.kubernetes.io/managed-by": "jenkins-kaniko"}
    assert release.config_map()["metadata"]["labels"] == labels
    for command in (["plan", "--via", "configmap"], ["plan", "--via", "export"], ["drift", "--via", "export"]):
        again = run(*command, token=token, templates=FULL)
        assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged"), again.stdout
    version = release.config_map()["metadata"]["resourceVersion"]
    assert run("sync", "--via", "configmap", token=token, templates=FULL).returncode == 0
    assert release.config_map()["metadata"]["resourceVersion"] == version


def test_a_change_a_removal_and_the_way_back(release: Release, run: Run) -> None:
    both = {"kaniko": {}, "maven": {"idleMinutes": 3}}
    assert run("sync", "--via", "configmap", templates=both).returncode == 0
    pruned = run("sync", "--via", "configmap", "--prune", "-o", "json", templates={"kaniko": {"idleMinutes": 9}})
    (result,) = json.loads(pruned.stdout)["controllers"]
    assert [(one["action"], one["template"]) for one in result["changes"]] == [
        ("update", "kaniko"),
        ("delete", "maven"),
    ]
    assert run("rollback", "--via", "configmap", result["backup"], templates=both).returncode == 0
    assert run("plan", "--via", "export", templates=both).returncode == 0


def test_a_cloud_made_by_hand_is_taken_over_on_request_and_loses_nothing(release: Release, run: Run) -> None:
    release.controller.run(HAND_MADE)
    refused = run("sync", "--via", "configmap")
    assert (refused.returncode, "--adopt takes it over" in refused.stdout) == (4, True)
    assert run("sync", "--via", "configmap", "--adopt").returncode == 0
    tell = "def c = Jenkins.get().clouds[0]; [c.serverUrl, c.templates*.name, c.templates[0].yaml].join(' ')"
    assert release.controller.run(tell) == 'Result: https://by-hand [maven, kaniko] a: "${HOME}"\n'
    assert run("plan", "--via", "configmap").returncode == 0


def test_a_second_source_that_defines_clouds_is_refused(release: Release, run: Run) -> None:
    release.put("jenkins-jenkins-jcasc-config", OTHER_CLOUD)
    done = run("sync", "--via", "configmap")
    assert done.returncode == 4
    assert f"ConfigMap {release.namespace}/jenkins-jenkins-jcasc-config defines clouds too (other)" in done.stdout
    assert "jenkins-kaniko\n" not in release.kubectl("get", "configmaps", "-o", "name")


def test_a_cloud_that_the_reload_would_remove_is_refused(release: Release, run: Run) -> None:
    release.controller.run(HAND_MADE.replace("'kubernetes'", "'mine'"))
    done = run("sync", "--via", "configmap")
    assert (done.returncode, "defines mine, which the controller has" in done.stdout) == (4, True)


def test_a_config_map_of_somebody_else_is_not_touched(release: Release, run: Run) -> None:
    release.put("jenkins-kaniko", "jenkins: {}")
    done = run("sync", "--via", "configmap")
    assert (done.returncode, "is not of this fleet" in done.stdout) == (4, True)
    assert release.config_map()["data"] == {"jenkins-kaniko.yaml": "jenkins: {}"}


def test_a_reload_that_fails_is_reported_and_the_next_run_goes_on(release: Release, run: Run) -> None:
    release.put("broken", "nope: 1\n")
    done = run("sync", "--via", "configmap", "--timeout", "4")
    assert done.returncode == 7
    assert "No configurator for the following root elements : nope" in done.stdout
    assert "the export differs in" in done.stdout
    release.reloads = False
    release.kubectl("delete", "configmap", "broken")
    again = run("sync", "--via", "configmap")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 applied"), again.stdout


def test_without_the_rights_the_command_to_ask_for_them_is_named(release: Release, run: Run) -> None:
    release.kubectl("create", "serviceaccount", "nobody")
    bare = release.kubeconfig.with_name("bare")
    bare.write_text(json.dumps(as_account(release.lab, release.kubectl("create", "token", "nobody").strip())))
    done = run("sync", "--via", "configmap", kubeconfig=bare)
    assert done.returncode == 5
    assert f"403 Forbidden; try: kubectl auth can-i list configmaps -n {release.namespace}" in done.stdout


def test_a_config_map_that_moved_is_not_overwritten(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(release.kubeconfig))
    made = cluster.ConfigMap(release.namespace, "shared", {"a": "1"}, {LABEL: "true"}, {"note": "kept"})
    cluster.write_config_map(made)
    (read,) = cluster.list_config_maps(release.namespace, LABEL)
    assert (read.data, read.labels, read.annotations) == (made.data, made.labels, made.annotations)
    release.put("shared", "b")
    for late in (read, made):
        with pytest.raises(RefusedError, match="somebody else made, changed or deleted it"):
            cluster.write_config_map(late)
    release.kubectl("delete", "configmap", "shared")
    with pytest.raises(RefusedError, match="somebody else"):
        cluster.write_config_map(read)
