"""Builds that go on without their client: sent off, and followed later by whoever wants to know."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from jenkins_kaniko import attempt, builds, podstate, transport
from jenkins_kaniko.attempt import QUIET_SECONDS, Attempt, Listener
from jenkins_kaniko.build import PAUSE_SECONDS, Result
from jenkins_kaniko.buildjob import CLIENT_ANNOTATION, Spec
from jenkins_kaniko.buildlog import BuildLog
from jenkins_kaniko.builds import RUNNING, WAITING, Build
from jenkins_kaniko.contexts import Context
from jenkins_kaniko.errors import JenkinsKanikoError, TimedOutError, UnansweredError
from jenkins_kaniko.explain import Seen, diagnosis, explanation
from jenkins_kaniko.options import DEFAULT_ENGINE
from jenkins_kaniko.patience import patiently
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.sightings import TICK_SECONDS, FailedError
from jenkins_kaniko.waiting import Waiting

LATE_SECONDS = 10
"""How much later than it should a client may remove a Job, or make the next one."""


class _FailedError(Exception):
    """A Job failed: what that is where it was the last, and whether its client may try it again."""

    def __init__(self, error: JenkinsKanikoError, *, can_pass: bool) -> None:
        self.error, self.can_pass = error, can_pass


class Door(builds.Door, Protocol):
    """What following needs of the cluster; cluster_builds.Builds is one."""

    def watch(self, label: str, seconds: float) -> Iterator[Pod | None]: ...
    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterable[bytes]: ...


def send_off(spec: Spec, context: Context, door: attempt.Door, listener: Listener) -> None:
    """Begin a build that needs nobody: its Job stays for an hour after its end, and nothing is tried again.

    Raises:
        WrongInputError, RefusedError, UnreachableError, TimedOutError, JenkinsKanikoError: as build() does.
    """
    archive = transport.packed(context.tar())
    try:
        Attempt(spec, 1, context, archive, door, listener, seconds=spec.timeout).send_off()
    except FailedError as failure:
        raise failure.kind(f"{spec.options['image']}: {explanation(failure.seen)}") from None


def follow(door: Door, name: str, listener: Listener, *, to_end: bool) -> Result | None:
    """Show the log of a build that somebody started, and return its result.

    Args:
        to_end: wait for it; else return None where the build did not end yet.

    Raises:
        WrongInputError: there is no such build.
        UnreachableError: the cluster does not answer, or forbids it.
        TimedOutError: the cluster ended it, for its deadline.
        BuildFailedError: the builder says so.
        JenkinsKanikoError: the cluster could not do it, or its Job is gone.
    """
    build = builds.find(door, name)
    while True:
        try:
            return _attempt(door, build, listener, to_end=to_end)
        except _FailedError as failure:
            later = _next_attempt(door, build) if to_end and failure.can_pass else None
            if later is None:
                raise failure.error from None
            listener.note(f"{str(failure.error).splitlines()[0]}; next attempt: job {later.job['metadata']['name']}")
            build = later


def _attempt(door: Door, build: Build, listener: Listener, *, to_end: bool) -> Result | None:
    """Show the log of one Job, and return its result, None where nobody waits for it."""
    log, waiting = BuildLog(), Waiting(listener.note, _own_config_map(build))
    while not build.over:
        if build.state == RUNNING:
            _read(door, build, log, listener, follow=to_end)
        elif why := _in_vain(door, build, waiting):
            raise _failed(build, JenkinsKanikoError, Seen(exception=why))
        if not to_end:
            return None
        build = _later(door, build)
    _read_rest(door, build, log, listener)
    return _result(door, build, log)


def _next_attempt(door: Door, build: Build) -> Build | None:
    """Wait for the Job that its client makes after a pause, as build() does; None where there is none.

    Who waits for a build of his own removes its Job at its end; one that stays is tried again by nobody.
    """
    number = int(build.job["metadata"]["name"].removeprefix(build.name).removeprefix("-") or 1)
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < PAUSE_SECONDS * number * number + LATE_SECONDS:
        for now in patiently(lambda: builds.builds(door, build.name)):
            if now.uid != build.uid and _client(now) == _client(build):
                return now
            if now.uid == build.uid and passed > LATE_SECONDS:
                return None
        time.sleep(1)
    return None


def _client(build: Build) -> str:
    """Return what tells the Jobs of one run of the command from those of others."""
    return str(build.job["metadata"].get("annotations", {}).get(CLIENT_ANNOTATION, ""))


def _own_config_map(build: Build) -> str:
    """Return the ConfigMap with the build context, which comes a moment after the Job."""
    volumes = {one["name"]: one for one in build.job["spec"]["template"]["spec"]["volumes"]}
    return str(volumes["context"].get("configMap", {}).get("name", ""))


def _in_vain(door: Door, build: Build, waiting: Waiting) -> str | None:
    if build.pod and (why := waiting.in_vain(build.pod)):
        return why
    try:
        events = door.events(waiting.pod) if waiting.pod else door.events(build.job["metadata"]["name"], build.uid)
    except UnansweredError:  # whoever asks for the build itself next has the patience
        return None
    return waiting.in_vain_by_events(events)


def _read(door: Door, build: Build, log: BuildLog, listener: Listener, *, follow: bool) -> None:
    """Show what is new of the log; where the connection breaks, the rest comes with the next call."""
    try:
        _show(door, build, log, listener, follow=follow)
    except UnansweredError as error:
        listener.detail(f"log: {error}")


def _read_rest(door: Door, build: Build, log: BuildLog, listener: Listener) -> None:
    try:
        patiently(lambda: _show(door, build, log, listener, follow=False))
    except UnansweredError as error:
        listener.note(f"the end of the log is missing: {error}")


def _show(door: Door, build: Build, log: BuildLog, listener: Listener, *, follow: bool) -> None:
    if build.pod is None:
        return
    name = build.pod["metadata"]["name"]
    for line in door.log(name, DEFAULT_ENGINE, log.since(), follow=follow, quiet=QUIET_SECONDS):
        if (text := log.new(line)) is not None:
            listener.line(text)


def _later(door: Door, build: Build) -> Build:
    """Return the build as it is after a moment, or as soon as its pod starts or ends.

    The pod is watched: who waits for a build of his own removes its Job right after its end.
    """
    try:
        for pod in door.watch(build.pods, TICK_SECONDS):
            if pod and (now := build.seen(pod)).state not in (WAITING, build.state):
                return now
    except UnansweredError:
        time.sleep(1)
    return _now(door, build)


def _now(door: Door, build: Build) -> Build:
    for now in patiently(lambda: builds.builds(door, build.name)):
        if now.uid == build.uid:
            return now
    gone = JenkinsKanikoError(f"{build.name}: its Job is gone: it was cancelled, or its own client removed it")
    raise _FailedError(gone, can_pass=True)


def _result(door: Door, build: Build, log: BuildLog) -> Result:
    pod = build.pod
    end = podstate.ended(pod, DEFAULT_ENGINE) if pod and not podstate.cut_short(pod, DEFAULT_ENGINE) else None
    if end is None:
        raise _not_by_itself(_now(door, build))
    try:
        digest = attempt.pushed(end, log)
    except FailedError as failure:
        raise _failed(build, failure.kind, failure.seen) from None
    return Result(
        image=build.image,
        tags=build.tags,
        digest=digest,
        engine=DEFAULT_ENGINE,
        seconds=_seconds(build),
        cache_hits=log.hits,
        cache_misses=log.misses,
        first_miss=log.first_miss,
        commit=build.commit,
        peak_memory=end.peak_memory,
    )


def _failed(build: Build, kind: type[JenkinsKanikoError], seen: Seen) -> _FailedError:
    can_pass = kind is not TimedOutError and diagnosis(seen).retry != "never"
    return _FailedError(kind(f"{build.reference}: {explanation(seen)}"), can_pass=can_pass)


def _not_by_itself(build: Build) -> _FailedError:
    """Return what to tell of a build whose builder had no end of its own."""
    if build.out_of_time:
        minutes = build.job["spec"]["activeDeadlineSeconds"] / 60
        return _failed(build, TimedOutError, Seen(exception=f"timed out after {minutes:g} minutes"))
    why = build.why or "its pod is gone, and with it the log and the digest"
    return _failed(build, JenkinsKanikoError, Seen(exception=why))


def _seconds(build: Build) -> int:
    """Return how long it took, its pod's start included."""
    states: list[dict[str, Any]] = (build.pod or {})["status"]["containerStatuses"]
    ended = next(one["state"]["terminated"]["finishedAt"] for one in states if one["name"] == DEFAULT_ENGINE)
    return round((builds.when(ended) - build.created).total_seconds())
