"""A registry's HTTP API over TLS, with accounts and rights, that remembers which uploads were left open.

It answers as the distribution specification and docker's token authentication say, and holds no images.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.support.serving import Serving

Rights = dict[str, set[str]]
"""Repositories to what may be done with them: pull, push."""


@dataclass
class RegistryDouble(Serving):
    """A registry on loopback.

    Attributes:
        bearer: whether it wants a token of its /token instead of a password.
        passwords: by user; `<token>` is the identity token.
        rights: by user. What is not named is 404 to those who may do something else there, else denied.
        open: whether who comes without an account is let in.
        status: what everything answers instead, where it is broken.
        realm: what it says where tokens are.
        ways: how it says in which ways one may tell who one is, its own among them.
        asked: what was asked, as METHOD PATH.
        uploads: begun, and not cancelled.
        issue: makes a token for a user and a scope.
    """

    authority: trustme.CA
    bearer: bool = False
    passwords: dict[str, str] = field(default_factory=dict)
    rights: dict[str, Rights] = field(default_factory=dict)
    open: bool = False
    status: int = 0
    realm: str = ""
    ways: str = "{}"
    asked: list[str] = field(default_factory=list)
    uploads: set[str] = field(default_factory=set)
    issue: Callable[[str, str], str] = "{}|{}".format
    host: str = ""

    def __enter__(self) -> Self:
        double: RegistryDouble = self

        class Handler(_Handler):
            registry = double

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.realm = self.realm or f"https://{self.host}/token"
        return super().__enter__()


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryDouble

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.registry.asked.append(f"{self.command} {url.path}")
        if self.registry.status:
            self._answer(self.registry.status)
        elif url.path == "/token":
            self._token(self._basic_user(), parse_qs(url.query).get("scope", [""])[0])
        elif self.registry.open and "Authorization" not in self.headers:
            self._answer(200)
        elif (user := self._user()) is None:
            self._challenge()
        elif url.path == "/v2/":
            self._answer(200)
        else:
            self._tags(user, url.path.removeprefix("/v2/").removesuffix("/tags/list"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self.registry.asked.append(f"{self.command} {self.path}")
        if self.path == "/token":
            fields = parse_qs(body)
            known = fields["refresh_token"] == [self.registry.passwords.get("<token>")]
            self._token("<token>" if known and fields["grant_type"] == ["refresh_token"] else None, fields["scope"][0])
            return
        repository = self.path.removeprefix("/v2/").removesuffix("/blobs/uploads/")
        user = self._user("push", repository)
        if user is None:
            self._challenge()
        elif "push" not in self.registry.rights.get(user, {}).get(repository, ()):
            self._error(403, "DENIED", "requested access to the resource is denied")
        else:
            self.registry.uploads.add(f"{self.path}1")
            self._answer(202, Location=f"{self.path}1")

    def do_DELETE(self) -> None:
        self.registry.asked.append(f"{self.command} {self.path}")
        if self._user("delete", self.path.partition("/blobs/")[0].removeprefix("/v2/")) is None:
            self._challenge()
            return
        self.registry.uploads.discard(self.path)
        self._answer(204)

    def _tags(self, user: str, repository: str) -> None:
        rights = self.registry.rights.get(user, {}).get(repository, set())
        if "pull" in rights:
            self._answer(200, json.dumps({"name": repository, "tags": []}))
        elif rights:
            self._error(404, "NAME_UNKNOWN", "repository name not known to registry")
        else:
            self._error(401, "UNAUTHORIZED", "authentication required")

    def _user(self, right: str = "", repository: str = "") -> str | None:
        """Return who asks: by password, or by a token that covers what is asked."""
        if not self.registry.bearer:
            return self._basic_user()
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        user, _, scope = token.partition("|")
        covered = not right or (f":{repository}:" in scope and right in scope)
        return user if kind == "Bearer" and covered else None

    def _basic_user(self) -> str | None:
        kind, _, pair = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(pair).decode().partition(":")
        return user if kind == "Basic" and self.registry.passwords.get(user) == password else None

    def _challenge(self) -> None:
        how = f'Bearer realm="{self.registry.realm}",service="double"' if self.registry.bearer else 'Basic realm="x"'
        ways = self.registry.ways.format(how)
        self._error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": ways})

    def _token(self, user: str | None, scope: str) -> None:
        if user is None:
            self._error(401, "UNAUTHORIZED", "incorrect username or password")
        else:
            self._answer(200, json.dumps({"token": self.registry.issue(user, scope)}))

    def _error(self, status: int, code: str, message: str, **headers: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": message}]}), **headers)

    def _answer(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
