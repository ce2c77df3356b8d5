"""`jenkins-kaniko doctor` on situations that are made for real, each found by its own name and nothing else found."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import trustme
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.building import COMMAND, ROOT, Builds
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

Found = dict[str, dict[str, Any]]
Doctor = Callable[..., Found]
LEVEL = "pod-security.kubernetes.io/enforce"


@pytest.fixture
def doctor(builds: Builds) -> Doctor:
    """Run doctor, as the lab's administrator unless told, and return its errors and warnings by name."""

    def run(*arguments: str, kubeconfig: Path | None = None, infos: bool = False) -> Found:
        environment = builds.environment(KUBECONFIG=str(kubeconfig or builds.lab.kubeconfig))
        command = [str(COMMAND), "doctor", *builder(builds), *arguments, "-o", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        answer = json.loads(done.stdout)
        listed = [one for one in answer["findings"] if infos or one["severity"] != "info"]
        found = {one["name"]: one for one in listed}
        assert len(found) == len(listed) or infos, listed
        assert done.returncode == (8 if any(one["severity"] == "error" for one in found.values()) else 0), done.stderr
        assert answer["schemaVersion"] == 1
        return found

    return run


def builder(builds: Builds) -> list[str]:
    image = ["--image", builds.lab.settings["LAB_KANIKO_IMAGE"]]
    return [*image, "--builder-distribution", "chainguard", "--builder-version", "1.25.6", "--profile", "small"]


@pytest.fixture
def repository(builds: Builds) -> list[str]:
    """Options that name the lab's registry."""
    return ["-t", f"{builds.lab.settings['LAB_REGISTRY']}/doctor/app", "--ca-bundle", "lab-ca"]


def made(builds: Builds, manifest: Mapping[str, Any]) -> None:
    builds.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


@contextmanager
def level(builds: Builds, name: str) -> Iterator[None]:
    builds.lab.kubectl("label", "namespace", builds.namespace, f"{LEVEL}={name}", "--overwrite")
    try:
        yield
    finally:
        builds.lab.kubectl("label", "namespace", builds.namespace, f"{LEVEL}=baseline", "--overwrite")


@contextmanager
def there(builds: Builds, manifest: dict[str, Any]) -> Iterator[None]:
    """Make an object for as long as the block lasts."""
    made(builds, manifest)
    try:
        yield
    finally:
        builds.kubectl("delete", manifest["kind"], manifest["metadata"]["name"])


def secret(
    config: bytes, kind: str = "kubernetes.io/dockerconfigjson", key: str = ".dockerconfigjson"
) -> dict[str, Any]:
    data = {key: base64.b64encode(config).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "given"}, "data": data}


def accounts(*keys: str, auth: bytes = b"me:swordfish") -> bytes:
    return json.dumps({"auths": {key: {"auth": base64.b64encode(auth).decode()} for key in keys}}).encode()


def certificate(begin: timedelta, end: timedelta) -> str:
    """Return a certificate that signs itself, valid between two distances from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doctor's own")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now + begin).not_valid_after(now + end)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "given"}, "data": data}


# --- a healthy lab ---------------------------------------------------------------------------------------------------


def test_a_healthy_lab_has_nothing_and_a_trial_pushes_nothing(
    doctor: Doctor, builds: Builds, repository: list[str], registry: Registry
) -> None:
    image = f"{builds.lab.settings['LAB_REGISTRY']}/doctor/{builds.namespace}"
    assert doctor("-t", image, *repository[2:]) == {}
    with pytest.raises(HTTPError, match="404"):
        registry.manifest(f"doctor/{builds.namespace}", "jenkins-kaniko-doctor")
    assert doctor("-t", image, *repository[2:], "--build") == {}
    assert registry.files(f"doctor/{builds.namespace}", "jenkins-kaniko-doctor").keys() == {"/Dockerfile"}
    assert builds.left() == []


def test_who_may_only_build_has_nothing_either(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    assert doctor(*repository, kubeconfig=builds.kubeconfig) == {}
    assert doctor(*repository, kubeconfig=builds.kubeconfig, infos=True).keys() == {"not-checked"}


def test_who_has_the_rights_of_doctor_can_look_at_all(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    with rights_of_doctor(builds):
        assert doctor(*repository, "--build", kubeconfig=builds.kubeconfig, infos=True) == {}


@contextmanager
def rights_of_doctor(builds: Builds) -> Iterator[None]:
    """Give the builder's account those of rbac/doctor.yaml, the cluster's part by a name of this namespace's own."""
    role, everywhere, _ = yaml.safe_load_all(
        (ROOT / "resources" / "jenkins_kaniko" / "rbac" / "doctor.yaml").read_text()
    )
    name, account = f"doctor-{builds.namespace}", f"--serviceaccount={builds.namespace}:builder"
    everywhere["metadata"]["name"] = name
    for manifest in (role, everywhere):
        made(builds, manifest)
    builds.kubectl("create", "rolebinding", "doctor", f"--role={role['metadata']['name']}", account)
    builds.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    try:
        yield
    finally:
        builds.kubectl("delete", "rolebinding", "doctor")
        builds.kubectl("delete", "clusterrole,clusterrolebinding", name)


def test_nothing_is_left_where_it_is_terminated(builds: Builds, repository: list[str]) -> None:
    command = [str(COMMAND), "doctor", *builder(builds), *repository, "--image", "lab.test/nothing:1"]
    with subprocess.Popen(command, env=builds.environment(KUBECONFIG=str(builds.lab.kubeconfig))) as process:
        until = time.monotonic() + 30
        while not builds.kubectl("get", "jobs", "-o", "name") and time.monotonic() < until:
            time.sleep(0.2)
        process.terminate()
        assert process.wait(30) == 143
    assert builds.left() == []


# --- the cluster -----------------------------------------------------------------------------------------------------


def test_no_cluster(doctor: Doctor, tmp_path: Path) -> None:
    assert list(doctor(kubeconfig=tmp_path / "nothing")) == ["cluster-unreachable"]


def test_a_token_that_is_over(doctor: Doctor, builds: Builds, tmp_path: Path) -> None:
    given = json.loads(builds.kubeconfig.read_text())
    given["users"][0]["user"]["token"] = "over"
    (tmp_path / "config").write_text(json.dumps(given))
    assert list(doctor(kubeconfig=tmp_path / "config")) == ["cluster-unreachable"]


def test_no_namespace(doctor: Doctor) -> None:
    found = doctor("-n", "doctor-nowhere")
    assert found.keys() == {"namespace-missing"}
    assert found["namespace-missing"]["mends"] is True
    assert found["namespace-missing"]["fix"] == "kubectl create namespace doctor-nowhere"


def test_a_namespace_that_doctor_makes(doctor: Doctor, builds: Builds) -> None:
    name = f"{builds.namespace}-more"
    try:
        assert doctor("-n", name, "--fix") == {}
        made = json.loads(builds.lab.kubectl("get", "namespace", name, "-o", "json"))
        assert made["metadata"]["labels"][LEVEL] == "baseline"
    finally:
        builds.lab.kubectl("delete", "namespace", name, "--wait=false", check=False)


def test_a_namespace_that_is_deleted(doctor: Doctor, builds: Builds) -> None:
    name = f"{builds.namespace}-gone"
    builds.lab.kubectl("create", "namespace", name)
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/held"]}}
    builds.lab.kubectl("-n", name, "create", "-f", "-", stdin=json.dumps(held))
    builds.lab.kubectl("delete", "namespace", name, "--wait=false")
    try:
        assert doctor("-n", name).keys() == {"namespace-terminating"}
    finally:
        builds.lab.kubectl("-n", name, "patch", "configmap", "held", "-p", '{"metadata": {"finalizers": null}}')


def test_rights_are_missing(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    builds.kubectl("delete", "rolebinding", "build")
    try:
        found = doctor(*repository, kubeconfig=builds.kubeconfig)
    finally:
        account = f"--serviceaccount={builds.namespace}:builder"
        builds.kubectl("create", "rolebinding", "build", "--role=jenkins-kaniko-build", account)
    assert found.keys() == {"rights-missing"}
    missing = "create and list and delete jobs, create and list and delete configmaps"
    assert missing in found["rights-missing"]["evidence"]
    assert f"--user=system:serviceaccount:{builds.namespace}:builder" in found["rights-missing"]["fix"]


def test_restricted_pod_security(doctor: Doctor, builds: Builds) -> None:
    with level(builds, "restricted"):
        found = doctor()
        assert found.keys() == {"pod-security"}
        assert "runAsNonRoot" in found["pod-security"]["evidence"]
        builds.lab.kubectl(*found["pod-security"]["fix"].removeprefix("kubectl ").split())
        assert doctor() == {}


def test_restricted_pod_security_for_who_may_only_build(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    with level(builds, "restricted"):
        assert doctor(*repository, kubeconfig=builds.kubeconfig).keys() == {"pod-security"}


@pytest.mark.parametrize("hard", [{"pods": "0"}, {"requests.memory": "100Mi"}, {"count/jobs.batch": "0"}], ids=str)
def test_a_full_quota(doctor: Doctor, builds: Builds, hard: dict[str, str]) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": hard}}
    with there(builds, quota):
        builds.kubectl("wait", "--for=jsonpath={.status.hard}", "resourcequota/full", "--timeout=30s")
        assert doctor().keys() == {"quota"}


def test_a_build_under_a_quota_of_everything(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    """Such a quota admits only pods that say how much they want; what a node is to pull runs in a pod of its own."""
    hard = {"requests.cpu": "8", "requests.memory": "9Gi", "limits.memory": "20Gi", "limits.ephemeral-storage": "90Gi"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"}, "spec": {"hard": hard}}
    with there(builds, quota):
        builds.kubectl("wait", "--for=jsonpath={.status.hard}", "resourcequota/all", "--timeout=30s")
        assert doctor(*repository, "--build") == {}


def test_a_quota_that_is_nearly_full(doctor: Doctor, builds: Builds) -> None:
    spec: dict[str, Any] = {"hard": {"requests.memory": "10Gi", "pods": "50"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": spec}
    container = {"name": "c", "image": "x", "resources": {"requests": {"memory": "9500Mi"}}}
    never = {"containers": [container], "nodeSelector": {"disk": "none"}, "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "large"}, "spec": never}
    with there(builds, quota), there(builds, pod):
        builds.kubectl("wait", "--for=jsonpath={.status.used.requests\\.memory}=9500Mi", "resourcequota/full")
        found = doctor()
    assert found.keys() == {"quota-nearly-full"}
    assert "9500Mi of 10Gi requests.memory used" in found["quota-nearly-full"]["evidence"]


def test_a_quota_of_what_no_build_takes_is_nothing(doctor: Doctor, builds: Builds) -> None:
    best_effort = {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}
    claims = {"hard": {"persistentvolumeclaims": "1", "secrets": "1"}}
    for name, spec in (("best-effort", best_effort), ("claims", claims)):
        made(builds, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec})
    container = {"name": "c", "image": "x"}
    never = {"containers": [container], "nodeSelector": {"disk": "none"}, "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "small"}, "spec": never}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "one"}, "spec": claim}
    try:
        with there(builds, pod), there(builds, volume):
            for name, used in (("best-effort", "pods"), ("claims", "persistentvolumeclaims")):
                builds.kubectl("wait", f"--for=jsonpath={{.status.used.{used}}}=1", f"resourcequota/{name}")
            assert doctor() == {}
    finally:
        builds.kubectl("delete", "resourcequota", "best-effort", "claims")


def test_a_limit_range(doctor: Doctor, builds: Builds) -> None:
    limits = [{"type": "Container", "max": {"memory": "1Gi"}}]
    manifest = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "low"}, "spec": {"limits": limits}}
    with there(builds, manifest):
        assert doctor().keys() == {"limit-range"}


def test_no_node(doctor: Doctor, repository: list[str]) -> None:
    assert doctor(*repository, "--node-selector", "disk=none").keys() == {"no-node"}


# --- the account -----------------------------------------------------------------------------------------------------

HOST = "registry.lab.test:5000"


def test_no_secret(doctor: Doctor, repository: list[str]) -> None:
    assert doctor(*repository, "--registry-secret", "nowhere").keys() == {"registry-secret-missing"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (secret(b"x", "Opaque", "password"), {"registry-secret-key-missing"}),
        (secret(b'{"auths": {', "Opaque"), {"registry-secret-broken", "registry-secret-type"}),
        (secret(b'{"auths": [1]}'), {"registry-secret-broken"}),
        (secret(accounts("https://registry.lab.test/v2/")), {"registry-secret-host"}),
        (secret(accounts(HOST, auth=b"no colon")), {"registry-secret-account"}),
        (secret(json.dumps({"auths": {HOST: {}}, "credsStore": "desktop"}).encode()), {"registry-secret-helper"}),
        (secret(accounts(f"https://{HOST}/v2/")), {"registry-login"}),
    ],
    ids=["no such key", "no JSON", "no map", "host", "account", "helper", "wrong password"],
)
def test_a_secret_that_does_not_serve(
    doctor: Doctor, builds: Builds, repository: list[str], given: dict[str, Any], names: set[str]
) -> None:
    with there(builds, given):
        found = doctor(*repository, "--registry-secret", "given")
    assert found.keys() == names
    assert "swordfish" not in json.dumps(found)


def test_a_program_that_builders_ask_before_the_account_beside_it(
    doctor: Doctor, builds: Builds, repository: list[str]
) -> None:
    """The real account is there, and no build pushes with it."""
    text = json.loads(builds.kubectl("get", "secret", "docker-config", "-o", "json"))["data"][".dockerconfigjson"]
    config = {**json.loads(base64.b64decode(text)), "credsStore": "desktop"}
    with there(builds, secret(json.dumps(config).encode())):
        found = doctor(*repository, "--registry-secret", "given")
        assert found.keys() == {"registry-secret-helper"}
        assert "docker-credential-desktop" in found["registry-secret-helper"]["evidence"]


def test_a_secret_of_another_type(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    config = json.loads(builds.kubectl("get", "secret", "docker-config", "-o", "json"))["data"][".dockerconfigjson"]
    with there(builds, secret(base64.b64decode(config), "Opaque")):
        assert doctor(*repository, "--registry-secret", "given").keys() == {"registry-secret-type"}


def test_the_key_of_docker_hub(doctor: Doctor, builds: Builds) -> None:
    with there(builds, secret(accounts("docker.io"))):
        found = doctor("-t", "team/app", "--registry-secret", "given")
    assert found.keys() == {"registry-secret-host"}
    assert "the key must be https://index.docker.io/v1/" in found["registry-secret-host"]["fix"]


# --- the certificate -------------------------------------------------------------------------------------------------

DAY = timedelta(days=1)


def test_no_certificate(doctor: Doctor, repository: list[str]) -> None:
    assert doctor(*repository[:2], "--ca-bundle", "nowhere").keys() == {"ca-missing"}


def test_no_certificate_for_a_private_registry(doctor: Doctor, repository: list[str]) -> None:
    assert doctor(*repository[:2]).keys() == {"unknown-authority"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (config_map(other="x"), {"ca-key-missing"}),
        (config_map(**{"ca.crt": "x"}), {"ca-broken"}),
        (config_map(**{"ca.crt": certificate(-2 * DAY, -DAY)}), {"ca-expired"}),
        (config_map(**{"ca.crt": certificate(-3 * DAY, -DAY) + certificate(-2 * DAY, -DAY)}), {"ca-expired"}),
        (config_map(**{"ca.crt": certificate(DAY, 2 * DAY)}), {"ca-not-yet-valid"}),
        (config_map(**{"ca.crt": certificate(-DAY, DAY)}), {"ca-expires-soon", "unknown-authority"}),
        (config_map(**{"ca.crt": certificate(-DAY, 365 * DAY)}), {"unknown-authority"}),
    ],
    ids=["no such key", "no certificate", "over", "all over", "not begun", "soon over", "another one"],
)
def test_a_certificate_that_does_not_serve(
    doctor: Doctor, builds: Builds, repository: list[str], given: dict[str, Any], names: set[str]
) -> None:
    with there(builds, given):
        assert doctor(*repository[:2], "--ca-bundle", "given").keys() == names


def test_a_bundle_of_which_one_certificate_is_over(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    valid = json.loads(builds.kubectl("get", "configmap", "lab-ca", "-o", "json"))["data"]["ca.crt"]
    bundle = certificate(-2 * DAY, -DAY) + valid + certificate(-DAY, DAY)
    with there(builds, config_map(**{"ca.crt": bundle})):
        assert doctor(*repository[:2], "--ca-bundle", "given") == {}


# --- the registry, as a pod sees it ----------------------------------------------------------------------------------


def test_an_unknown_registry(doctor: Doctor) -> None:
    found = doctor("-t", "registry.nowhere.svc:5000/app")
    assert found.keys() == {"unknown-host"}
    assert "registry.nowhere.svc" in found["unknown-host"]["cause"]


def test_a_registry_that_is_down(doctor: Doctor) -> None:
    assert doctor("-t", "down.lab.test:5999/app").keys() == {"connection-refused"}


def test_a_registry_without_tls(doctor: Doctor, builds: Builds) -> None:
    image = f"{builds.lab.settings['LAB_PLAIN_REGISTRY']}/app"
    found = doctor("-t", image)
    assert found.keys() == {"plain-http"}
    assert doctor("-t", image, found["plain-http"]["fix"].rpartition(" ")[2]) == {}


def test_a_registry_that_fails(doctor: Doctor, builds: Builds) -> None:
    with FaultyRegistry(builds.lab.settings["LAB_REGISTRY_ADDRESS"].partition(":")[0]) as registry:
        assert doctor("-t", f"{registry.address}/unavailable/app").keys() == {"registry-failure"}


@pytest.mark.parametrize(
    ("storage", "more", "name"),
    [
        ({"inmemory": {}, "maintenance": {"readonly": {"enabled": True}}}, [], "registry-read-only"),
        ({"filesystem": {"rootdirectory": "/full"}}, ["--build"], "registry-failure"),
    ],
    ids=["read-only", "full"],
)
def test_a_registry_that_takes_nothing(
    doctor: Doctor, builds: Builds, storage: dict[str, Any], more: list[str], name: str
) -> None:
    with registry_pod(builds, storage) as address:
        assert doctor("-t", f"{address}/app", *more).keys() == {name}


@contextmanager
def registry_pod(builds: Builds, storage: Mapping[str, Any]) -> Iterator[str]:
    """Run a registry, with a disk at /full that has room for nothing; yield its address."""
    full = {"name": "full", "mountPath": "/full"}
    config = {"name": "config", "mountPath": "/etc/docker/registry"}
    fill = ["/bin/sh", "-c", "dd if=/dev/zero of=/full/zeros; true"]
    image = {"image": builds.lab.settings["LAB_REGISTRY_IMAGE"]}
    spec = {
        "initContainers": [{**image, "name": "fill", "command": fill, "volumeMounts": [full]}],
        "containers": [{**image, "name": "registry", "volumeMounts": [full, config]}],
        "volumes": [
            {"name": "full", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "config", "configMap": {"name": "given"}},
        ],
        "terminationGracePeriodSeconds": 0,
    }
    settings = {"version": "0.1", "storage": storage, "http": {"addr": ":5000"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "registry", "labels": {"app": "registry"}},
        "spec": spec,
    }
    with there(builds, config_map(**{"config.yml": json.dumps(settings)})), there(builds, pod):
        builds.kubectl("wait", "--for=condition=Ready", "pod/registry", "--timeout=60s")
        yield builds.kubectl("get", "pod", "registry", "-o", "jsonpath={.status.podIP}") + ":5000"


@pytest.mark.parametrize(
    ("begin", "end", "host", "name"),
    [
        (-2 * DAY, -DAY, "old.lab.test", "certificate-over"),
        (DAY, 2 * DAY, "early.lab.test", "certificate-early"),
        (-DAY, DAY, "other.lab.test", "certificate"),
    ],
    ids=["over", "a clock is wrong", "for another name"],
)
def test_a_certificate_that_the_builder_refuses(
    doctor: Doctor, builds: Builds, begin: timedelta, end: timedelta, host: str, name: str
) -> None:
    authority, now = trustme.CA(), datetime.now(UTC)
    named = "another.lab.test" if name == "certificate" else host
    leaf = authority.issue_cert(named, not_before=now + begin, not_after=now + end)
    trusted = config_map(**{"ca.crt": authority.cert_pem.bytes().decode()})
    with listening(builds, leaf) as port, there(builds, trusted):
        assert doctor("-t", f"{host}:{port}/app", "--ca-bundle", "given").keys() == {name}


@contextmanager
def listening(builds: Builds, leaf: trustme.LeafCert) -> Iterator[int]:
    """Speak TLS with a certificate, where all names below lab.test lead; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    host = builds.lab.settings["LAB_REGISTRY_ADDRESS"].partition(":")[0]
    with ThreadingHTTPServer((host, 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_a_builder_image_that_no_node_can_pull(doctor: Doctor, repository: list[str]) -> None:
    assert doctor(*repository, "--image", "lab.test/nothing:1").keys() == {"pull-unknown-host"}


def test_a_node_that_does_not_know_a_registry_of_the_cluster(doctor: Doctor, builds: Builds) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "registry"}}
    service["spec"] = {"selector": {"app": "registry"}, "ports": [{"port": 5000}]}
    host = f"registry.{builds.namespace}:5000"
    with registry_pod(builds, {"inmemory": {}}), there(builds, service):
        found = doctor("-t", f"{host}/app", f"--extra-arg=--insecure-registry={host}", "--build")
    assert found.keys() == {"pull-unknown-host"}
    assert "registry trust" in found["pull-unknown-host"]["fix"]
    assert builds.left() == []


def test_a_network_policy(doctor: Doctor, builds: Builds) -> None:
    """The lab's network does not enforce policies: an address where nobody is stands for a packet that is dropped."""
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}}
    policy["spec"] = {"podSelector": {}, "policyTypes": ["Egress"]}
    with there(builds, policy):
        found = doctor("-t", "10.217.0.250:5000/app")
    assert found.keys() == {"network-policy"}
    assert "network policies closed" in found["network-policy"]["evidence"]


@pytest.mark.last
def test_no_dns(doctor: Doctor, builds: Builds, repository: list[str]) -> None:
    """The name server is gone for everybody, and comes back."""
    parts = subprocess.run([ROOT / "lab" / "status"], capture_output=True, text=True, check=True).stdout
    os.kill(int(next(line for line in parts.splitlines() if line.startswith("coredns ")).split()[-1]), signal.SIGKILL)
    try:
        named, unnamed = doctor(*repository), doctor()
    finally:
        subprocess.run([ROOT / "lab" / "restart", "coredns", "0"], check=True)
    assert (set(named), set(unnamed)) == ({"dns-failure"}, {"dns-failure"})
    assert "kubectl get pods,endpoints -n kube-system -l k8s-app=kube-dns" in unnamed["dns-failure"]["fix"]
    assert doctor() == {}
    assert builds.left() == []
