"""The lab for tests: started once per run if it does not run yet, and stopped only by who started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lablib import demo

from tests.lab.building import Builds, Run, build_namespace
from tests.lab.registries import Place, registry_namespace
from tests.support.registry import Registry
from tests.support.standin import StandIn

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Lab:
    """How to reach the running lab; `settings` is what `lab/env --json` prints."""

    settings: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        return Path(self.settings["KUBECONFIG"])

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as the lab's administrator and return what it prints on stdout."""
        command = [f"{self.settings['LAB_BIN']}/kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=check).stdout

    def living_pods(self, *prefixes: str) -> list[str]:
        """Return the names of the build namespace's pods that begin so and that nobody has deleted."""
        form = "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}"
        names = self.kubectl("get", "pods", "-n", self.settings["LAB_NAMESPACE"], "-o", f"go-template={form}").split()
        return [name for name in names if name.startswith(prefixes)]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab."""
    running = subprocess.run([ROOT / "lab" / "status"], capture_output=True, check=False).returncode == 0
    if not running and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.exit("several workers share a lab that none of them may stop: start it with lab/up")
    if not running:
        subprocess.run([ROOT / "lab" / "up"], check=True)
    printed = subprocess.run([ROOT / "lab" / "env", "--json"], capture_output=True, check=True).stdout
    try:
        yield Lab(json.loads(printed))
    finally:
        if not running:
            subprocess.run([ROOT / "lab" / "down"], check=True)


@pytest.fixture(scope="session")
def registry(lab: Lab) -> Registry:
    """The lab's registry that wants an account, asked with one."""
    settings = lab.settings
    password = Path(settings["LAB_REGISTRY_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    address, ca = settings["LAB_REGISTRY_ADDRESS"], Path(settings["LAB_REGISTRY_CA"])
    return Registry(address, ca, settings["LAB_REGISTRY_USER"], password)


@pytest.fixture(scope="module")
def builds(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    """A namespace for the builds of a module."""
    with build_namespace(lab, tmp_path_factory.mktemp("kube")) as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest, lab: Lab, builds: Builds, tmp_path: Path) -> Iterator[Place]:
    """A namespace for a registry, of version 2 unless the test asks for another."""
    with registry_namespace(lab, builds, tmp_path / "installer", getattr(request, "param", "2")) as made:
        yield made


@pytest.fixture
def run(builds: Builds, tmp_path: Path) -> Run:
    def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            builds.command(*arguments),
            cwd=tmp_path,
            env=builds.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


@pytest.fixture
def image(lab: Lab) -> str:
    return f"{lab.settings['LAB_REGISTRY']}/build/app"


def synced_home(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Return the home of a controller that `jenkins-kaniko sync` brought the demo's configuration to, changed before.

    The configuration is in `folder`, and so may be files that it names.
    """
    with StandIn(folder / "controller") as controller:
        config = demo.configuration(demo.lab_settings(), controller.url, controller.admin.name)
        # of two processors, on which several tests run at once
        config["defaults"]["resources"] = {"requests": {"cpu": "100m"}}
        if change:
            change(config)
        (folder / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "sync"]
        subprocess.run(command, cwd=folder, env={**os.environ, "JENKINS_TOKEN": controller.admin.token}, check=True)
    return folder / "controller"
