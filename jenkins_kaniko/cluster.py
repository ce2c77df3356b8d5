"""The door to a cluster: the only importer of the kubernetes client."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

import kubernetes
import urllib3

from jenkins_kaniko.errors import UnreachableError, WrongInputError


def _configure() -> None:
    """As kubernetes.config.load_config(), which writes to stdout when there is no file."""
    try:
        given, usual = os.environ.get("KUBECONFIG"), Path("~/.kube/config").expanduser()
        if given or usual.exists():
            kubernetes.config.load_kube_config(given or str(usual))  # type: ignore[no-untyped-call]
        else:
            kubernetes.config.load_incluster_config()  # type: ignore[no-untyped-call]
    except kubernetes.config.ConfigException:
        raise
    except Exception as error:  # what YAML, missing fields or a login plugin raise comes through as it is
        raise kubernetes.config.ConfigException(" ".join(str(error).split())) from None


def read_secret(namespace: str, name: str, key: str, timeout: float = 30) -> str:
    """Return one value of a Secret, read with the current context of KUBECONFIG or the pod's own account.

    Raises:
        UnreachableError: no cluster is configured, it does not answer, or it forbids reading.
        WrongInputError: the Secret or its key is not there, or its value is not text.
    """
    where = f"secret {namespace}/{name}"
    try:
        _configure()
        found = kubernetes.client.CoreV1Api().read_namespaced_secret(name, namespace, _request_timeout=timeout)
    except kubernetes.config.ConfigException as error:
        raise UnreachableError(f"{where}: no cluster configured: {error}") from None
    except kubernetes.client.ApiException as error:
        if error.status == 404:
            raise WrongInputError(f"{where}: not found") from None
        raise UnreachableError(
            f"{where}: the cluster answers {error.status} {error.reason}; "
            f"try: kubectl auth can-i get secrets/{name} -n {namespace}"
        ) from None
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableError(f"{where}: the cluster cannot be reached: {error}") from None
    data = found.data or {}
    if key not in data:
        raise WrongInputError(f"{where}: has no key {key}; it has {', '.join(sorted(data)) or 'none'}")
    try:
        return base64.b64decode(data[key]).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        raise WrongInputError(f"{where}: the value of {key} is not text") from None
