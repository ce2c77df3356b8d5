"""A registry of a test's own in the lab's cluster: a namespace, a Service, TLS of a new authority."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
import yaml

if TYPE_CHECKING:
    from tests.lab.conftest import Lab

ROOT = Path(__file__).parent.parent.parent
FOLDER = "/registry"
CONFIG = {
    "version": 0.1,
    "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}},
    "http": {"addr": ":5000", "tls": {"certificate": f"{FOLDER}/tls.crt", "key": f"{FOLDER}/tls.key"}},
}


@dataclass(frozen=True)
class RegistryInCluster:
    """A registry that pods reach as registry.NAMESPACE:5000."""

    lab: Lab
    namespace: str
    address: str
    kubeconfig: Path

    @property
    def host(self) -> str:
        return f"registry.{self.namespace}:5000"

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self.lab.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def certify(self) -> str:
        """Give it a certificate of a new authority, and return that one's."""
        authority = trustme.CA()
        names = [f"registry.{self.namespace}{end}" for end in ("", ".svc", ".svc.cluster.local")]
        issued = authority.issue_cert(*names, self.address)
        files = {"tls.key": issued.private_key_pem.bytes(), "tls.crt": issued.cert_chain_pems[0].bytes()}
        files["config.yml"] = json.dumps(CONFIG).encode()
        data = {name: base64.b64encode(content).decode() for name, content in files.items()}
        self._apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry"}, "data": data})
        ca = authority.cert_pem.bytes().decode()
        metadata = {"name": "registry-ca"}
        self._apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": ca}})
        return ca

    def admit(self) -> None:
        """Make an account with the rights that docs/ names, and write down how it reaches the cluster."""
        account = f"--serviceaccount={self.namespace}:admin"
        self.kubectl("create", "serviceaccount", "admin")
        for name, role in (("build", "jenkins-kaniko-build"), ("registry-trust", "jenkins-kaniko-trust")):
            self.kubectl("apply", "-f", str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / f"{name}.yaml"))
            self.kubectl("create", "rolebinding", role, f"--role={role}", account)
        nodes = "jenkins-kaniko-nodes"
        self.kubectl("create", "clusterrolebinding", f"{nodes}-{self.namespace}", f"--clusterrole={nodes}", account)
        given = yaml.safe_load(self.lab.kubeconfig.read_text())
        token = self.kubectl("create", "token", "admin").strip()
        given["users"] = [{"name": user["name"], "user": {"token": token}} for user in given["users"]]
        self.kubeconfig.write_text(json.dumps(given))

    def start(self) -> None:
        """Start it, or start it anew, and wait until it serves."""
        self.kubectl("delete", "pod", "registry", "--ignore-not-found", "--now")
        self._apply(_pod(self.lab.settings["LAB_REGISTRY_IMAGE"]))
        self.kubectl("wait", "pod/registry", "--for=condition=Ready", "--timeout=60s")

    def _apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def _pod(image: str) -> dict[str, Any]:
    container = {
        "name": "registry",
        "image": image,
        "args": [f"{FOLDER}/config.yml"],
        "volumeMounts": [{"name": "registry", "mountPath": FOLDER}],
        "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "registry", "labels": {"app": "registry"}},
        "spec": {
            "containers": [container],
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "registry", "secret": {"secretName": "registry"}}],
        },
    }


@contextmanager
def registry_in_cluster(lab: Lab, kubeconfig: Path) -> Iterator[RegistryInCluster]:
    """Make a namespace with a registry, and who may make nodes trust it; all of it goes at the end."""
    namespace = f"trust-{secrets.token_hex(4)}"
    lab.kubectl("create", "namespace", namespace)
    try:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "registry"},
            "spec": {"selector": {"app": "registry"}, "ports": [{"port": 5000}]},
        }
        lab.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(service))
        address = lab.kubectl("-n", namespace, "get", "service", "registry", "-o", "jsonpath={.spec.clusterIP}")
        made = RegistryInCluster(lab, namespace, address, kubeconfig)
        made.certify()
        made.admit()
        made.start()
        yield made
    finally:
        lab.kubectl("delete", "namespace", namespace, "--wait=false")
        lab.kubectl("delete", "clusterrolebinding", f"jenkins-kaniko-nodes-{namespace}", "--ignore-not-found")
        lab.kubectl("delete", "clusterrole", "jenkins-kaniko-nodes", "--ignore-not-found")
