"""`jenkins-kaniko registry trust` on the lab's real containerd and kubelet: what a node could not pull before, it pulls
afterwards, and no longer once that is taken back."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.building import COMMAND, SHELL, write
from tests.lab.conftest import Lab
from tests.support.registry_in_cluster import RegistryInCluster, admin_namespace, registry_in_cluster

pytestmark = pytest.mark.lab
NODE = "lab-node"


@pytest.fixture(scope="module")
def served(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryInCluster]:
    """A registry, and who has no right but those of rbac/registry-trust.yaml and rbac/build.yaml."""
    with registry_in_cluster(lab, tmp_path_factory.mktemp("kube") / "config") as made:
        yield made
        trust(made, "--remove")  # where a test did not come so far


@pytest.fixture
def empty(lab: Lab, tmp_path: Path) -> Iterator[RegistryInCluster]:
    """A namespace without a registry, and who has no right but those to make one and to have nodes trust it."""
    with admin_namespace(lab, tmp_path / "kubeconfig") as made:
        yield made
        trust(made, "--remove")  # where a test did not come so far
        registry(made, "remove", "--with-images", "--yes")


def registry(empty: RegistryInCluster, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(empty.kubeconfig, "registry", name, "-n", empty.namespace, *arguments)


def install(empty: RegistryInCluster, *arguments: str) -> None:
    """Install a registry, or change it."""
    done = registry(empty, "install", "--image", empty.lab.settings["LAB_REGISTRY_IMAGE"], *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def certs(lab: Lab) -> Path:
    """The node's folder of entries for registries."""
    return Path(lab.settings["LAB_NODE_ROOT"]) / "etc" / "containerd" / "certs.d"


def command(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        [str(COMMAND), *arguments],
        env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def trust(served: RegistryInCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    image = served.lab.settings["LAB_BUSYBOX_IMAGE"]
    return command(served.kubeconfig, "registry", "trust", "-n", served.namespace, "--image", image, *arguments)


def builder(served: RegistryInCluster) -> list[str]:
    image = ["--image", served.lab.settings["LAB_KANIKO_IMAGE"]]
    return ["-n", served.namespace, *image, "--builder-distribution", "chainguard", "--builder-version", "1.25.6"]


def verify(served: RegistryInCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(served.kubeconfig, "registry", "verify", *builder(served), *arguments)


@pytest.fixture(scope="module")
def image(served: RegistryInCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that was built into the registry, by its digest."""
    return built(served, tmp_path_factory.mktemp("context"), "1")


def run(served: RegistryInCluster, image: str) -> str:
    """Run an image on the node; return how it ended, or why it was not pulled."""
    container = {"name": "app", "image": image, "imagePullPolicy": "Always", "command": ["/bin/sh", "-c", "exit 0"]}
    spec = {"nodeName": NODE, "restartPolicy": "Never", "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pulls"}, "spec": spec}
    served.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        return _end(served)
    finally:
        served.kubectl("delete", "pod", "pulls", "--now")


def _end(served: RegistryInCluster) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        status = json.loads(served.kubectl("get", "pod", "pulls", "-o", "json"))["status"]
        for one in status.get("containerStatuses", []):
            state: dict[str, dict[str, str]] = one["state"]
            if "terminated" in state:
                return state["terminated"]["reason"]
            waiting = state.get("waiting", {})
            # for a moment the node still leads to the pod that a registry had before
            if waiting.get("reason") == "ErrImagePull" and not waiting["message"].endswith("connection refused"):
                return waiting["message"]
        time.sleep(0.3)
    raise AssertionError("the pod did not end")


def left(served: RegistryInCluster, kinds: str = "daemonsets,configmaps,jobs,pods") -> list[str]:
    """Return what is left in the namespace, once the cluster had its time to collect it."""
    until = time.monotonic() + 30
    while True:
        names = served.kubectl("get", kinds, "-l", "app.kubernetes.io/managed-by=jenkins-kaniko", "-o", "name").split()
        if not names or time.monotonic() > until:
            return names
        time.sleep(0.5)


def files(folder: Path) -> dict[str, str]:
    """Return what is in a folder's files, by path."""
    return {str(one.relative_to(folder)): one.read_text() for one in folder.rglob("*") if one.is_file()}


def test_a_node_pulls_by_the_name_in_the_cluster_once_it_trusts(
    served: RegistryInCluster, image: str, certs: Path
) -> None:
    before = files(certs)
    assert f"lookup registry.{served.namespace}" in (unknown := run(served, image))
    assert "no such host" in unknown
    plain = f"{served.lab.settings['LAB_PLAIN_REGISTRY_ADDRESS']}/app@{image.partition('@')[2]}"
    assert "server gave HTTP response to HTTPS client" in run(served, plain)

    done = trust(served, "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["change"], [one["name"] for one in told["nodes"]]) == ("created", [NODE])
    assert run(served, image) == "Completed"
    names = [f"registry.{served.namespace}{end}:5000" for end in ("", ".svc", ".svc.cluster.local")]
    for name in [*names, f"{served.address}:5000"]:
        assert run(served, image.replace(served.host, name)) == "Completed"

    again = trust(served)
    assert (again.returncode, again.stderr) == (0, "unchanged\n")

    gone = trust(served, "--remove")
    assert gone.returncode == 0, gone.stderr
    assert (gone.stdout, gone.stderr) == (f"{NODE}  removed\n", "removed\n")
    assert files(certs) == before
    assert {one.name for one in certs.iterdir()} == {name.partition("/")[0] for name in before}
    assert left(served) == []
    assert "no such host" in run(served, image)


def test_verify_tells_what_nodes_can_pull(served: RegistryInCluster) -> None:
    before = verify(served)
    assert before.returncode == 7
    assert before.stdout.startswith(f"{NODE}  failed   ErrImagePull: ")
    assert f"\n  cause: the node does not know registry.{served.namespace}: it pulls" in before.stdout
    assert trust(served).returncode == 0
    after = verify(served, "-o", "json")
    assert after.returncode == 0, after.stdout
    assert json.loads(after.stdout)["nodes"] == [{"name": NODE, "state": "pulled", "text": ""}]
    assert trust(served, "--remove").returncode == 0
    assert left(served) == []


def test_a_new_certificate_is_trusted_by_a_second_run(served: RegistryInCluster) -> None:
    assert trust(served).returncode == 0
    served.certify()
    served.start()
    before = verify(served)
    assert before.returncode == 7
    assert "\n  cause: the node does not trust the registry: certificate signed by unknown authority" in before.stdout
    again = trust(served)
    assert (again.returncode, again.stderr) == (0, "changed\n")
    assert verify(served).returncode == 0
    assert trust(served, "--remove").returncode == 0


def built(served: RegistryInCluster, folder: Path, tag: str) -> str:
    """Build an image into the registry, and return it by its digest."""
    write(folder, SHELL)
    pod = ["--ca-bundle", "registry-ca", "--profile", "small"]
    done = command(served.kubeconfig, "build", str(folder), "-t", f"{served.host}/app:{tag}", *pod, *builder(served))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_from_no_registry_to_a_pod_and_back(empty: RegistryInCluster, certs: Path, tmp_path: Path) -> None:
    before = files(certs)
    install(empty)
    image = built(empty, tmp_path, "1")
    assert image.startswith(f"registry.{empty.namespace}:5000/app@sha256:")
    assert "no such host" in run(empty, image)
    done = trust(empty)
    assert done.returncode == 0, done.stderr
    assert run(empty, image) == "Completed"
    verified = verify(empty)
    assert (verified.returncode, verified.stdout) == (0, f"{NODE}  pulled\n"), verified.stderr
    install(empty, "--new-ca")  # with a new pod, whose folder has no images
    assert run(empty, image).endswith(f"{image}: not found")
    image = built(empty, tmp_path, "2")
    assert run(empty, image) == "Completed"
    removed = trust(empty, "--remove")
    assert (removed.returncode, removed.stdout) == (0, f"{NODE}  removed\n"), removed.stderr
    assert "no such host" in run(empty, image)
    gone = registry(empty, "remove", "--with-images", "--yes")
    assert gone.returncode == 0, gone.stderr
    every = "daemonsets,deployments,services,configmaps,secrets,persistentvolumeclaims,networkpolicies,jobs,pods"
    assert (left(empty, every), files(certs)) == ([], before)


def test_verify_takes_the_first_account_of_a_registry_that_has_some(empty: RegistryInCluster) -> None:
    install(empty, "--account", "ci", "--account", "other")
    assert trust(empty).returncode == 0
    verified = verify(empty)
    assert (verified.returncode, verified.stdout) == (0, f"{NODE}  pulled\n"), verified.stderr
    names = empty.kubectl("get", "secrets", "-o", "name").split()
    assert names == ["secret/registry-accounts", "secret/registry-ca-key", "secret/registry-tls"]


def test_a_namespace_that_does_not_admit_the_pods_is_named(served: RegistryInCluster) -> None:
    level = "pod-security.kubernetes.io/enforce"
    served.lab.kubectl("label", "namespace", served.namespace, f"{level}=baseline")
    try:
        done = trust(served)
    finally:
        served.lab.kubectl("label", "namespace", served.namespace, f"{level}-")
    assert (done.returncode, done.stdout) == (7, "")
    assert 'violates PodSecurity "baseline:latest": hostPath volumes' in done.stderr
    assert f"allow it with: kubectl label namespace {served.namespace} {level}=privileged --overwrite" in done.stderr
    assert left(served) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["-n", "nowhere"],
            "service nowhere/registry: not found; make a registry with: jenkins-kaniko registry install",
        ),
        (["-n", "default", "--name", "kubernetes"], "configmap default/kubernetes-ca: has no certificate in ca.crt; "),
    ],
    ids=["no registry", "no certificate"],
)
def test_what_cannot_be_trusted_is_named(lab: Lab, arguments: list[str], says: str) -> None:
    for name in ("trust", "verify"):
        done = command(lab.kubeconfig, "registry", name, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert says in done.stderr
