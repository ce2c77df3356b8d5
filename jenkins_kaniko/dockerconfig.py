"""The text of a docker config, which Secrets of the type kubernetes.io/dockerconfigjson hold: read and written. Pure.

What a key may be is what Kaniko looks for (go-containerregistry's keychain, over docker/cli): a host as it stands in
the image's name, cut out of the key if need be; of Docker Hub one text only.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.errors import WrongInputError

DOCKER_HUB = "https://index.docker.io/v1/"
HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com")
HOST = re.compile(r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+\.?|[a-z0-9-]+(?=:)|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""A name without dot and port would be a folder of Docker Hub in an image's name."""
REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
TOKEN_USER = "<token>"  # noqa: S105  # no secret
"""The user name that goes with an identity token (docker's credential helpers)."""


@dataclass(frozen=True)
class Account:
    """Who one is to a registry; `identity_token` is given for others and goes instead of a password."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Config:
    """What a docker config says, by its keys as they are written.

    Attributes:
        helpers: programs that hold the accounts of keys.
        store: a program that builders ask for the accounts of all other keys, whatever the text says of them.
    """

    accounts: Mapping[str, Account]
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""


def parse(text: str, where: str) -> Config:
    """Read a docker config.

    Args:
        where: named in errors, which repeat nothing of the text but its keys.

    Raises:
        WrongInputError: it is none.
    """
    try:
        data = json.loads(text)
    except ValueError:
        raise WrongInputError(f"{where}: not JSON; a docker config is expected, as `docker login` writes it") from None
    auths, helpers, store = (_part(data, name, kind, where) for name, kind in PARTS.items())
    unknown = [key for key, helper in helpers.items() if not isinstance(helper, str)]
    if unknown:
        raise WrongInputError(f"{where}: credHelpers.{unknown[0]}: the name of a program is expected")
    accounts, found = {}, dict(helpers)
    for key, entry in auths.items():
        if key.startswith(DOCKER_HUB) and key != DOCKER_HUB:  # Docker Desktop's own tokens, of no use elsewhere
            continue
        if key in helpers:
            continue
        if account := _account(entry, f"{where}: auths.{key}"):
            accounts[key] = account
        elif store:
            found[key] = store
        else:
            raise WrongInputError(f"{where}: auths.{key}: holds no account, and no credsStore does; log in again")
    return Config(accounts, found, store)


PARTS = {"auths": dict, "credHelpers": dict, "credsStore": str}


def _part(data: Any, name: str, kind: type, where: str) -> Any:
    if not isinstance(data, dict) or not data.keys() & PARTS.keys():
        raise WrongInputError(f"{where}: has no auths; a docker config is expected: {{'auths': {{'HOST': …}}}}")
    part = data.get(name) or kind()
    if not isinstance(part, kind):
        raise WrongInputError(f"{where}: {name}: a {'text' if kind is str else 'mapping'} is expected")
    return part


def _account(entry: Any, where: str) -> Account | None:
    """Return the account of an entry, None where it is empty."""
    names = ("auth", "username", "password", "identitytoken")
    if not isinstance(entry, dict) or any(not isinstance(entry.get(name, ""), str) for name in names):
        raise WrongInputError(f"{where}: a mapping of texts is expected")
    auth, username, password, token = (entry.get(name, "") for name in names)
    if auth:  # it wins for builders and for nodes
        username, password = _user_and_password(auth, where)
    if not _is_text(username, password, token):
        raise WrongInputError(f"{where}: not text")
    if token:
        return Account(username or TOKEN_USER, identity_token=token)
    if not username and not password:
        return None
    if not username or not password:
        raise WrongInputError(f"{where}: has a user name or a password, but not both")
    return Account(username, password)


def decoded(auth: str) -> bytes:
    """Return what the `auth` of an account stands for, as builders read it: ends of lines do not count.

    Raises:
        ValueError: it is not base64.
    """
    return base64.b64decode(auth.replace("\r", "").replace("\n", ""), validate=True)


def _user_and_password(auth: str, where: str) -> tuple[str, str]:
    try:
        username, colon, password = decoded(auth).decode().partition(":")
    except ValueError:
        colon = ""
    if not colon:
        raise WrongInputError(f"{where}: auth is not USER:PASSWORD in base64")
    return username, password.strip("\0")


def _is_text(*parts: str) -> bool:
    """Lone surrogates are none: Python's way to hold bytes of the environment that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for part in parts for character in part)


def key_of(registry: str) -> str:
    """Return the key of a registry, however its name is written: a host, or Docker Hub's own key.

    Raises:
        WrongInputError: it names no registry, or only a part of one.
    """
    rest = re.sub(r"^https?://", "", registry.strip().lower()).rstrip("/")
    host = re.sub(r"/v[12]$", "", rest)
    if host in HUB_NAMES:
        return DOCKER_HUB
    if "/" in host:
        known = host.partition("/")[0]
        raise WrongInputError(
            f"registry {registry}: has a path; builders take an account for a whole registry, so give {known}"
        )
    if not HOST.fullmatch(host):
        raise WrongInputError(
            f"registry {registry}: a host is expected as it stands in an image's name, with a dot or a port: "
            "registry.example.com, registry:5000, docker.io"
        )
    return host


def host_of(key: str) -> str:
    """Return the host whose HTTP API a key, as `key_of` returns it, is for."""
    return "registry-1.docker.io" if key == DOCKER_HUB else key


def split(image: str) -> tuple[str, str]:
    """Return the key of the registry that an image's name begins with, and the repository in it.

    Raises:
        WrongInputError: the name has no repository, or a tag or digest.
    """
    first, slash, rest = image.partition("/")
    if not slash or not HOST.fullmatch(first):  # such as alpine, or team/app: of Docker Hub
        first, rest = DOCKER_HUB, image if slash else f"library/{image}"
    if not REPOSITORY.fullmatch(rest):
        raise WrongInputError(
            f"--repository {image}: an image's name without tag and digest is expected, in lower case: "
            "registry.example.com/team/app"
        )
    return key_of(first), rest


def account_of(username: str, password: str) -> Account:
    """Return what somebody typed.

    Raises:
        WrongInputError: it cannot be an account.
    """
    if not username or ":" in username:
        raise WrongInputError("--username: a text without a colon is expected; what follows a colon is the password")
    if not password:
        raise WrongInputError(f"the password of {username} is empty")
    if not _is_text(username, password):
        raise WrongInputError("the user's name and the password are not text in UTF-8")
    if username == TOKEN_USER:
        return Account(username, identity_token=password)
    return Account(username, password)


def merge(parts: Iterable[tuple[str, Mapping[str, Account]]]) -> dict[str, Account]:
    """Return the accounts of several sources by the keys that builders look for.

    Args:
        parts: where each comes from, and its accounts by keys of any form.

    Raises:
        WrongInputError: two of them have different accounts for a registry.
    """
    merged: dict[str, Account] = {}
    origin: dict[str, str] = {}
    for where, accounts in parts:
        for written, account in accounts.items():
            key = key_of(written)
            if merged.setdefault(key, account) != account:
                raise WrongInputError(f"{key}: {origin[key]} and {where} have different accounts for it; keep one")
            origin.setdefault(key, where)
    return merged


def text_of(accounts: Mapping[str, Account]) -> str:
    """Return the docker config with these accounts: the same text for the same accounts."""
    return json.dumps({"auths": {key: _entry(accounts[key]) for key in sorted(accounts)}}, separators=(",", ":"))


def _entry(account: Account) -> dict[str, str]:
    """As kubectl writes it; some readers take `auth`, others the two texts."""
    auth = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()
    if account.identity_token:
        return {"auth": auth, "identitytoken": account.identity_token}
    return {"username": account.username, "password": account.password, "auth": auth}
