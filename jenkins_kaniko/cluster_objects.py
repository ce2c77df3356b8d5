"""The cluster's door for what is installed: objects of any kind as plain data, applied, read and deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from socket import socket
from typing import Any

import kubernetes

from jenkins_kaniko.cluster import current_namespace, translated
from jenkins_kaniko.cluster_exec import fed
from jenkins_kaniko.cluster_forward import forwarded
from jenkins_kaniko.cluster_http import Connection, denials, message

OWNER = "jenkins-kaniko"
"""The field manager of what we apply: fields of other managers stay theirs."""
APPLY = "application/apply-patch+yaml"
CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"
NAMESPACED = {
    "ConfigMap": "api/v1", "Event": "api/v1", "PersistentVolumeClaim": "api/v1", "Pod": "api/v1",
    "ResourceQuota": "api/v1", "Secret": "api/v1", "Service": "api/v1", "ServiceAccount": "api/v1",
    "DaemonSet": "apis/apps/v1", "Deployment": "apis/apps/v1",
    "CronJob": "apis/batch/v1", "Job": "apis/batch/v1",
    "NetworkPolicy": "apis/networking.k8s.io/v1",
    "Role": "apis/rbac.authorization.k8s.io/v1", "RoleBinding": "apis/rbac.authorization.k8s.io/v1",
    "Certificate": "apis/cert-manager.io/v1",
}  # fmt: skip
EVERYWHERE = {
    "Namespace": "api/v1", "Node": "api/v1",
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1", "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1",
    "CustomResourceDefinition": "apis/apiextensions.k8s.io/v1",
}  # fmt: skip
GROUPS = NAMESPACED | EVERYWHERE


class Objects:
    """What installing, checking and removing need of a cluster.

    Attributes:
        namespace: that of the current context, or of the pod's own account.
    """

    def __init__(self) -> None:
        """Connect.

        Raises:
            UnreachableError: no cluster is configured.
        """
        self._connection = Connection()
        self.namespace = current_namespace()

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """Return an object, None where there is none.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        with suppress(kubernetes.client.ApiException), self._asking("get", kind, namespace, 404):
            found: dict[str, Any] = json.loads(self._connection.request("GET", _path(kind, namespace, name)).data)
            return found
        return None

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]:
        """Return objects of a namespace, or of all where it is None; `query` may have labelSelector, fieldSelector.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        with self._asking("list", kind, namespace):
            items: list[dict[str, Any]] = json.loads(
                self._connection.request("GET", _path(kind, namespace), query).data
            )["items"]
        return items

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> str:
        """Make an object so, and return whether it was created, changed or unchanged.

        Server-side apply: fields that others manage stay, and a field that another one manages otherwise is refused.

        Args:
            dry_run: the cluster only says whether it would take it.
            force: take over fields that somebody else manages.

        Raises:
            DeniedError: a rule of the cluster, or the object itself, is against it.
            RefusedError: somebody else manages a field of it.
            WrongInputError: there is no such namespace.
            UnreachableError: the cluster does not answer, or forbids it.
        """
        kind, name, namespace = manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace")
        before = self.read(kind, name, namespace)
        query = {"fieldManager": OWNER, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        where = _where(kind, name, namespace)
        try:
            with self._asking("patch", kind, namespace, 400, 403, 404, 409, 422):
                path = _path(kind, namespace, name)
                after = json.loads(self._connection.request("PATCH", path, query, manifest, APPLY).data)
        except kubernetes.client.ApiException as error:
            with denials(where, f"somebody else manages a part of it: {message(error)}"):
                raise
        if before is None:
            return CREATED
        return UNCHANGED if _same(before, after) else CHANGED

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Make an object, and return it as the cluster has it.

        Raises:
            DeniedError, WrongInputError, UnreachableError: as apply.
            RefusedError: there is one of this name.
        """
        kind, name, namespace = manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace")
        query = {"dryRun": "All"} if dry_run else {}
        with (
            denials(_where(kind, name, namespace), "there already"),
            self._asking("create", kind, namespace, 400, 403, 404, 409, 422),
        ):
            made: dict[str, Any] = json.loads(
                self._connection.request("POST", _path(kind, namespace), query, manifest).data
            )
        return made

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        """Delete an object and what it owns; return whether it was there.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        try:
            with self._asking("delete", kind, namespace, 404):
                body = {"propagationPolicy": "Background"}
                self._connection.request("DELETE", _path(kind, namespace, name), body=body).read()
        except kubernetes.client.ApiException:
            return False
        return True

    def may(self, verb: str, resource: str, namespace: str | None = None, *, group: str = "") -> bool:
        """Return whether the account may do something; `resource` may have a subresource, as in pods/exec.

        Raises:
            UnreachableError: the cluster does not answer.
        """
        resource, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        spec = {"resourceAttributes": attributes | ({"namespace": namespace} if namespace else {})}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        with translated("the cluster", f"{verb} {resource}"):
            path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            answer = json.loads(self._connection.request("POST", path, body=review).data)
        return bool(answer["status"]["allowed"])

    def version(self) -> str:
        """Return the version of the cluster, such as v1.34.1.

        Raises:
            UnreachableError: the cluster does not answer, or does not know us.
        """
        with translated("the cluster", "get /version"):
            found: str = json.loads(self._connection.request("GET", "version").data)["gitVersion"]
        return found

    def user(self) -> str:
        """Return who the cluster takes us for.

        Raises:
            UnreachableError: the cluster does not answer, or is older than 1.28 and cannot tell.
        """
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        with translated("the cluster", "create selfsubjectreviews"):
            path = "apis/authentication.k8s.io/v1/selfsubjectreviews"
            answer = json.loads(self._connection.request("POST", path, body=review).data)
        return str(answer["status"]["userInfo"]["username"])

    def run(self, pod: str, namespace: str, container: str, command: list[str]) -> bytes:
        """Run a command in a container, and return what it printed.

        Raises:
            CutError: the connection broke.
            JenkinsKanikoError: the command failed, or the cluster is too old for this.
            UnreachableError: the cluster forbids it.
        """
        query = {"container": container, "command": command, "stdin": "true", "stdout": "true", "stderr": "true"}
        url = self._connection.url(f"{_path('Pod', namespace, pod)}/exec", query)
        where, right = _where("Pod", pod, namespace), f"create pods/exec -n {namespace}"
        return fed(self._connection.configuration, url, self._connection.headers(), where, right, [], inf)

    def forwarded(self, pod: str, namespace: str, port: int) -> socket:
        """Return a connection to a port of a pod.

        Raises:
            UnansweredError: the cluster does not make it.
        """
        return forwarded(self._connection, namespace, pod, port)

    def _asking(self, verb: str, kind: str, namespace: str | None, *expected: int) -> Any:
        where = f" -n {namespace}" if namespace else ""
        return translated(_where(kind, "", namespace), f"{verb} {_plural(kind)}{where}", *expected)


def _same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """The cluster counts a version on for each real change; who manages what since when does not count."""
    return bool(before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"])


def _where(kind: str, name: str, namespace: str | None) -> str:
    return f"{kind.lower()} {namespace}/{name}".rstrip("/") if namespace else f"{kind.lower()} {name}".rstrip()


def _path(kind: str, namespace: str | None, name: str = "") -> str:
    place = f"namespaces/{namespace}/" if namespace and kind in NAMESPACED else ""
    return f"{GROUPS[kind]}/{place}{_plural(kind)}/{name}".rstrip("/")


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"
