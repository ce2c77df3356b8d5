"""The door to a registry's HTTP API: whether an account gets in, and what it may do.

A push is tried as builders try it before they build (go-containerregistry's CheckPushPermission): an upload is begun,
and cancelled. A registry that gives out tokens takes the latter for deleting, which not all may who push. What a token
says of itself is not relied on: some registries hand out tokens for what they then refuse.
Protocol: the OCI distribution specification, and docker's token authentication.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from jenkins_kaniko import outside
from jenkins_kaniko.dockerconfig import Account, host_of
from jenkins_kaniko.errors import UnreachableError, WrongInputError

TIMEOUT_SECONDS = 15
PULL, PUSH = "pull", "push"
OK, DENIED, UNKNOWN = "ok", "denied", "unknown"
SCHEME = re.compile(r'"[^"]*"|\b(basic|bearer)\b(?!\s*=)', re.IGNORECASE)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
LEFT = "an empty upload stays, until the registry removes it by itself: the account may not cancel it"
LARGEST_ANSWER = 1 << 20
SAID_LENGTH = 200


@dataclass(frozen=True)
class Outcome:
    """What a registry answered.

    Attributes:
        status: ok, denied or unknown.
        said: its words.
        missing: it knows no such repository, or hides it.
    """

    status: str
    said: str = ""
    missing: bool = False


class Registry:
    """A registry, over verified TLS, asked with an account.

    Args:
        host: with its port, if it has one.
        ca_file: PEM certificates to trust; else those of this machine.

    Raises:
        WrongInputError: the file holds no certificates.
    """

    def __init__(self, host: str, account: Account, ca_file: Path | None = None) -> None:
        self._base, self._account = f"https://{host}/v2/", account
        context = urllib3.util.ssl_.create_urllib3_context()
        try:
            if ca_file:
                context.load_verify_locations(ca_file)
            else:
                context.load_default_certs()
        except OSError as error:  # ssl.SSLError is one
            raise WrongInputError(f"{ca_file}: no PEM certificates: {error.strerror or error}") from None
        self._context = context
        self._pools: dict[str, urllib3.PoolManager] = {}

    def login(self) -> Outcome:
        """Say whether the registry knows the account.

        Raises:
            UnreachableError: it does not answer, or not as a registry does.
        """
        outcome = _outcome(self._asked("GET", self._base, ""), 200)
        if outcome.status == OK and self._request("GET", self._base, {}).status == 200:
            return Outcome(OK, "it lets everybody in, and may not have looked at the account")
        return outcome

    def may(self, right: str, repository: str) -> Outcome:
        """Say whether the account may pull from, or push to, a repository.

        Raises:
            UnreachableError: the registry does not answer, or not as a registry does.
        """
        where, scope = f"{self._base}{repository}", f"repository:{repository}"
        if right == PULL:
            return _outcome(self._asked("GET", f"{where}/tags/list?n=1", f"{scope}:pull"), 200)
        begun = self._asked("POST", f"{where}/blobs/uploads/", f"{scope}:pull,push")
        if begun.status != 202:
            return _outcome(begun, 202)
        upload = urljoin(self._base, begun.headers.get("Location", ""))
        return Outcome(OK) if self._cancelled(upload, scope) else Outcome(OK, LEFT)

    def _cancelled(self, upload: str, scope: str) -> bool:
        """Cancel an upload; registries that give out tokens want one for deleting. Other hosts are told nothing."""
        if urlsplit(upload)[:2] != urlsplit(self._base)[:2]:
            return False
        return self._asked("DELETE", upload, f"{scope}:pull,push,delete").status in (200, 202, 204)

    def _asked(self, method: str, url: str, scope: str) -> urllib3.BaseHTTPResponse:
        """Ask as nobody first: the refusal says how the registry wants to know who one is."""
        anonymous = self._request("GET", self._base, {})
        if anonymous.status not in (200, 401):
            raise UnreachableError(f"{self._base}: answers {anonymous.status}, where a registry answers 200 or 401")
        header = anonymous.headers.get("WWW-Authenticate", "")
        kind, parameters = _challenge(header)
        if anonymous.status == 401 and not kind:
            ways = header.partition(" ")[0] or "nothing"
            raise UnreachableError(f"{self._base}: asks for {ways}, where builders know Basic and Bearer")
        if kind != "bearer":
            return self._request(method, url, self._basic())
        token = self._token(parameters, scope)
        if isinstance(token, urllib3.BaseHTTPResponse):
            return token
        return self._request(method, url, {"Authorization": f"Bearer {token}"})

    def _token(self, challenge: Mapping[str, str], scope: str) -> str | urllib3.BaseHTTPResponse:
        """Return a token for a scope, or the refusal."""
        realm = challenge.get("realm", "")
        if urlsplit(realm).scheme != "https":
            raise UnreachableError(f"{self._base}: wants the password sent to {realm or 'nowhere'}, which is not https")
        fields = {"service": challenge.get("service", ""), "scope": scope}
        fields = {name: value for name, value in fields.items() if value}
        if self._account.identity_token:
            refresh = {"grant_type": "refresh_token", "client_id": "jenkins-kaniko"}
            answer = self._request(
                "POST", realm, {}, fields | refresh | {"refresh_token": self._account.identity_token}
            )
        else:
            answer = self._request("GET", realm, self._basic(), fields)
        if answer.status != 200:
            return answer
        try:
            given = json.loads(answer.data)
            return str(given.get("token") or given["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise UnreachableError(f"{realm}: answers no token") from None

    def _basic(self) -> dict[str, str]:
        pair = f"{self._account.username}:{self._account.password}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Return what asks a host; the tokens of a registry may be those of another one."""
        host = urlsplit(url).netloc
        if host not in self._pools:
            self._pools[host] = outside.pool(url, ssl_context=self._context, timeout=TIMEOUT_SECONDS, retries=False)
        return self._pools[host]

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], fields: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        options: dict[str, Any] = {"encode_multipart": False} if fields and method == "POST" else {}
        try:
            return self._pool(url).request(
                method,
                url,
                headers={"User-Agent": "jenkins-kaniko", **headers},
                fields=fields,
                redirect=False,
                **options,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{urlsplit(url).netloc}: {_cause(error)}") from None


def prove(key: str, account: Account, ca_file: Path | None) -> None:
    """Return if the registry of a key lets an account in.

    Raises:
        UnreachableError: it does not, or does not answer.
    """
    outcome = Registry(host_of(key), account, ca_file).login()
    if outcome.status != OK:
        raise UnreachableError(f"{key}: does not let {account.username} in: {outcome.said}; nothing was changed")


def _challenge(header: str) -> tuple[str, dict[str, str]]:
    """Return the first way to say who one is that builders know, and its parameters; an empty text where there is none.

    A registry may know several, such as Negotiate beside Basic (go-containerregistry's transport/ping.go).
    """
    known = [one for one in SCHEME.finditer(header) if one[1]]
    if not known:
        return "", {}
    end = known[1].start() if len(known) > 1 else len(header)
    parameters = PARAMETER.findall(header, known[0].end(), end)
    return known[0][1].lower(), dict(reversed(parameters))  # those of an unknown way may follow: the first ones count


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    text = str(error)
    if isinstance(error, urllib3.exceptions.ProxyError):
        return f"the proxy of HTTPS_PROXY makes no way there: {text.rpartition(': ')[2]}"
    if isinstance(error, urllib3.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text.lower():
            return "answers without TLS, and no password is sent so"
        reason = re.search(r"certificate verify failed: ([^(]*)", text)
        return f"its certificate is not trusted: {reason[1].strip()}" if reason else f"no TLS: {text}"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "no host of this name is known here"
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return f"no answer in {TIMEOUT_SECONDS} seconds"
    return f"cannot be reached: {text.rpartition(': ')[2]}"


def _outcome(answer: urllib3.BaseHTTPResponse, expected: int) -> Outcome:
    if answer.status == expected:
        return Outcome(OK)
    said = f"{answer.status} {answer.reason or ''}".strip() + _words(answer)
    return Outcome(DENIED if answer.status in (401, 403) else UNKNOWN, said, answer.status == 404)


def _words(answer: urllib3.BaseHTTPResponse) -> str:
    """Return the registry's own words, as the specification has them: errors with code and message."""
    try:
        first = json.loads(answer.data[:LARGEST_ANSWER])["errors"][0]
        words = f"{first.get('code', '')} {first.get('message', '')}"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
    return f": {' '.join(words.split())[:SAID_LENGTH]}"
