"""Whether the accounts in a Secret work: their keys, the login, and what they may do with repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from jenkins_kaniko import registry_kinds
from jenkins_kaniko.dockerconfig import DOCKER_HUB, Account, Config, host_of, key_of, split
from jenkins_kaniko.errors import UnreachableError, WrongInputError
from jenkins_kaniko.registry_login import DENIED, OK, PULL, PUSH, UNKNOWN, Outcome
from jenkins_kaniko.registry_secret import config_of

IN_BUILDERS = {"ecr-login", "gcr", "acr-env"}
"""Credential helpers that Kaniko's images hold."""


class Login(Protocol):
    """A registry asked with an account; registry_login.Registry is one."""

    def login(self) -> Outcome: ...
    def may(self, right: str, repository: str) -> Outcome: ...


Ask = Callable[[str, Account], Login]
"""Makes a Login out of a host and an account."""


@dataclass(frozen=True)
class Finding:
    """What was looked at: the key, the login, pull or push, and how it is; cause and fix where it is not well."""

    registry: str
    what: str
    status: str
    repository: str | None = None
    cause: str | None = None
    fix: str | None = None


def check(secret: Mapping[str, Any], repositories: Sequence[str], ask: Ask, now: datetime) -> list[Finding]:
    """Try what a Secret holds, and leave nothing in the registries.

    Args:
        secret: as the cluster has it.
        repositories: names of images, whose pull and push are tried.

    Raises:
        WrongInputError: the Secret holds no docker config, or a repository's name is none.
    """
    config = config_of(secret)
    if not config.accounts and not config.helpers:
        raise WrongInputError(f"secret {secret['metadata']['name']}: holds no account")
    wanted: dict[str, list[str]] = {}
    for image in repositories:
        key, repository = split(image)
        wanted.setdefault(key, []).append(repository)
    subject = _Subject(secret["metadata"]["name"], secret["metadata"]["namespace"], ask, now)
    findings = []
    for key, account in config.accounts.items():
        found = subject.passed_over(key, config.store) if config.store else _key(key)
        findings.append(found)
        if found.status == OK:
            findings += subject.tried(key_of(key), account, wanted.get(key_of(key), []))
    findings += [_helped(key, helper) for key, helper in config.helpers.items()]
    return findings + subject.without_account(config, wanted)


def _key(key: str) -> Finding:
    """Judge a key as it is written (go-containerregistry's authn/keychain.go, docker/cli's ConvertToHostname)."""
    try:
        right = key_of(key)
    except WrongInputError as error:  # of a path Kaniko takes the host, nodes all of it: who is meant is not known
        fix = "make the Secret anew with: jenkins-kaniko secret create"
        return Finding(key, "key", UNKNOWN, cause=str(error), fix=fix)
    if right == key:
        return Finding(key, "key", OK)
    if right == DOCKER_HUB:
        cause = f"for Docker Hub builders look for {DOCKER_HUB} and no other key: they come as nobody"
        return Finding(key, "key", DENIED, cause=cause, fix=f"write the account under {DOCKER_HUB}")
    cause = "builders and nodes find it, but not everything else does: some compare keys as they are"
    return Finding(key, "key", OK, cause=cause, fix=f"write the account under {right}")


def _helped(key: str, helper: str) -> Finding:
    status = UNKNOWN if helper in IN_BUILDERS else DENIED
    cause = f"leaves its account to docker-credential-{helper}, which " + (
        "Kaniko's images have, and nodes do not"
        if status == UNKNOWN
        else "is on somebody's machine, not in the cluster"
    )
    fix = "take the account out of it: jenkins-kaniko secret create --from-docker-config FILE"
    return Finding(key, "key", status, cause=cause, fix=fix)


@dataclass(frozen=True)
class _Subject:
    """A Secret that is checked."""

    name: str
    namespace: str
    ask: Ask
    now: datetime

    def passed_over(self, key: str, store: str) -> Finding:
        """Judge an account that is there and not looked at (docker/cli's credentials/native_store.go)."""
        return Finding(
            key, "key", UNKNOWN if store in IN_BUILDERS else DENIED,
            cause=f"builders ask docker-credential-{store} for it, as credsStore says, and not this text",
            fix=f"write it without credsStore: {self._create(key)} --username USER --adopt",
        )  # fmt: skip

    def tried(self, key: str, account: Account, repositories: Sequence[str]) -> Iterator[Finding]:
        try:
            registry = self.ask(host_of(key), account)
            login = registry.login()
            yield self._login(key, account, login)
            for repository in repositories if login.status == OK else ():
                yield from self._rights(key, registry, repository)
        except UnreachableError as error:
            yield Finding(key, "login", UNKNOWN, cause=str(error), fix=_fix(str(error)))

    def _login(self, key: str, account: Account, login: Outcome) -> Finding:
        if login.status != DENIED:
            return Finding(key, "login", login.status, cause=login.said or None)
        kind, end = registry_kinds.kind_of(key), registry_kinds.expiry(account)
        cause = f"{account.username} is not let in: {login.said}"
        if said := registry_kinds.mistake(key, account):
            cause += f"; {said}"
        elif end and end < self.now:
            cause += f"; the token is over since {end:%Y-%m-%d %H:%M} UTC"
        command = f"jenkins-kaniko secret rotate {self.name} --registry {key} --username USER"
        return Finding(key, "login", DENIED, cause=cause, fix=f"{command}; an account of {kind.name} is {kind.account}")

    def _rights(self, key: str, registry: Login, repository: str) -> Iterator[Finding]:
        push, pull = registry.may(PUSH, repository), registry.may(PULL, repository)
        if pull.missing and push.status == OK:  # the first push makes it
            pull = Outcome(OK)
        for right, outcome in ((PULL, pull), (PUSH, push)):
            fix = None
            if outcome.missing:
                fix = "make the repository, or let the account see it: some registries make none by a push"
            elif outcome.status == DENIED:
                fix = f"give the account the right to {right} at the registry, or take another account"
            yield Finding(key, right, outcome.status, repository, outcome.said or None, fix)

    def _create(self, key: str) -> str:
        return f"jenkins-kaniko secret create {self.name} -n {self.namespace} --registry {key}"

    def without_account(self, config: Config, wanted: Mapping[str, Sequence[str]]) -> list[Finding]:
        there = {_canonical(key) for key in [*config.accounts, *config.helpers]}
        return [
            Finding(
                key, "key", DENIED, repository, f"no account is for it; there are {_listed(there)}", self._create(key)
            )
            for key, repositories in wanted.items()
            for repository in repositories
            if key not in there
        ]


def _fix(cause: str) -> str:
    if "certificate" in cause:
        return "give the authority that signed it: --ca-file FILE"
    if "without TLS" in cause:
        return "give the registry TLS; without it everybody on the way reads the password"
    return "run it where the registry can be reached by this name, such as in a pod"


def _canonical(key: str) -> str:
    try:
        return key_of(key)
    except WrongInputError:
        return key


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "none"
