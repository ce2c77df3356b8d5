"""A command that runs once in the image that was pushed: what it prints belongs to the result, and nothing fails by it.

It runs in a Job, as the build does: that needs no right more, and what a killed client leaves ends by itself.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, replace
from typing import Any

from jenkins_kaniko import buildjob, podstate
from jenkins_kaniko.attempt import Door, Listener
from jenkins_kaniko.buildjob import Probe, Spec
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError
from jenkins_kaniko.explain import Seen, diagnosis
from jenkins_kaniko.jobs import made
from jenkins_kaniko.patience import patiently
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.sightings import TICK_SECONDS
from jenkins_kaniko.templates import PROFILES
from jenkins_kaniko.waiting import Waiting

CONTAINER = "probe"
KEPT_BYTES = 64 * 1024
CUT = "\n[cut after 64 KiB]"
SECURITY_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What any image can run with; many begin as root, so that is left to the image."""


@dataclass(frozen=True)
class Probed:
    """What came of it.

    Attributes:
        command: as it was given.
        exit_code: None where it did not end by itself.
        output: the begin of what it printed, on stdout and stderr.
        seconds: how long it ran.
        error: why it did not run, or not to its end.
    """

    command: str
    exit_code: int | None = None
    output: str | None = None
    seconds: int | None = None
    error: str | None = None


def run(probe: Probe, spec: Spec, image: str, door: Door, listener: Listener) -> Probed:
    """Run the command in a pod of its own, and remove that; what goes wrong is in the result.

    Args:
        image: with its digest.
    """
    listener.note(f"pushed {image}; probe: {probe.command}")
    manifest = job(probe, spec, image)
    try:
        with made(door, replace(spec, secrets={}), 1, manifest, None, listener.note) as uid:
            probed = _Run(probe, spec, manifest["metadata"]["name"], uid, door, listener).probed()
    except JenkinsKanikoError as error:
        probed = Probed(probe.command, error=str(error))
    for text in (probed.output or "").splitlines():
        listener.line(text)
    listener.note(summary(probed))
    return probed


def summary(probed: Probed) -> str:
    """Return one line."""
    return f"probe: {probed.error or f'exit code {probed.exit_code} in {probed.seconds} s'}"


def job(probe: Probe, spec: Spec, image: str) -> dict[str, Any]:
    """Return the Job that runs the command; it is found by the build's labels.

    The command stands in for the image's ENTRYPOINT.
    """
    labels = {**buildjob.MANAGED, buildjob.BUILD_LABEL: spec.name, buildjob.PROBE_LABEL: "true"}
    container = {
        "name": CONTAINER,
        "image": image,
        "command": buildjob.literal(shlex.split(probe.command)),
        "resources": PROFILES["small"],
        "securityContext": SECURITY_CONTEXT,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "imagePullSecrets": [{"name": spec.registry_secret.name}] if spec.registry_secret else [],
        "nodeSelector": dict(spec.node_selector),
        "tolerations": list(spec.tolerations),
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{spec.name}-probe",
            "labels": labels,
            "annotations": {buildjob.CLIENT_ANNOTATION: buildjob.client(spec)},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": round(spec.pending_timeout + probe.timeout + buildjob.MARGIN_SECONDS),
            "ttlSecondsAfterFinished": buildjob.TTL_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


class _Run:
    """A Job that was made, until its command ends or its time is over."""

    def __init__(self, probe: Probe, spec: Spec, name: str, uid: str, door: Door, listener: Listener) -> None:
        self._probe, self._spec, self._name = probe, spec, name
        self._uid = uid
        self._pods = f"batch.kubernetes.io/controller-uid={uid}"
        self._door, self._listener = door, listener
        self._waiting = Waiting(listener.note, own="")
        self._pod = ""
        self._start: float | None = None
        self._limit = time.monotonic() + spec.pending_timeout

    def probed(self) -> Probed:
        """Wait for the end; an API server that is away for a while costs time only.

        Raises:
            JenkinsKanikoError: the pod does not start, the cluster took it, or what it printed cannot be read.
        """
        while (left := self._limit - time.monotonic()) > 0:
            try:
                for pod in self._door.watch(self._pods, min(left, TICK_SECONDS)):
                    if end := self._end_of(pod):
                        return self._result(end)
                if self._start is None:
                    self._look_at_events()
            except UnansweredError as error:
                self._listener.detail(str(error))
                time.sleep(1)
        return self._out_of_time()

    def _end_of(self, pod: Pod | None) -> podstate.Ended | None:
        if pod is None or podstate.cut_short(pod, CONTAINER):
            raise JenkinsKanikoError("the pod was deleted")
        if why := podstate.lost(pod, CONTAINER):
            raise JenkinsKanikoError(why)
        self._pod = pod["metadata"]["name"]
        if self._start is None and podstate.started(pod, CONTAINER):
            self._start = time.monotonic()
            self._limit = self._start + self._probe.timeout
        if self._start is None and (why := self._waiting.in_vain(pod)):
            raise JenkinsKanikoError(_explained(why))
        return podstate.ended(pod, CONTAINER)

    def _look_at_events(self) -> None:
        events = self._door.events(self._pod) if self._pod else self._door.events(self._name, self._uid)
        if why := self._waiting.in_vain_by_events(events):
            raise JenkinsKanikoError(_explained(why))

    def _result(self, end: podstate.Ended) -> Probed:
        if end.reason == "StartError":
            return Probed(self._probe.command, error=f"{end.reason}: {end.message}")
        own = end.reason not in podstate.NOT_BY_ITSELF
        seconds = round(time.monotonic() - (self._start or 0))
        return Probed(
            self._probe.command, end.exit_code, self._output(), seconds, None if own else f"{end.reason}: {end.message}"
        )

    def _out_of_time(self) -> Probed:
        if self._start is None:
            why = self._waiting.reason or "nobody says why"
            return Probed(
                self._probe.command, error=f"the pod did not start in {self._spec.pending_timeout:g} s: {why}"
            )
        error = f"timed out after {self._probe.timeout:g} s"
        return Probed(self._probe.command, output=self._output(), error=error)

    def _output(self) -> str:
        printed = patiently(lambda: self._door.printed(self._pod, CONTAINER, KEPT_BYTES + 1))
        return printed[:KEPT_BYTES].decode("utf-8", "replace") + (CUT if len(printed) > KEPT_BYTES else "")


def _explained(why: str) -> str:
    """Return why the pod does not start, behind its cause: nodes have DNS, certificates and accounts of their own."""
    found = diagnosis(Seen(exception=why))
    return why if found.name == "unknown" else f"{found.cause}: {why}"
