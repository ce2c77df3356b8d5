"""Keys of the configuration do what they say to a real Kaniko: mirrors in their order, a CA of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lablib import demo

from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import run_pipeline
from tests.support.repository import committed
from tests.support.standin import StandIn

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

ABSENT = "absent.lab.test:5000"


def test_a_template_with_mirrors_and_a_ca_builds(lab: Lab, tmp_path: Path) -> None:
    """The first mirror is not there, so Kaniko goes on to the second, which the lab's CA signs."""
    source = committed(tmp_path / "source", {"Dockerfile": "FROM python:3.11-slim\nCOPY Dockerfile /\n"})
    mirror = lab.settings["LAB_REGISTRY"]
    settings = {**demo.lab_settings(), "KANIKO_REGISTRY_MIRROR": f"{ABSENT},{mirror}"}
    with StandIn(tmp_path / "controller") as controller:
        config = demo.configuration(settings, controller.url, controller.admin.name)
        assert config["templates"]["kaniko"] == {
            "labels": ["kaniko"],
            "image": lab.settings["LAB_KANIKO_IMAGE"],
            "distribution": "chainguard",
            "version": "1.25.6",
            "caBundle": {"configMap": "lab-ca"},
            "registryMirrors": [ABSENT, mirror],
        }
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        environment = {**os.environ, "JENKINS_TOKEN": controller.admin.token}
        command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "sync"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    jenkinsfile = ROOT / "tests" / "fixtures" / "pipeline" / "mirrors.jenkinsfile"
    result = run_pipeline(
        jenkinsfile, tmp_path / "controller", ROOT, source, {"REGISTRY": mirror}, lab.kubeconfig, job="configured"
    )
    assert result.result == "SUCCESS", result.log
    assert "built sha256:" in result.log
    tried = [name for name in (ABSENT, mirror) if f"from registry map {name}" in result.log or name in result.log]
    assert tried == [ABSENT, mirror]


BY_ARGUMENTS = """@Library('jenkins-kaniko') _
node('kaniko') {
    checkout scm
    def image = kanikoBuild(
        image: "${env.REGISTRY}/configured/by-arguments:1",
        cache: false,
        extraArgs: [
            "--registry-mirror=${env.REGISTRY}",
            "--registry-certificate=${env.REGISTRY}=${env.WORKSPACE}/ca.pem"
        ]
    )
    echo "built ${image.digest}"
}
"""


def test_one_build_may_have_a_mirror_and_a_ca_of_its_own(lab: Lab, tmp_path: Path) -> None:
    authority = Path(lab.settings["LAB_REGISTRY_CA"]).read_text(encoding="utf-8")
    dockerfile = "FROM python:3.11-slim\nCOPY Dockerfile /\n"
    source = committed(tmp_path / "source", {"Dockerfile": dockerfile, "ca.pem": authority})

    def without(config: dict[str, Any]) -> None:
        for key in ("caBundle", "registryMirrors"):
            del config["templates"]["kaniko"][key]

    (tmp_path / "Jenkinsfile").write_text(BY_ARGUMENTS, encoding="utf-8")
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    home = synced_home(tmp_path, without)
    result = run_pipeline(tmp_path / "Jenkinsfile", home, ROOT, source, environment, lab.kubeconfig, job="arguments")
    assert result.result == "SUCCESS", result.log
    assert "built sha256:" in result.log
