"""A registry of a test's own in the lab's cluster: a namespace, a Service, TLS of a new authority."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
        everywhere = f"jenkins-kaniko-nodes-{self.namespace}"
        for name in ("build", "registry-trust", "registry"):
            text = (ROOT / "resources" / "jenkins_kaniko" / "rbac" / f"{name}.yaml").read_text(encoding="utf-8")
            for role in yaml.safe_load_all(text):
                if role["kind"] == "ClusterRole":
                    role["metadata"]["name"] = everywhere
                    self.kubectl("create", "clusterrolebinding", everywhere, f"--clusterrole={everywhere}", account)
                else:
                    self.kubectl(
                        "create", "rolebinding", role["metadata"]["name"], f"--role={role['metadata']['name']}", account
                    )
                self._apply(role)
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
def admin_namespace(lab: Lab, kubeconfig: Path) -> Iterator[RegistryInCluster]:
    """Make a namespace, and who may install a registry there and make nodes trust it; all of it goes at the end."""
    namespace = f"trust-{secrets.token_hex(4)}"
    lab.kubectl("create", "namespace", namespace)
    try:
        made = RegistryInCluster(lab, namespace, "", kubeconfig)
        made.admit()
        yield made
    finally:
        lab.kubectl("delete", "namespace", namespace, "--wait=false")
        for kind in ("clusterrolebinding", "clusterrole"):
            lab.kubectl("delete", kind, f"jenkins-kaniko-nodes-{namespace}", "--ignore-not-found")


@contextmanager
def registry_in_cluster(lab: Lab, kubeconfig: Path) -> Iterator[RegistryInCluster]:
    """Make such a namespace with a registry."""
    with admin_namespace(lab, kubeconfig) as empty:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "registry"},
            "spec": {"selector": {"app": "registry"}, "ports": [{"port": 5000}]},
        }
        empty.kubectl("create", "-f", "-", stdin=json.dumps(service))
        address = empty.kubectl("get", "service", "registry", "-o", "jsonpath={.spec.clusterIP}")
        made = replace(empty, address=address)
        made.certify()
        made.start()
        yield made
