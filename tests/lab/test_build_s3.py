"""A project's ZIP in S3, with a Dockerfile of its own name, becomes an image by one command.

The server, and the command with boto3, are those of `make s3`: their pins do not go with those of these tests.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.lab.building import ROOT, Builds
from tests.support.registry import Registry

S3 = ROOT / ".venv" / "s3" / "bin"
PUT = """
import boto3, sys
client = boto3.client("s3", region_name="us-east-1")
client.create_bucket(Bucket="projects")
client.put_object(Bucket="projects", Key="team/project.zip", Body=sys.stdin.buffer.read())
print(client.generate_presigned_url("get_object", Params={"Bucket": "projects", "Key": "team/project.zip"}))
"""

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not (S3 / "moto_server").exists(), reason="needs .venv/s3: make s3")]


@dataclass(frozen=True)
class Store:
    """A server of S3 with the ZIP; `environment` is what its users set."""

    address: str
    presigned: str
    environment: dict[str, str]


def project() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Dockerfile-estela", "FROM scratch\nCOPY spiders /spiders\n")
        archive.writestr("spiders/quotes.py", "name = 'quotes'\n")
    return file.getvalue()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("s3")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    pem = str(folder / "server.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(pem)
    environment = {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_CA_BUNDLE": str(folder / "ca.pem"),
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    with subprocess.Popen(
        [S3 / "moto_server", "-H", "127.0.0.1", "-p", "0", "-s", "-c", pem, "-k", pem],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        try:
            address = next(found[0] for line in server.stderr if (found := re.search(r"https://[\d.]+:\d+", line)))
            environment["AWS_ENDPOINT_URL"] = address
            put = subprocess.run(
                [S3 / "python", "-c", PUT],
                input=project(),
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                check=True,
            )
            yield Store(address, put.stdout.decode().strip(), environment)
        finally:
            server.terminate()


@pytest.mark.parametrize("kind", ["s3", "presigned"])
def test_the_zip_of_a_project_becomes_an_image(
    store: Store, builds: Builds, image: str, registry: Registry, tmp_path: Path, kind: str
) -> None:
    source = "s3://projects/team/project.zip" if kind == "s3" else store.presigned
    _, *command = builds.command(source, "--file", "Dockerfile-estela", "-t", f"{image}:{kind}")
    done = subprocess.run(
        [S3 / "jenkins-kaniko", *command],
        cwd=tmp_path,
        env=builds.environment(**store.environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert registry.files("build/app", kind) == {"/spiders/quotes.py": b"name = 'quotes'\n"}
    shown = source if kind == "s3" else f"{store.address}/projects/team/project.zip"
    labels = registry.config("build/app", kind)["config"]["Labels"]
    assert labels == {"org.opencontainers.image.source": shown}
    assert "X-Amz-Signature" not in done.stderr
    assert builds.left() == []
