"""`make demo` from the outside: the whole way from a configuration to a running image."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.lab.conftest import ROOT, Lab

pytestmark = [pytest.mark.jvm, pytest.mark.lab]
DEMO = [sys.executable, str(ROOT / "lab" / "demo")]


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        DEMO, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def test_the_demo_ends_with_the_apps_answer(lab: Lab) -> None:
    done = run({**os.environ})
    assert done.returncode == 0, done.stdout
    assert "the app answers: Hello from an image built without a Docker daemon\n" in done.stdout
    (reference,) = re.findall(r"start the pushed image by its digest: (\S+)", done.stdout)
    assert re.fullmatch(r"registry\.lab\.test:5000/team/flask@sha256:[0-9a-f]{64}", reference)


def test_it_runs_on_a_cluster_of_ones_own(lab: Lab) -> None:
    """The lab's cluster, given as if it were somebody else's."""
    settings = lab.settings
    done = run(
        {
            **os.environ,
            "LAB": "off",
            "PATH": f"{settings['LAB_BIN']}:{os.environ['PATH']}",
            "KUBECONFIG": settings["KUBECONFIG"],
            "REGISTRY": settings["LAB_REGISTRY"],
            "NAMESPACE": settings["LAB_NAMESPACE"],
            "KANIKO_IMAGE": settings["LAB_KANIKO_IMAGE"],
            "REGISTRY_CA_CONFIGMAP": "lab-ca",
            "KANIKO_REGISTRY_MIRROR": settings["LAB_REGISTRY"],
        }
    )
    assert done.returncode == 0, done.stdout
    assert "the app answers: Hello from an image built without a Docker daemon\n" in done.stdout


def test_a_missing_setting_is_named_at_once() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "REGISTRY")}
    done = run({**environment, "LAB": "off"})
    assert (done.returncode, done.stdout) == (1, "demo: LAB=off needs KUBECONFIG and REGISTRY in the environment\n")


def test_without_root_it_says_so_at_once() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", ROOT / "lab" / "demo"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "demo: the lab needs root: run `sudo make demo`, or LAB=off with your own cluster (README)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
