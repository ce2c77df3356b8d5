"""How a cluster is asked by plain HTTP, and what its refusals mean.

The client's classes for a hundred kinds of objects take longer to import than a build; all objects are plain data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import kubernetes
import urllib3

from jenkins_kaniko.cluster import TIMEOUT_SECONDS, configure
from jenkins_kaniko.errors import DeniedError, RefusedError, UnansweredError, UnreachableError, WrongInputError

MESSAGE_LENGTH = 2000
NOT_READY = "not yet ready to handle request"
"""What an API server that just started says of what it creates, as a denial (Kubernetes' admission plugins)."""


class Connection:
    """A cluster, as the current context of KUBECONFIG says or as the pod's own account."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            UnreachableError: no cluster is configured.
        """
        configure("the cluster")
        self.configuration: Any = kubernetes.client.Configuration.get_default_copy()
        self._http: urllib3.PoolManager = kubernetes.client.ApiClient(self.configuration).rest_client.pool_manager

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        kind: str = "application/json",
        quiet: float = TIMEOUT_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        """Ask, and return an answer of which only the head was read.

        Args:
            path: below the host.
            kind: content type of the body.
            quiet: how many seconds may pass without anything.

        Raises:
            kubernetes.client.ApiException: the cluster answers that it does not.
            urllib3.exceptions.HTTPError: it does not answer.
        """
        headers = self.headers()
        options: dict[str, Any] = {"timeout": urllib3.Timeout(connect=TIMEOUT_SECONDS, read=quiet)}
        if body is not None:
            headers["Content-Type"] = kind
            options["body"] = json.dumps(body).encode()
        answer = self._http.request(method, self.url(path, query), headers=headers, preload_content=False, **options)
        if answer.status >= 400:
            said = answer.data.decode("utf-8", "replace")
            raise kubernetes.client.ApiException(status=answer.status, reason=answer.reason, body=said)
        return answer

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return where something is asked; a list in `query` is repeated."""
        return f"{self.configuration.host}/{path}?{urlencode(query or {}, doseq=True)}"

    def headers(self) -> dict[str, str]:
        """Return what says who asks; a token that ends soon is renewed."""
        return {one["key"]: one["value"] for one in self.configuration.auth_settings().values()}


@contextmanager
def denials(where: str, exists: str) -> Iterator[None]:
    """Translate why an object cannot be made; the cluster's own words say it best.

    Args:
        exists: what to say where another one is in the way.

    Raises:
        DeniedError: a rule, or the object itself, is against it.
        RefusedError: another one is in the way.
        WrongInputError: there is no such namespace.
        UnansweredError: it may be made in a moment.
        UnreachableError: the account may not.
    """
    try:
        yield
    except kubernetes.client.ApiException as error:
        said = message(error)
        if error.status == 409:
            raise RefusedError(f"{where}: {exists}") from None
        if error.status == 404:
            raise WrongInputError(f"{where}: {said}") from None
        if NOT_READY in said:
            raise UnansweredError(f"{where}: {said}") from None
        if " cannot " in said and " resource " in said:
            raise UnreachableError(said) from None
        raise DeniedError(said) from None


def message(error: kubernetes.client.ApiException) -> str:
    """Return what the cluster says, in its own words."""
    return said_in(error.body) or str(error.reason)


def said_in(body: str | bytes | None) -> str:
    """Return the message in an answer of the cluster; empty where there is none."""
    try:
        return str(json.loads(body or "")["message"])[:MESSAGE_LENGTH]
    except (ValueError, KeyError, TypeError):
        return ""
