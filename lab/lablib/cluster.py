"""What is put into the fresh cluster, and how one sees that it is fit for use."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from lablib import credentials
from lablib.run import LabError
from lablib.settings import Settings


class Cluster:
    """The few API calls that starting up needs; kubectl would take longer to start than to answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = (settings.certs / "admin-token").read_text()
        context = ssl.create_default_context(cafile=str(settings.certs / "ca.crt"))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def furnish(self) -> None:
        """Create the namespace for builds and what builds need in it."""
        name = self._settings.pinned["namespace"]
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        self._create("namespaces", "Namespace", {"metadata": {"name": name, "labels": labels}})
        config = credentials.docker_config(self._settings)
        secret = {
            "metadata": {"name": "docker-config"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": config},
        }
        self._create(f"namespaces/{name}/secrets", "Secret", secret)
        authority = (self._settings.certs / "ca.crt").read_text()
        content = {"metadata": {"name": "lab-ca"}, "data": {"ca.crt": authority}}
        self._create(f"namespaces/{name}/configmaps", "ConfigMap", content)

    def usable(self) -> bool:
        """Whether a pod created now would be accepted and scheduled at once."""
        for namespace in ("default", self._settings.pinned["namespace"]):
            if not self._get(f"namespaces/{namespace}/serviceaccounts/default"):
                return False
            if not self._get(f"namespaces/{namespace}/configmaps/kube-root-ca.crt"):
                return False
        return node_ready(self._get(f"nodes/{self._settings.pinned['node']}"))

    def _get(self, path: str) -> dict[str, Any]:
        try:
            return self._call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise

    def _create(self, path: str, kind: str, content: dict[str, Any]) -> None:
        try:
            self._call("POST", path, {"apiVersion": "v1", "kind": kind, **content})
        except urllib.error.HTTPError as error:
            raise LabError(f"creating {path} failed: {error.read().decode(errors='replace')}") from error

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 (always https)
            f"{self._settings.api_url}/api/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=10) as answer:
            result: dict[str, Any] = json.load(answer)
            return result


def node_ready(node: dict[str, Any]) -> bool:
    """Whether a Node object is Ready and free of taints, which are lifted a moment later."""
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not node.get("spec", {}).get("taints")
