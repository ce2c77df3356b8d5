"""`jenkins-kaniko doctor` where images go to a registry that `registry install` made in the cluster."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jenkins_kaniko import certificates
from jenkins_kaniko.certificates import Authority
from tests.lab.building import COMMAND, ROOT
from tests.lab.registries import MANAGED, Place
from tests.lab.test_doctor import builder, rights_of_doctor

pytestmark = pytest.mark.lab
Doctor = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def doctor(place: Place) -> Doctor:
    """Run doctor with no right but those of rbac/build.yaml and rbac/doctor.yaml; return what it finds by name."""
    builds = place.builds
    place.kubectl("apply", "-f", str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / "doctor.yaml"))
    account = f"--serviceaccount={builds.namespace}:builder"
    place.kubectl("create", "rolebinding", "doctor", "--role=jenkins-kaniko-doctor-registry", account)

    def run(*arguments: str) -> dict[str, dict[str, Any]]:
        image = ["-t", f"registry.{place.namespace}:5000/app", "--ca-bundle", "registry-ca"]
        command = [str(COMMAND), "doctor", *builder(builds), *image, *arguments, "-o", "json"]
        with rights_of_doctor(builds):
            done = subprocess.run(
                command, env=builds.environment(), capture_output=True, text=True, timeout=180, check=False
            )
        assert done.stdout, done.stderr
        return {one["name"]: one for one in json.loads(done.stdout)["findings"]}

    return run


def test_a_healthy_registry_has_nothing_until_nodes_are_to_pull(place: Place, doctor: Doctor) -> None:
    """Nobody told the lab's node of it."""
    place.installed("--for", place.builds.namespace, "--account", "ci")
    account = ["--registry-secret", "registry-docker-config"]
    assert doctor(*account) == {}
    found = doctor(*account, "--build")
    assert found.keys() == {"node-not-trusting"}
    assert found["node-not-trusting"]["evidence"].startswith("1 of 1 nodes do not: lab-node: ErrImagePull: ")
    assert found["node-not-trusting"]["fix"].startswith(f"jenkins-kaniko registry trust -n {place.namespace} --name")
    place.builds.kubectl("wait", "--for=delete", "jobs,pods", "-l", MANAGED, "--timeout=30s")


def test_a_registry_that_does_not_serve(place: Place, doctor: Doctor) -> None:
    place.installed("--for", place.builds.namespace)
    place.kubectl("set", "image", "deployment/registry", "registry=lab.test/nothing:1")
    place.kubectl("scale", "deployment/registry", "--replicas=0")
    place.kubectl("wait", "--for=delete", "pod", "-l", "jenkins-kaniko/registry", "--timeout=60s")
    place.kubectl("scale", "deployment/registry", "--replicas=1")
    pod = ["pod", "-l", "jenkins-kaniko/registry", "--timeout=60s"]
    place.kubectl("wait", "--for=create", *pod)
    place.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].state.waiting.message}", *pod)
    found = doctor()
    assert found.keys() == {"registry-not-ready"}
    assert "lab.test/nothing:1" in found["registry-not-ready"]["evidence"]


@pytest.mark.parametrize(("age", "name"), [(701, "registry-certificate-soon"), (731, "registry-certificate-over")])
def test_a_certificate_of_a_registry(place: Place, doctor: Doctor, age: int, name: str) -> None:
    place.installed("--for", place.builds.namespace)
    there = place.secret("registry-ca-key")
    names = [f"registry.{place.namespace}"]
    authority, then = Authority(there["tls.key"], there["tls.crt"]), datetime.now(UTC) - timedelta(days=age)
    old, key = certificates.server_certificate(authority, names, then)
    place.set_secret("registry-tls", {"tls.crt": old, "tls.key": key})
    place.kubectl("rollout", "restart", "deployment/registry")
    place.kubectl("rollout", "status", "deployment/registry", "--timeout=60s")
    place.wait_for_routes()
    assert doctor().keys() == {name}
    place.installed()
    place.wait_for_routes()
    assert doctor() == {}


def test_a_registry_whose_disk_is_nearly_full(place: Place, doctor: Doctor) -> None:
    """A folder in memory stands for a small disk."""
    place.installed("--for", place.builds.namespace)
    small = {"name": "images", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    place.kubectl(
        "patch", "deployment/registry", "-p", json.dumps({"spec": {"template": {"spec": {"volumes": [small]}}}})
    )
    place.kubectl("rollout", "status", "deployment/registry", "--timeout=60s")
    place.wait_for_routes()
    assert doctor() == {}
    fill = ["dd", "if=/dev/zero", "of=/var/lib/registry/large", "bs=1000", "count=980"]
    place.kubectl("exec", "deployment/registry", "--", *fill)
    found = doctor()
    assert found.keys() == {"registry-nearly-full"}
    told = rf"registry {place.namespace}/registry: 9\d % of a folder of the pod are used"
    assert re.fullmatch(told, found["registry-nearly-full"]["evidence"])


def test_what_a_namespace_lacks_of_a_registry_is_given_once(place: Place) -> None:
    place.installed("--account", "ci")
    builds = place.builds
    image = ["-t", f"registry.{place.namespace}:5000/app", "--ca-bundle", "registry-ca"]
    account = ["--registry-secret", "registry-docker-config"]
    command = [str(COMMAND), "doctor", *builder(builds), *image, *account, "-o", "json"]
    environment = builds.environment(KUBECONFIG=str(builds.lab.kubeconfig))

    def run(*arguments: str) -> tuple[list[str], list[str]]:
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.stdout, done.stderr
        found = [one["name"] for one in json.loads(done.stdout)["findings"] if one["severity"] != "info"]
        return found, [line for line in done.stderr.splitlines() if line.startswith(("created: ", "changed: "))]

    assert run() == (["registry-secret-missing", "ca-missing"], [])
    assert run("--fix") == (
        [],
        [
            f"changed: configmap {place.namespace}/registry-config",
            f"created: configmap {builds.namespace}/registry-ca",
            f"created: secret {builds.namespace}/registry-docker-config",
        ],
    )
    assert run("--fix") == ([], [])
