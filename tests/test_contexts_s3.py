"""Archives from s3://, from a real server of its protocol; in an environment of its own (see constraints-s3.txt)."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jenkins_kaniko import contexts_download
from jenkins_kaniko.contexts import Facts, opened
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError

boto3 = pytest.importorskip("boto3", reason="needs .venv/s3: make s3")

from botocore.exceptions import ReadTimeoutError  # noqa: E402  # with boto3 only
from moto.server import ThreadedMotoServer  # noqa: E402  # with boto3 only

TEXT = "FROM scratch\n"
KEY = "team/project #1.zip"
SOURCE = f"s3://projects/{KEY}"


def project() -> bytes:
    """Return a zip file with a Dockerfile of another name, larger than one part of a transfer."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Dockerfile-estela", TEXT)
        archive.writestr("data", os.urandom(20 << 20))
    return file.getvalue()


CONTENT = project()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a user sets: the account, and where the server is."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # boto3 keeps the account of its first client
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture(scope="module", autouse=True)
def _project(endpoint: str) -> None:
    client: Any = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="projects")
    client.put_object(Bucket="projects", Key=KEY, Body=CONTENT)


def failure(source: str, kind: type[JenkinsKanikoError]) -> str:
    with pytest.raises(kind) as caught, opened(source):
        pass
    assert type(caught.value) is kind
    return str(caught.value)


def test_the_zip_of_a_project_with_its_own_dockerfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts_download, "PROGRESS_SECONDS", 0.0)
    notes: list[str] = []
    source = f"{SOURCE}#sha256={hashlib.sha256(CONTENT).hexdigest()}"
    with opened(source, dockerfile="Dockerfile-estela", tell=notes.append) as context:
        assert context.facts == Facts("s3", source=SOURCE, dockerfile_text=TEXT)
        assert context.estimate == len(TEXT) + (20 << 20)
        assert sum(len(piece) for piece in context.tar()) > 20 << 20
    assert notes[-1].startswith(f"{SOURCE}: 20.0 MiB of 20.0 MiB, ")


def test_another_checksum_is_refused() -> None:
    assert "and 0000" in failure(f"{SOURCE}#sha256={'0' * 64}", WrongInputError)


@pytest.mark.parametrize("source", ["s3://projects/missing.zip", "s3://nobody/project.zip"])
def test_what_is_not_there_is_said(source: str) -> None:
    assert failure(source, WrongInputError) == f"{source}: there is no such bucket or key"


@pytest.mark.parametrize("source", ["s3://projects", "s3://projects/", "s3:///key"])
def test_a_wrong_form_is_said(source: str) -> None:
    assert failure(source, WrongInputError) == f"{source}: s3://BUCKET/KEY is expected"


def test_a_missing_account_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = failure(SOURCE, UnreachableError)
    assert said.startswith(f"{SOURCE}: Unable to locate credentials: credentials are missing or may not read it; AWS_")


def test_an_endpoint_that_is_no_url_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    assert failure(SOURCE, WrongInputError) == f"{SOURCE}: Invalid endpoint: localhost:9000"


def test_a_server_that_gives_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The content of an answer ends early again and again."""

    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")

    def broken(client: Any, **given: Any) -> dict[str, Any]:
        return {"Body": Broken(), "ContentLength": len(CONTENT), "ETag": '"1"'}

    made: Callable[..., Any] = boto3.client

    def client(name: str) -> Any:
        found = made(name)
        found.meta.events.register("before-call.s3.GetObject", lambda **_: (_Answer(), broken(found)))
        return found

    monkeypatch.setattr(boto3, "client", client)
    assert failure(SOURCE, UnreachableError) == f"{SOURCE}: Max Retries Exceeded"


class _Answer:
    """Of the server, as far as botocore looks at one that a handler gives."""

    status_code = 200


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert failure(SOURCE, UnreachableError).startswith(f"{SOURCE}: Could not connect to the endpoint URL: ")
