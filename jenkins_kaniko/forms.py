"""Templates in the forms that `render` prints, for people who bring them onto a controller by other ways than sync.

They carry the marks that sync would leave, so `plan --via export` and `drift --via export` tell what became of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jenkins_kaniko import casc, render
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.fleetfile import Sidecar
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.mark import marked
from jenkins_kaniko.model import OWNER_ANNOTATION, Fleet, Template
from jenkins_kaniko.render import cloud_fields, pod_template

POD, JCASC, HELM, CONFIG_MAP = FORMS = ("pod", "jcasc", "helm", "configmap")


def as_data(form: str, templates: Sequence[Template], fleet: Fleet) -> Any:
    """Return `templates` as plain data; POD, JCASC or HELM."""
    if form == POD:
        return [render.pod(template, fleet) for template in templates]
    items = [casc.template(marked(pod_template(template, fleet))) for template in templates]
    if form == JCASC:
        return items
    return {"agent": {"podTemplates": {item["name"]: _for_helm([item]) for item in items}}}


def cloud_as_data(form: str, fleet: Fleet, controller: str) -> Json:
    """Return the whole cloud of `controller` with its templates; JCASC, HELM or CONFIG_MAP.

    Raises:
        WrongInputError: the configuration does not manage that cloud, or has no `sidecar` for a ConfigMap.
    """
    settings = fleet.controllers[controller]
    fields = cloud_fields(fleet, controller)
    if fields is None:
        raise WrongInputError(f"controllers.{controller}.ensureCloud: missing; it says what the whole cloud is")
    wanted = [marked(pod_template(template, fleet)) for template in fleet.templates if template.is_for(controller)]
    whole = source(casc.cloud(settings.cloud, fields, [casc.template(one) for one in wanted]))
    if form == JCASC:
        return whole
    if form == HELM:
        return {"controller": {"JCasC": {"configScripts": {f"jenkins-kaniko-{fleet.name}": _for_helm(whole)}}}}
    if settings.sidecar is None:
        raise WrongInputError(f"controllers.{controller}.sidecar: missing; it says which ConfigMap, and its label")
    metadata = {
        "name": settings.sidecar.config_map,
        "namespace": settings.sidecar.namespace,
        "labels": labels(settings.sidecar, fleet.name),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files(settings.sidecar, whole)}


def as_text(form: str, data: Any) -> str:
    """Return what the other functions made as YAML: a document for each pod, or one."""
    documents = data if form == POD else [data]
    return "---\n".join(render.dump(document) for document in documents)


def source(cloud: Json) -> Json:
    """Return a source of configuration-as-code that defines this cloud."""
    return {"jenkins": {"clouds": [cloud]}}


def files(sidecar: Sidecar, whole: Json) -> dict[str, str]:
    """Return the ConfigMap's data; the sidecar puts all ConfigMaps into one folder, so file names must differ."""
    return {f"{sidecar.config_map}.yaml": render.dump(whole)}


def labels(sidecar: Sidecar, fleet: str) -> dict[str, str]:
    """Return the labels by which the sidecar finds the ConfigMap, and we know whose it is."""
    return {sidecar.label: "true", OWNER_ANNOTATION: fleet, "app.kubernetes.io/managed-by": "jenkins-kaniko"}


def _for_helm(data: Any) -> str:
    """The chart runs each text through its own template engine, which must find nothing to do."""
    return render.dump(data).replace("{{", '{{ "{{" }}')
