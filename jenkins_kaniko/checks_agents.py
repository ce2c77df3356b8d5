"""What doctor tries for agents: whether a pod in their namespace reaches the controller that they are to connect to.

The pod is a builder's, which asks the address for leave to push: whatever answers, the way is there. So it needs no
shell in an image, and no other image than builds do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jenkins_kaniko import checks_push
from jenkins_kaniko.attempt import Door
from jenkins_kaniko.checks_cluster import NOT_CHECKED
from jenkins_kaniko.checks_jenkins import Way
from jenkins_kaniko.explain import diagnosis
from jenkins_kaniko.findings import ERROR, Finding, Kind, Place

CAUSE = "pods where the agents run do not reach {what}: agents start, and never connect"
FIX = (
    "set controllers.{name}.ensureCloud.{field} to an address that pods reach, then jenkins-kaniko sync --controller "
    "{name}; where the address is right, see that network policies and firewalls allow pods in {namespace} the way"
)
UNREACHABLE = Kind("jenkins-unreachable-from-agents", ERROR, CAUSE.replace("{what}", "Jenkins by its address"), FIX)
AGENT_PORT = Kind(
    "jenkins-agent-port-unreachable-from-agents", ERROR,
    CAUSE.replace("{what}", "the TCP port for inbound agents"),
    f"{FIX}; or let agents need no port: controllers.{{name}}.ensureCloud.webSocket: true",
)  # fmt: skip
KINDS = (UNREACHABLE, AGENT_PORT)
NO_CONNECTION = re.compile(rf"{checks_push.ASKED}.*\bdial tcp\b")
"""What Go says where there is no connection, or no such name (its net package); all else comes after an answer."""


def reaching(place: Place, way: Way, door: Door) -> Iterator[Finding]:
    """Yield why agents there do not reach a controller."""
    seen = checks_push.asked(place, way.address, door)
    said = seen.exception or diagnosis(seen).said or "the builder said nothing"
    evidence = f"controller {way.controller}, from a pod in {place.namespace}: {way.told}: {said}"
    if NO_CONNECTION.search(seen.log):
        kind = AGENT_PORT if way.field == "jenkinsTunnel" else UNREACHABLE
        yield kind.found(evidence, name=way.controller, field=way.field, namespace=place.namespace)
    elif checks_push.ASKED not in seen.log and checks_push.ENDS_HERE not in seen.log:
        yield NOT_CHECKED.found(evidence)
