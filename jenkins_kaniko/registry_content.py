"""What a registry in the cluster holds, by its HTTP API (https://github.com/opencontainers/distribution-spec)."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any

from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnansweredError, WrongInputError
from jenkins_kaniko.registry import PORT, Registry
from jenkins_kaniko.registry_steps import needed
from jenkins_kaniko.registry_wait import running

MANIFESTS = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)
NEXT = re.compile(r"<([^>]+)>")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Image:
    """A tag, with what it points to; `size` is what a pull transfers, None for an index of several platforms."""

    repository: str
    tag: str
    digest: str
    size: int | None


class Content:
    """A registry's content.

    Args:
        connect: makes a connection to the registry.
        certificate: what the registry shows, and nothing else will do, in PEM.
        login: account and password, where it wants one.
    """

    def __init__(
        self, connect: Callable[[], socket.socket], certificate: bytes, login: tuple[str, str] | None = None
    ) -> None:
        self._http = _Connection(connect, certificate)
        self._headers = {"Accept": MANIFESTS}
        if login:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()

    def repositories(self) -> list[str]:
        """Return the names of all repositories, also those where nothing is left."""
        return [name for page in self._pages("/v2/_catalog") for name in page["repositories"]]

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted; none where it is not there."""
        pages = self._pages(f"/v2/{repository}/tags/list")
        return sorted(tag for page in pages for tag in page.get("tags") or [])

    def image(self, repository: str, tag: str) -> Image | None:
        """Return what a tag, or a digest, points to; None where it is not there."""
        headers, body = self._ask("GET", f"/v2/{repository}/manifests/{tag}")
        if headers is None:
            return None
        manifest = json.loads(body)
        parts = [*manifest.get("layers", []), manifest["config"]] if "config" in manifest else []
        return Image(
            repository, tag, headers["Docker-Content-Digest"], sum(part["size"] for part in parts) if parts else None
        )

    def remove(self, repository: str, digest: str) -> None:
        """Remove a manifest and all tags that point to it; layers stay until they are collected."""
        self._ask("DELETE", f"/v2/{repository}/manifests/{digest}")

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        following: str | None = path
        while following:
            headers, body = self._ask("GET", following)
            if headers is None:
                return
            yield json.loads(body)
            found = NEXT.match(headers.get("Link", ""))
            following = found[1] if found else None

    def _ask(self, method: str, path: str) -> tuple[HTTPMessage | None, bytes]:
        """Return headers and body of an answer; None and nothing where there is no such thing."""
        try:
            self._http.request(method, path, headers=self._headers)
            answer = self._http.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(f"the registry does not answer: {error}") from None
        if answer.status == 404:
            return None, b""
        if answer.status == 405:
            raise RefusedError("the registry takes no changes: it is read-only")
        if answer.status >= 400:
            raise JenkinsKanikoError(f"the registry answers {answer.status} {answer.reason} to {method} {path}")
        return answer.headers, body


class _Connection(http.client.HTTPSConnection):
    """HTTP over a connection that somebody else makes, to a server known by its certificate."""

    def __init__(self, connect: Callable[[], socket.socket], certificate: bytes) -> None:
        super().__init__("registry", PORT, timeout=TIMEOUT_SECONDS)
        self._connect = connect
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False  # it is this certificate, whatever its names are
        self._tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._tls.load_verify_locations(cadata=certificate.decode())

    def connect(self) -> None:
        self.sock = self._tls.wrap_socket(self._connect())


def content(objects: Objects, registry: Registry) -> Content:
    """Return the content of a registry that runs.

    Raises:
        RefusedError: it is a mirror: its lists are those of another registry.
        WrongInputError: no pod of it runs, or a Secret of it is not there.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    if registry.mirror:
        raise RefusedError(
            f"registry {registry.namespace}/{registry.name}: is a mirror, and would ask {registry.mirror} for its tags "
            "and fetch each of them; what it fetched it removes by itself after a week"
        )
    name = running(objects, registry)
    certificate = needed(objects, registry, registry.tls, "tls.crt")
    login = None
    if registry.accounts:
        account = registry.accounts[0]
        login = account, needed(objects, registry, registry.passwords, account).decode()
    return Content(lambda: objects.forwarded(name, registry.namespace, PORT), certificate, login)


def images(content: Content, repository: str | None = None) -> list[Image]:
    """Return all tags of a repository, or of all."""
    repositories = [repository] if repository else content.repositories()
    found = (content.image(one, tag) for one in repositories for tag in content.tags(one))
    return [image for image in found if image]


def without_host(registry: Registry, reference: str) -> str:
    """Return an image, or a repository, as the registry itself calls it.

    Args:
        reference: may begin with the registry's own host and port, as `build` prints it.

    Raises:
        WrongInputError: it begins with those of another one.
    """
    host, separator, rest = reference.partition("/")
    if not separator or ":" not in host:
        return reference
    if host not in [f"{own}:{PORT}" for own in registry.hosts]:
        raise WrongInputError(f"{reference}: is of another registry than {registry.address}")
    return rest


def condemned(content: Content, reference: str) -> list[Image]:
    """Return what is removed with an image: all tags that point to the same manifest.

    Args:
        reference: repository:tag, repository@digest, or both, of which the digest counts.

    Raises:
        WrongInputError: there is no such image, or it is no reference.
    """
    named, _, digest = reference.partition("@")
    repository, _, tag = named.partition(":")
    name = digest or tag
    if not (repository and name):
        raise WrongInputError(f"{reference}: a tag or a digest is missing: repository:tag or repository@sha256:…")
    wanted = content.image(repository, name)
    if wanted is None:
        tags = ", ".join(content.tags(repository)) or "none"
        raise WrongInputError(f"{reference}: there is no such image; tags of {repository}: {tags}")
    return [one for one in images(content, repository) if one.digest == wanted.digest] or [wanted]
