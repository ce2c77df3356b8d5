"""A registry in the cluster: installed step by step, told of, and removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jenkins_kaniko import registry as parts
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.registry import FOLDER, HTPASSWD, SETTINGS, Registry, known
from jenkins_kaniko.registry_secrets import accounts, certificate, introduce
from jenkins_kaniko.registry_steps import Installation, Tell, is_ours, key, needed, where
from jenkins_kaniko.registry_wait import wait_until_it_serves


def found(objects: Objects, name: str, namespace: str) -> dict[str, Any] | None:
    """Return the settings of a registry that is installed, None where there is none.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    config = objects.read("ConfigMap", f"{name}-config", namespace)
    if config is None or SETTINGS not in config["metadata"].get("annotations", {}):
        return None
    return known(json.loads(config["metadata"]["annotations"][SETTINGS]))


def install(
    objects: Objects,
    registry: Registry,
    kept: Mapping[str, Any] | None,
    now: datetime,
    tell: Tell,
    *,
    new_ca: bool = False,
    password: str | None = None,
    timeout: float = 180,
) -> Installation:
    """Make a registry so, and wait until it serves.

    Args:
        kept: settings of the one that is there.
        new_ca: make a new authority, which clients of the old one accept too.
        password: of the first account, where it is not to be made up or to stay.

    Raises:
        JenkinsKanikoError: a step failed; the text says which were done, and what to do.
    """
    if kept is not None and (before := Registry(**kept).place) != registry.place:
        raise RefusedError(
            f"registry {registry.namespace}/{registry.name}: its images are in {before}, and would not be there any "
            f"longer in {registry.place}; remove it with --with-images first, or install another with --name"
        )
    made = Installation(objects, registry, tell)
    try:
        _install(made, now, new_ca=new_ca, password=password, timeout=timeout)
    except JenkinsKanikoError as error:
        there = ", ".join(what for what, _ in made.done) or "nothing"
        raise type(error)(
            f"{error}\n  there by now: {there}\n  the same command goes on from there; "
            f"jenkins-kaniko registry remove --name {registry.name} -n {registry.namespace} removes it"
        ) from None
    return made


def _install(made: Installation, now: datetime, *, new_ca: bool, password: str | None, timeout: float) -> None:
    registry, objects = made.registry, made.objects
    made.namespace(registry.namespace)
    made.apply(parts.config_map(registry))
    made.apply(parts.service(registry))
    address = _address(objects, registry)
    trusted = certificate(made, address, now, new_ca=new_ca)
    if trusted:
        made.apply(parts.ca_config_map(registry, trusted))
    passwords = accounts(made, password)
    if registry.storage:
        made.apply(parts.claim(registry))
    for manifest in parts.server(registry, mounted(objects, registry)):
        made.apply(manifest)
    wait_until_it_serves(objects, registry, made.tell, timeout)
    if registry.place == FOLDER and made.changed:
        made.tell("images are in a folder of the pod, and end with it: --storage SIZE keeps them")
    for user in registry.users:
        introduce(made, user, trusted, passwords)


def mounted(objects: Objects, registry: Registry) -> dict[str, bytes]:
    """Return what the pod mounts that can change: the certificate and the accounts that are there.

    Raises:
        WrongInputError: somebody deleted them.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    found = {"tls": needed(objects, registry, registry.tls, "tls.crt")}
    if registry.accounts:
        found["accounts"] = needed(objects, registry, registry.passwords, HTPASSWD)
    return found


def remove(objects: Objects, registry: Registry, tell: Tell, *, with_images: bool) -> list[str]:
    """Remove a registry, but not its namespace; return what was removed.

    Args:
        with_images: also the claim; it stays otherwise, and the next install takes it.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    removed = []
    for manifest in removable(registry, with_images=with_images):
        if is_ours(objects, manifest) and objects.delete(*key(manifest)):
            removed.append(where(manifest))
            tell(f"removed: {where(manifest)}")
    return removed


def removable(registry: Registry, *, with_images: bool) -> list[dict[str, Any]]:
    """Return what an install may have made, what serves first; last what says which objects there are."""
    own = [*reversed(parts.server(registry, {})), parts.service(registry)]
    if with_images:
        own.append(parts.claim(registry))
    if registry.issuer:
        own.append(parts.certificate(registry, None))
    names = {registry.passwords, registry.ca_key} | ({registry.tls} if not registry.tls_secret else set())
    own += [parts.secret(registry, name, {}) for name in sorted(names)]
    own.append(parts.ca_config_map(registry, b""))
    for user in registry.users:
        own += [parts.secret(registry, registry.login, {}, namespace=user), parts.ca_config_map(registry, b"", user)]
    return [*own, parts.config_map(registry)]


def _address(objects: Objects, registry: Registry) -> str:
    service = objects.read("Service", registry.name, registry.namespace)
    if service is None:
        raise RefusedError(f"service {registry.namespace}/{registry.name}: somebody removed it meanwhile")
    address: str = service["spec"]["clusterIP"]
    return address
