"""Tokens of Amazon ECR as others read AWS' API: moto's server, botocore's signature. Runs in `make s3`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jenkins_kaniko import ecr

botocore = pytest.importorskip("botocore", reason="needs .venv/s3: make s3")

from botocore import auth, awsrequest, credentials  # noqa: E402  # with botocore only
from moto.server import ThreadedMotoServer  # noqa: E402

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_the_answers_are_understood(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x.y.z")
    role = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    for given in ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, role):
        [(key, account)] = ecr.accounts(REGION, {"AWS_ENDPOINT_URL": endpoint, **given}).items()
        assert (key, account.username) == (f"123456789012.dkr.ecr.{REGION}.amazonaws.com", "AWS")
        assert account.password.startswith("123456789012")


def test_the_signature_is_botocores() -> None:
    url, headers = "https://api.ecr.eu-central-1.amazonaws.com/", {"Content-Type": "x", "X-Amz-Target": ecr.TARGET}
    request = awsrequest.AWSRequest("POST", url, headers=dict(headers), data=b"{}")
    auth.SigV4Auth(credentials.Credentials("AKI", "s/k+", "session"), "ecr", REGION).add_auth(request)
    now = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    mine = ecr.sign(url, headers, b"{}", ecr.Credentials("AKI", "s/k+", "session"), REGION, "ecr", now)
    assert mine["Authorization"] == request.headers["Authorization"]
