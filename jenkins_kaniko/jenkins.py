"""The door to a controller: python-jenkins and the constant program that it carries there.

One request reads, one request changes. Errors of python-jenkins stop here: it reports 401, 403 and 500 alike as
"possibly authentication failed", with a whole HTML page behind; a user needs to know which of them it was.
"""

from __future__ import annotations

import base64
import gzip
import json
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jenkins as python_jenkins
import requests

from jenkins_kaniko import resources
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.model import OWNER_ANNOTATION, CloudState, PodTemplate

TIMEOUT_SECONDS = 60
LITERAL_LENGTH = 60_000
"""A string literal of more than 65,535 characters does not compile on a controller (recorded)."""
BEGIN, END = "<<<jenkins-kaniko\n", "\njenkins-kaniko>>>"
SHOWN_LENGTH = 300
HOSTNAME_MISMATCH = 62
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH."""
IN_DOUBT = "; it may have carried out the change all the same: plan tells"
PROXY_CODES = {502, 504}
REFUSED_CODES = {"state-moved", "cloud-ambiguous"}


class Controller:
    """One controller, one cloud on it.

    Args:
        name: what the configuration calls it; errors begin with it.
        url: of Jenkins, with or without a slash at the end.
        user, token: an API token, not a password: with it no crumb is needed (Jenkins since 2.96).
        ca: a PEM file that signs the controller's certificate; None for the system's.
        timeout: seconds for each request.
    """

    def __init__(
        self,
        name: str,
        url: str,
        user: str,
        token: str,
        cloud: str,
        ca: Path | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.name = name
        self.url = url
        self.user = user
        self.cloud = cloud
        try:
            self._client = python_jenkins.Jenkins(url, username=user, password=token, timeout=timeout)
        except ValueError as error:
            raise WrongInputError(f"{self._who}: not a URL: {error}") from None
        self._client.crumb = False
        self._client._auths = self._client._auths[:1]  # Kerberos would be tried first where it is installed
        self._client._session.verify = str(ca) if ca else True  # PYTHONHTTPSVERIFY=0 would turn it off

    def read(self) -> CloudState:
        """Return the cloud's own pod templates. Raises UnreachableError, WrongInputError, RefusedError."""
        return self._state(self._run({"verb": "read", "cloud": self.cloud}))

    def apply(self, state_hash: str, templates: Sequence[int | PodTemplate]) -> CloudState:
        """Replace the cloud's templates if its state still has `state_hash`; return what is there then.

        Args:
            state_hash: `CloudState.hash` of what the plan was made from.
            templates: the new list in its order; a number keeps the template at that place of the old one.

        Raises:
            RefusedError: the state moved since; nothing was changed.
            UnreachableError, WrongInputError: as for `read`.
        """
        listed = [
            {"keep": item} if isinstance(item, int) else {"put": {"id": item.id, "fields": dict(item.fields)}}
            for item in templates
        ]
        request = {"verb": "apply", "cloud": self.cloud, "hash": state_hash, "templates": listed}
        return self._state(self._run(request, IN_DOUBT))

    def _run(self, request: Mapping[str, Any], lost: str = "") -> dict[str, Any]:
        """Return the program's answer; `lost` is added to the message when the connection ended without one."""
        try:
            output = self._client.run_script(script(request))
        except (python_jenkins.JenkinsException, requests.RequestException) as error:
            self._translate(error, lost)
        begin, end = output.find(BEGIN), output.rfind(END)
        if begin < 0 or end < 0:
            raise JenkinsKanikoError(f"{self._who}: unexpected answer: {_shown(output)}")
        try:
            answer: dict[str, Any] = json.loads(output[begin + len(BEGIN) : end])
        except ValueError:
            raise JenkinsKanikoError(f"{self._who}: unexpected answer: {_shown(output)}") from None
        if not answer["ok"]:
            self._refused(answer)
        return answer

    def _refused(self, answer: Mapping[str, Any]) -> NoReturn:
        message = f"{self._who}: {answer['message']}"
        if answer["code"] == "cloud-missing":
            there = ", ".join(answer["clouds"]) or "none"
            raise WrongInputError(
                f"{message} there (its Kubernetes clouds: {there}). "
                f"Set controllers.{self.name}.cloud, or add the cloud in Manage Jenkins > Clouds."
            )
        if answer["code"] == "state-moved":
            message += "; nothing was changed. Run plan again and look at what moved."
        raise (RefusedError if answer["code"] in REFUSED_CODES else WrongInputError)(message)

    def _translate(self, error: Exception, lost: str) -> NoReturn:
        cause = error.__context__
        if isinstance(error, requests.HTTPError):
            cause = error
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            doubt = lost if cause.response.status_code in PROXY_CODES else ""
            raise UnreachableError(f"{self._who}: {self._http(cause.response)}{doubt}") from None
        if isinstance(error, python_jenkins.TimeoutException):
            raise UnreachableError(f"{self._who}: no answer within {self._client.timeout:g} s{lost}") from None
        if isinstance(error, requests.RequestException):
            raise UnreachableError(f"{self._who}: cannot be reached: {_connection_cause(error)}{lost}") from None
        text = str(error).strip()
        if not text or text.startswith("<"):
            what = "a web page" if text else "nothing"
            raise UnreachableError(
                f"{self._who}: {what} came back instead of an answer; check url, and what stands before it"
            ) from None
        raise JenkinsKanikoError(f"{self._who}: the program failed there: {_shown(text)}") from None

    def _http(self, response: requests.Response) -> str:
        status, text = response.status_code, response.text
        if status == 401:
            return f"HTTP 401: wrong user or token for {self.user}; make an API token on the user's Security page"
        if status == 403 and "No valid crumb" in text:
            return (
                "HTTP 403: no valid crumb. Jenkins asks for one when it is given a password: "
                f"set controllers.{self.name}.token to an API token of {self.user}"
            )
        if status == 403 and "X-Required-Permission" in response.headers:
            return (
                f"HTTP 403: {self.user} lacks {response.headers['X-Required-Permission']}; "
                "the script console needs Overall/Administer"
            )
        if status == 403:
            return f"HTTP 403: {self.user} may not do this; the script console needs Overall/Administer"
        if status == 404:
            return "HTTP 404: no Jenkins at this address; check url, its path included"
        if status == 405:
            return "HTTP 405: the address leads on to another one; set url to the one it ends at, https:// most often"
        if status == 413:
            return "HTTP 413: a proxy before Jenkins takes no requests of this size; raise its limit"
        if status in PROXY_CODES:
            return f"HTTP {status}: a proxy before Jenkins got no answer from it"
        if status == 503:
            return "HTTP 503: Jenkins is starting; try again in a minute"
        return f"HTTP {status} {response.reason}"

    @property
    def _who(self) -> str:
        return f"controller {self.name} ({self.url})"

    def _state(self, answer: Mapping[str, Any]) -> CloudState:
        return CloudState(
            cloud=answer["cloud"],
            core_version=answer["core"],
            plugin_version=answer["plugin"],
            hash=answer["hash"],
            defaults=answer["defaults"],
            templates=tuple(
                PodTemplate(found["id"], found["name"] or "", found["fields"], _owner(found["fields"]))
                for found in answer["templates"]
            ),
            casc_sources=tuple(answer["casc"]),
        )


def script(request: Mapping[str, Any]) -> str:
    """Return the constant program followed by one call that hands it `request` as data."""
    data = base64.b64encode(gzip.compress(json.dumps(request).encode(), mtime=0)).decode("ascii")
    literals = [data[at : at + LITERAL_LENGTH] for at in range(0, len(data), LITERAL_LENGTH)]
    call = ",\n".join(f"'{literal}'" for literal in literals)
    return f"{resources.text('scripts/sync.groovy')}\nanswer([\n{call}\n])"


def _owner(fields: Mapping[str, Any]) -> str | None:
    marks = [item["value"] for item in fields.get("annotations") or [] if item["key"] == OWNER_ANNOTATION]
    return marks[0] if marks else None


def _connection_cause(error: BaseException) -> str:
    """Return the innermost reason: the outer texts of requests and urllib3 repeat the address and themselves."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    inner = seen[-1]
    if isinstance(inner, ssl.SSLCertVerificationError):
        remedy = "use a name that it is for" if inner.verify_code == HOSTNAME_MISMATCH else "give the CA with `ca:`"
        return f"its certificate is not trusted ({inner.verify_message.rstrip('.')}); {remedy}"
    return _shown(str(inner))


def _shown(text: str) -> str:
    """Return the beginning of a foreign text; the rest may be a page of HTML or a long stack trace."""
    line = " / ".join(part.strip() for part in text.strip().splitlines()[:3] if part.strip())
    return line if len(line) <= SHOWN_LENGTH else line[:SHOWN_LENGTH] + "…"
