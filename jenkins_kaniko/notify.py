"""Tells receivers of the end of a build by HTTP, again and again until they take it or the time is over.

A receiver's URL is a secret: whoever knows it can write there. Only its host is ever shown.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import IO
from urllib.parse import urlsplit

from jenkins_kaniko import notices
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.lint import in_clear_text
from jenkins_kaniko.notices import Notice

SECONDS, STOPPED_SECONDS = 60.0, 5.0
"""How long telling may take; less where somebody stopped the build and waits."""
TRY_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
ID_HEADER = "Webhook-Id"
"""The same in each try, so that a receiver can drop what it has (standardwebhooks.com)."""
FORMS = {"webhook": notices.webhook, "slack": notices.slack, "teams": notices.teams}
HOSTS = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
}
"""Domains that give a receiver's form away."""
WRITTEN = re.compile(rf"(?:({'|'.join(FORMS)})\+)?(https?://[!-~]+)")
VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
ALLOWED = "https://…, before it slack+, teams+ or webhook+ where the host does not tell, or env:NAME of such a variable"


@dataclass(frozen=True)
class Receiver:
    """Who is told, and in which of the forms."""

    form: str
    url: str = field(repr=False)
    host: str


def receivers(given: Sequence[str], environment: Mapping[str, str]) -> list[Receiver]:
    """Return who is told.

    Args:
        given: URLs, or names of variables of the environment that hold one.

    Raises:
        WrongInputError: one of them cannot be used; it is not shown.
    """
    return [_receiver(f"--notify, no. {number}", text, environment) for number, text in enumerate(given, start=1)]


def _receiver(where: str, text: str, environment: Mapping[str, str]) -> Receiver:
    if variable := VARIABLE.fullmatch(text):
        where = f"{where}: {variable[1]}"
        if variable[1] not in environment:
            raise WrongInputError(f"{where}: is not in the environment")
        text = environment[variable[1]].strip()
    written = WRITTEN.fullmatch(text)
    host = _host(written[2]) if written else None
    if not written or not host:
        raise WrongInputError(f"{where}: is no URL that can be used; allowed: {ALLOWED}")
    if in_clear_text(written[2]):
        raise WrongInputError(f"{where}: what goes without encryption can be read on its way; use https://")
    known = [form for domain, form in HOSTS.items() if f".{host}".endswith(f".{domain}")]
    return Receiver(written[1] or (known or ["webhook"])[0], written[2], host)


def _host(url: str) -> str | None:
    """Return the host of a URL, None where there is none, or an account, which is not sent."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if "@" not in parts.netloc else None


def deliver(to: Sequence[Receiver], notice: Notice, seconds: float, tell: Callable[[str], None]) -> None:
    """Tell all receivers at once; who could not be told in time is a warning.

    Where an answer is lost, a receiver gets it twice.
    """
    event, deadline = str(uuid.uuid4()), time.monotonic() + seconds
    deliveries = [_Delivery(one, notice, event, deadline) for one in to]
    for delivery in deliveries:
        delivery.start()
    for delivery in deliveries:
        delivery.join(max(0.0, deadline - time.monotonic()))
        if delivery.failure:
            tell(f"warning: {delivery.receiver.host} was not told of the end: {delivery.failure}")


@dataclass(frozen=True)
class _Failure:
    """Why a try failed, and after how many seconds at least another makes sense; never where it is None."""

    why: str
    pause: float | None = 0.0


class _Delivery(threading.Thread):
    """A thread, which nobody waits for any longer when the time is over: looking up a name has no time limit."""

    def __init__(self, receiver: Receiver, notice: Notice, event: str, deadline: float) -> None:
        super().__init__(daemon=True)
        self.receiver = receiver
        self.failure: str | None = "no answer in time"
        self._event, self._deadline = event, deadline
        self._body = FORMS[receiver.form](notice).encode()

    def run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while failure := self._tried():
            self.failure = failure.why
            if failure.pause is None or time.monotonic() + max(pause, failure.pause) > self._deadline:
                return
            time.sleep(max(pause, failure.pause))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self.failure = None

    def _tried(self) -> _Failure | None:
        headers = {"Content-Type": "application/json", "User-Agent": "jenkins-kaniko", ID_HEADER: self._event}
        request = urllib.request.Request(self.receiver.url, self._body, headers)  # noqa: S310 - https, or this machine
        trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        left = max(0.1, min(TRY_SECONDS, self._deadline - time.monotonic()))
        try:
            urllib.request.build_opener(trusted, _NoRedirects).open(request, timeout=left).close()
        except urllib.error.HTTPError as error:
            error.close()
            passing = error.code == http.HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500
            return _Failure(f"it answers {error.code}", _retry_after(error.headers) if passing else None)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _of_connection(error)
        return None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes no other address: it would be asked by GET, and get what the URL's owner trusts the first one with."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def _retry_after(headers: Message) -> float:
    seconds = headers.get("Retry-After", "")
    return float(seconds) if re.fullmatch(r"\d{1,6}", seconds) else 0.0


def _of_connection(error: Exception) -> _Failure:
    """What other programs say is not shown where it could hold the URL."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        said = f"its certificate is not trusted: {reason.verify_message}; SSL_CERT_FILE names other authorities"
        return _Failure(said, None)
    if isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_NONAME:
        return _Failure("there is no host of this name", None)
    if isinstance(reason, TimeoutError):
        return _Failure("it does not answer")
    return _Failure(str(reason) if isinstance(reason, OSError) else "it does not answer as HTTP wants it")
