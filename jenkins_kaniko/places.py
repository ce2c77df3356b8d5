"""Where builds run: what the command line or a configuration says -> the places that doctor looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jenkins_kaniko import buildjob
from jenkins_kaniko.buildjob import Mounted, Spec
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.contexts_stream import Facts
from jenkins_kaniko.findings import Place
from jenkins_kaniko.model import Fleet, Template
from jenkins_kaniko.options import Builder
from jenkins_kaniko.render import pod

AGENT_IMAGE = "jenkins/inbound-agent"
"""Stands for the image that the plugin fills in where the pod names none: a pod without one is not admitted."""


def of_build(objects: Objects, namespace: str, spec: Spec, image: str | None) -> Place:
    """Return the place of a build by this command."""
    job = buildjob.job(spec, Facts("directory"), streamed=True)
    template = job["spec"]["template"]
    return Place(
        objects, namespace, spec, image, [buildjob.config_map(spec, 1, None, b""), job, _pod(template, spec.name)]
    )


def of_templates(objects: Objects, fleet: Fleet, spec: Spec, image: str | None) -> Sequence[Place]:
    """Return a place for each template that builds.

    Args:
        spec: of a build, for what a template does not say.
        image: what is pushed there; else the template's cache is tried.
    """
    return [_of_template(objects, fleet, one, spec, image) for one in fleet.templates if one.yaml is None]


def _of_template(objects: Objects, fleet: Fleet, template: Template, spec: Spec, image: str | None) -> Place:
    settings = template.settings
    bundle, secret = settings.ca_bundle, settings.registry_secret
    known = settings.image is None
    own = replace(
        spec,
        name=buildjob.new_name(spec.options["image"]),  # of two trials in one namespace each has its own objects
        image=settings.image,
        builder=spec.builder if known else Builder(settings.distribution, settings.version),
        registry_secret=Mounted(secret) if secret else None,
        ca_bundle=Mounted(bundle.config_map, bundle.key) if bundle else None,
        profile=settings.profile or "medium",
        node_selector={key: value for key, value in (settings.node_selector or {}).items() if value is not None},
        tolerations=settings.tolerations or [],
    )
    cache = settings.cache.repo if settings.cache else None
    described = pod(template, fleet)
    containers = [{"image": AGENT_IMAGE, **one} for one in described["spec"]["containers"]]
    manifest = _pod({**described, "spec": {**described["spec"], "containers": containers}}, own.name)
    return Place(objects, settings.namespace or objects.namespace, own, image or cache, [manifest], template.name)


def _pod(described: Mapping[str, Any], name: str) -> dict[str, Any]:
    metadata = {**described.get("metadata", {}), "name": name}
    return {"apiVersion": "v1", "kind": "Pod", **described, "metadata": metadata}
