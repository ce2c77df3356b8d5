"""`jenkins-kaniko doctor` on controllers with something wrong, and on what a configuration describes in the cluster."""

from __future__ import annotations

import json
import os
import subprocess
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
Doctor = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A controller where nothing is wrong."""
    healthy = StandIn(tmp_path_factory.mktemp("controller"), plugins=BESIDE, agent_port=PORT)
    healthy.add_user("reader", "Read")
    with healthy:
        yield healthy


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
        found = [one for one in json.loads(done.stdout)["findings"] if one["severity"] != "info"]
        assert done.returncode == (8 if any(one["severity"] == "error" for one in found) else 0), done.stderr
        return {one["name"]: one for one in found}

    return run


def test_a_healthy_fleet_has_nothing(doctor: Doctor, controller: StandIn) -> None:
    doctor(controller, "sync")
    assert doctor(controller) == {}


def test_a_template_that_somebody_changed(doctor: Doctor, controller: StandIn) -> None:
    doctor(controller, "sync")
    controller.run("Jenkins.get().clouds.getByName('kubernetes').templates[0].idleMinutes = 7; Jenkins.get().save()")
    found = doctor(controller)
    assert found.keys() == {NOT_SYNCED}
    for command in found[NOT_SYNCED]["fix"].split(", then "):
        if "sync" in command:
            doctor(controller, *command.split()[1:])
    assert doctor(controller) == {}


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


def test_a_cloud_that_uses_websocket_needs_no_port(doctor: Doctor, tmp_path: Path) -> None:
    with StandIn(tmp_path / "controller", plugins=BESIDE) as controller:
        doctor(controller, "sync", ensureCloud={"webSocket": True})
        assert doctor(controller, ensureCloud={"webSocket": True}) == {}


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
