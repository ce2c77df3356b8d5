"""Several builds at a time, each in a thread of its own: all end with an outcome, and none outlives the command."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from jenkins_kaniko import errors
from jenkins_kaniko.attempt import Door, Listener
from jenkins_kaniko.build import Result, build
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.contexts import Context
from jenkins_kaniko.errors import JenkinsKanikoError
from jenkins_kaniko.stoppable import StoppableDoor

SUCCESS, FAILURE, ABORTED, NOT_BUILT = "SUCCESS", "FAILURE", "ABORTED", "NOT_BUILT"
"""What kanikoBuildAll calls the results of builds."""


class Work(Protocol):
    """A build that has not begun; ClusterBuild is one."""

    def build(self) -> Result: ...
    def stop(self) -> None: ...


class ClusterBuild:
    """A build in the cluster that can be stopped from another thread."""

    def __init__(self, spec: Spec, context: Context, door: Door, listener: Listener) -> None:
        self._spec, self._context, self._listener = spec, context, listener
        self._door = StoppableDoor(door)

    def build(self) -> Result:
        """Build and push; raises as build.build does, and SystemExit or anything else once it was stopped."""
        return build(self._spec, self._context, self._door, self._listener)

    def stop(self) -> None:
        """Remove what it has in the cluster; its thread ends when it notices."""
        self._door.stop(self._spec, self._listener.note)


class Audience(Protocol):
    """Who is told as builds begin and end, in the thread that all are started from; buildboard.Board is one."""

    def begun(self, name: str) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What became of a build.

    Attributes:
        word: one of the results above.
        result: of SUCCESS.
        error: of FAILURE.
    """

    name: str
    word: str
    result: Result | None = None
    error: JenkinsKanikoError | None = None

    @property
    def text(self) -> str:
        """The image by its digest, or the begin of what is wrong."""
        return self.result.ref if self.result else str(self.error or "").partition("\n")[0]


def build_all(works: Mapping[str, Work], jobs: int, fail_fast: bool, audience: Audience) -> list[Outcome]:
    """Carry out all builds, and return an outcome for each in their order.

    Whatever ends this, KeyboardInterrupt and SystemExit too, stops the builds that still run.

    Args:
        jobs: how many run at a time; they begin in their order.
        fail_fast: whether the first failure stops those that run, and no other begins.
    """
    outcomes = {name: Outcome(name, NOT_BUILT) for name in works}
    waiting = deque(works)
    running: set[str] = set()
    ended: SimpleQueue[tuple[str, Result | BaseException]] = SimpleQueue()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.popleft()
                running.add(name)
                audience.begun(name)
                Thread(target=_carry_out, args=(name, works[name], ended), daemon=True).start()
            name, end = ended.get()
            running.remove(name)
            outcomes[name] = _outcome(name, end)
            audience.ended(outcomes[name])
            if fail_fast and outcomes[name].error:
                break
    finally:
        for name in works:
            if name in running:
                works[name].stop()
                outcomes[name] = Outcome(name, ABORTED)
                audience.ended(outcomes[name])
    return list(outcomes.values())


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return the code that says most: a failed build's own before what the cluster did, and that before the rest."""
    codes = {outcome.error.exit_code for outcome in outcomes if outcome.error}
    return errors.BUILD_FAILED if errors.BUILD_FAILED in codes else max(codes, default=errors.OK)


def _carry_out(name: str, work: Work, ended: SimpleQueue[tuple[str, Result | BaseException]]) -> None:
    try:
        ended.put((name, work.build()))
    except BaseException as error:  # whoever reads this judges it; one that was stopped is not read
        ended.put((name, error))


def _outcome(name: str, end: Result | BaseException) -> Outcome:
    if isinstance(end, Result):
        return Outcome(name, SUCCESS, result=end)
    if isinstance(end, JenkinsKanikoError):
        return Outcome(name, FAILURE, error=end)
    raise end
