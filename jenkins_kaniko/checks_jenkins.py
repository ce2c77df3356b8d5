"""What doctor looks at on the controllers of a fleet: whether they let us in, and give builds their agents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from jenkins_kaniko import sync
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError
from jenkins_kaniko.findings import ERROR, INFO, WARNING, Finding, Kind
from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.model import CloudState, Fleet
from jenkins_kaniko.plan import Plan
from jenkins_kaniko.plugin_versions import numbers
from jenkins_kaniko.sync import ControllerResult, Work

OLDEST_CORE, OLDEST_PLUGIN = "2.277", "1.29"
PLUGINS = ("credentials-binding", "git", "workflow-cps")
"""What kanikoBuild() needs beside the kubernetes plugin."""
PLAN = "jenkins-kaniko plan --controller {name}"

UNREACHABLE = Kind(
    "jenkins-unreachable", ERROR,
    "the controller does not answer: it is down or starting, or the name, a proxy or a firewall is in the way",
    "curl -sSI {url}login, from this machine",
)  # fmt: skip
WRONG_URL = Kind(
    "jenkins-wrong-url", ERROR,
    "something answers at this address, and it is not Jenkins",
    "set controllers.{name}.url to what Manage Jenkins > System calls the Jenkins URL, its path included",
)  # fmt: skip
CERTIFICATE = Kind(
    "jenkins-certificate", ERROR,
    "the certificate of the controller is not trusted here",
    "give the certificate of its authority with controllers.{name}.ca, or use the name that it is made for",
)  # fmt: skip
TOKEN = Kind(
    "jenkins-token", ERROR,
    "the user or the API token is wrong or missing",
    "make a token on the user's Security page in Jenkins, and put it where controllers.{name}.token says",
)  # fmt: skip
CRUMB = Kind(
    "jenkins-crumb", ERROR,
    "controllers.{name}.token holds a password: with one Jenkins asks for a crumb, with an API token it does not",
    "make an API token on the user's Security page in Jenkins, and put it where controllers.{name}.token says",
)  # fmt: skip
CRUMB_DISABLED = Kind(
    "jenkins-crumb-disabled", WARNING,
    "the controller asks nobody for a crumb: any web page can act on it with the session of who looks at that page",
    "switch CSRF protection on in Manage Jenkins > Security, and take hudson.security.csrf."
    "GlobalCrumbIssuerConfiguration.DISABLE_CSRF_PROTECTION out of its Java options",
)  # fmt: skip
RIGHTS = Kind(
    "jenkins-rights", ERROR,
    "the user may not run scripts, which sync needs",
    "give the user Overall/Administer, or go without: jenkins-kaniko sync --controller {name} --via configmap",
)  # fmt: skip
CORE_OLD = Kind(
    "jenkins-old", WARNING, f"jenkins-kaniko is made for Jenkins {OLDEST_CORE} and later", "update Jenkins"
)  # fmt: skip
PLUGIN_OLD = Kind(
    "jenkins-plugin-old", WARNING,
    f"jenkins-kaniko is made for the kubernetes plugin {OLDEST_PLUGIN} and later",
    "update the plugin in Manage Jenkins > Plugins",
)  # fmt: skip
PLUGIN_MISSING = Kind(
    "jenkins-plugin-missing", ERROR,
    "a plugin is not installed or not active, without which there are no agents or no kanikoBuild()",
    "install it in Manage Jenkins > Plugins, or: jenkins-plugin-cli --plugins {plugins}",
)  # fmt: skip
CLOUD_MISSING = Kind(
    "jenkins-cloud-missing", ERROR,
    "the controller has no Kubernetes cloud of this name, so there are no agents",
    "set controllers.{name}.cloud to one that is there, or let sync make it: controllers.{name}.ensureCloud: {{}}",
)  # fmt: skip
CLOUD_TWICE = Kind(
    "jenkins-cloud-twice", ERROR,
    "two clouds have the same name, and Jenkins uses the first",
    "rename or remove one of them in Manage Jenkins > Clouds",
)  # fmt: skip
DIFFERS = Kind(
    "jenkins-templates-differ", WARNING,
    "the templates on the controller are not those of the configuration: not synced yet, or changed by hand",
    f"{PLAN}, then jenkins-kaniko sync --controller {{name}}",
)  # fmt: skip
REFUSED = Kind(
    "jenkins-sync-refused", WARNING, "sync would refuse to change the controller", f"do what the reason says; {PLAN}"
)  # fmt: skip
AGENT_PORT = Kind(
    "jenkins-agent-port", ERROR,
    "the TCP port for inbound agents is off, and the cloud does not use WebSocket: no agent can connect",
    "switch the port on in Manage Jenkins > Security > TCP port for inbound agents, or set "
    "controllers.{name}.ensureCloud.webSocket: true and run jenkins-kaniko sync --controller {name}",
)  # fmt: skip
FAILED = Kind("jenkins-failed", ERROR, "the controller could not be read", f"look at its log; {PLAN}")
NOT_CHECKED = Kind(
    "jenkins-not-checked", INFO, "the user may not look at it; builds may work all the same", "ask an administrator"
)  # fmt: skip
KINDS = (
    UNREACHABLE, WRONG_URL, CERTIFICATE, TOKEN, CRUMB, CRUMB_DISABLED, RIGHTS, CORE_OLD, PLUGIN_OLD, PLUGIN_MISSING,
    CLOUD_MISSING, CLOUD_TWICE, DIFFERS, REFUSED, AGENT_PORT, FAILED, NOT_CHECKED,
)  # fmt: skip
SIGNS = (
    (CRUMB, "no valid crumb"),
    (TOKEN, r"HTTP 401|\.token: "),
    (RIGHTS, "HTTP 403"),
    (WRONG_URL, "HTTP 40[45]|a web page came back"),
    (CERTIFICATE, "its certificate is not trusted"),
    (UNREACHABLE, "cannot be reached|no answer|HTTP 50[234]|nothing came back"),
    (PLUGIN_MISSING, "the kubernetes plugin is not installed"),
    (CLOUD_TWICE, "clouds are named"),
    (CLOUD_MISSING, r"its Kubernetes clouds: "),
)
"""What our own errors say (jenkins.Controller, sync.groovy), special ones first."""


@dataclass(frozen=True)
class Way:
    """Where agents connect to.

    Attributes:
        address: HOST:PORT.
        told: the address with what says so.
        field: of the cloud, where it is set.
    """

    controller: str
    address: str
    told: str
    field: str


def examine(fleet: Fleet, work: Work) -> tuple[list[Finding], list[Way]]:
    """Return what is wrong with the controllers of a fleet, and where agents connect to those that are well.

    Args:
        work: by the script console.
    """
    found: list[Finding] = []
    ways: list[Way] = []
    for result in sync.plan_all(fleet, fleet.controllers, work).controllers if fleet.controllers else ():
        if result.error:
            found.append(_failure(fleet, result, result.error))
        elif result.plan:
            door = cast(Controller, sync.door(fleet, result.controller, work))
            about = [*_state(result.controller, result.plan.state), *_templates(result.controller, result.plan)]
            about += _around(door, result.controller, result.plan.state)
            found += about
            if result.plan.empty and not result.plan.refusals and all(one.severity != ERROR for one in about):
                ways += _ways(door, result.controller, result.plan.state)
    return found, ways


def _failure(fleet: Fleet, result: ControllerResult, error: JenkinsKanikoError) -> Finding:
    kind = next((kind for kind, words in SIGNS if re.search(words, str(error))), FAILED)
    url = fleet.controllers[result.controller].url.rstrip("/") + "/"
    return kind.found(str(error), name=result.controller, url=url, plugins="kubernetes")


def _state(name: str, state: CloudState) -> Iterator[Finding]:
    if numbers(state.core_version) < numbers(OLDEST_CORE):
        yield CORE_OLD.found(f"controller {name} has Jenkins {state.core_version}")
    if numbers(state.plugin_version) < numbers(OLDEST_PLUGIN):
        yield PLUGIN_OLD.found(f"controller {name} has the kubernetes plugin {state.plugin_version}")


def _templates(name: str, plan: Plan) -> Iterator[Finding]:
    if plan.refusals:
        yield REFUSED.found(f"controller {name}: {'; '.join(plan.refusals)}", name=name)
    elif not plan.empty:
        changes = [f"{change.action} {change.template.name}" for change in plan.changes]
        changes += ["change the cloud"] if plan.cloud or not plan.state.exists else []
        yield DIFFERS.found(f"controller {name}: sync would {', '.join(changes)}", name=name)


def _around(door: Controller, name: str, state: CloudState) -> Iterator[Finding]:
    """Ask what is beside the cloud."""
    try:
        there = door.plugins()
        if missing := [plugin for plugin in PLUGINS if plugin not in there]:
            evidence = f"controller {name} has no {', no '.join(missing)}"
            yield PLUGIN_MISSING.found(evidence, plugins=" ".join(missing))
        if not door.crumbs():
            yield CRUMB_DISABLED.found(f"controller {name} has no crumb issuer")
        if not state.cloud_fields.get("webSocket") and door.agent_port() is None:
            yield AGENT_PORT.found(f"controller {name}, cloud {state.cloud}", name=name)
    except UnreachableError as error:
        yield NOT_CHECKED.found(str(error))


def _ways(door: Controller, name: str, state: CloudState) -> Iterator[Way]:
    """Yield where the agents of a cloud connect to: its URL, and a TCP port where they use one (PodTemplateBuilder).

    Remoting takes what a tunnel leaves out, HOST or PORT, from what Jenkins tells (JnlpAgentEndpointResolver). With a
    direct connection there is neither.
    """
    cloud = state.cloud_fields
    if cloud.get("directConnection"):
        return
    try:
        url = cloud.get("jenkinsUrl") or door.own_url()
        port = None if cloud.get("webSocket") else door.agent_port()
        parts = urlsplit(url)
        web = parts.port or (443 if parts.scheme == "https" else 80)
    except (UnreachableError, ValueError):
        return
    if not parts.hostname:
        return
    said = "jenkinsUrl of the cloud" if cloud.get("jenkinsUrl") else "the Jenkins URL"
    yield Way(name, f"{parts.hostname}:{web}", f"{said}, {url}", "jenkinsUrl")
    if port is not None:
        host, _, other = (cloud.get("jenkinsTunnel") or ":").rpartition(":")
        address = f"{host or parts.hostname}:{other or port}"
        yield Way(name, address, f"the TCP port for inbound agents, {address}", "jenkinsTunnel")
