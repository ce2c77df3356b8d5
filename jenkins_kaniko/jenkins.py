"""The door to a controller: python-jenkins and the constant program that it carries there.

One request reads, one request changes. Errors of python-jenkins stop here: it reports 401, 403 and 500 alike as
"possibly authentication failed", with a whole HTML page behind; a user needs to know which of them it was.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote_plus

import jenkins as python_jenkins
import requests

from jenkins_kaniko import resources
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.jenkins_answers import PROXY_CODES, connection_cause, refusal, reload_failure, shown
from jenkins_kaniko.mark import owner_of
from jenkins_kaniko.model import Agent, CloudState, PodTemplate

TIMEOUT_SECONDS = 60
LITERAL_LENGTH = 60_000
"""A string literal of more than 65,535 characters does not compile on a controller (recorded)."""
BEGIN, END = "<<<jenkins-kaniko\n", "\njenkins-kaniko>>>"
IN_DOUBT = "; it may have carried out the change all the same: plan tells"
REFUSALS = {"state-moved": RefusedError, "cloud-ambiguous": RefusedError, "not-saved": JenkinsKanikoError}
"""What the program refuses with to errors; all else is a wrong input."""
CONSOLE_NEEDS = "the script console needs Overall/Administer"
EXPORT_NEEDS = "reading what configuration-as-code exports needs Overall/SystemRead"
NO_JENKINS = "no Jenkins at this address; check url, its path included"
NO_EXPORT = f"{NO_JENKINS}, and that the configuration-as-code plugin is installed"
NO_RELOAD = "reloading with a token is not enabled there (Java property casc.reload.token, variable CASC_RELOAD_TOKEN)"


class Controller:
    """One controller, one cloud on it.

    Args:
        name: what the configuration calls it; errors begin with it.
        url: of Jenkins, with or without a slash at the end.
        user, token: an API token, not a password: with it no crumb is needed (Jenkins since 2.96).
        ca: a PEM file that signs the controller's certificate; None for the system's.
        timeout: seconds for each request.
        may_create: the cloud need not be there: it is one that the configuration creates.
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
        *,
        may_create: bool = False,
    ) -> None:
        self.name = name
        self.may_create = may_create
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

    def read(self, *, backup: bool = False) -> CloudState:
        """Return the cloud's own pod templates, with `backup` each with the XML that restores it.

        Raises:
            UnreachableError, WrongInputError, RefusedError: they say why.
        """
        return self._state(self._run({"verb": "read", "cloud": self.cloud, "backup": backup}))

    def apply(
        self,
        state_hash: str,
        templates: Sequence[int | PodTemplate],
        cloud_fields: Mapping[str, Any] | None = None,
    ) -> CloudState:
        """Replace the cloud's templates if its state still has `state_hash`; return what is there then.

        Args:
            state_hash: `CloudState.hash` of what the plan was made from.
            templates: the new list in its order; a number keeps the template at that place of the old one.
            cloud_fields: properties to set on the cloud itself, which is made where it is not there.

        Raises:
            RefusedError: the state moved since; nothing was changed.
            UnreachableError, WrongInputError: as for `read`.
        """
        listed = [{"keep": item} if isinstance(item, int) else {"put": _put(item)} for item in templates]
        request: dict[str, Any] = {"verb": "apply", "cloud": self.cloud, "hash": state_hash, "templates": listed}
        if cloud_fields is not None:
            request["cloudFields"] = dict(cloud_fields)
        return self._state(self._run(request, IN_DOUBT))

    def export(self) -> str:
        """Return the configuration as configuration-as-code writes it; needs Overall/SystemRead only.

        Raises:
            UnreachableError: it says why.
        """
        return self._ask("POST", "configuration-as-code/export").text

    def versions(self) -> tuple[str, str]:
        """Return the versions of the kubernetes plugin and of Jenkins, each empty where we may not know it."""
        try:
            answer = self._ask("GET", "pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]")
            plugins = {one["shortName"]: one["version"] for one in answer.json()["plugins"]}
        except (UnreachableError, ValueError, KeyError, TypeError):
            return "", ""
        return plugins.get("kubernetes", ""), answer.headers.get("X-Jenkins", "")

    def plugins(self) -> dict[str, str]:
        """Return the active plugins with their versions.

        Raises:
            UnreachableError: it says why.
        """
        answer = self._ask("GET", "pluginManager/api/json?depth=1&tree=plugins[shortName,version,active]")
        return {one["shortName"]: one["version"] for one in answer.json()["plugins"] if one["active"]}

    def own_url(self) -> str:
        """Return what Jenkins takes for its address; empty where nobody told it.

        Raises:
            UnreachableError: it says why.
        """
        return self._ask("GET", "api/json?tree=url").json().get("url") or ""

    def agent_port(self) -> int | None:
        """Return the TCP port for inbound agents; None where it is off (core: TcpSlaveAgentListener).

        Raises:
            UnreachableError: it says why.
        """
        address, session = f"{self._client.server}tcpSlaveAgentListener/", self._client._session
        try:
            answer = session.get(address, timeout=self._client.timeout)
        except requests.RequestException as error:
            raise UnreachableError(f"{self._who}: cannot be reached: {connection_cause(error)}") from None
        port = answer.headers.get("X-Jenkins-JNLP-Port")
        return int(port) if port else None

    def crumbs(self) -> bool:
        """Return whether it asks for crumbs; where they are switched off, their address is not there (core: Jenkins).

        Raises:
            UnreachableError: it says why.
        """
        try:
            self._client.jenkins_request(requests.Request("GET", f"{self._client.server}crumbIssuer/api/json"))
        except python_jenkins.NotFoundException:
            return False
        except (python_jenkins.JenkinsException, requests.RequestException) as error:
            self._translate(error, "")
        return True

    def reload(self, token: str) -> None:
        """Make configuration-as-code load its sources again; the token alone is enough.

        Raises:
            UnreachableError: the token is wrong, or no token is known there, or no answer came.
            JenkinsKanikoError: the sources could not be loaded; with configuration-as-code 2099 and later that
                comes with HTTP 200 (facts: TokenReloadAction).
        """
        address, session = f"{self._client.server}reload-configuration-as-code/", self._client._session
        try:
            # the token is part of the address, which the texts of many exceptions hold
            answer = session.post(
                address, params={"casc-reload-token": token}, timeout=self._client.timeout, allow_redirects=False
            )
        except requests.Timeout:
            raise UnreachableError(f"{self._who}: no answer to the reload within {self._client.timeout:g} s") from None
        except requests.RequestException as error:
            cause = connection_cause(error).replace(token, "…").replace(quote_plus(token), "…")
            raise UnreachableError(f"{self._who}: cannot be reached: {cause}") from None
        if answer.status_code in (401, 404):
            reason = "the reload token is wrong" if answer.status_code == 401 else NO_RELOAD
            raise UnreachableError(f"{self._who}: HTTP {answer.status_code}: {reason}")
        failure = reload_failure(answer)
        if failure:
            raise JenkinsKanikoError(f"{self._who}: the reload failed there: {failure}")

    def _ask(self, method: str, path: str) -> requests.Response:
        try:
            answer: requests.Response = self._client.jenkins_request(
                requests.Request(method, self._client.server + path)
            )
        except (python_jenkins.JenkinsException, requests.RequestException) as error:
            self._translate(error, "", EXPORT_NEEDS, NO_EXPORT)
        return answer

    def _run(self, request: Mapping[str, Any], lost: str = "") -> dict[str, Any]:
        """Return the program's answer; `lost` is added to the message when the connection ended without one."""
        try:
            output = self._client.run_script(script({**request, "mayCreate": self.may_create}))
        except (python_jenkins.JenkinsException, requests.RequestException) as error:
            self._translate(error, lost)
        begin, end = output.find(BEGIN), output.rfind(END)
        if begin < 0 or end < 0:
            raise JenkinsKanikoError(f"{self._who}: unexpected answer: {shown(output)}")
        try:
            answer: dict[str, Any] = json.loads(output[begin + len(BEGIN) : end])
        except ValueError:
            raise JenkinsKanikoError(f"{self._who}: unexpected answer: {shown(output)}") from None
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
        raise REFUSALS.get(answer["code"], WrongInputError)(message)

    def _translate(self, error: Exception, lost: str, needs: str = CONSOLE_NEEDS, absent: str = NO_JENKINS) -> NoReturn:
        cause = error.__context__
        if isinstance(error, requests.HTTPError):
            cause = error
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            doubt = lost if cause.response.status_code in PROXY_CODES else ""
            raise UnreachableError(
                f"{self._who}: {refusal(cause.response, self.name, self.user, needs, absent)}{doubt}"
            ) from None
        if isinstance(error, python_jenkins.TimeoutException):
            raise UnreachableError(f"{self._who}: no answer within {self._client.timeout:g} s{lost}") from None
        if isinstance(error, requests.RequestException):
            raise UnreachableError(f"{self._who}: cannot be reached: {connection_cause(error)}{lost}") from None
        text = str(error).strip()
        if not text or text.startswith("<"):
            what = "a web page" if text else "nothing"
            raise UnreachableError(
                f"{self._who}: {what} came back instead of an answer; check url, and what stands before it"
            ) from None
        raise JenkinsKanikoError(f"{self._who}: the program failed there: {shown(text)}") from None

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
                PodTemplate(
                    found["id"], found["name"] or "", found["fields"], owner_of(found["fields"]), xml=found.get("xml")
                )
                for found in answer["templates"]
            ),
            casc_sources=tuple(answer["casc"]),
            exists=answer["exists"],
            cloud_fields=answer["cloudFields"],
            cloud_defaults=answer["cloudDefaults"],
            agents=tuple(Agent(found["name"], found["template"], found["idle"]) for found in answer["agents"]),
            kinds=answer["kinds"],
        )


def script(request: Mapping[str, Any]) -> str:
    """Return the constant program followed by one call that hands it `request` as data."""
    data = base64.b64encode(gzip.compress(json.dumps(request).encode(), mtime=0)).decode("ascii")
    literals = [data[at : at + LITERAL_LENGTH] for at in range(0, len(data), LITERAL_LENGTH)]
    call = ",\n".join(f"'{literal}'" for literal in literals)
    return f"{resources.text('scripts/sync.groovy')}\nanswer([\n{call}\n])"


def _put(template: PodTemplate) -> dict[str, Any]:
    return {"id": template.id, **({"fields": dict(template.fields)} if template.xml is None else {"xml": template.xml})}
