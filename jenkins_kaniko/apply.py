"""Plan -> controller, as one compare-and-swap, and proof that it took.

Applying is idempotent: the same plan against the state it leads to is empty, so a client that was cut off runs
again and finds either the old list or the new one, never a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.plan import DELETE, Plan, differences, field_changes


class Swapper(Protocol):
    """What applying needs of a controller; jenkins.Controller is one."""

    name: str

    def apply(
        self,
        state_hash: str,
        templates: tuple[int | PodTemplate, ...],
        cloud_fields: Mapping[str, Any] | None = None,
    ) -> CloudState: ...


def apply(plan: Plan, controller: Swapper) -> CloudState:
    """Carry out `plan`, then compare what the controller answers with what was wanted.

    Raises:
        RefusedError: the plan must not be applied, or the state moved since; nothing was changed.
        JenkinsKanikoError: the controller holds something else than it was given; the fields are named.
    """
    if plan.refusals:
        raise RefusedError(f"controller {controller.name}: " + "\n".join(plan.refusals))
    manages_cloud = plan.cloud or not plan.state.exists
    state = controller.apply(plan.state.hash, plan.order, plan.cloud_fields if manages_cloud else None)
    left = _unlike(plan, state)
    if left:
        raise JenkinsKanikoError(
            f"controller {controller.name}: applied, but it reads back otherwise: {', '.join(left)}. "
            "Run plan to see both sides; another tool may be writing the same cloud."
        )
    return state


def _unlike(plan: Plan, state: CloudState) -> list[str]:
    there = {template.id: template for template in state.templates}
    left = []
    for change in plan.changes:
        wanted, found = change.template, there.get(change.template.id)
        if change.action == DELETE:
            left += [wanted.name] if found else []
        elif found is None:
            left.append(wanted.name)
        elif wanted.xml is None:
            left += [f"{wanted.name}.{one.field}" for one in field_changes(state, wanted, found)]
    unlike = differences(plan.cloud_fields, state.cloud_fields, state.cloud_defaults)
    return left + [f"{state.cloud}.{one.field}" for one in unlike]
