"""Collecting what no image of a registry needs any longer, while nothing can be pushed.

A push during a collection would lose layers that it just sent, or that it was told are there already; see
https://distribution.github.io/distribution/about/garbage-collection/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.registry import CONFIG, CONTAINER, CONTENT, FOLDER, Registry, config_map, server
from jenkins_kaniko.registry_install import found, mounted
from jenkins_kaniko.registry_settings import registry_of
from jenkins_kaniko.registry_wait import running, wait_until_it_serves

SUMMARY = re.compile(r"(\d+) blobs marked, (\d+) blobs and (\d+) manifests eligible for deletion")


def collect(objects: Objects, registry: Registry, tell: Callable[[str], None], *, dry_run: bool, timeout: float) -> int:
    """Remove layers that no image needs, and return how many; pushes are refused meanwhile.

    Args:
        dry_run: only count them, while it takes pushes as before.

    Raises:
        RefusedError: its images end with the pod that would be replaced, or somebody else changed it meanwhile.
        WrongInputError: no pod of it runs, or a Secret that it needs is not there.
        JenkinsKanikoError: it failed; pushes are taken again.
    """
    if dry_run:
        return _collected(objects, registry, "--dry-run")
    if registry.place == FOLDER:
        raise RefusedError(
            "its images are in a folder of the pod, and end with it: to be rid of them, delete the pod; "
            "to keep them, install it with --storage"
        )
    where = f"registry {registry.namespace}/{registry.name}"
    needed = mounted(objects, registry)  # before anything changes: it may not be there
    try:
        tell(f"{where}: read-only from now on")
        content = _serve(objects, registry, needed, tell, timeout, read_only=True)
        return _collected(objects, registry, content=content)
    finally:
        now = _settled(objects, registry)  # somebody may have installed meanwhile
        _serve(objects, now, mounted(objects, now), tell, timeout, read_only=False)
        tell(f"{where}: as before")


def _settled(objects: Objects, registry: Registry) -> Registry:
    """Return the registry as its settings are now."""
    settings = found(objects, registry.name, registry.namespace)
    return registry_of(registry.name, registry.namespace, {}, settings) if settings is not None else registry


def _serve(
    objects: Objects,
    registry: Registry,
    needed: Mapping[str, bytes],
    tell: Callable[[str], None],
    timeout: float,
    *,
    read_only: bool,
) -> str:
    """Let it serve so, and return what its pod's annotation says of that."""
    now = replace(registry, read_only=read_only or registry.read_only)
    objects.apply(config_map(now, kept=registry))
    made = server(now, needed)
    for manifest in made:
        objects.apply(manifest)
    wait_until_it_serves(objects, registry, tell, timeout)
    (pod,) = [one["spec"]["template"] for one in made if one["kind"] == "Deployment"]
    content: str = pod["metadata"]["annotations"][CONTENT]
    return content


def _collected(objects: Objects, registry: Registry, *options: str, content: str | None = None) -> int:
    """Collect in the pod that runs.

    Args:
        content: what its annotation says where it takes no pushes. When somebody lets the registry take them meanwhile,
            that pod ends, and the collection with it, before another one serves.
    """
    pod = running(objects, registry, content)
    command = ["registry", "garbage-collect", *options, f"{CONFIG}/config.yml"]
    said = objects.run(pod, registry.namespace, CONTAINER, command).decode()
    summary = SUMMARY.search(said)
    if not summary:
        raise JenkinsKanikoError(f"registry garbage-collect did not say what it found: {said[-1000:]}")
    return int(summary[2])
