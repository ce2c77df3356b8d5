"""One attempt to build: a Job from its begin to its end, with what its pod waits for and its log.

The digest is what the builder left as its termination message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from jenkins_kaniko import buildjob, memory, podstate, sightings, transport
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.buildlog import BuildLog
from jenkins_kaniko.buildsecrets import masked
from jenkins_kaniko.contexts import Context
from jenkins_kaniko.errors import (
    BuildFailedError,
    DeniedError,
    JenkinsKanikoError,
    TimedOutError,
    UnansweredError,
    UnreachableError,
    WrongInputError,
)
from jenkins_kaniko.explain import Seen, diagnosis
from jenkins_kaniko.jobs import made
from jenkins_kaniko.options import DEFAULT_ENGINE
from jenkins_kaniko.patience import patiently
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.sightings import FailedError, Sightings, lost
from jenkins_kaniko.waiting import Waiting, Warnings

QUIET_SECONDS = 30
"""How long a log may say nothing before it is asked for anew: the connection may be dead."""


class Door(transport.Receiver, sightings.Door, Protocol):
    """What a build needs of the cluster; cluster_pods.Pods is one."""

    def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]: ...
    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterable[bytes]: ...
    def printed(self, pod: str, container: str, limit: int) -> bytes: ...


@dataclass(frozen=True)
class Listener:
    """Who is told while it lasts: what matters, what is for the curious, and the builder's log line by line."""

    note: Callable[[str], None]
    detail: Callable[[str], None]
    line: Callable[[str], None]


class Attempt:
    """One Job from its begin to its end.

    Attributes:
        log: what was read of the builder's log.
        peak_memory: bytes that the builder used, where it was measured.
    """

    def __init__(
        self,
        spec: Spec,
        number: int,
        context: Context,
        archive: bytes | None,
        door: Door,
        listener: Listener,
        *,
        seconds: float,
        less_memory: bool = False,
    ) -> None:
        """Prepare it.

        Args:
            archive: the build context as tar.gz where it is small enough for a ConfigMap.
            seconds: how long it may take from the start of its pod.
        """
        self.log = BuildLog()
        self.peak_memory: int | None = None
        self._spec, self._number, self._context, self._archive = spec, number, context, archive
        self._door, self._listener = door, listener
        self._manifest = buildjob.job(spec, context.facts, number, streamed=archive is None, less_memory=less_memory)
        self._name: str = self._manifest["metadata"]["name"]
        self._sightings = Sightings(door, spec, self._name, seconds, listener.detail)

    def digest(self) -> str:
        """Carry it out, and return the digest of the image that was pushed.

        Raises:
            FailedError: there is none.
            WrongInputError, RefusedError, UnreachableError: as the door does.
        """
        with self._made(detached=False):
            return self._ended(self._started())

    def send_off(self) -> None:
        """Make the Job and bring the build context there; what comes then needs nobody.

        Raises: as digest does.
        """
        with self._made(detached=True):
            if self._archive is None:
                self._started()

    @property
    def took(self) -> float:
        """How many seconds passed since its pod started."""
        return self._sightings.took

    @contextmanager
    def _made(self, *, detached: bool) -> Iterator[None]:
        told = self._listener.note
        try:
            with made(
                self._door, self._spec, self._number, self._manifest, self._archive, told, detached=detached
            ) as uid:
                self._listener.detail(f"job {self._door.namespace}/{self._name} created")
                self._sightings.uid = uid
                yield
        except DeniedError as error:
            raise lost(str(error)) from None

    # --- until it runs -----------------------------------------------------------------------------------------------

    def _started(self) -> Pod:
        """Return the pod once its builder runs, or ran; explain what it waits for, and end what is in vain."""
        limit = time.monotonic() + self._spec.pending_timeout
        waiting = Waiting(self._listener.note, buildjob.config_map_name(self._spec, self._number))
        sent = self._archive is not None
        for pod in self._sightings:
            if pod and podstate.started(pod, DEFAULT_ENGINE):
                self._sightings.begin()
                return pod
            if pod and not sent and podstate.running(pod, transport.CONTAINER):
                self._sightings.begin()
                self._send(pod)
                sent = True
            elif why := waiting.in_vain(pod) if pod else waiting.in_vain_by_events(self._events(waiting.pod)):
                raise lost(why)
            if not self._sightings.begun and time.monotonic() > limit:
                text = (
                    f"the pod did not start in {self._spec.pending_timeout:g} s: {waiting.reason or 'nobody says why'}"
                )
                raise FailedError(TimedOutError, Seen(exception=text))
        raise AssertionError("sightings have no end")

    def _send(self, pod: Pod) -> None:
        try:
            transport.stream(
                self._door,
                pod["metadata"]["name"],
                self._spec.engine["shell"],
                lambda: self._in_time(self._context.tar()),
                self._context.estimate,
                time.monotonic() + self._sightings.left,
                self._waits_for_context,
                self._listener.note,
            )
        except WrongInputError:
            raise
        except JenkinsKanikoError as error:
            self._waits_for_context()
            seen = Seen(exception=str(error))
            if isinstance(error, UnreachableError) or diagnosis(seen).name == "unknown":
                raise
            raise FailedError(type(error), seen) from None

    def _waits_for_context(self) -> bool:
        """Return whether the pod still does; raise what the cluster did to it: that says more than what broke by it."""
        for pod in self._sightings:
            if pod is None:
                return True
            if podstate.ended(pod, transport.CONTAINER):
                return False
        raise AssertionError("sightings have no end")

    def _events(self, pod: str | None) -> list[dict[str, Any]]:
        try:
            return self._door.events(pod) if pod else self._door.events(self._name, self._sightings.uid)
        except UnansweredError:
            return []

    def _in_time(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._sightings.check_time()
            yield chunk

    # --- until its end -----------------------------------------------------------------------------------------------

    def _ended(self, pod: Pod) -> str:
        """Show the log, and return the digest once the builder ended well."""
        name = pod["metadata"]["name"]
        end = podstate.ended(pod, DEFAULT_ENGINE)
        warnings = Warnings(self._listener.note, podstate.started_at(pod, DEFAULT_ENGINE))
        while end is None:
            self._follow_log(name, warnings)
            end = self._end_soon()
            if end is None:
                warnings.read(self._events(name))
        self._read_rest(name)
        self.peak_memory = end.peak_memory
        if end.peak_memory:
            self._listener.note(memory.said(end.peak_memory, self._spec.profile))
        dockerfile, path = self._context.facts.dockerfile_text, self._spec.options.get("dockerfile", "Dockerfile")
        return pushed(end, self.log, dockerfile, path)

    def _end_soon(self) -> podstate.Ended | None:
        """Return how the builder ended; None if it still runs after a moment."""
        for pod in self._sightings:
            if pod is None:
                return None
            if end := podstate.ended(pod, DEFAULT_ENGINE):
                return end
        return None

    def _follow_log(self, pod: str, warnings: Warnings) -> None:
        """Show the log as it comes, and what the cluster warns of where a log that never rests leaves no other time."""
        asked = time.monotonic()
        quiet = max(1.0, min(QUIET_SECONDS, self._sightings.left))
        try:
            for _ in self._shown(pod, follow=True, quiet=quiet):
                self._sightings.answered()
                self._sightings.check_time()
                if time.monotonic() >= asked + QUIET_SECONDS:
                    warnings.read(self._events(pod))
                    asked = time.monotonic()
        except UnansweredError as error:
            self._listener.detail(f"log: {error}")

    def _read_rest(self, pod: str) -> None:
        """Show the end of the log, which may have been cut before."""
        try:
            patiently(lambda: list(self._shown(pod, follow=False, quiet=QUIET_SECONDS)))
        except UnansweredError as error:
            self._listener.note(f"the end of the log is missing: {error}")

    def _shown(self, pod: str, *, follow: bool, quiet: float) -> Iterator[bytes]:
        """Show what is new of the log, and yield its lines."""
        lines = self._door.log(pod, DEFAULT_ENGINE, self.log.since(), follow=follow, quiet=quiet)
        for line in masked(lines, self._spec.secrets):
            if (text := self.log.new(line)) is not None:
                self._listener.line(text)
            yield line


def pushed(end: podstate.Ended, log: BuildLog, dockerfile: str | None = None, path: str | None = None) -> str:
    """Return the digest that the builder told at its end.

    Args:
        dockerfile, path: of the Dockerfile, where its text is known.

    Raises:
        FailedError: it did not end well.
    """
    if end.reason in podstate.NOT_BY_ITSELF:
        raise lost(f"{end.reason}: {end.message}")
    if end.exit_code != 0:
        raise FailedError(BuildFailedError, Seen(log.text, end.exit_code, dockerfile=dockerfile, path=path))
    if not end.message.startswith("sha256:"):
        raise lost("the builder ended well, and told no digest")
    return end.message.strip()
