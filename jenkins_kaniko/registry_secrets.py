"""What a registry keeps in Secrets: its certificate and the authority, its accounts, and the login for builds."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import datetime

import bcrypt

from jenkins_kaniko import certificates
from jenkins_kaniko import registry as parts
from jenkins_kaniko.certificates import Authority
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.registry import CA_FILE, HTPASSWD
from jenkins_kaniko.registry_steps import Installation, content_of

POLL_SECONDS = 0.5
ISSUE_SECONDS = 60
"""How long cert-manager may take."""
CROSSED = "crossed.crt"


def certificate(made: Installation, address: str, now: datetime, *, new_ca: bool) -> bytes | None:
    """See to the server's certificate, and return what clients have to trust, where we know it."""
    registry, objects = made.registry, made.objects
    if registry.issuer or registry.tls_secret:
        if registry.issuer:
            _ask_cert_manager(made, address)
        content = content_of(objects, registry.tls, registry.namespace)
        if "tls.crt" not in content or "tls.key" not in content:
            advice = "cert-manager issued none: kubectl describe certificate" if registry.issuer else "make it first"
            raise WrongInputError(f"secret {registry.namespace}/{registry.tls}: has no tls.crt and tls.key; {advice}")
        if not set(certificates.names(content["tls.crt"])) & set(registry.hosts):
            made.tell(f"warning: the certificate in secret {registry.tls} has none of the names {registry.hosts}")
        return content.get(CA_FILE)
    authority = _authority(made, now, new=new_ca)
    names = parts.names(registry, address)
    content = content_of(objects, registry.tls, registry.namespace)
    if not certificates.serves(content.get("tls.crt", b""), authority, names, now):
        certificate, key = certificates.server_certificate(authority, names, now)
        content = {"tls.crt": certificate, "tls.key": key}
    made.apply(parts.secret(registry, registry.tls, content, "kubernetes.io/tls"))
    return authority.trusted


def _authority(made: Installation, now: datetime, *, new: bool) -> Authority:
    registry = made.registry
    content = content_of(made.objects, registry.ca_key, registry.namespace)
    authority = None
    if content:
        authority = Authority(content["tls.key"], content["tls.crt"], content.get(CROSSED, b""))
    if authority is None or new or certificates.outlived(authority, now):
        authority = certificates.new_authority(f"{registry.name}.{registry.namespace}", now, authority)
    content = {"tls.crt": authority.trusted, "tls.key": authority.key, CROSSED: authority.crossed}
    made.apply(parts.secret(registry, registry.ca_key, content, "kubernetes.io/tls"))
    return authority


def _ask_cert_manager(made: Installation, address: str) -> None:
    try:
        made.apply(parts.certificate(made.registry, address))
    except WrongInputError:
        raise WrongInputError(
            "--issuer: the cluster knows no certificates.cert-manager.io; install cert-manager"
        ) from None
    until = time.monotonic() + ISSUE_SECONDS
    while not content_of(made.objects, made.registry.tls, made.registry.namespace) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def accounts(made: Installation, password: str | None) -> dict[str, bytes]:
    """See to the accounts; return their passwords, and the file with the hashes of all."""
    registry = made.registry
    if not registry.accounts:
        return {}
    before = content_of(made.objects, registry.passwords, registry.namespace)
    content = {one: before.get(one) or secrets.token_urlsafe(24).encode() for one in registry.accounts}
    if password:
        content[registry.accounts[0]] = password.encode()
    hashes = dict(line.split(":", 1) for line in before.get(HTPASSWD, b"").decode().splitlines())
    lines = [f"{one}:{_hash(value, hashes.get(one, ''))}" for one, value in content.items()]
    content[HTPASSWD] = "\n".join([*lines, ""]).encode()
    made.apply(parts.secret(registry, registry.passwords, content))
    return content


def _hash(password: bytes, before: str) -> str:
    """Keep a hash that fits: a new one differs each time."""
    if before and bcrypt.checkpw(password, before.encode()):
        return before
    return bcrypt.hashpw(password, bcrypt.gensalt(10)).decode()


def introduce(made: Installation, namespace: str, trusted: bytes | None, passwords: Mapping[str, bytes]) -> None:
    """Give a namespace what its builds need."""
    registry = made.registry
    if trusted:
        made.apply(parts.ca_config_map(registry, trusted, namespace))
    if registry.accounts:
        account = registry.accounts[0]
        login = parts.docker_config(registry, account, passwords[account].decode())
        content = {".dockerconfigjson": login}
        made.apply(parts.secret(registry, registry.login, content, "kubernetes.io/dockerconfigjson", namespace))
