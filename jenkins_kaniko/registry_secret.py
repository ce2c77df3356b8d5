"""Registry accounts in Secrets of the cluster: made, changed, and kept the same in all their namespaces."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jenkins_kaniko import dockerconfig
from jenkins_kaniko.buildjob import MANAGED
from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnansweredError, UnreachableError, WrongInputError
from jenkins_kaniko.model import Fleet

TYPE, KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
LABEL = "jenkins-kaniko/registry-secret"
"""Its value is the Secret's name, so that all copies are found."""
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


class Door(Protocol):
    """What this needs of the cluster; cluster_objects.Objects is one."""

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None: ...
    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]: ...
    def apply(self, manifest: Mapping[str, Any], *, force: bool = False) -> str: ...


@dataclass(frozen=True)
class Written:
    """What became of a Secret in a namespace: `state` as Objects.apply says, or the error."""

    namespace: str
    state: str | None = None
    error: JenkinsKanikoError | None = None


def create(
    door: Door, name: str, namespaces: Iterable[str], accounts: Mapping[str, Account], *, adopt: bool = False
) -> list[Written]:
    """Put accounts into a Secret of each namespace; those of other registries that are in it stay.

    Args:
        adopt: take over one that somebody else made.

    Raises:
        RefusedError: one is somebody else's, or has another type; nothing was written.
        WrongInputError: the name is none, or what is in one cannot be read; nothing was written.
        UnreachableError: the cluster does not answer, or forbids reading.
    """
    if not NAME.fullmatch(name):
        raise WrongInputError(
            f"{name}: no name of a Secret; lower-case letters, digits, - and . are allowed, at most 63"
        )
    there = {namespace: door.read("Secret", name, namespace) for namespace in namespaces}
    if reasons := [reason for namespace, found in there.items() if found and (reason := _foreign(found, adopt))]:
        raise RefusedError("\n".join(reasons))
    wanted = {namespace: {**(accounts_of(found) if found else {}), **accounts} for namespace, found in there.items()}
    return [_write(door, name, namespace, wanted[namespace], there[namespace], adopt) for namespace in there]


def rotate(
    door: Door,
    name: str,
    key: str,
    namespaces: Iterable[str],
    account_for: Callable[[str], Account],
    prove: Callable[[Account], None],
) -> list[Written]:
    """Replace the account of one registry in each namespace whose Secret has one.

    Args:
        namespaces: none of them: all that have a copy of ours.
        account_for: makes the new account out of the user name until now.
        prove: raises where the registry does not let the new account in; nothing was written then.

    Raises:
        WrongInputError: no Secret has an account for this registry, or several users have.
        RefusedError, UnreachableError: as create.
    """
    secrets = [read(door, name, namespace) for namespace in namespaces or copies(door, name)]
    having = {one["metadata"]["namespace"]: found for one in secrets if (found := accounts_of(one).get(key))}
    if not having:
        raise WrongInputError(f"secret {name}: none of our copies has an account for {key}; create writes one")
    if len(users := {account.username for account in having.values()}) > 1:
        raise WrongInputError(f"secret {name}: has several users of {key}: {', '.join(sorted(users))}; choose by -n")
    account = account_for(users.pop())
    prove(account)
    return create(door, name, having, {key: account})


def copies(door: Door, name: str) -> list[str]:
    """Return the namespaces that have a Secret of ours with this name.

    Raises:
        UnreachableError: the cluster does not answer, or forbids listing Secrets of all namespaces.
    """
    try:
        found = door.listed("Secret", labelSelector=f"{LABEL}={name}")
    except UnansweredError:
        raise
    except UnreachableError as error:
        raise UnreachableError(f"{error}; or name the namespaces by -n") from None
    return sorted(one["metadata"]["namespace"] for one in found if one["metadata"]["name"] == name)


def read(door: Door, name: str, namespace: str) -> dict[str, Any]:
    """Return a Secret of registry accounts.

    Raises:
        WrongInputError: there is none, or it is of another type.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    found = door.read("Secret", name, namespace)
    where = f"secret {namespace}/{name}"
    if found is None:
        raise WrongInputError(f"{where}: not found; make it with: jenkins-kaniko secret create {name} -n {namespace} …")
    if found.get("type") != TYPE:
        raise WrongInputError(
            f"{where}: its type is {found.get('type')}, and builders and nodes take {TYPE} only; delete it and make it "
            f"with: jenkins-kaniko secret create {name} -n {namespace} …"
        )
    return found


def config_of(secret: Mapping[str, Any]) -> dockerconfig.Config:
    """Return the docker config in a Secret. Raises WrongInputError where it holds none."""
    metadata = secret["metadata"]
    where = f"secret {metadata['namespace']}/{metadata['name']}"
    try:
        text = base64.b64decode(secret.get("data", {})[KEY], validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError):
        raise WrongInputError(f"{where}: has no text under the key {KEY}") from None
    return dockerconfig.parse(text, where)


def accounts_of(secret: Mapping[str, Any]) -> dict[str, Account]:
    """Return the accounts in a Secret, by the keys that builders look for. Raises WrongInputError as config_of."""
    metadata = secret["metadata"]
    return dockerconfig.merge([(f"secret {metadata['namespace']}/{metadata['name']}", config_of(secret).accounts)])


def namespaces_of(fleet: Fleet, name: str) -> list[str]:
    """Return where the agents of templates run whose registrySecret has this name.

    Raises:
        WrongInputError: there is no such template, or one leaves its namespace to a cloud that is not known here.
    """
    using = [one for one in fleet.templates if one.settings.registry_secret == name]
    if not using:
        raise WrongInputError(
            f"{name}: no template of the configuration has `registrySecret: {name}`; name the one it has"
        )
    if unknown := [one.name for one in using if not one.settings.namespace]:
        raise WrongInputError(f"templates.{unknown[0]}.namespace: missing; give it there, or in `defaults`, or by -n")
    return sorted({str(one.settings.namespace) for one in using})


def _foreign(found: Mapping[str, Any], adopt: bool) -> str | None:
    metadata = found["metadata"]
    where = f"secret {metadata['namespace']}/{metadata['name']}"
    if found.get("type") != TYPE:
        return f"{where}: its type is {found.get('type')}, which cannot be changed to {TYPE}; give another name"
    if metadata.get("labels", {}).get(LABEL) != metadata["name"] and not adopt:
        return f"{where}: is there already, and not made by this command; --adopt takes it over"
    return None


def _write(
    door: Door, name: str, namespace: str, accounts: Mapping[str, Account], found: Mapping[str, Any] | None, adopt: bool
) -> Written:
    try:
        return Written(namespace, door.apply(manifest(name, namespace, accounts, found), force=adopt))
    except JenkinsKanikoError as error:
        return Written(namespace, error=error)


def manifest(
    name: str, namespace: str, accounts: Mapping[str, Account], found: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the Secret with these accounts; the cluster refuses it where `found` is no longer what is there."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": MANAGED | {LABEL: name}}
    if found:
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
    text = base64.b64encode(dockerconfig.text_of(accounts).encode()).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": TYPE, "data": {KEY: text}}
