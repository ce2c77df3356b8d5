"""The cluster's door for builds that others started: more kinds of objects than a build of one's own needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import kubernetes

from jenkins_kaniko.cluster import translated
from jenkins_kaniko.cluster_pods import Pods
from jenkins_kaniko.errors import WrongInputError


class Builds(Pods):
    """A namespace with builds; kinds are written as in a URL: jobs, configmaps, namespaces."""

    def at(self, namespace: str) -> Builds:
        """Return the same for another namespace of the cluster."""
        return Builds(namespace)

    def namespaces(self, kind: str, label: str) -> list[str]:
        """Return the namespaces of the whole cluster in which a label selector finds objects.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        path = self._path(kind).replace(f"namespaces/{self.namespace}/", "")
        with translated("all namespaces", f"list {kind} -A"):
            answer = self._connection.request("GET", path, {"labelSelector": label})
            return sorted({one["metadata"]["namespace"] for one in json.loads(answer.data)["items"]})

    def listed(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the objects that a label selector finds.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        return self._list(kind, labelSelector=label)

    def read(self, kind: str, name: str) -> dict[str, Any]:
        """Return one object.

        Raises:
            WrongInputError: it is not there.
            UnreachableError: the cluster does not answer, or forbids it.
        """
        try:
            with self._asking(f"get {kind}/{name}", 404):
                found: dict[str, Any] = json.loads(self._request("GET", f"{kind}/{name}").data)
        except kubernetes.client.ApiException:
            raise WrongInputError(f"{kind.removesuffix('s')} {self.namespace}/{name}: not found") from None
        return found

    def create(self, kind: str, manifest: Mapping[str, Any]) -> str:
        """Make an object and return its uid. Raises as create_job does."""
        uid: str = self._create(kind, manifest)["metadata"]["uid"]
        return uid

    def delete(self, kind: str, name: str, uid: str) -> None:
        """Delete an object and, behind it, all that it owns; one that is gone already is no error.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        self._delete(kind, name, uid)
