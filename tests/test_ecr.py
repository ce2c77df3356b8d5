"""Tokens of Amazon ECR, asked of a server that checks signatures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.ecr import Credentials, accounts, sign
from jenkins_kaniko.ecr_renewal import SCHEDULE, Renewal, manifests
from jenkins_kaniko.errors import UnreachableError, WrongInputError
from tests.support.aws_double import REGISTRY, AwsDouble

REGION = "eu-central-1"


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        yield double


def environment(aws: AwsDouble, **more: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.key_id, "AWS_SECRET_ACCESS_KEY": aws.secret, **more}


def test_the_signature_is_that_of_awss_own_example() -> None:
    """post-vanilla of the published test suite of Signature Version 4."""
    who = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    headers = sign("https://example.amazonaws.com/", {}, b"", who, "us-east-1", "service", now)
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )


def test_a_token_becomes_the_account_of_a_registry(aws: AwsDouble) -> None:
    assert accounts(REGION, environment(aws)) == {REGISTRY: Account("AWS", "first")}
    aws.session = "temporary"
    assert accounts(REGION, environment(aws, AWS_SESSION_TOKEN="temporary")) == {REGISTRY: Account("AWS", "first")}
    assert aws.asked == ["GetAuthorizationToken"] * 2


def test_a_pod_on_eks_is_its_service_account(aws: AwsDouble, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pod\n")
    aws.session = "session"
    given = {"AWS_ENDPOINT_URL_ECR": aws.url, "AWS_ENDPOINT_URL_STS": aws.url}
    given |= {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert accounts(REGION, given) == {REGISTRY: Account("AWS", "first")}
    assert aws.asked == ["AssumeRoleWithWebIdentity", "GetAuthorizationToken"]
    (tmp_path / "token").write_text("s3cret-pod")
    with pytest.raises(UnreachableError, match=f"^AWS STS in {REGION}: answers 400: InvalidIdentityToken$"):
        accounts(REGION, given)


def test_what_aws_refuses_is_named_without_its_message(aws: AwsDouble) -> None:
    with pytest.raises(UnreachableError, match=f"^Amazon ECR in {REGION}: answers 400: UnrecognizedClientException$"):
        accounts(REGION, environment(aws, AWS_SECRET_ACCESS_KEY="other"))


def test_who_does_not_answer_is_told() -> None:
    given = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.raises(UnreachableError, match=r"^Amazon ECR in eu-central-1: 127\.0\.0\.1:1 cannot be reached: "):
        accounts(REGION, given)


@pytest.mark.parametrize(
    ("region", "given", "says"),
    [
        ("Frankfurt", {}, "--ecr Frankfurt: the name of an AWS region is expected"),
        ("evil.example.com/eu-central-1", {}, "the name of an AWS region is expected"),
        (REGION, {}, "no AWS account in the environment"),
        (REGION, {"AWS_ACCESS_KEY_ID": "a"}, "no AWS account in the environment"),
        (
            REGION, {"AWS_ROLE_ARN": "a", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"},
            "AWS_WEB_IDENTITY_TOKEN_FILE: /nowhere: cannot be read: No such file or directory",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(region: str, given: dict[str, str], says: str) -> None:
    with pytest.raises(WrongInputError) as error:
        accounts(region, given)
    assert says in str(error.value)


def test_a_token_is_renewed_in_time_even_where_one_run_fails() -> None:
    minute, every, *_ = SCHEDULE.split(" ")
    hours = int(every.removeprefix("*/"))
    assert (24 % hours, hours * 2 < 12, int(minute) % 2) == (0, True, 1)
    [cron_job] = [
        one for one in manifests(Renewal("ecr", REGION, "image", "role"), "builds") if "schedule" in one.get("spec", {})
    ]
    assert cron_job["spec"]["schedule"] == SCHEDULE
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "ecr"}]
