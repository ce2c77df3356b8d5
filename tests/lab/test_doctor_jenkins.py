"""`jenkins-kaniko doctor` on controllers with something wrong, and on what a configuration describes in the cluster."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from lablib import demo

from tests.lab.building import COMMAND
from tests.lab.conftest import Lab
from tests.support.standin import StandIn

pytestmark = [pytest.mark.lab, pytest.mark.jvm]

BESIDE = {"git": "5.2.1", "credentials-binding": "657.v2b_19db_7d6e6d"}
PORT = 50000
NOT_SYNCED = "jenkins-templates-differ"
FROM_AGENTS, PORT_FROM_AGENTS = "jenkins-unreachable-from-agents", "jenkins-agent-port-unreachable-from-agents"
Doctor = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A controller where nothing is wrong."""
    healthy = StandIn(tmp_path_factory.mktemp("controller"), plugins=BESIDE, agent_port=PORT)
    healthy.add_user("reader", "Read")
    with healthy:
        yield healthy


class Answer(socketserver.BaseRequestHandler):
    """Says what a web server says, whoever calls: agents' way to it is there."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def bridge(lab: Lab) -> Iterator[str]:
    """HOST:PORT where pods are answered: the stand-in itself listens on this machine's loopback only."""
    address = lab.settings["LAB_REGISTRY_ADDRESS"].rpartition(":")[0]
    with socketserver.ThreadingTCPServer((address, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{address}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def doctor(lab: Lab, tmp_path: Path) -> Doctor:
    """Write the demo's configuration with changes, run a command with it; return errors and warnings by name."""

    def run(
        controller: StandIn,
        *arguments: str,
        secret: str | None = None,
        templates: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> dict[str, dict[str, str]]:
        config = demo.configuration(demo.lab_settings(), controller.url, controller.admin.name)
        config["controllers"]["main"] |= changes
        config["templates"]["kaniko"] |= templates or {}
        config["defaults"] |= defaults or {}
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(config), encoding="utf-8")
        environment = {
            **os.environ,
            "KUBECONFIG": str(lab.kubeconfig),
            "JENKINS_TOKEN": secret or controller.admin.token,
        }
        command = [str(COMMAND), *(arguments or ("doctor", "-o", "json"))]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if arguments:
            assert done.returncode == 0, done.stderr
            return {}
        assert done.stdout, done.stderr
        found = [one for one in json.loads(done.stdout)["findings"] if one["severity"] != "info"]
        assert done.returncode == (8 if any(one["severity"] == "error" for one in found) else 0), done.stderr
        return {one["name"]: one for one in found}

    return run


def test_a_healthy_fleet_has_nothing(doctor: Doctor, controller: StandIn, bridge: str) -> None:
    reached = {"ensureCloud": {"jenkinsUrl": f"http://{bridge}/", "jenkinsTunnel": bridge}}
    doctor(controller, "sync", **reached)
    assert doctor(controller, **reached) == {}


def test_a_controller_that_agents_do_not_reach(doctor: Doctor, controller: StandIn, bridge: str) -> None:
    """In a pod the loopback is the pod's own, and nobody listens there."""
    url = {"ensureCloud": {"jenkinsUrl": controller.url, "jenkinsTunnel": bridge}}
    doctor(controller, "sync", **url)
    found = doctor(controller, **url)
    assert found.keys() == {FROM_AGENTS}
    assert f": jenkinsUrl of the cloud, {controller.url}: " in found[FROM_AGENTS]["evidence"]
    port = {"ensureCloud": {"jenkinsUrl": f"http://{bridge}/", "jenkinsTunnel": "127.0.0.1:1"}}
    doctor(controller, "sync", **port)
    found = doctor(controller, **port)
    assert found.keys() == {PORT_FROM_AGENTS}
    assert ": the TCP port for inbound agents, 127.0.0.1:1: " in found[PORT_FROM_AGENTS]["evidence"]


def test_a_template_that_somebody_changed(doctor: Doctor, controller: StandIn, bridge: str) -> None:
    reached = {"ensureCloud": {"jenkinsUrl": f"http://{bridge}/", "jenkinsTunnel": bridge}}
    doctor(controller, "sync", **reached)
    controller.run("Jenkins.get().clouds.getByName('kubernetes').templates[0].idleMinutes = 7; Jenkins.get().save()")
    found = doctor(controller, **reached)
    assert found.keys() == {NOT_SYNCED}
    for command in found[NOT_SYNCED]["fix"].split(", then "):
        if "sync" in command:
            doctor(controller, *command.split()[1:], **reached)
    assert doctor(controller, **reached) == {}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"url": "http://127.0.0.1:1/"}, "jenkins-unreachable"),
        ({"url": "http://jenkins.nowhere.example/"}, "jenkins-unreachable"),
        ({"url": "{url}jenkins/"}, "jenkins-wrong-url"),
        ({"token": {"env": "NO_TOKEN"}}, "jenkins-token"),
        ({"cloud": "other"}, "jenkins-cloud-missing"),
    ],
    ids=["nobody listens", "no such host", "wrong path", "no token", "no such cloud"],
)
def test_a_controller_that_is_not_as_the_configuration_says(
    doctor: Doctor, controller: StandIn, change: dict[str, Any], name: str
) -> None:
    if "url" in change:
        change = {"url": change["url"].format(url=controller.url)}
    found = doctor(controller, **change)
    assert found.keys() == {name}
    assert controller.admin.token not in json.dumps(found)


def test_a_wrong_token(doctor: Doctor, controller: StandIn) -> None:
    assert doctor(controller, secret="11" + "0" * 32).keys() == {"jenkins-token"}


def test_a_password_in_place_of_a_token(doctor: Doctor, controller: StandIn) -> None:
    found = doctor(controller, secret=controller.admin.password)
    assert found.keys() == {"jenkins-crumb"}
    assert found["jenkins-crumb"]["cause"].startswith("controllers.main.token holds a password: ")
    assert controller.admin.password not in json.dumps(found)


def test_a_user_who_may_only_read(doctor: Doctor, controller: StandIn) -> None:
    reader = controller.user("reader")
    assert doctor(controller, user=reader.name, secret=reader.token).keys() == {"jenkins-rights"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"plugins": {**BESIDE, "kubernetes": None}}, {"jenkins-plugin-missing"}),
        ({"plugins": {"credentials-binding": "1"}}, {"jenkins-plugin-missing", NOT_SYNCED}),
        ({"plugins": {**BESIDE, "kubernetes": "1.28.7"}, "plugin": "1.29"}, {"jenkins-plugin-old", NOT_SYNCED}),
        ({"core": "2.263.4", "plugin": "1.29"}, {"jenkins-old", NOT_SYNCED}),
        ({"clouds": ["kubernetes", "kubernetes"]}, {"jenkins-cloud-twice"}),
        ({"agent_port": None}, {"jenkins-agent-port", NOT_SYNCED}),
        ({"crumbs": False}, {"jenkins-crumb-disabled", NOT_SYNCED}),
    ],
    ids=["no kubernetes plugin", "no git plugin", "old plugin", "old Jenkins", "two clouds", "agent port", "crumbs"],
)
def test_a_controller_that_lacks_something(
    doctor: Doctor, tmp_path: Path, settings: dict[str, Any], names: set[str]
) -> None:
    with StandIn(tmp_path / "controller", **{"plugins": BESIDE, "agent_port": PORT, **settings}) as controller:
        assert doctor(controller).keys() == names


def test_a_cloud_that_uses_websocket_needs_no_port(doctor: Doctor, tmp_path: Path, bridge: str) -> None:
    reached = {"ensureCloud": {"webSocket": True, "jenkinsUrl": f"http://{bridge}/"}}
    with StandIn(tmp_path / "controller", plugins=BESIDE) as controller:
        doctor(controller, "sync", **reached)
        assert doctor(controller, **reached) == {}


# --- the cluster as the templates use it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("templates", "defaults", "name"),
    [
        ({}, {"namespace": "doctor-nowhere"}, "namespace-missing"),
        ({}, {"registrySecret": "nowhere"}, "registry-secret-missing"),
        ({"caBundle": {"configMap": "nowhere"}}, {}, "ca-missing"),
        ({"caBundle": None, "cache": {"repo": "registry.lab.test:5000/cache"}}, {}, "unknown-authority"),
        ({"pod": {"spec": {"hostNetwork": True}}}, {}, "pod-security"),
        ({"nodeSelector": {"disk": "none"}}, {}, "no-node"),
    ],
    ids=["namespace", "secret", "certificate", "no certificate for the cache", "host network", "node"],
)
def test_a_template_that_the_cluster_cannot_serve(
    doctor: Doctor, controller: StandIn, templates: dict[str, Any], defaults: dict[str, Any], name: str
) -> None:
    found = doctor(controller, templates=templates, defaults=defaults)
    assert found.keys() == {name, NOT_SYNCED}
