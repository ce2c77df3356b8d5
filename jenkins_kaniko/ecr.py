"""Amazon ECR's door: an account that is over after 12 hours, by plain HTTP.

AWS' own package would be ten times the size of this command for one request. Sources: the AWS API references of
GetAuthorizationToken (ECR) and AssumeRoleWithWebIdentity (STS), and "Signature Version 4 signing process".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import urllib3

from jenkins_kaniko import outside
from jenkins_kaniko.dockerconfig import Account, key_of
from jenkins_kaniko.errors import UnreachableError, WrongInputError

TIMEOUT_SECONDS = 20
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
NO_ACCOUNT = (
    "no AWS account in the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are expected, or AWS_ROLE_ARN and "
    "AWS_WEB_IDENTITY_TOKEN_FILE, as EKS sets them; of a profile: "
    'eval "$(aws configure export-credentials --format env)"'
)


@dataclass(frozen=True)
class Credentials:
    """Who asks AWS; `session_token` is of those that end."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def accounts(region: str, environment: Mapping[str, str]) -> dict[str, Account]:
    """Return the account of the registry that belongs to an AWS account, by its key.

    Args:
        environment: has the variables that all AWS tools know, AWS_ENDPOINT_URL_ECR among them.

    Raises:
        WrongInputError: the region's name is none, or the environment has no account.
        UnreachableError: AWS does not answer, or refuses.
    """
    if not REGION.fullmatch(region):
        raise WrongInputError(f"--ecr {region}: the name of an AWS region is expected, such as eu-central-1")
    credentials = _credentials(region, environment)
    url = _endpoint("ecr", f"api.ecr.{region}", region, environment)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET}
    signed = sign(url, headers, b"{}", credentials, region, "ecr", datetime.now(UTC))
    answer = _posted(f"Amazon ECR in {region}", url, b"{}", signed)
    try:
        (given,) = json.loads(answer)["authorizationData"]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return {key_of(given["proxyEndpoint"]): Account(user, password)}
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise UnreachableError(f"Amazon ECR in {region}: answers no token") from None


def sign(
    url: str, headers: Mapping[str, str], body: bytes, who: Credentials, region: str, service: str, now: datetime
) -> dict[str, str]:
    """Return the headers of a POST to a URL without a query, with a signature (AWS Signature Version 4)."""
    day, moment = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
    sent = {**headers, "Host": urlsplit(url).netloc, "X-Amz-Date": moment}
    if who.session_token:
        sent["X-Amz-Security-Token"] = who.session_token
    canonical = {name.lower(): value.strip() for name, value in sorted(sent.items(), key=lambda one: one[0].lower())}
    names = ";".join(canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical.items())
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{who.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    given = f"Credential={who.key_id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**sent, "Authorization": f"AWS4-HMAC-SHA256 {given}"}


def _credentials(region: str, environment: Mapping[str, str]) -> Credentials:
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        return Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN", ""))
    role, file = environment.get("AWS_ROLE_ARN"), environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if not role or not file:
        raise WrongInputError(NO_ACCOUNT)
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise WrongInputError(f"AWS_WEB_IDENTITY_TOKEN_FILE: {file}: cannot be read: {error.strerror}") from None
    return _assumed(role, token, region, environment)


def _assumed(role: str, token: str, region: str, environment: Mapping[str, str]) -> Credentials:
    """Return who a pod on EKS is, by the token of its service account."""
    form = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role,
        "RoleSessionName": "jenkins-kaniko", "WebIdentityToken": token,
    }  # fmt: skip
    url = _endpoint("sts", f"sts.{region}", region, environment)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = _posted(f"AWS STS in {region}", url, urlencode(form).encode(), headers).decode("utf-8", "replace")
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    found = [re.search(f"<{name}>([^<]+)</{name}>", answer) for name in names]
    if not all(found):
        raise UnreachableError(f"AWS STS in {region}: answers no credentials for {role}")
    return Credentials(*(one[1].strip() for one in found if one))


def _endpoint(service: str, host: str, region: str, environment: Mapping[str, str]) -> str:
    given = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environment.get("AWS_ENDPOINT_URL")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{(given or f'https://{host}.{domain}').rstrip('/')}/"


def _posted(where: str, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    try:
        answer = outside.pool(url).request(
            "POST", url, body=body, headers=headers, timeout=TIMEOUT_SECONDS, redirect=False, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableError(f"{where}: {urlsplit(url).netloc} cannot be reached: {type(error).__name__}") from None
    if answer.status != 200:
        raise UnreachableError(f"{where}: answers {answer.status}: {_words(answer.data)}")
    return answer.data


def _words(answer: bytes) -> str:
    """Return the kind of a refusal, of ECR's JSON and STS' XML; a message can repeat what was sent."""
    text = answer.decode("utf-8", "replace")
    found = re.search(r'"__type": ?"(?:[^"]*#)?(\w+)"|<Code>(\w+)</Code>', text)
    return (found[1] or found[2]) if found else "nothing that is understood"
