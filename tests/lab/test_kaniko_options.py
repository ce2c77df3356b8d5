"""Options of kanikoBuild() with a real Kaniko: what they leave in the image, and what the builder does not have.

The library is an untrusted one here, so that all that handles options runs in the sandbox.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lablib import demo

from jenkins_kaniko import resources
from tests.lab.conftest import ROOT, Lab
from tests.support.pipeline import run_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed
from tests.support.standin import StandIn

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "kaniko-options.jenkinsfile"


def test_options_reach_the_image_and_missing_flags_are_named_before_the_build(lab: Lab, tmp_path: Path) -> None:
    source = committed(
        tmp_path / "source",
        {"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n", "broken": "FROM scratch\nCOPY missing /\n"},
    )
    settings = lab.settings
    with StandIn(tmp_path / "controller") as controller:
        config = demo.configuration(demo.lab_settings(), controller.url, controller.admin.name)
        builder = {"labels": ["options"], "distribution": "chainguard", "version": "1.25.6"}
        config["templates"] = {"options": config["templates"]["kaniko"] | builder}
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        environment = {**os.environ, "JENKINS_TOKEN": controller.admin.token}
        command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "sync"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    credentials = tmp_path / "credentials.json"
    account = {"type": "usernamePassword", "username": "robot", "password": "hunter2"}
    credentials.write_text(json.dumps({"account": account}), encoding="utf-8")
    result = run_pipeline(
        JENKINSFILE,
        tmp_path / "controller",
        ROOT,
        source,
        {"REGISTRY": settings["LAB_REGISTRY"]},
        lab.kubeconfig,
        library_name="unused",
        job="options",
        more=["--untrusted-library", f"jenkins-kaniko={ROOT}", "--credentials", str(credentials)],
    )
    assert result.result == "SUCCESS", result.log

    password = Path(settings["LAB_REGISTRY_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    ca = Path(settings["LAB_REGISTRY_CA"])
    registry = Registry(settings["LAB_REGISTRY_ADDRESS"], ca, settings["LAB_REGISTRY_USER"], password)
    digest, manifest = registry.manifest("options/app", "1.10")
    assert f"\nbuilt: {digest}\n" in result.log
    assert manifest["annotations"] == {"note": "a = b 1.10"}
    image = registry.config("options/app", "1.10")
    assert image["architecture"] == "amd64"
    wanted = {
        "note": "a = 'b', \"1.10\"\nc",
        "number": "1.10",
        "draft": "true",
        "extra": "a b",
        "version": "1.10",
    }
    assert wanted.items() <= image["config"]["Labels"].items()
    runs = "the template's builder is chainguard 1.25.6"
    assert re.findall(r"^refused: (.*)$", result.log, re.MULTILINE) == [
        f"kanikoBuild: option secrets: --secret needs osscontainertools 1.26.3 or later; {runs}; "
        f"option extraArgs: --pre-cleanup needs osscontainertools 1.25.4 or later; {runs}"
    ]
    (missing,) = [entry for entry in resources.diagnoses() if entry["name"] == "copy-source-missing"]
    cause = missing["cause"].replace("{1}", "/home/jenkins/agent/workspace/options/missing")
    assert f"\nfailed:   cause: {cause}\n" in result.log
    archive = f"{settings['LAB_REGISTRY'].replace(':', '+')}+options+archived+latest.tar"
    assert f"\narchived: {archive} true\n" in result.log
    assert "\nall: one SUCCESS, two SUCCESS\n" in result.log
