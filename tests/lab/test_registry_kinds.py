"""Registries with a bucket, an upstream, and certificates of others."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jenkins_kaniko import certificates
from tests.lab.building import ROOT, write
from tests.lab.conftest import Lab
from tests.lab.registries import BOTH, Place
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

S3 = ROOT / ".venv" / "s3" / "bin"
BUCKET = """
import boto3, sys
boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1").create_bucket(Bucket="images")
"""
CERTIFICATES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "certificates.cert-manager.io"},
    "spec": {
        "group": "cert-manager.io",
        "scope": "Namespaced",
        "names": {"kind": "Certificate", "plural": "certificates", "singular": "certificate"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "subresources": {"status": {}},
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""What cert-manager installs, without its rules."""


@contextmanager
def bucket(place: Place) -> Iterator[list[str]]:
    """A server with the API of S3, of moto; yields the options that ask for it."""
    assert S3.is_dir(), "make .venv/s3/.ready"
    host = place.lab.settings["LAB_REGISTRY_ADDRESS"].partition(":")[0]
    with socket.create_server((host, 0)) as free:
        port = free.getsockname()[1]
    url = f"http://{host}:{port}"
    server = subprocess.Popen([S3 / "moto_server", "-H", host, "-p", str(port)], stderr=subprocess.DEVNULL)
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    try:
        for _ in range(100):
            if subprocess.run([S3 / "python", "-c", BUCKET, url], env=keys, capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        place.kubectl(
            "create", "secret", "generic", "bucket", "--from-literal=accesskey=key", "--from-literal=secretkey=secret"
        )
        yield ["--s3-bucket", "images", "--s3-region", "us-east-1", "--s3-endpoint", url, "--s3-secret", "bucket"]
    finally:
        server.terminate()
        server.wait()


@BOTH
def test_images_in_a_bucket_outlive_the_registry(place: Place, tmp_path: Path) -> None:
    with bucket(place) as options:
        place.installed(*options, "--for", place.builds.namespace)
        assert place.pushes(tmp_path, "1").returncode == 0
        place.installed("--read-only")
        client = place.client(tmp_path)
        assert client.files("app", "1") == {"/Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n"}
        moved = place.run("install", "--storage", "1Gi")
        assert (moved.returncode, "give one of them" in moved.stderr) == (1, True)


@BOTH
def test_a_mirror_fetches_what_it_is_asked_for(place: Place, tmp_path: Path) -> None:
    settings = place.lab.settings
    repository = f"mirrored/{place.namespace}"
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    upstream = ["-t", f"{settings['LAB_PLAIN_REGISTRY']}/{repository}:1", "--extra-arg=--insecure", "--no-cache"]
    pushed = subprocess.run(
        place.builds.command(".", *upstream),
        cwd=tmp_path,
        env=place.builds.environment(),
        check=True,
        capture_output=True,
    )
    place.installed("--mirror", f"http://{settings['LAB_PLAIN_REGISTRY_ADDRESS']}", "--for", place.builds.namespace)
    client = place.client(tmp_path)
    digest, _ = client.manifest(repository, "1")
    assert pushed.stdout.decode().endswith(f"@{digest}\n")
    assert client.files(repository, "1") == {"/Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n"}
    assert place.pushes(tmp_path, "1").returncode == 6
    listed = place.run("ls")
    assert (listed.returncode, listed.stdout, "is a mirror, and would ask http://" in listed.stderr) == (4, "", True)


def test_builds_take_bases_of_docker_hub_through_a_mirror(place: Place, tmp_path: Path) -> None:
    settings = place.lab.settings
    upstream = Registry(settings["LAB_PLAIN_REGISTRY_ADDRESS"])
    base, built = f"mirrored/{place.namespace}-base", f"mirrored/{place.namespace}-built"
    upstream.push(base, "1", {"/of-base": b"base"})
    place.installed("--mirror", f"http://{upstream.address}", "--for", place.builds.namespace)
    write(tmp_path, f"FROM {base}:1\nCOPY Dockerfile /\n")
    arguments = ["-t", f"{settings['LAB_PLAIN_REGISTRY']}/{built}:1", "--extra-arg=--insecure", "--no-cache"]
    mirror = ["--ca-bundle", "registry-ca", f"--extra-arg=--registry-mirror=registry.{place.namespace}:5000"]
    done = subprocess.run(
        place.builds.command(".", *arguments, *mirror, "--retries", "0"),
        cwd=tmp_path,
        env=place.builds.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert upstream.files(built, "1") == {
        "/of-base": b"base",
        "/Dockerfile": f"FROM {base}:1\nCOPY Dockerfile /\n".encode(),
    }


def test_a_certificate_of_ones_own_is_served_and_stays(place: Place, tmp_path: Path) -> None:
    place.kubectl("create", "role", "own", "--verb=get", "--resource=secrets", "--resource-name=own")
    account = f"--serviceaccount={place.namespace}:builder"
    place.kubectl("create", "rolebinding", "own", "--role=own", account)
    missing = place.run("install", "--tls-secret", "own")
    assert (missing.returncode, "own: has no tls.crt and tls.key; make it first" in missing.stderr) == (1, True)
    make_certificate(place, "own", [*hosts(place), place.address().partition(":")[0]])
    said = place.installed("--tls-secret", "own")
    assert "warning" not in said
    with pytest.raises(OSError, match="404"):
        place.client(tmp_path).manifest("app", "none")
    assert place.status()["certificate"]["from"] == "secret own"
    make_certificate(place, "own", ["registry.example.com"])
    assert "warning: the certificate in secret own has none of the names" in place.installed()
    assert place.run("remove", "--yes").returncode == 0
    assert place.kubectl("get", "secret", "own", "-o", "name") == "secret/own\n"


def test_cert_manager_is_asked_where_it_is(place: Place, lab: Lab, tmp_path: Path) -> None:
    options = ["--issuer", "ClusterIssuer/internal"]
    place.installed("--for", place.builds.namespace)
    authority = place.secret("registry-ca-key")
    missing = place.run("install", *options)
    assert (missing.returncode, "install cert-manager" in missing.stderr) == (1, True)
    assert "nothing to change" in place.run("install").stdout
    lab.kubectl("create", "-f", "-", stdin=json.dumps(CERTIFICATES))
    try:
        lab.kubectl("wait", "--for=condition=established", "crd/certificates.cert-manager.io")
        silent = place.run("install", *options, "--timeout", "2s")
        assert (silent.returncode, "cert-manager issued none in 2 s" in silent.stderr) == (124, True)
        assert f"removed: certificate {place.namespace}/registry\n" in place.installed()
        with ThreadPoolExecutor() as threads:
            installing = threads.submit(place.installed, *options)
            issue(place)
            assert "changed: deployment" in installing.result()
        asked = json.loads(place.kubectl("get", "certificate", "registry", "-o", "json"))["spec"]
        assert asked["ipAddresses"] == [place.address().partition(":")[0]]
        assert set(hosts(place)) <= set(asked["dnsNames"])
        with pytest.raises(OSError, match="404"):
            place.client(tmp_path).manifest("app", "none")
        assert "removed: secret" in place.installed("--own-ca")
        assert place.secret("registry-ca-key") == authority
        with pytest.raises(OSError, match="404"):
            place.client(tmp_path).manifest("app", "none")
        assert place.kubectl("get", "certificates", "-o", "name") == ""
    finally:
        lab.kubectl("delete", "crd", "certificates.cert-manager.io")


def issue(place: Place) -> None:
    """Do what cert-manager does for a Certificate, once it is asked."""
    while not place.kubectl("get", "certificates", "-o", "name"):
        time.sleep(0.2)
    make_certificate(place, "registry-tls", [*hosts(place), place.address().partition(":")[0]])
    place.kubectl("annotate", "secret", "registry-tls", "cert-manager.io/certificate-name=registry")
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    status = json.dumps({"status": {"conditions": [ready]}})
    place.kubectl("patch", "certificate", "registry", "--subresource=status", "--type=merge", "-p", status)


def hosts(place: Place) -> list[str]:
    return [f"registry.{place.namespace}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local")]


def make_certificate(place: Place, name: str, names: list[str]) -> None:
    """Make a Secret as cert-manager or a user makes it."""
    now = datetime.now(UTC)
    authority = certificates.new_authority("other", now)
    certificate, key = certificates.server_certificate(authority, names, now)
    content = {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.trusted}
    data = {file: base64.b64encode(value).decode() for file, value in content.items()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "data": data,
    }
    place.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
