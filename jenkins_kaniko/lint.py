"""What is allowed and yet will not work as meant: warnings on a configuration, from what others ran into.

Pure functions over settings and the rendered pod. Facts: kubernetes-plugin's PodTemplateBuilder, which pods it makes
of a template, and Kaniko's own rules on what gets into a snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from jenkins_kaniko import render, resources
from jenkins_kaniko.document import mapping
from jenkins_kaniko.errors import Problem
from jenkins_kaniko.model import Fleet, KeyPath, Template

MOUNTABLE = ("/kaniko", "/busybox", "/cache", "/workspace", "/tmp", "/dev", "/proc", "/sys", "/run", "/var/run")  # noqa: S108
"""Where no Dockerfile writes what it wants in its image; every mount point is left out of snapshots."""
NO_SHELL = re.compile(r"(^|/)(kaniko-project/executor|osscontainertools/kaniko|martizih/kaniko)$")
FLOATING = ("latest", "debug")
KEEPS_ALIVE = ("sleep", "tail", "cat")
"""What runs as process 1 without answering SIGTERM."""
CLEAR_TEXT = "the token goes over the network in clear text; use https://"
Found = Iterator[tuple[str, str]]
"""The key of a template that a warning is about, and the warning."""


def warnings(fleet: Fleet) -> list[Problem]:
    """Return what a reader of the configuration should know, in the order of its lines."""
    found = []
    for name, controller in fleet.controllers.items():
        if in_clear_text(controller.url):
            found.append(fleet.problem(("controllers", name, "url"), CLEAR_TEXT))
    for template in fleet.templates:
        for key, message in _of_template(template, fleet):
            found.append(fleet.problem(_place(fleet, template, key), message))
    return sorted(found)


def in_clear_text(url: str) -> bool:
    """Tell whether others can read a token on its way there: plain HTTP, and not to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and not local


def restricted_notes(fleet: Fleet, controller: str) -> list[str]:
    """Return which builders will not start where the cloud puts Pod Security *restricted* into containers.

    The plugin fills in what a container leaves open (`runAsNonRoot: true` among it), and Kaniko needs root.
    """
    return [
        f"template {template.name}: the cloud's restricted Pod Security asks for a user other than root; its builder "
        "needs securityContext {runAsUser: 0, runAsNonRoot: false}"
        for template in fleet.templates
        if template.is_for(controller) and _restricted_breaks(_builder(template, render.pod(template, fleet)))
    ]


def _place(fleet: Fleet, template: Template, key: str) -> KeyPath:
    """A key that the template does not give itself is one of the defaults."""
    own: KeyPath = ("templates", template.key, key)
    return ("defaults", key) if own not in fleet.places and ("defaults", key) in fleet.places else own


def _of_template(template: Template, fleet: Fleet) -> Found:
    pod = render.pod(template, fleet)
    spec = mapping(pod.get("spec"))
    builder = _builder(template, pod)
    source = _source(template)
    yield from _double(template, spec)
    yield from _host(spec, "hostUsers" if template.settings.host_users is False else source)
    if builder:
        yield from ((source, message) for message in _mounts(builder, spec))
        yield from _image(str(builder.get("image") or ""), "image" if template.settings.generates else source)
        if not builder.get("command"):
            yield source, f"container {builder['name']} has no command to keep it alive; it would end at once"
        elif _ends_late(builder, spec):
            yield (
                source,
                "no terminationGracePeriodSeconds: each agent pod takes 30 s to end, its keep-alive ignores SIGTERM",
            )
        if (template.settings.jenkins or {}).get("volumes"):
            yield "jenkins", f"volumes do not reach container {builder['name']}, which only stands in the pod's YAML"


def _builder(template: Template, pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    name = template.engine if template.settings.generates else "kaniko"
    found = [one for one in _mappings(mapping(pod.get("spec")).get("containers")) if one.get("name") == name]
    return found[0] if found else None


def _source(template: Template) -> str:
    """The key by which things that have no key of their own get into the pod."""
    if not template.settings.generates:
        return "yamlFile"
    return "pod" if template.settings.pod else "containers"


def _double(template: Template, spec: Mapping[str, Any]) -> Found:
    own = {one.get("name") for one in _mappings((template.settings.jenkins or {}).get("containers"))}
    for container in _mappings(spec.get("containers")):
        if container.get("name") in own:
            yield "jenkins", f"container {container['name']} is in the pod's YAML too; the plugin takes this one"


def _host(spec: Mapping[str, Any], source: str) -> Found:
    if spec.get("hostUsers") is not False:
        return
    if spec.get("hostNetwork"):
        yield source, "Kubernetes refuses a pod with hostNetwork and hostUsers: false"
    for volume in _mappings(spec.get("volumes")):
        for kind in {"hostPath", "nfs"} & set(volume):
            yield source, f"volume {volume.get('name')}: {kind} with hostUsers: false needs a file system with id maps"


def _mounts(builder: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    engine = resources.engines()[builder["name"]]
    folders = (*MOUNTABLE, str(builder.get("workingDir") or engine["workingDir"]))
    volumes = {volume.get("name"): volume for volume in _mappings(spec.get("volumes"))}
    config = engine["dockerConfigDir"]
    for mount in _mappings(builder.get("volumeMounts")):
        path = PurePosixPath(str(mount.get("mountPath")))
        if not any(path.is_relative_to(folder) for folder in folders):
            yield (
                f"{path} is mounted: what a Dockerfile writes below it does not get into the image; "
                f"mount it below one of {', '.join(folders[:5])}"
            )
        secret = mapping(mapping(volumes.get(mount.get("name"))).get("secret"))
        if str(path) == config and secret and not _maps_config(secret):
            yield (
                f"secret {secret.get('secretName')} is mounted as it is: the builder reads {config}/config.json, and a "
                "kubernetes.io/dockerconfigjson secret has no key config.json; use registrySecret, or map it by items"
            )


def _maps_config(secret: Mapping[str, Any]) -> bool:
    return any(item.get("path") == "config.json" for item in _mappings(secret.get("items")))


def _image(image: str, key: str) -> Found:
    repository, _, digest = image.partition("@")
    name, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:
        name, tag = repository, ""
    if NO_SHELL.search(name) and not digest and "debug" not in tag:
        yield key, f"{image} has no shell, which Jenkins needs; take its debug image"
    elif not digest and (not tag or tag in FLOATING):
        yield key, f"{image} changes under your feet; name a version"


def _ends_late(builder: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    command = builder["command"]
    program = str(command[0]) if isinstance(command, list) else ""
    return "terminationGracePeriodSeconds" not in spec and program.rpartition("/")[2] in KEEPS_ALIVE


def _restricted_breaks(builder: Mapping[str, Any] | None) -> bool:
    context = mapping((builder or {}).get("securityContext"))
    return builder is not None and context.get("runAsNonRoot") is not False


def _mappings(data: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in data if isinstance(item, Mapping)] if isinstance(data, list) else []
