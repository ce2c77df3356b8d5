"""Plan -> controller, as one compare-and-swap, and proof that it took.

Applying is idempotent: the same plan against the state it leads to is empty, so a client that was cut off runs
again and finds either the old list or the new one, never a part of it.
"""

from __future__ import annotations

from typing import Protocol

from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import Plan, make


class Swapper(Protocol):
    """What applying needs of a controller; jenkins.Controller is one."""

    name: str

    def apply(self, state_hash: str, templates: tuple[int | PodTemplate, ...]) -> CloudState: ...


def apply(plan: Plan, controller: Swapper, wanted: list[PodTemplate], fleet: str) -> CloudState:
    """Carry out `plan`, then compare what the controller answers with what was wanted.

    Raises:
        RefusedError: the plan must not be applied, or the state moved since; nothing was changed.
        JenkinsKanikoError: the controller holds something else than it was given; the fields are named.
    """
    if plan.refusals:
        raise RefusedError(f"controller {controller.name}: " + "\n".join(plan.refusals))
    state = controller.apply(plan.state.hash, plan.order)
    left = make(state, wanted, fleet).changes
    if left:
        names = ", ".join(f"{change.wanted.name}.{field.field}" for change in left for field in change.fields)
        raise JenkinsKanikoError(
            f"controller {controller.name}: applied, but it reads back otherwise: {names}. "
            "Run plan to see both sides; another tool may be writing the same cloud."
        )
    return state
