"""What `secret check` finds in a Secret, with a registry that is asked over HTTPS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from jenkins_kaniko.dockerconfig import DOCKER_HUB, Account
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.registry_kinds import expiry, kind_of, mistake
from jenkins_kaniko.registry_login import OK, Outcome, Registry
from jenkins_kaniko.secret_check import Ask, Finding, check
from tests.support.fake_secrets import FakeSecrets
from tests.support.registry_double import RegistryDouble

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=[False, True], ids=["Basic", "Bearer"])
def registry(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[RegistryDouble]:
    rights = {"ci": {"team/app": {"pull", "push"}, "team/new": {"push"}, "team/base": {"pull"}}}
    with RegistryDouble(authority, bearer=request.param, passwords={"ci": "s3cret"}, rights=dict(rights)) as double:
        yield double


@pytest.fixture
def ask(authority: trustme.CA, tmp_path: Path) -> Ask:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return partial(Registry, ca_file=tmp_path / "ca.pem")


class Yes:
    """A registry that lets everybody do everything."""

    def login(self) -> Outcome:
        return Outcome(OK)

    def may(self, right: str, repository: str) -> Outcome:
        return Outcome(OK)


def everybody(_host: str, _account: Account) -> Yes:
    return Yes()


def secret(**data: Any) -> dict[str, Any]:
    door = FakeSecrets()
    door.put("docker-config", data)
    return door.secrets["here", "docker-config"]


def entry(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_rights_are_tried_and_nothing_stays(registry: RegistryDouble, ask: Ask) -> None:
    images = [f"{registry.host}/team/{name}" for name in ("app", "new", "base")]
    found = check(secret(auths={registry.host: entry("ci", "s3cret")}), images, ask, NOW)
    assert {one.registry for one in found} == {registry.host}
    assert [(one.what, one.repository, one.status) for one in found] == [
        ("key", None, "ok"),
        ("login", None, "ok"),
        ("pull", "team/app", "ok"),
        ("push", "team/app", "ok"),
        ("pull", "team/new", "ok"),
        ("push", "team/new", "ok"),
        ("pull", "team/base", "ok"),
        ("push", "team/base", "denied"),
    ]
    assert found[-1].fix == "give the account the right to push at the registry, or take another account"
    assert (found[-1].cause or "")[:2] == "40"
    assert registry.uploads == set()


def test_a_refused_account_is_not_asked_for_rights(registry: RegistryDouble, ask: Ask) -> None:
    found = check(secret(auths={registry.host: entry("ci", "old")}), [f"{registry.host}/team/app"], ask, NOW)
    assert [(one.what, one.status) for one in found] == [("key", "ok"), ("login", "denied")]
    assert str(found[1].cause).startswith("ci is not let in: 401 Unauthorized: UNAUTHORIZED ")
    assert str(found[1].fix).startswith(f"jenkins-kaniko secret rotate docker-config --registry {registry.host} ")


def test_a_registry_that_cannot_be_asked_is_unknown(registry: RegistryDouble) -> None:
    auths = {registry.host: entry("ci", "s3cret"), "nowhere.invalid": entry("ci", "s3cret")}
    found = [one for one in check(secret(auths=auths), [], Registry, NOW) if one.what == "login"]
    assert [one.status for one in found] == ["unknown", "unknown"]
    assert [one.fix for one in found] == [
        "give the authority that signed it: --ca-file FILE",
        "run it where the registry can be reached by this name, such as in a pod",
    ]


def test_a_token_that_is_over_is_told(registry: RegistryDouble, ask: Ask) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": (NOW - timedelta(hours=1)).timestamp()}).encode())
    token = f"x.{claims.decode().rstrip('=')}.x"
    [_, login] = check(secret(auths={registry.host: entry("ci", token)}), [], ask, NOW)
    assert str(login.cause).endswith("; the token is over since 2026-11-21 11:00 UTC")
    assert token not in f"{login.cause}{login.fix}"


@pytest.mark.parametrize("key", ["docker.io", "index.docker.io", "https://index.docker.io/v2/", DOCKER_HUB.rstrip("/")])
def test_keys_by_which_nobody_finds_docker_hub(key: str) -> None:
    found = check(secret(auths={key: entry("u", "p")}), ["team/app"], everybody, NOW)
    cause = f"for Docker Hub builders look for {DOCKER_HUB} and no other key: they come as nobody"
    assert found == [Finding(key, "key", "denied", cause=cause, fix=f"write the account under {DOCKER_HUB}")]


@pytest.mark.parametrize("key", ["https://ghcr.io/v2/", "https://ghcr.io", "ghcr.io/"])
def test_keys_that_not_everything_finds(key: str) -> None:
    [found, login] = check(secret(auths={key: entry("u", "p")}), [], everybody, NOW)
    assert (found.status, found.fix, login.registry) == ("ok", "write the account under ghcr.io", "ghcr.io")


def test_keys_of_a_part_of_a_registry() -> None:
    [found] = check(secret(auths={"ghcr.io/team": entry("u", "p")}), [], everybody, NOW)
    assert (found.status, "so give ghcr.io" in str(found.cause)) == ("unknown", True)


def test_programs_are_not_in_the_cluster() -> None:
    data = {"auths": {"ghcr.io": {}}, "credsStore": "osxkeychain", "credHelpers": {"gcr.io": "gcr"}}
    found = {one.registry: one for one in check(secret(**data), [], everybody, NOW)}
    assert found["ghcr.io"].status == "denied"
    assert str(found["ghcr.io"].cause).endswith("docker-credential-osxkeychain, which is on somebody's machine, "
                                                "not in the cluster")  # fmt: skip
    assert found["gcr.io"].status == "unknown"
    assert str(found["gcr.io"].cause).endswith("docker-credential-gcr, which Kaniko's images have, and nodes do not")


def test_an_image_without_an_account() -> None:
    found = check(secret(auths={"ghcr.io": entry("u", "p")}), ["quay.io/team/app", "ghcr.io/a/b"], everybody, NOW)
    assert [one.status for one in found] == ["ok", "ok", "ok", "ok", "denied"]
    assert found[-1] == Finding(
        "quay.io", "key", "denied", "team/app", "no account is for it; there are ghcr.io",
        "jenkins-kaniko secret create docker-config -n here --registry quay.io",
    )  # fmt: skip


def test_a_secret_without_accounts_is_no_success() -> None:
    with pytest.raises(WrongInputError, match="secret docker-config: holds no account"):
        check(secret(auths={}), [], everybody, NOW)


def test_when_tokens_are_over() -> None:
    def encoded(**claims: Any) -> str:
        return base64.b64encode(json.dumps(claims).encode()).decode()

    hour = int(NOW.timestamp())
    assert expiry(Account("AWS", encoded(payload="x", expiration=hour))) == NOW
    assert expiry(Account("<token>", identity_token=f"x.{encoded(exp=hour).rstrip('=')}.x")) == NOW
    for opaque in ("ghp_s3cret", "a.b.c", encoded(exp="soon"), encoded(exp=10**20), encoded(), '{"a": 1}', "é"):
        assert expiry(Account("u", opaque)) is None


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (DOCKER_HUB, "Docker Hub"),
        ("ghcr.io", "GitHub"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "Amazon ECR"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "Amazon ECR"),
        ("europe-west1-docker.pkg.dev", "Google"),
        ("eu.gcr.io", "Google"),
        ("acme.azurecr.io", "Azure"),
        ("harbor.example.com", "a registry"),
        ("ghcr.io.example.com", "a registry"),
    ],
)
def test_registries_are_known_by_their_hosts(key: str, kind: str) -> None:
    assert kind_of(key).name == kind


def test_accounts_that_cannot_be() -> None:
    ecr, google = "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "europe-west1-docker.pkg.dev"
    assert mistake(ecr, Account("ci", "x")) == "its user is always AWS"
    assert mistake(ecr, Account("AWS", "x")) is None
    assert "whole JSON key" in str(mistake(google, Account("_json_key", "AIza")))
    assert mistake(google, Account("_json_key", '{"type": "service_account"}')) is None
    assert mistake(google, Account("oauth2accesstoken", "ya29")) is None
    assert "single quotes" in str(mistake("harbor.example.com", Account("robot", "x")))
    assert mistake("harbor.example.com", Account("robot$ci", "x")) is None


def test_an_account_that_builders_pass_over() -> None:
    """Where credsStore names a program they ask that, and take nothing of what stands beside it."""
    auths = {"ghcr.io": entry("u", "p")}
    [found] = check(secret(auths=auths, credsStore="desktop"), ["ghcr.io/a/b"], everybody, NOW)
    cause = "builders ask docker-credential-desktop for it, as credsStore says, and not this text"
    fix = "jenkins-kaniko secret create docker-config -n here --registry ghcr.io --username USER --adopt"
    assert (found.status, found.cause, found.fix) == ("denied", cause, f"write it without credsStore: {fix}")
    assert [one.status for one in check(secret(auths=auths, credsStore="ecr-login"), [], everybody, NOW)] == ["unknown"]
