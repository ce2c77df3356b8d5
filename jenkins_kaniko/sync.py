"""What `plan` and `sync` do on many controllers: all at once, each with its own result.

One failing controller never stops or hides the others. Nothing is printed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jenkins_kaniko import errors
from jenkins_kaniko.apply import Swapper, apply
from jenkins_kaniko.errors import JenkinsKanikoError, WrongInputError
from jenkins_kaniko.model import CloudState, Controller, Fleet, PodTemplate, SecretKey, SecretRef
from jenkins_kaniko.plan import Plan, make
from jenkins_kaniko.render import pod_template

MAX_WORKERS = 16


class Door(Swapper, Protocol):
    """What planning and applying need of a controller; jenkins.Controller is one."""

    def read(self) -> CloudState: ...


Connect = Callable[[str, Controller, str], Door]
"""Name, configuration and token of a controller -> its door."""

ReadSecret = Callable[[SecretKey], str]


@dataclass(frozen=True)
class ControllerResult:
    """How it went on one controller.

    Attributes:
        plan: what would change or changed; None where the controller could not be read.
        applied: the plan was carried out and read back.
        error: what ended it; None when all went well.
    """

    controller: str
    plan: Plan | None = None
    applied: bool = False
    error: JenkinsKanikoError | None = None


@dataclass(frozen=True)
class FleetResult:
    """The results of all controllers in the order of the configuration."""

    fleet: str
    controllers: tuple[ControllerResult, ...]

    def exit_code(self, differences: int) -> int:
        """Return the common code of all controllers, or 3 when they differ in how they failed.

        Args:
            differences: the code of a controller where something changed or would change.
        """
        codes = {_exit_code(result, differences) for result in self.controllers}
        failed = codes - {errors.OK, errors.DIFFERENCES}
        if failed:
            return failed.pop() if len(codes) == 1 else errors.MIXED_OUTCOMES
        return max(codes, default=errors.OK)


def _exit_code(result: ControllerResult, differences: int) -> int:
    if result.error:
        return result.error.exit_code
    return differences if result.plan and not result.plan.empty else errors.OK


def selected(fleet: Fleet, names: Sequence[str]) -> Mapping[str, Controller]:
    """Return the named controllers, all without names. Raises WrongInputError."""
    unknown = [name for name in names if name not in fleet.controllers]
    there = ", ".join(fleet.controllers) or "none"
    if unknown:
        raise WrongInputError(f"no controller named {', '.join(unknown)}; the configuration has: {there}")
    if not fleet.controllers:
        raise WrongInputError("the configuration has no controllers; add one below `controllers:`")
    return {name: value for name, value in fleet.controllers.items() if not names or name in names}


def plan_all(
    fleet: Fleet, controllers: Mapping[str, Controller], connect: Connect, read_secret: ReadSecret
) -> FleetResult:
    """Plan on all `controllers` at once."""

    def one(name: str, wanted: list[PodTemplate]) -> ControllerResult:
        door = _door(fleet, name, connect, read_secret)
        return ControllerResult(name, make(door.read(), wanted, fleet.name))

    return _everywhere(fleet, controllers, one)


def sync_all(
    fleet: Fleet, controllers: Mapping[str, Controller], connect: Connect, read_secret: ReadSecret
) -> FleetResult:
    """Plan and apply on all `controllers` at once."""

    def one(name: str, wanted: list[PodTemplate]) -> ControllerResult:
        door = _door(fleet, name, connect, read_secret)
        plan = make(door.read(), wanted, fleet.name)
        if plan.empty:
            return ControllerResult(name, plan)
        try:
            apply(plan, door, wanted, fleet.name)
        except JenkinsKanikoError as error:
            return ControllerResult(name, plan, error=error)
        return ControllerResult(name, plan, applied=True)

    return _everywhere(fleet, controllers, one)


def _everywhere(
    fleet: Fleet, names: Iterable[str], one: Callable[[str, list[PodTemplate]], ControllerResult]
) -> FleetResult:
    wanted = [pod_template(template, fleet) for template in fleet.templates]

    def guarded(name: str) -> ControllerResult:
        try:
            return one(name, wanted)
        except JenkinsKanikoError as error:
            return ControllerResult(name, error=error)

    pool = ThreadPoolExecutor(MAX_WORKERS)
    try:
        return FleetResult(fleet.name, tuple(pool.map(guarded, names)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C must not wait for a controller's answer


def _door(fleet: Fleet, name: str, connect: Connect, read_secret: ReadSecret) -> Door:
    controller = fleet.controllers[name]
    token = secret_value(controller.token, f"controllers.{name}.token", fleet.folder, read_secret)
    return connect(name, controller, token)


def secret_value(ref: SecretRef, key: str, folder: Path, read_secret: ReadSecret) -> str:
    """Return what `ref` points at, without blanks around it.

    Args:
        key: where the reference stands in the configuration, for messages.
        folder: what a relative file is relative to.

    Raises:
        WrongInputError: it is not there or empty; the message names the place, never the value.
    """
    if ref.secret:
        value, where = read_secret(ref.secret), f"secret {ref.secret.namespace}/{ref.secret.name}"
    elif ref.file:
        path = folder / ref.file
        try:
            value, where = path.read_text(encoding="utf-8"), f"file {path}"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not text"
            raise WrongInputError(f"{key}: {path}: {reason}") from None
    else:
        value, where = os.environ.get(ref.env or "", ""), f"environment variable {ref.env}"
    if not value.strip():
        raise WrongInputError(f"{key}: {where} is not set or empty")
    return value.strip()
