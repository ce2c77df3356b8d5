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
from jenkins_kaniko.errors import TimedOutError, WrongInputError
from jenkins_kaniko.registry import CA_FILE, HTPASSWD
from jenkins_kaniko.registry_steps import Installation, content_of
from jenkins_kaniko.registry_wait import outdated, serves

POLL_SECONDS = 0.5
CERT_MANAGER = "cert-manager.io/certificate-name"
"""The annotation of a Secret that cert-manager fills."""
CROSSED = "crossed.crt"


def certificate(made: Installation, address: str, now: datetime, *, new_ca: bool, timeout: float) -> bytes | None:
    """See to the server's certificate, and return what clients have to trust, where we know it."""
    registry = made.registry
    if registry.issuer:
        _ask_cert_manager(made, address, timeout)
        return _of_others(made, address, now)
    made.remove(parts.certificate(registry, None))
    if registry.tls_secret:
        return _of_others(made, address, now)
    return _own(made, address, now, new_ca=new_ca)


def _of_others(made: Installation, address: str, now: datetime) -> bytes | None:
    """Look at a certificate that somebody else keeps; return what comes with it to be trusted."""
    registry = made.registry
    where = f"secret {registry.namespace}/{registry.tls}"
    content = content_of(made.objects, registry.tls, registry.namespace)
    if "tls.crt" not in content or "tls.key" not in content:
        advice = "cert-manager issued none: kubectl describe certificate" if registry.issuer else "make it first"
        raise WrongInputError(f"{where}: has no tls.crt and tls.key; {advice}")
    try:
        end, names = certificates.ends(content["tls.crt"]), certificates.names(content["tls.crt"])
    except ValueError:
        raise WrongInputError(f"{where}: tls.crt is no certificate in PEM form; make it anew") from None
    its = f"warning: the certificate in secret {registry.tls}"
    if not set(names) & set(registry.hosts):
        made.tell(f"{its} has none of the names {', '.join(registry.hosts)}")
    if address not in names:
        made.tell(f"{its} has not the Service's address {address}: nodes, which call it by that, cannot pull")
    if end - now < certificates.RENEWAL:
        made.tell(f"{its} {'ended' if end <= now else 'ends'} at {end:%Y-%m-%d %H:%M} UTC; renew it")
    return content.get(CA_FILE)


def _own(made: Installation, address: str, now: datetime, *, new_ca: bool) -> bytes:
    registry, objects = made.registry, made.objects
    there = objects.read("Secret", registry.tls, registry.namespace)
    if there and CERT_MANAGER in there["metadata"].get("annotations", {}):
        made.remove(parts.secret(registry, registry.tls, {}))  # its content is cert-manager's, not ours to change
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
    if new and authority and authority.crossed and not _served(made, authority):
        made.tell("the authority of an earlier call is not served yet, and stays: once it is, --new-ca makes another")
        new = False
    if authority is None or new or certificates.outlived(authority, now):
        authority = certificates.new_authority(f"{registry.name}.{registry.namespace}", now, authority)
    kept = {"tls.crt": authority.trusted, "tls.key": authority.key, CROSSED: authority.crossed}
    manifest = parts.secret(registry, registry.ca_key, kept, "kubernetes.io/tls")
    if content:
        made.apply(manifest, force=True)
    else:
        made.make(manifest)  # two authorities at once would each sign for what trusts the other
    return authority


def _served(made: Installation, authority: Authority) -> bool:
    """Return whether the registry's pod shows a certificate of an authority."""
    registry = made.registry
    deployment = made.objects.read("Deployment", registry.name, registry.namespace)
    own = content_of(made.objects, registry.own_tls, registry.namespace).get("tls.crt", b"")
    return serves(deployment) and not outdated(deployment, own) and certificates.issued(own, authority)


def _ask_cert_manager(made: Installation, address: str, timeout: float) -> None:
    try:
        made.apply(parts.certificate(made.registry, address))
    except WrongInputError:
        raise WrongInputError(
            "--issuer: the cluster knows no certificates.cert-manager.io; install cert-manager"
        ) from None
    until = time.monotonic() + timeout
    while (reason := _unready(made)) is not None:
        if time.monotonic() > until:
            where = f"certificate {made.registry.namespace}/{made.registry.name}"
            raise TimedOutError(f"{where}: cert-manager issued none in {timeout:g} s: {reason or 'no reason given'}")
        time.sleep(POLL_SECONDS)


def _unready(made: Installation) -> str | None:
    """Return why cert-manager has not issued yet what was asked for last, None where it has.

    A Secret alone says nothing: that of an earlier authority, or issuer, stays until the new certificate is there.
    """
    registry = made.registry
    there = made.objects.read("Certificate", registry.name, registry.namespace) or {"metadata": {}}
    for one in there.get("status", {}).get("conditions", []):
        if one["type"] == "Ready" and one.get("observedGeneration") == there["metadata"].get("generation"):
            return None if one["status"] == "True" else f"{one.get('reason', '')}: {one.get('message', '')}"
    return ""


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


def hand_out(made: Installation, namespace: str, trusted: bytes | None) -> None:
    """Say in a namespace what clients have to trust; where it is not known, nothing of an earlier certificate stays."""
    manifest = parts.ca_config_map(made.registry, trusted or b"", namespace)
    if trusted:
        made.apply(manifest)
    else:
        made.remove(manifest)


def introduce(made: Installation, namespace: str, trusted: bytes | None, passwords: Mapping[str, bytes]) -> None:
    """Give a namespace what its builds need."""
    registry = made.registry
    hand_out(made, namespace, trusted)
    if registry.accounts:
        account = registry.accounts[0]
        login = parts.docker_config(registry, account, passwords[account].decode())
        content = {".dockerconfigjson": login}
        made.apply(parts.secret(registry, registry.login, content, "kubernetes.io/dockerconfigjson", namespace))
