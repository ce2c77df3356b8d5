"""The door to a cluster: the only importer of the kubernetes client."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes
import urllib3

from jenkins_kaniko import outside
from jenkins_kaniko.errors import RefusedError, UnansweredError, UnreachableError, WrongInputError

TIMEOUT_SECONDS = 30
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@contextmanager
def _asking(where: str, right: str, *expected: int) -> Iterator[None]:
    """Configure the client, and translate what goes wrong but for `expected` answers of the cluster."""
    configure(where)
    with translated(where, right, *expected):
        yield


@contextmanager
def translated(where: str, right: str, *expected: int) -> Iterator[None]:
    """Translate what goes wrong but for `expected` answers of the cluster.

    Args:
        right: what `kubectl auth can-i` should be asked.

    Raises:
        UnansweredError: the cluster cannot be reached, or has a failure: that can pass.
        UnreachableError: it does not let us in, or is none.
    """
    try:
        yield
    except kubernetes.client.ApiException as error:
        if error.status in expected:
            raise
        passing = error.status == 429 or error.status >= 500
        advice = "log in to it again" if error.status == 401 else f"try: kubectl auth can-i {right}"
        raise (UnansweredError if passing else UnreachableError)(
            f"{where}: the cluster answers {error.status} {error.reason}; {advice}"
        ) from None
    except urllib3.exceptions.HTTPError as error:
        raise UnansweredError(f"{where}: the cluster cannot be reached: {error}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UnreachableError(
            f"{where}: what answers is no Kubernetes API: look at the server's address in the kubeconfig"
        ) from None


def configure(where: str) -> None:
    """Read who and where the cluster is.

    Raises:
        UnreachableError: no cluster is configured.
    """
    try:
        _load_config()
    except kubernetes.config.ConfigException as error:
        raise UnreachableError(f"{where}: no cluster configured: {error}") from None


def _load_config() -> None:
    """As kubernetes.config.load_config(), which writes to stdout when there is no file."""
    try:
        if file := _config_file():
            kubernetes.config.load_kube_config(file)  # type: ignore[no-untyped-call]
        else:
            kubernetes.config.load_incluster_config()  # type: ignore[no-untyped-call]
        _log_in_to_proxy()
    except kubernetes.config.ConfigException:
        raise
    except Exception as error:  # what YAML, missing fields or a login plugin raise comes through as it is
        raise kubernetes.config.ConfigException(" ".join(str(error).split())) from None


def _log_in_to_proxy() -> None:
    """Take the account for a proxy from its URL, as kubectl does."""
    configuration: Any = kubernetes.client.Configuration.get_default_copy()
    if login := outside.proxy_login(configuration.proxy or ""):
        configuration.proxy_headers = login
        kubernetes.client.Configuration.set_default(configuration)


def _config_file() -> str | None:
    """Return what KUBECONFIG says, the usual file if there is one; None in a pod."""
    if named := os.environ.get("KUBECONFIG"):
        return named
    usual = os.path.expanduser("~/.kube/config")  # noqa: PTH111  # a Path refuses a user without a home
    return usual if os.path.exists(usual) else None  # noqa: PTH110  # and one that may not look into it


def current_namespace() -> str:
    """Return the namespace of the current context, or of the pod's own account; `configure` comes first.

    Raises:
        UnreachableError: the account has none.
    """
    if file := _config_file():
        _, current = kubernetes.config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        return str(current["context"].get("namespace") or "default")
    try:
        return OWN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError as error:
        said = f"{OWN_NAMESPACE}: {error.strerror}"
        raise UnreachableError(f"no namespace is known: {said}; --namespace names one") from None


@dataclass(frozen=True)
class ConfigMap:
    """A ConfigMap; `version` ties a write to what was read, None makes a new one."""

    namespace: str
    name: str
    data: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None

    @property
    def manifest(self) -> dict[str, Any]:
        """The object as Kubernetes takes it."""
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "resourceVersion": self.version,
        }
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {key: value for key, value in metadata.items() if value},
            "data": dict(self.data),
        }


def list_config_maps(namespace: str, label: str, timeout: float = TIMEOUT_SECONDS) -> tuple[ConfigMap, ...]:
    """Return the ConfigMaps of a namespace that have a label, whatever its value.

    Raises:
        UnreachableError: no cluster is configured, it does not answer, or it forbids listing.
    """
    with _asking(f"configmaps of namespace {namespace}", f"list configmaps -n {namespace}"):
        found = kubernetes.client.CoreV1Api().list_namespaced_config_map(
            namespace, label_selector=label, _request_timeout=timeout
        )
    plain: Any = kubernetes.client.ApiClient().sanitize_for_serialization
    return tuple(_config_map(plain(one)) for one in found.items)


def _config_map(found: Mapping[str, Any]) -> ConfigMap:
    data, metadata = found.get("data", {}), found["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    return ConfigMap(metadata["namespace"], metadata["name"], data, labels, annotations, metadata["resourceVersion"])


def write_config_map(wanted: ConfigMap, timeout: float = TIMEOUT_SECONDS) -> None:
    """Make or replace a ConfigMap, if nobody else did since it was read.

    Raises:
        RefusedError: it was changed, made or deleted meanwhile; nothing was written.
        UnreachableError: no cluster is configured, it does not answer, or it forbids writing.
    """
    where = f"configmap {wanted.namespace}/{wanted.name}"
    verb = "create" if wanted.version is None else "update"
    try:
        with _asking(where, f"{verb} configmaps -n {wanted.namespace}", 404, 409):
            api: Any = kubernetes.client.CoreV1Api()  # takes plain data too, which its types do not say
            if wanted.version is None:
                api.create_namespaced_config_map(wanted.namespace, wanted.manifest, _request_timeout=timeout)
            else:
                api.replace_namespaced_config_map(
                    wanted.name, wanted.namespace, wanted.manifest, _request_timeout=timeout
                )
    except kubernetes.client.ApiException:
        raise RefusedError(f"{where}: somebody else made, changed or deleted it meanwhile; run plan again") from None


def read_secret(namespace: str, name: str, key: str, timeout: float = TIMEOUT_SECONDS) -> str:
    """Return one value of a Secret, read with the current context of KUBECONFIG or the pod's own account.

    Raises:
        UnreachableError: no cluster is configured, it does not answer, or it forbids reading.
        WrongInputError: the Secret or its key is not there, or its value is not text.
    """
    where = f"secret {namespace}/{name}"
    try:
        with _asking(where, f"get secrets/{name} -n {namespace}", 404):
            found = kubernetes.client.CoreV1Api().read_namespaced_secret(name, namespace, _request_timeout=timeout)
    except kubernetes.client.ApiException:
        raise WrongInputError(f"{where}: not found") from None
    data = found.data or {}
    if key not in data:
        raise WrongInputError(f"{where}: has no key {key}; it has {', '.join(sorted(data)) or 'none'}")
    try:
        return base64.b64decode(data[key]).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        raise WrongInputError(f"{where}: the value of {key} is not text") from None
