"""A registry in the cluster: installed step by step, told of, and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from jenkins_kaniko import registry as parts
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnansweredError, UnreachableError
from jenkins_kaniko.registry import CA_FILE, FOLDER, HTPASSWD, SETTINGS, Registry
from jenkins_kaniko.registry_secrets import accounts, certificate, hand_out, introduce
from jenkins_kaniko.registry_settings import known
from jenkins_kaniko.registry_steps import REMOVED, Installation, Tell, needed
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
    former: Sequence[str] = (),
    timeout: float = 180,
) -> Installation:
    """Make a registry so, and wait until it serves.

    Args:
        kept: settings of the one that is there.
        new_ca: make a new authority, which clients of the old one accept too.
        password: of the first account, where it is not to be made up or to stay.
        former: namespaces that are not to have the certificate and the login any longer.
        timeout: how many seconds the pod may take, and cert-manager.

    Raises:
        JenkinsKanikoError: a step failed; the text says which were done, and what to do.
    """
    if kept is not None and (before := Registry(**kept).place) != registry.place:
        raise RefusedError(
            f"registry {registry.namespace}/{registry.name}: its images are in {before}, and would not be there any "
            f"longer in {registry.place}; remove it with --with-images first, or install another with --name"
        )
    made = Installation(objects, registry, tell)
    new = [user for user in registry.users if user not in (kept or {}).get("users", ())]
    try:
        trusted, passwords = _prepare(made, now, new, new_ca=new_ca, password=password, timeout=timeout)
        _introduce(made, former, trusted, passwords)
    except JenkinsKanikoError as error:
        there = ", ".join(what for what, outcome in made.done if outcome != REMOVED) or "nothing"
        raise type(error)(
            f"{error}\n  there by now: {there}\n  the same command goes on from there; "
            f"jenkins-kaniko registry remove --name {registry.name} -n {registry.namespace} removes it"
        ) from None
    return made


def _prepare(
    made: Installation, now: datetime, new: Sequence[str], *, new_ca: bool, password: str | None, timeout: float
) -> tuple[bytes | None, dict[str, bytes]]:
    """Make what serves; return what clients have to trust, and the accounts' passwords.

    Settings are kept only when what they ask for turned out to be possible.
    """
    registry, objects = made.registry, made.objects
    made.namespace(registry.namespace)
    for user in new:
        made.try_out(parts.ca_config_map(registry, b"", user))
    made.apply(parts.service(registry))
    trusted = certificate(made, _address(objects, registry), now, new_ca=new_ca, timeout=timeout)
    hand_out(made, registry.namespace, trusted)
    passwords = accounts(made, password)
    serving = [parts.claim(registry)] if registry.storage else []
    serving += parts.server(registry, mounted(objects, registry))
    for manifest in serving:
        made.try_out(manifest)
    for manifest in (parts.config_map(registry), *serving):
        made.apply(manifest)
    wait_until_it_serves(objects, registry, made.tell, timeout)
    if registry.place == FOLDER and made.changed:
        made.tell("images are in a folder of the pod, and end with it: --storage SIZE keeps them")
    return trusted, passwords


def _introduce(
    made: Installation, former: Sequence[str], trusted: bytes | None, passwords: Mapping[str, bytes]
) -> None:
    """Give its users what they need, each of them, whatever another one's namespace is like."""
    failed: list[tuple[str, JenkinsKanikoError]] = []
    for user in made.registry.users:
        try:
            introduce(made, user, trusted, passwords)
        except UnansweredError:
            raise
        except JenkinsKanikoError as error:
            failed.append((user, error))
    for namespace in former:
        with _as_far_as_allowed(namespace, made.tell):
            for manifest in _given(made.registry, namespace):
                made.remove(manifest)
    if failed:
        said = "\n".join(f"{error}; --not-for {user} forgets the namespace" for user, error in failed)
        raise type(failed[0][1])(said)


def give(registry: Registry, namespace: str, objects: Objects, tell: Tell) -> None:
    """Give one more namespace what its builds need of a registry that is installed, and remember it as a user.

    Raises:
        JenkinsKanikoError: somebody deleted what is given, or has such an object there.
    """
    users = (found(objects, registry.name, registry.namespace) or {}).get("users", ())
    more = replace(registry, users=tuple(dict.fromkeys([*users, namespace])))
    made = Installation(objects, more, tell)
    trusted = trusted_by_clients(objects, registry)
    passwords = {one: needed(objects, registry, registry.passwords, one) for one in registry.accounts[:1]}
    made.apply(parts.config_map(more))
    introduce(made, namespace, trusted, passwords)


def trusted_by_clients(objects: Objects, registry: Registry) -> bytes | None:
    """Return the certificates that clients of a registry are given, None where there are none.

    Raises:
        UnreachableError: the cluster does not answer, or forbids it.
    """
    there = objects.read("ConfigMap", registry.ca, registry.namespace) or {}
    text = there.get("data", {}).get(CA_FILE)
    return text.encode() if text else None


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
    made = Installation(objects, registry, tell)
    for user in registry.users:
        with _as_far_as_allowed(user, tell):
            for manifest in _given(registry, user):
                made.remove(manifest)
    for manifest in removable(registry, with_images=with_images):
        made.remove(manifest)
    return [what for what, _ in made.done]


@contextmanager
def _as_far_as_allowed(namespace: str, tell: Tell) -> Iterator[None]:
    """Bear a namespace that is closed to us: where one is gone, so are the rights in it."""
    try:
        yield
    except UnansweredError:
        raise
    except UnreachableError as error:
        tell(f"warning: namespace {namespace}: left as it is: {error}")


def removable(registry: Registry, *, with_images: bool) -> list[dict[str, Any]]:
    """Return what an install may have made in its namespace, what serves first; last what says what there is."""
    own = [*reversed(parts.server(registry, {})), parts.service(registry)]
    if with_images:
        own.append(parts.claim(registry))
    own.append(parts.certificate(registry, None))
    names = sorted({registry.passwords, registry.ca_key, registry.own_tls})
    own += [parts.secret(registry, name, {}) for name in names]
    return [*own, parts.ca_config_map(registry, b""), parts.config_map(registry)]


def _given(registry: Registry, namespace: str) -> list[dict[str, Any]]:
    """Return what a namespace is given."""
    return [
        parts.secret(registry, registry.login, {}, namespace=namespace),
        parts.ca_config_map(registry, b"", namespace),
    ]


def _address(objects: Objects, registry: Registry) -> str:
    service = objects.read("Service", registry.name, registry.namespace)
    if service is None:
        raise RefusedError(f"service {registry.namespace}/{registry.name}: somebody removed it meanwhile")
    address: str = service["spec"].get("clusterIP", "None")
    if address == "None":
        raise RefusedError(
            f"service {registry.namespace}/{registry.name}: has no clusterIP, which nodes would reach it by; delete "
            "it, and install makes it anew"
        )
    return address
