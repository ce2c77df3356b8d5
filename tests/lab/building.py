"""What tests of `jenkins-kaniko build` share: a namespace of the lab, and an identity that may only build there."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.lab.conftest import Lab

ROOT = Path(__file__).parent.parent.parent

COMMAND = Path(sys.executable).parent / "jenkins-kaniko"
SHELL = "FROM scratch\nCOPY sh /bin/sh\n"
"""A base of one file: nothing is pulled."""
SLOW = f"{SHELL}RUN echo begun && sleep 5000\n"


@dataclass(frozen=True)
class Builds:
    """A namespace for builds, and the kubeconfig of who may build there."""

    lab: Lab
    namespace: str
    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.lab.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def command(self, *arguments: str) -> list[str]:
        settings = self.lab.settings
        builder = ["--builder-distribution", "chainguard", "--builder-version", "1.25.6"]
        where = ["--image", settings["LAB_KANIKO_IMAGE"], "--ca-bundle", "lab-ca", "--profile", "small"]
        # The registry outlives a run of the tests, and a layer that is there already is not built.
        where += ["--cache-repo", f"{settings['LAB_REGISTRY']}/cache/{self.namespace}"]
        return [str(COMMAND), "build", *where, *builder, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBE_NAMESPACE": self.namespace, **more}

    def left(self) -> list[str]:
        """Return what builds left here, once the cluster had its time to collect it."""
        until = time.monotonic() + 30
        while True:
            label = "app.kubernetes.io/managed-by=jenkins-kaniko"
            names = self.kubectl("get", "jobs,pods,configmaps,secrets", "-l", label, "-o", "name").split()
            if not names or time.monotonic() > until:
                return names
            time.sleep(0.5)


@contextmanager
def build_namespace(lab: Lab, folder: Path) -> Iterator[Builds]:
    """Make a namespace of the level baseline, the lab's account in it, and who may build there; `folder` is ours."""
    namespace = f"build-{secrets.token_hex(4)}"
    made = Builds(lab, namespace, folder / "config")
    lab.kubectl("create", "namespace", namespace)
    try:
        lab.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
        for kind, name in (("secret", "docker-config"), ("configmap", "lab-ca")):
            given = json.loads(lab.kubectl("get", kind, name, "-n", lab.settings["LAB_NAMESPACE"], "-o", "json"))
            given["metadata"] = {"name": name}
            made.kubectl("create", "-f", "-", stdin=json.dumps(given))
        made.kubectl("create", "serviceaccount", "builder")
        made.kubectl("apply", "-f", str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / "build.yaml"))
        account = f"--serviceaccount={namespace}:builder"
        made.kubectl("create", "rolebinding", "build", "--role=jenkins-kaniko-build", account)
        write_kubeconfig(made, made.kubeconfig)
        yield made
    finally:
        lab.kubectl("delete", "namespace", namespace, "--wait=false")


def server_of(builds: Builds) -> str:
    """Return host:port of the cluster's API server."""
    config = yaml.safe_load(builds.lab.kubeconfig.read_text())
    return str(config["clusters"][0]["cluster"]["server"]).removeprefix("https://")


def write_kubeconfig(builds: Builds, path: Path, server: str | None = None, account: str = "builder") -> None:
    """Write how a service account reaches the cluster, or a proxy in front of it."""
    token = builds.kubectl("create", "token", account).strip()
    given: dict[str, Any] = yaml.safe_load(builds.lab.kubeconfig.read_text())
    given["users"] = [{"name": user["name"], "user": {"token": token}} for user in given["users"]]
    if server:
        given["clusters"][0]["cluster"] = {"server": server, "insecure-skip-tls-verify": True}
    path.write_text(json.dumps(given))


Run = Callable[..., subprocess.CompletedProcess[str]]


def write(folder: Path, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile)
    if dockerfile.startswith(SHELL):
        shutil.copy("/bin/busybox", folder / "sh")
