"""What `plan`, `drift`, `sync` and `rollback` do on many controllers: all at once, each with its own result.

One failing controller never stops or hides the others, unless the user asks for that. Nothing is printed here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from jenkins_kaniko import backup, errors
from jenkins_kaniko.apply import Swapper, apply
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, WrongInputError
from jenkins_kaniko.fleetfile import Controller
from jenkins_kaniko.fleetvalues import SecretKey, SecretRef
from jenkins_kaniko.lint import restricted_notes
from jenkins_kaniko.mark import drifted
from jenkins_kaniko.model import CloudState, Fleet, PodTemplate
from jenkins_kaniko.plan import Consent, Plan, make
from jenkins_kaniko.render import cloud_fields, pod_template
from jenkins_kaniko.values import check

MAX_WORKERS = 32


class Door(Swapper, Protocol):
    """What planning and applying need of a controller; jenkins.Controller is one."""

    def read(self, *, backup: bool = False) -> CloudState: ...


Connect = Callable[[str, Controller, str], Door]
"""Name, configuration and token of a controller -> its door."""

ReadSecret = Callable[[SecretKey], str]


@dataclass(frozen=True)
class Drift:
    """What somebody changed by hand on one of the fleet's templates.

    Attributes:
        fields: names of the properties that moved; None where there is nothing to compare with.
        missing: the template is declared and not there: removed by hand, or never applied.
    """

    template: str
    fields: tuple[str, ...] | None = ()
    missing: bool = False


@dataclass(frozen=True)
class ControllerResult:
    """How it went on one controller.

    Attributes:
        plan: what would change or changed; None where the controller could not be read.
        applied: the plan was carried out and read back.
        error: what ended it; None when all went well.
        backup: where what was replaced is kept.
        drift: of the `drift` command.
        skipped: not begun, because another controller failed first.
        state: what is there, of the `list` command.
    """

    controller: str
    plan: Plan | None = None
    applied: bool = False
    error: JenkinsKanikoError | None = None
    backup: Path | None = None
    drift: tuple[Drift, ...] = ()
    skipped: bool = False
    state: CloudState | None = None


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
        codes = {_exit_code(result, differences) for result in self.controllers if not result.skipped}
        failed = codes - {errors.OK, errors.DIFFERENCES}
        if failed:
            return failed.pop() if len(codes) == 1 else errors.MIXED_OUTCOMES
        return max(codes, default=errors.OK)


def _exit_code(result: ControllerResult, differences: int) -> int:
    if result.error:
        return result.error.exit_code
    changed = bool(result.drift) or (result.plan is not None and not result.plan.empty)
    return differences if changed else errors.OK


@dataclass(frozen=True)
class Work:
    """What to do it with and how: the same for all controllers of one command.

    Attributes:
        fail_fast: one controller after the other, and none more once one has failed.
        on_done: told of each controller as it ends, from that controller's thread.
        expected: hashes of the plans to carry out, by controller; anything else is refused.
    """

    connect: Connect
    read_secret: ReadSecret
    consent: Consent = field(default_factory=Consent)
    fail_fast: bool = False
    on_done: Callable[[ControllerResult], None] = lambda _result: None
    expected: Mapping[str, str] | None = None


def selected(fleet: Fleet, names: Sequence[str]) -> Mapping[str, Controller]:
    """Return the named controllers, all without names. Raises WrongInputError."""
    unknown = [name for name in names if name not in fleet.controllers]
    there = ", ".join(fleet.controllers) or "none"
    if unknown:
        raise WrongInputError(f"no controller named {', '.join(unknown)}; the configuration has: {there}")
    if not fleet.controllers:
        raise WrongInputError("the configuration has no controllers; add one below `controllers:`")
    return {name: value for name, value in fleet.controllers.items() if not names or name in names}


def plan_all(fleet: Fleet, controllers: Iterable[str], work: Work) -> FleetResult:
    """Plan on all `controllers` at once."""

    def one(name: str, door: Door, wanted: list[PodTemplate]) -> ControllerResult:
        return ControllerResult(name, _plan(fleet, name, door.read(), wanted, work))

    return _everywhere(fleet, controllers, work, one)


def drift_all(fleet: Fleet, controllers: Iterable[str], work: Work) -> FleetResult:
    """Compare what is on all `controllers` with what was last applied there."""

    def one(name: str, door: Door, wanted: list[PodTemplate]) -> ControllerResult:
        state = door.read()
        mine = [found for found in state.templates if found.owner == fleet.name]
        there = {found.id for found in state.templates}
        changed = [Drift(found.name, fields) for found in mine if (fields := drifted(found, state)) != ()]
        gone = [Drift(template.name, missing=True) for template in wanted if template.id not in there]
        return ControllerResult(name, drift=(*changed, *gone))

    return _everywhere(fleet, controllers, work, one)


def list_all(fleet: Fleet, controllers: Iterable[str], work: Work) -> FleetResult:
    """Read what is on all `controllers`."""

    def one(name: str, door: Door, _wanted: list[PodTemplate]) -> ControllerResult:
        return ControllerResult(name, state=door.read())

    return _everywhere(fleet, controllers, work, one)


def sync_all(fleet: Fleet, controllers: Iterable[str], work: Work) -> FleetResult:
    """Plan and apply on all `controllers` at once; what is replaced is kept before."""

    def one(name: str, door: Door, wanted: list[PodTemplate]) -> ControllerResult:
        plan = _plan(fleet, name, door.read(backup=True), wanted, work)
        if work.expected is not None and work.expected.get(name) != plan.hash:
            raise RefusedError(
                f"controller {name}: something moved since the plan was written: the cloud, or the configuration; "
                "nothing was changed. Write a new plan and look at it."
            )
        return _applied(fleet, name, door, plan)

    return _everywhere(fleet, controllers, work, one)


def rollback(fleet: Fleet, saved: backup.Backup, work: Work) -> FleetResult:
    """Bring the fleet's templates on one controller back as `saved` holds them."""

    def one(name: str, door: Door, wanted: list[PodTemplate]) -> ControllerResult:
        state = door.read(backup=True)
        if saved.cloud != state.cloud or saved.fleet != fleet.name:
            raise WrongInputError(f"the backup is of fleet {saved.fleet}, cloud {saved.cloud}")
        return _applied(fleet, name, door, backup.undo(saved, state))

    return _everywhere(fleet, [saved.controller], work, one)


def _plan(fleet: Fleet, name: str, state: CloudState, wanted: list[PodTemplate], work: Work) -> Plan:
    cloud = cloud_fields(fleet, name)
    check(cloud or {}, f"controllers.{name}.ensureCloud")
    plan = make(state, wanted, fleet.name, work.consent, cloud)
    if {**state.cloud_fields, **(cloud or {})}.get("restrictedPssSecurityContext"):
        return replace(plan, notes=(*plan.notes, *restricted_notes(fleet, name)))
    return plan


def _applied(fleet: Fleet, name: str, door: Door, plan: Plan) -> ControllerResult:
    if plan.empty:
        return ControllerResult(name, plan)
    kept = None
    try:
        if not plan.refusals:
            kept = backup.write(fleet.folder, name, fleet.name, plan.state)
        apply(plan, door)
    except JenkinsKanikoError as error:
        return ControllerResult(name, plan, error=error, backup=kept)
    return ControllerResult(name, plan, applied=True, backup=kept)


def _everywhere(
    fleet: Fleet,
    names: Iterable[str],
    work: Work,
    one: Callable[[str, Door, list[PodTemplate]], ControllerResult],
) -> FleetResult:
    wanted = [(pod_template(template, fleet), template) for template in fleet.templates]
    for template, _ in wanted:
        check(template.fields, f"template {template.name}")
    stopped = threading.Event()

    def guarded(name: str) -> ControllerResult:
        result = ControllerResult(name, skipped=True) if stopped.is_set() else attempted(name)
        if result.error and work.fail_fast:
            stopped.set()
        work.on_done(result)
        return result

    def attempted(name: str) -> ControllerResult:
        try:
            return one(name, door(fleet, name, work), [template for template, item in wanted if item.is_for(name)])
        except JenkinsKanikoError as error:
            return ControllerResult(name, error=error)

    # one after the other where a failure shall stop the rest: all at once there would be no rest
    pool = ThreadPoolExecutor(1 if work.fail_fast else MAX_WORKERS)
    try:
        return FleetResult(fleet.name, tuple(pool.map(guarded, names)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C must not wait for a controller's answer


def door(fleet: Fleet, name: str, work: Work) -> Door:
    """Return the way to a controller. Raises WrongInputError where its token is missing."""
    controller = fleet.controllers[name]
    token = secret_value(controller.token, f"controllers.{name}.token", fleet.folder, work.read_secret)
    return work.connect(name, controller, token)


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
