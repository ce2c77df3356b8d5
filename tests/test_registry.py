"""What a registry in the cluster consists of, by what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.registry import (
    Registry,
    certificate,
    config_map,
    missing,
    names,
    rendered,
    server,
)
from jenkins_kaniko.registry_settings import known, registry_of


def config(registry: Registry) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(config_map(registry)["data"]["config.yml"])
    return read


def content(registry: Registry, **mounted: bytes) -> str:
    """Return what a pod is replaced for when it changes."""
    [pod] = [one["spec"]["template"] for one in server(registry, mounted) if one["kind"] == "Deployment"]
    found: str = pod["metadata"]["annotations"]["jenkins-kaniko/content"]
    return found


def test_what_is_not_given_stays_as_it_was() -> None:
    kept = known({"storage": "5Gi", "accounts": ["ci"], "read_only": True, "of_a_later_version": 1})
    given = {"read_only": False, "storage": None, "accounts": ("ci", "dev"), "users": ()}
    assert registry_of("registry", "ci", given, kept) == Registry(namespace="ci", storage="5Gi", accounts=("ci", "dev"))


def test_what_was_given_is_kept_but_not_what_is_the_default() -> None:
    assert Registry(name="mirror", namespace="ci", storage="5Gi", users=("builds",)).settings() == {
        "storage": "5Gi",
        "users": ("builds",),
    }


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("Registry", {}, "--name: 'Registry' cannot be used; allowed: lower-case letters"),
        ("registry", {"storage": "much"}, "--storage: 'much' cannot be used; allowed: a size such as 20Gi"),
        ("registry", {"cluster_ip": "None"}, "--cluster-ip: 'None' cannot be used; allowed: an address of the range"),
        ("registry", {"accounts": ("a:b",)}, "--account: 'a:b' cannot be used"),
        ("registry", {"accounts": ("htpasswd",)}, "--account: htpasswd is the name of the file"),
        ("registry", {"issuer": "internal"}, "allowed: Issuer/NAME or ClusterIssuer/NAME"),
        ("registry", {"issuer": "Issuer/a", "tls_secret": "b"}, "--tls-secret, --issuer: one certificate is enough"),
        ("registry", {"storage": "1Gi", "s3_bucket": "b"}, "--storage, --s3-bucket: images are kept in one place"),
        ("registry", {"s3_bucket": "b"}, "--s3-bucket: needs --s3-region"),
        ("registry", {"mirror": "docker.io/library"}, "--mirror: 'docker.io/library' cannot be used"),
    ],
)
def test_a_mistake_says_what_is_allowed(name: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongInputError, match=r"^--") as caught:
        registry_of(name, "ci", given, {})
    assert says in str(caught.value)


def test_the_configuration_says_what_was_asked_for() -> None:
    plain = config(Registry())
    assert ("auth" in plain, "proxy" in plain) == (False, False)
    assert plain["storage"]["maintenance"]["readonly"]["enabled"] is False
    asked = config(Registry(accounts=("ci",), read_only=True))
    assert asked["auth"]["htpasswd"]["path"] == "/accounts/htpasswd"
    assert asked["storage"]["maintenance"]["readonly"]["enabled"] is True
    assert config(Registry(mirror="docker.io"))["proxy"] == {"remoteurl": "https://registry-1.docker.io"}
    assert config(Registry(mirror="quay.io"))["proxy"] == {"remoteurl": "https://quay.io"}
    assert config(Registry(mirror="http://upstream:5000"))["proxy"] == {"remoteurl": "http://upstream:5000"}


def test_a_pod_is_replaced_when_its_configuration_certificate_or_accounts_change() -> None:
    registry = Registry(accounts=("ci",))
    seen = {
        content(registry, tls=b"1", accounts=b"1"),
        content(registry, tls=b"2", accounts=b"1"),
        content(registry, tls=b"1", accounts=b"2"),
        content(Registry(accounts=("ci",), read_only=True), tls=b"1", accounts=b"1"),
    }
    assert len(seen) == 4
    assert content(registry, tls=b"1", accounts=b"1") in seen


def test_a_certificate_is_asked_for_with_every_name() -> None:
    registry = Registry(namespace="ci", issuer="ClusterIssuer/internal")
    asked = certificate(registry, "10.96.0.10")["spec"]
    assert [*asked["dnsNames"], *asked["ipAddresses"]] == names(registry, "10.96.0.10")
    assert set(asked["dnsNames"]) == {
        "registry", "registry.ci", "registry.ci.svc", "registry.ci.svc.cluster.local", "localhost",
    }  # fmt: skip
    assert asked["issuerRef"] == {"kind": "ClusterIssuer", "name": "internal"}


def test_what_is_rendered_holds_no_secret_and_says_what_is_missing() -> None:
    registry = Registry(issuer="Issuer/internal", accounts=("ci",))
    assert "Secret" not in {one["kind"] for one in rendered(registry)}
    assert missing(registry) == "# needs a Secret that is not here: registry-accounts (htpasswd)\n"
    assert missing(Registry(issuer="Issuer/internal")) == ""
