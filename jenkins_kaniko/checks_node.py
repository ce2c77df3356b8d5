"""What doctor tries of a node: to pull the image that was just pushed, by its digest, with the same account."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from jenkins_kaniko import buildjob, podstate
from jenkins_kaniko.attempt import Door
from jenkins_kaniko.explain import Seen, diagnosis
from jenkins_kaniko.findings import ERROR, Finding, Place
from jenkins_kaniko.sightings import TICK_SECONDS
from jenkins_kaniko.templates import PROFILES
from jenkins_kaniko.waiting import Waiting

CONTAINER = "pulled"
TRUST = "make the nodes know the registry: jenkins-kaniko registry trust, or certs.d/HOST:PORT/hosts.toml on each node"
FIXES = {
    "pull-unknown-host": TRUST,
    "pull-plain-http": TRUST,
    "pull-failed": "kubectl describe pod of a pod with this image; the Secret of the account must be of the type "
    f"kubernetes.io/dockerconfigjson; for a private certificate {TRUST}",
}


def pulling(place: Place, image: str, door: Door) -> Iterator[Finding]:
    """Yield why the node that a pod comes to cannot pull an image there."""
    manifest = _pod(place, image)
    place.objects.create(manifest)
    try:
        why = _why_not(door, f"{buildjob.BUILD_LABEL}={place.spec.name}", place.spec.pending_timeout)
    finally:
        place.objects.delete("Pod", manifest["metadata"]["name"], place.namespace)
    if why:
        found = diagnosis(Seen(exception=why))
        yield Finding(found.name, ERROR, f"{image}: {why}", found.cause, FIXES.get(found.name, found.fix))


def _why_not(door: Door, label: str, seconds: float) -> str | None:
    """Return why the pod's image does not come; None once it is there, whatever becomes of its program."""
    waiting = Waiting(lambda _text: None, "")
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for pod in door.watch(label, TICK_SECONDS):
            if pod and podstate.started(pod, CONTAINER):
                return None
            if pod and (why := waiting.in_vain(pod)):
                return why
    return f"the pod did not start in {seconds:g} s: {waiting.reason or 'nobody says why'}"


def _pod(place: Place, image: str) -> dict[str, Any]:
    spec = place.spec
    secrets = [{"name": spec.registry_secret.name}] if spec.registry_secret else []
    labels = {**buildjob.MANAGED, buildjob.BUILD_LABEL: spec.name}
    container = {
        "name": CONTAINER,
        "image": image,
        "command": ["/Dockerfile"],  # cannot run, nor need it
        "resources": PROFILES[spec.profile],  # what admits a build admits this
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{spec.name}-pull", "namespace": place.namespace, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": round(spec.pending_timeout),
            "imagePullSecrets": secrets,
            "nodeSelector": dict(spec.node_selector),
            "tolerations": list(spec.tolerations),
            "containers": [container],
        },
    }
