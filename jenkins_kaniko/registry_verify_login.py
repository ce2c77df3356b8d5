"""The account that `registry verify` builds and pulls with, where nobody gave the registry's own namespace one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jenkins_kaniko import registry as parts
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.registry_install import found
from jenkins_kaniko.registry_settings import registry_of
from jenkins_kaniko.registry_steps import Installation, content_of


@contextmanager
def login(objects: Objects, name: str, namespace: str) -> Iterator[str]:
    """Yield the name of the Secret with the registry account, which need not be there where everybody may.

    It is what `install --for` gives a namespace; else one with the registry's first account, as long as this lasts.

    Raises:
        RefusedError: a Secret of that name is somebody else's.
        UnreachableError: the cluster does not answer, or forbids it.
    """
    kept = found(objects, name, namespace) or {}
    registry = registry_of(name, namespace, {}, kept)
    if not registry.accounts or objects.read("Secret", registry.login, namespace):
        yield registry.login
        return
    account, passwords = registry.accounts[0], content_of(objects, registry.passwords, namespace)
    content = {".dockerconfigjson": parts.docker_config(registry, account, passwords.get(account, b"").decode())}
    secret = parts.secret(registry, f"{name}-verify", content, "kubernetes.io/dockerconfigjson")
    Installation(objects, registry, lambda _text: None).apply(secret)
    try:
        yield secret["metadata"]["name"]
    finally:
        objects.delete("Secret", secret["metadata"]["name"], namespace)
