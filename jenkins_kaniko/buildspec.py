"""What was typed -> the build that it asks for. Pure, but for the client's own name."""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import shlex
import socket
from collections.abc import Mapping
from typing import Any

from jenkins_kaniko import buildsecrets, errors, resources
from jenkins_kaniko.buildjob import Mounted, Probe, Spec, new_name
from jenkins_kaniko.engines import split_tag
from jenkins_kaniko.options import DEFAULT_ENGINE, Builder, problems

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
TOLERATION = re.compile(r"([^=:]+)(?:=([^:]*))?(?::(NoSchedule|PreferNoSchedule|NoExecute))?")
DEFAULT_SECRET = "docker-config"  # noqa: S105 - a name
DEFAULT_CA_KEY = "ca.crt"


def spec_of(given: Mapping[str, Any], environment: Mapping[str, str]) -> Spec:
    """Return the build that the options of the command line ask for.

    Args:
        given: the options by their names in Python.
        environment: holds the values of build arguments without one.

    Raises:
        WrongInputError: an option cannot be used; those that kanikoBuild has too are named all at once.
    """
    secrets_read = buildsecrets.read(given["secrets"], environment)
    options = typed_options(given, environment) | {"secrets": buildsecrets.places(secrets_read)}
    return spec_from(options, secrets_read, given)


def spec_from(options: Mapping[str, Any], secrets_read: Mapping[str, bytes], given: Mapping[str, Any]) -> Spec:
    """Return the build of these options, with all else as the command line says. Raises as spec_of does."""
    builder = builder_of(given)
    if mistakes := problems(options, builder):
        raise errors.WrongInputError(mistakes)
    _check_text(options)
    name = given["name"] or new_name(options["image"])
    if not NAME.fullmatch(name):
        raise errors.WrongInputError(f"--name: {name!r} is not a name: lower-case letters, digits and -, at most 52")
    return Spec(
        name=name,
        options=options,
        client=f"{_user()}@{socket.gethostname()}",
        token=secrets.token_hex(4),
        image=given["image"],
        builder=builder,
        registry_secret=_registry_secret(given["registry_secret"]),
        ca_bundle=_ca_bundle(given["ca_bundle"]),
        profile=given["profile"],
        node_selector=_pairs("--node-selector", given["node_selector"]),
        tolerations=[_toleration(text) for text in given["tolerations"]],
        secrets=secrets_read,
        timeout=given["timeout"],
        pending_timeout=given["pending_timeout"],
        keep=given["keep"],
        probe=_probe(given["probe"], given["probe_timeout"]),
    )


def _check_text(options: Mapping[str, Any]) -> None:
    """Refuse what no manifest can hold: a terminal of another encoding gives bytes that are not UTF-8."""
    for name, value in options.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise errors.WrongInputError(f"option {name}: not UTF-8 text") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name; OSError from Python 3.13 on
        return str(os.getuid())


def builder_of(given: Mapping[str, Any]) -> Builder:
    """Return what is known of the builder image."""
    if given["image"]:
        return Builder(given["builder_distribution"], given["builder_version"])
    engine = resources.engines()[DEFAULT_ENGINE]
    return Builder(engine["distribution"], engine["version"])


def typed_options(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the options as a pipeline author gives them to kanikoBuild(); those that are not given are not there."""
    image, tags = _image(given["tags"]) if given["tags"] else (None, None)
    cache = {"repo": given["cache_repo"], "ttl": given["cache_ttl"], "copyLayers": given["cache_copy_layers"] or None}
    named = {name: value for name, value in cache.items() if value is not None}
    options = {
        "image": image,
        "tags": tags,
        "dockerfile": given["dockerfile"],
        "target": given["target"],
        "engine": given["engine"],
        "buildArgs": _pairs("--build-arg", given["build_args"], environment),
        "labels": _pairs("--label", given["labels"]),
        "annotations": _pairs("--annotation", given["annotations"]),
        "env": _pairs("--env", given["env"]),
        "cache": False if given["cache"] is False else named or given["cache"],
        "platforms": list(given["platforms"]),
        "retries": given["retries"],
        "extraArgs": list(given["extra_args"]),
    }
    return {name: value for name, value in options.items() if value not in (None, [], {})}


def _image(names: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the image, and the tags of the others, which must be of the same repository."""
    repository, first = split_tag(names[0])
    tags = [] if first or len(names) == 1 else ["latest"]
    for name in names[1:]:
        other, tag = split_tag(name)
        if other != repository:
            raise errors.WrongInputError(
                f"--tag: {other} is another repository than {repository}; one build pushes to one repository"
            )
        tags.append(tag or "latest")
    return names[0], tags


def _pairs(option: str, texts: tuple[str, ...], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            if environment is None:
                raise errors.WrongInputError(f"{option}: {text!r} has no value; write {text}=VALUE")
            if name not in environment:
                raise errors.WrongInputError(f"{option}: {name} has no value, and is not in the environment")
            value = environment[name]
        pairs[name] = value
    return pairs


def _toleration(text: str) -> dict[str, str]:
    found = TOLERATION.fullmatch(text)
    if not found:
        raise errors.WrongInputError(f"--toleration: {text!r} is not KEY, KEY=VALUE, or one of them with :NoSchedule")
    key, value, effect = found.groups()
    toleration = {"key": key, "operator": "Exists" if value is None else "Equal", "value": value, "effect": effect}
    return {name: item for name, item in toleration.items() if item is not None}


def _registry_secret(name: str | None) -> Mounted:
    return Mounted(name or DEFAULT_SECRET, optional=name is None)


def _ca_bundle(text: str | None) -> Mounted | None:
    if not text:
        return None
    name, _, key = text.partition(":")
    return Mounted(name, key or DEFAULT_CA_KEY)


def _probe(command: str | None, timeout: float) -> Probe | None:
    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise errors.WrongInputError(f"--probe: {command!r} cannot be taken apart into words: {error}") from None
    if not words:
        raise errors.WrongInputError("--probe: there is no command in it")
    return Probe(command, timeout)
