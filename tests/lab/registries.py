"""What tests of `jenkins-kaniko registry` share: a namespace of the level restricted, and an identity that has no right
but those of resources/jenkins_kaniko/rbac/registry.yaml."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.building import COMMAND, ROOT, Builds, write, write_kubeconfig
from tests.support.registry import Registry

if TYPE_CHECKING:
    from tests.lab.conftest import Lab

KINDS = "deployments,services,configmaps,secrets,persistentvolumeclaims,networkpolicies"
MANAGED = "app.kubernetes.io/managed-by=jenkins-kaniko"
IMAGES = {"2": "LAB_REGISTRY_IMAGE", "3": "LAB_NEXT_REGISTRY_IMAGE"}
"""What the lab calls the images of distribution, by version."""
BOTH = pytest.mark.parametrize("place", IMAGES, indirect=True)
"""For tests of what depends on the version."""


@dataclass(frozen=True)
class Place:
    """A namespace for a registry of a version, and who may install one there and introduce it to that of the builds."""

    lab: Lab
    namespace: str
    kubeconfig: Path
    builds: Builds
    version: str = "2"

    @property
    def image(self) -> str:
        return self.lab.settings[IMAGES[self.version]]

    def run(self, command: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        image = ["--image", self.image] if command in ("install", "render") else []
        return subprocess.run(
            [str(COMMAND), "registry", command, "-n", self.namespace, *image, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def installed(self, *arguments: str, stdin: str = "") -> str:
        """Install, and return what was said meanwhile."""
        done = self.run("install", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"registry.{self.namespace}:5000 serves")
        return done.stderr

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.lab.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def status(self) -> dict[str, Any]:
        """Return what the command `status` tells."""
        told: dict[str, Any] = json.loads(self.run("status", "-o", "json").stdout)
        return told

    def names(self) -> list[str]:
        """Return what is there of a registry."""
        return self.kubectl("get", KINDS, "-l", MANAGED, "-o", "name").split()

    def left(self) -> list[str]:
        """Return what is there of it in both namespaces, once the cluster had its time: claims outlive their pods."""
        for _ in range(60):
            given = self.builds.kubectl("get", "configmaps,secrets", "-l", "jenkins-kaniko/registry", "-o", "name")
            if not (names := self.names() + given.split()):
                break
            time.sleep(0.5)
        return names

    def versions(self) -> dict[str, str]:
        """Return what changes when a registry's objects do; of a Deployment not what its status changes too."""
        listed = json.loads(self.kubectl("get", KINDS, "-l", MANAGED, "-o", "json"))["items"]
        of = {"Deployment": "generation"}
        return {
            f"{one['kind']}/{one['metadata']['name']}": str(one["metadata"][of.get(one["kind"], "resourceVersion")])
            for one in listed
        }

    def address(self) -> str:
        return self.kubectl("get", "service", "registry", "-o", "jsonpath={.spec.clusterIP}") + ":5000"

    def secret(self, name: str) -> dict[str, bytes]:
        data = json.loads(self.kubectl("get", "secret", name, "-o", "json"))["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def set_secret(self, name: str, content: dict[str, bytes]) -> None:
        """Change a Secret as a former install would have left it."""
        there = json.loads(self.kubectl("get", "secret", name, "-o", "json"))
        there["data"] = {key: base64.b64encode(value).decode() for key, value in content.items()}
        there["metadata"] = {"name": name, "labels": there["metadata"]["labels"]}
        owner = ["--server-side", "--field-manager=jenkins-kaniko"]
        self.kubectl("apply", *owner, "-f", "-", stdin=json.dumps(there))

    def client(self, folder: Path, user: str = "", password: str = "") -> Registry:
        """Return a client that trusts what the ConfigMap says."""
        (folder / "ca.crt").write_text(
            self.kubectl("get", "configmap", "registry-ca", "-o", r"jsonpath={.data.ca\.crt}")
        )
        self.wait_for_routes()
        return Registry(self.address(), folder / "ca.crt", user, password)

    def wait_for_routes(self) -> None:
        """The node sends to a new pod what is meant for the Service a moment after the pod is ready."""
        host, _, port = self.address().partition(":")
        for _ in range(100):
            with suppress(OSError):
                return socket.create_connection((host, int(port)), 1).close()
            time.sleep(0.2)
        raise AssertionError(self.kubectl("get", "endpoints,pods,events", "-o", "wide"))

    def pushes(self, folder: Path, tag: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Build a tiny image in the other namespace and push it here."""
        write(folder, "FROM scratch\nCOPY Dockerfile /\n")
        image = ["-t", f"registry.{self.namespace}:5000/app:{tag}", "--ca-bundle", "registry-ca", "--no-cache"]
        return subprocess.run(
            self.builds.command(".", *image, "--retries", "0", *arguments),
            cwd=folder,
            env=self.builds.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextmanager
def registry_namespace(lab: Lab, builds: Builds, kubeconfig: Path, version: str = "2") -> Iterator[Place]:
    """Make a namespace, and who may install a registry there and introduce it to that of the builds."""
    namespace = f"registry-{secrets.token_hex(4)}"
    made = Place(lab, namespace, kubeconfig, builds, version)
    account = f"--serviceaccount={namespace}:builder"
    lab.kubectl("create", "namespace", namespace)
    try:
        lab.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        made.kubectl("create", "serviceaccount", "builder")
        for where, role in ((namespace, "registry"), (builds.namespace, "registry-for")):
            lab.kubectl(
                "apply", "-n", where, "-f", str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / "registry.yaml")
            )
            name = f"jenkins-kaniko-{role}"
            lab.kubectl("create", "rolebinding", namespace, "-n", where, f"--role={name}", account)
        write_kubeconfig(Builds(lab, namespace, made.kubeconfig), made.kubeconfig)
        yield made
        removed = made.run("remove", "--with-images", "--yes")
        assert removed.returncode in (0, 1), removed.stderr
        assert made.left() == []
    finally:
        lab.kubectl("delete", "namespace", namespace, "--wait=false")
        builds.kubectl("delete", "rolebinding", namespace)


@contextmanager
def volume(place: Place, folder: Path) -> Iterator[list[str]]:
    """A folder of the node for the claim of the registry; yields the options that ask for it."""
    folder.mkdir()
    folder.chmod(0o777)
    claim = {"namespace": place.namespace, "name": "registry-images"}
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder)},
        "claimRef": claim,
    }
    manifest = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": place.namespace}, "spec": spec}
    place.lab.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        yield ["--storage", "1Gi", "--storage-class", ""]
    finally:
        place.lab.kubectl("delete", "persistentvolume", place.namespace, "--wait=false")
