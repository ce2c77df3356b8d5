"""What a registry is asked to be: options of now, and settings of the one that is there -> a Registry. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.registry import HTPASSWD, Registry

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
ISSUER = re.compile(r"(Issuer|ClusterIssuer)/[a-z0-9.-]+")
UPSTREAM = re.compile(r"(https?://)?[a-z0-9.-]+(:[0-9]+)?")
QUANTITY = re.compile(r"[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?")
CPU = re.compile(r"[1-9][0-9]*m|[0-9]+(\.[0-9]+)?")
ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


@dataclass(frozen=True)
class Dropped:
    """What is not to stay of the settings that are there.

    Attributes:
        accounts: all of them.
        certificate: who makes it; the registry's own authority does so then.
        mirror: what it fetches images from; it takes pushes then.
        users: namespaces that were given the certificate and the login.
    """

    accounts: bool = False
    certificate: bool = False
    mirror: bool = False
    users: tuple[str, ...] = ()


def known(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without those that only another version knows."""
    names = {field.name for field in fields(Registry)}
    return {key: value for key, value in settings.items() if key in names}


def remaining(kept: Mapping[str, Any], given: Mapping[str, Any], dropped: Dropped) -> dict[str, Any]:
    """Return the settings that are there without what is dropped, or what excludes something that is given now.

    Raises:
        WrongInputError: something is both given and dropped.
    """
    both = sorted({*(given.get("users") or ())} & {*dropped.users})
    for clash, options in (
        (dropped.certificate and given.get("issuer"), "--own-ca, --issuer"),
        (dropped.certificate and given.get("tls_secret"), "--own-ca, --tls-secret"),
        (dropped.mirror and given.get("mirror"), "--no-mirror, --mirror"),
        (both, f"--not-for, --for {', '.join(both)}"),
    ):
        if clash:
            raise WrongInputError(f"{options}: one is against the other; give one of them")
    gone = {"accounts"} if dropped.accounts else set()
    if dropped.certificate or given.get("issuer") or given.get("tls_secret"):
        gone |= {"issuer", "tls_secret"}
    if dropped.mirror:
        gone.add("mirror")
    users = tuple(one for one in kept.get("users", ()) if one not in dropped.users)
    return {key: value for key, value in kept.items() if key not in gone} | ({"users": users} if users else {})


def registry_of(name: str, namespace: str, given: Mapping[str, Any], kept: Mapping[str, Any]) -> Registry:
    """Return the registry that was asked for.

    Args:
        given: fields of Registry; None for what was not given now. Lists are added to those that are there.
        kept: settings of the one that is there.

    Raises:
        WrongInputError: a value cannot be used, or two exclude each other.
    """
    merged = {**kept} | {key: value for key, value in given.items() if value is not None}
    lists = {key: tuple(dict.fromkeys([*kept.get(key, ()), *(given.get(key) or ())])) for key in ("accounts", "users")}
    made = Registry(**{**merged, **lists, "name": name, "namespace": namespace})
    _check("--name", name, NAME, "lower-case letters, digits and -, up to 40, beginning with a letter")
    for option, value, pattern, allowed in (
        ("--storage", made.storage, QUANTITY, "a size such as 20Gi"),
        ("--cluster-ip", made.cluster_ip, ADDRESS, "an address of the range of Services, such as 10.96.0.50"),
        ("--issuer", made.issuer, ISSUER, "Issuer/NAME or ClusterIssuer/NAME"),
        ("--mirror", made.mirror, UPSTREAM, "a registry's host or address, such as docker.io"),
        ("--cpu", made.cpu, CPU, "an amount such as 50m or 2"),
        ("--memory", made.memory, QUANTITY, "a size such as 128Mi"),
        ("--memory-limit", made.memory_limit, QUANTITY, "a size such as 512Mi"),
        *(("--account", one, ACCOUNT, "lower-case letters, digits and . _ -") for one in made.accounts),
    ):
        if value is not None:
            _check(option, value, pattern, allowed)
    if HTPASSWD in made.accounts:
        raise WrongInputError(f"--account: {HTPASSWD} is the name of the file of all accounts; choose another")
    if made.tls_secret and made.issuer:
        raise WrongInputError("--tls-secret, --issuer: one certificate is enough; give one of them")
    if made.storage and made.s3_bucket:
        raise WrongInputError("--storage, --s3-bucket: images are kept in one place; give one of them")
    if made.s3_bucket and not made.s3_region:
        raise WrongInputError("--s3-bucket: needs --s3-region, such as eu-central-1")
    return made


def _check(option: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise WrongInputError(f"{option}: {value!r} cannot be used; allowed: {allowed}")
