"""What accounts of well-known registries look like, and when a token is over.

Sources: the registries' public documentation on docker login: Amazon ECR (registry_auth), Google Artifact Registry
(docker/authentication), Azure Container Registry (container-registry-authentication), GitHub's container registry,
Harbor's robot accounts, Docker Hub's access tokens.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jenkins_kaniko.dockerconfig import DOCKER_HUB, Account
from jenkins_kaniko.errors import WrongInputError

ECR = re.compile(r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)")


@dataclass(frozen=True)
class Kind:
    """A registry that many use; `account` says what its accounts are, as an advice."""

    name: str
    hosts: re.Pattern[str]
    account: str


KINDS = (
    Kind("Docker Hub", re.compile(re.escape(DOCKER_HUB)), "the user's name, and an access token with Read & Write"),
    Kind("GitHub", re.compile(r"ghcr\.io"), "the user's name, and a classic token with write:packages"),
    Kind("Amazon ECR", ECR, "AWS, and a token that is over after 12 hours; make it with --ecr REGION"),
    Kind(
        "Google", re.compile(r"([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)"),
        "_json_key, and the whole JSON key of a service account with roles/artifactregistry.writer",
    ),
    Kind(
        "Azure", re.compile(r"[a-z0-9-]+\.azurecr\.(io|cn|us)"),
        "a token of the registry with its password, or a service principal's id with its secret and the role AcrPush",
    ),
)  # fmt: skip
ANY = Kind("a registry", re.compile(r".*"), "a user who may push; Harbor's robots are called 'robot$NAME', in single "
                                            "quotes: a shell takes $NAME for a variable")  # fmt: skip


def kind_of(key: str) -> Kind:
    """Return what is known of the registry that a key is for."""
    return next((kind for kind in KINDS if kind.hosts.fullmatch(key)), ANY)


def mistake(key: str, account: Account) -> str | None:
    """Return why an account cannot be one of its registry, None where nothing speaks against it."""
    kind = kind_of(key)
    if kind.name == "Amazon ECR" and account.username != "AWS":
        return "its user is always AWS"
    if kind.name == "Google" and account.username == "_json_key" and not _is_service_account(account.password):
        return "the password of _json_key is the whole JSON key of a service account"
    if kind is ANY and account.username == "robot":
        return "a robot's name has lost what follows robot$: write it in single quotes"
    return None


def expiry(account: Account) -> datetime | None:
    """Return when a token says that it is over; None where it does not tell."""
    secret = account.identity_token or account.password
    parts = secret.split(".")
    claim, text = ("exp", parts[1]) if len(parts) == 3 else ("expiration", secret)
    try:
        told: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return datetime.fromtimestamp(told[claim], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def refuse_mistakes(key: str, account: Account) -> None:
    """Raise WrongInputError where an account cannot be one of its registry."""
    if said := mistake(key, account):
        raise WrongInputError(f"{key}: {said}; an account of {kind_of(key).name} is {kind_of(key).account}")


def _is_service_account(text: str) -> bool:
    try:
        return bool(json.loads(text)["type"] == "service_account")
    except (ValueError, KeyError, TypeError):
        return False
