"""The pod of one attempt as it is and as it changes, for as long as a build may take.

The pod is watched, not the Job, whose own status comes later (measured: 1.0 s instead of 2.9 s for a tiny image). What
the cluster does to the pod, and that the time is over, ends the attempt here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from jenkins_kaniko import jobs, podstate
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.errors import JenkinsKanikoError, TimedOutError, UnansweredError
from jenkins_kaniko.explain import Seen
from jenkins_kaniko.options import DEFAULT_ENGINE
from jenkins_kaniko.patience import Patience
from jenkins_kaniko.podstate import Pod

TICK_SECONDS = 3
"""How often a pod that does not start is asked why."""


class Door(jobs.Door, Protocol):
    """What this needs of the cluster; cluster_pods.Pods is one."""

    def watch(self, label: str, seconds: float) -> Iterator[Pod | None]: ...
    def there(self, label: str) -> bool: ...


class FailedError(Exception):
    """An attempt failed: what is known of it, and the error that it becomes where it is the last."""

    def __init__(self, kind: type[JenkinsKanikoError], seen: Seen) -> None:
        self.kind, self.seen = kind, seen


def lost(why: str) -> FailedError:
    """Return what the cluster did, in its own words."""
    return FailedError(JenkinsKanikoError, Seen(exception=why))


class Sightings:
    """What is seen of the pod of a Job, and the time since it started.

    Attributes:
        uid: of the Job, empty until it is made.
    """

    def __init__(self, door: Door, spec: Spec, name: str, seconds: float, detail: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            name: of the Job.
            seconds: how long the attempt may take from the start of its pod.
            detail: told what is for the curious.
        """
        self.uid = ""
        self._door, self._spec, self._name = door, spec, name
        self._seconds, self._detail = seconds, detail
        self._seen = False
        self._begun: float | None = None
        self._patience = Patience()

    def __iter__(self) -> Iterator[Pod | None]:
        """Yield the pod as it is and as it changes, and None now and then, without end.

        Raises:
            FailedError: the cluster did something to it, or the time is over.
            UnansweredError: the cluster is away for too long.
        """
        pods = f"batch.kubernetes.io/controller-uid={self.uid}"
        while True:
            silent = True
            try:
                for pod in self._door.watch(pods, TICK_SECONDS):
                    silent = False
                    self._patience.answered()
                    yield self._present(pod)
                self._patience.answered()
                if silent and self._seen and not self._door.there(pods):
                    self._present(None)
            except UnansweredError as error:
                self._detail(str(error))
                self._patience.unanswered(error)
            self.check_time()
            yield None

    def answered(self) -> None:
        """Take that the cluster answered somebody else."""
        self._patience.answered()

    def _present(self, pod: Pod | None) -> Pod:
        """Return a pod that the cluster did nothing to."""
        self._seen = True
        if pod is None:
            raise lost(jobs.disruption(self._door, self._spec, self._name) or podstate.DELETED)
        if why := podstate.cut_short(pod, DEFAULT_ENGINE) or podstate.lost(pod, DEFAULT_ENGINE):
            raise lost(why)
        return pod

    # --- time --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take that the pod started; its time begins once."""
        if self._begun is None:
            self._begun = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether the pod started."""
        return self._begun is not None

    @property
    def took(self) -> float:
        """How many seconds passed since then."""
        return 0 if self._begun is None else time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """How many seconds are left, below 0 where it is too late."""
        return self._seconds - self.took

    def check_time(self) -> None:
        """Raise FailedError where the time is over."""
        if self.left < 0:
            minutes = f"{self._spec.timeout / 60:g}"
            raise FailedError(TimedOutError, Seen(exception=f"timed out after {minutes} minutes"))
