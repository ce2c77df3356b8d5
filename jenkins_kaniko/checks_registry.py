"""What doctor looks at on the way to a registry: the account, the certificate, and a push from a real pod.

How Kaniko looks for an account: go-containerregistry's keychain, authn/keychain.go, over docker/cli's file store.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from jenkins_kaniko.dockerconfig import DOCKER_HUB as DOCKER_HUB_KEY
from jenkins_kaniko.dockerconfig import PARTS, decoded
from jenkins_kaniko.findings import ERROR, INFO, WARNING, Check, Finding, Kind, Place
from jenkins_kaniko.secret_check import IN_BUILDERS

DOCKER_HUB = "index.docker.io"
SECRET_TYPE = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type
SECRET_KEY = ".dockerconfigjson"  # noqa: S105 - a name
SOON = timedelta(days=30)
CREATE = "jenkins-kaniko secret create {secret} -n {namespace} --registry {host} --username USER"
ADOPT = f"{CREATE} --adopt"
"""Takes over a Secret that somebody else made, and keeps the accounts of other registries."""
ANEW = f"kubectl delete secret {{secret}} -n {{namespace}} && {CREATE}"
"""For what `secret create` cannot change or read."""
CA_ANEW = (
    "with the certificate of the registry's authority in the file ca.crt: kubectl create configmap {config_map} "
    "-n {namespace} --from-file={key}=ca.crt --dry-run=client -o yaml | kubectl apply -f -"
)

SECRET_MISSING = Kind("registry-secret-missing", ERROR, "the Secret with the registry's account is not there", CREATE)
SECRET_NONE = Kind(
    "registry-secret-none", INFO,
    "builds push without an account; a registry that asks for one refuses them",
    CREATE,
)  # fmt: skip
SECRET_NO_FILE = Kind(
    "registry-secret-key-missing", ERROR,
    f"the Secret has no {SECRET_KEY}, so the builder's pod does not start; it is of another kind",
    ANEW,
)  # fmt: skip
SECRET_TYPE_WRONG = Kind(
    "registry-secret-type", WARNING,
    f"the Secret is not of the type {SECRET_TYPE}: builders can use it, but no node can, to pull an image",
    ANEW,
)  # fmt: skip
SECRET_BROKEN = Kind(
    "registry-secret-broken", ERROR, "what the Secret holds is no docker config: JSON with a map `auths`", ANEW
)  # fmt: skip
SECRET_HELPER = Kind(
    "registry-secret-helper", ERROR,
    "builders ask a program for the account, as the Secret says, and it is on the machine where the file was made",
    ADOPT,
)  # fmt: skip
SECRET_ACCOUNT = Kind(
    "registry-secret-account", ERROR,
    "the account in the Secret has no user and password: `auth` is base64 of USER:PASSWORD",
    ANEW,
)  # fmt: skip
SECRET_HOST = Kind(
    "registry-secret-host", ERROR,
    "the Secret has no account under the name by which the builder looks for it",
    f"the key must be {{key}}, which this writes: {ADOPT}",
)  # fmt: skip
CA_MISSING = Kind("ca-missing", ERROR, "the ConfigMap with the registry's certificate is not there", CA_ANEW)
CA_NO_KEY = Kind("ca-key-missing", ERROR, "the ConfigMap has not the key that is mounted", CA_ANEW)
CA_BROKEN = Kind("ca-broken", ERROR, "what the ConfigMap holds is no certificate in PEM form", CA_ANEW)
CA_EXPIRED = Kind("ca-expired", ERROR, "the time of the certificate in the ConfigMap is over", CA_ANEW)
CA_NOT_YET = Kind(
    "ca-not-yet-valid", ERROR,
    "the time of the certificate in the ConfigMap has not begun, or the clock here is late",
    f"compare the clocks by date -u; else, {CA_ANEW}",
)  # fmt: skip
CA_SOON = Kind("ca-expires-soon", WARNING, "the certificate in the ConfigMap ends within 30 days", CA_ANEW)
KINDS = (
    SECRET_MISSING, SECRET_NONE, SECRET_NO_FILE, SECRET_TYPE_WRONG, SECRET_BROKEN, SECRET_HELPER, SECRET_ACCOUNT,
    SECRET_HOST, CA_MISSING, CA_NO_KEY, CA_BROKEN, CA_EXPIRED, CA_NOT_YET, CA_SOON,
)  # fmt: skip


CA_KINDS = (None, CA_SOON, CA_NOT_YET, CA_EXPIRED)
"""What can be wrong with the time of a certificate, the least first."""


def secret(place: Place) -> Iterator[Finding]:
    """Look at the Secret as the builder and the kubelet do; no value of it leaves this function."""
    mounted = place.spec.registry_secret
    if mounted is None:
        return
    host = registry_of(place.image) if place.image else "REGISTRY"
    names = {"secret": mounted.name, "namespace": place.namespace, "host": host}
    where = f"secret {place.namespace}/{mounted.name}"
    found = place.objects.read("Secret", mounted.name, place.namespace)
    if found is None:
        yield (SECRET_NONE if mounted.optional else SECRET_MISSING).found(f"there is no {where}", **names)
        return
    data = found.get("data") or {}
    if SECRET_KEY not in data:
        there = ", ".join(sorted(data)) or "nothing"
        yield SECRET_NO_FILE.found(f"{where} of type {found['type']} has {there}", **names)
        return
    if found["type"] != SECRET_TYPE:
        yield SECRET_TYPE_WRONG.found(f"{where} has the type {found['type']}", **names)
    config = _docker_config(data[SECRET_KEY])
    if config is None:
        yield SECRET_BROKEN.found(f"{where}, key {SECRET_KEY}", **names)
    elif place.image:
        yield from _account(config, where, names)


def _docker_config(value: str) -> dict[str, Any] | None:
    """Return what a docker config has of each part; None where the builder cannot read it. null is no part."""
    try:
        config = json.loads(base64.b64decode(value))
    except (ValueError, RecursionError):
        return None
    if not isinstance(config, dict):
        return None
    found = {name: kind() if config.get(name) is None else config[name] for name, kind in PARTS.items()}
    if any(not isinstance(found[name], kind) for name, kind in PARTS.items()):
        return None
    found["auths"] = {key: {} if entry is None else entry for key, entry in found["auths"].items()}
    return found if all(isinstance(entry, dict) for entry in found["auths"].values()) else None


def _account(config: Mapping[str, Any], where: str, names: Mapping[str, str]) -> Iterator[Finding]:
    """No account at all is no mistake: the registry may want none, or know the pod; the trial push tells.

    Where a program is named it is asked, and not the text (docker/cli's credentials/native_store.go).
    """
    host, entries = names["host"], config["auths"]
    wanted = DOCKER_HUB_KEY if host == DOCKER_HUB else host
    found = [entries[wanted]] if wanted in entries else [one for key, one in entries.items() if _host_of(key) == wanted]
    if helper := config["credHelpers"].get(wanted) or config["credsStore"]:
        if str(helper) not in IN_BUILDERS:
            yield SECRET_HELPER.found(f"{where} names the program docker-credential-{helper}", **names)
    elif any(_has_account(one) for one in found):
        return
    elif found:
        yield SECRET_ACCOUNT.found(f"{where}, {wanted}", **names)
    elif near := [key for key in entries if _means(key) == _means(host)]:
        yield SECRET_HOST.found(f"{where} has an account for {near[0]}, not for {wanted}", key=wanted, **names)


def _host_of(key: str) -> str:
    return re.sub("^https?://", "", key).partition("/")[0]


def _means(name: str) -> str:
    """Return what a key was probably meant for: the port, capitals and the names of Docker Hub do not count."""
    host = _host_of(name).lower().partition(":")[0]
    return DOCKER_HUB if host.endswith("docker.io") or host == "hub.docker.com" else host


def _has_account(entry: Mapping[str, Any]) -> bool:
    if entry.get("identitytoken") or entry.get("registrytoken") or (entry.get("username") and entry.get("password")):
        return True
    try:
        user, colon, password = decoded(entry.get("auth", "")).partition(b":")
    except (ValueError, AttributeError):
        return False
    return bool(user and colon and password)


def registry_of(image: str) -> str:
    """Return the registry that an image name means: Docker Hub where it names none."""
    first, slash, _ = image.partition("/")
    named = slash and (first == "localhost" or "." in first or ":" in first)
    return first if named and first != "docker.io" else DOCKER_HUB


def certificate(place: Place) -> Iterator[Finding]:
    """Look at the certificates that the builder is to trust, and judge them by the one that is best.

    A bundle goes on with certificates that are over, such as that of a registry's former authority beside the new one;
    which of them a registry needs, only a push tells.
    """
    mounted = place.spec.ca_bundle
    if mounted is None:
        return
    names = {"config_map": mounted.name, "namespace": place.namespace, "key": mounted.key}
    where = f"configmap {place.namespace}/{mounted.name}"
    found = place.objects.read("ConfigMap", mounted.name, place.namespace)
    if found is None:
        yield CA_MISSING.found(f"there is no {where}", **names)
        return
    text = found.get("data", {}).get(mounted.key)
    if text is None:
        there = ", ".join(sorted(found.get("data", {}))) or "none"
        yield CA_NO_KEY.found(f"{where} has no key {mounted.key}; it has: {there}", **names)
        return
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        yield CA_BROKEN.found(f"{where}, key {mounted.key}", **names)
        return
    now = datetime.now(UTC)
    judged = [(_in_time(one, now), one) for one in certificates]
    kind, one = min(judged, key=lambda pair: CA_KINDS.index(pair[0]))
    if kind:
        times = f"is for {one.not_valid_before_utc:%Y-%m-%d %H:%M} to {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        yield kind.found(f"{where}: {one.subject.rfc4514_string()} {times}", **names)


def _in_time(certificate: x509.Certificate, now: datetime) -> Kind | None:
    if now < certificate.not_valid_before_utc:
        return CA_NOT_YET
    if now > certificate.not_valid_after_utc:
        return CA_EXPIRED
    return CA_SOON if now + SOON > certificate.not_valid_after_utc else None


CHECKS: tuple[Check, ...] = (secret, certificate)
