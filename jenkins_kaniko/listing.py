"""What is on the controllers -> text for people, plain data for scripts: templates, owners, agents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jenkins_kaniko.model import CloudState, PodTemplate
from jenkins_kaniko.report import error_data
from jenkins_kaniko.sync import ControllerResult, FleetResult

HEADINGS = ("NAME", "ID", "OWNER", "LABELS", "AGENTS")


def as_data(result: FleetResult) -> dict[str, Any]:
    """Return the templates of each controller in their order; an owner of null is nobody."""
    return {"fleet": result.fleet, "controllers": [_controller_data(one) for one in result.controllers]}


def _controller_data(result: ControllerResult) -> dict[str, Any]:
    data: dict[str, Any] = {"name": result.controller}
    if result.error:
        data["error"] = error_data(result.error)
    if result.state:
        state = result.state
        data |= {"cloud": state.cloud, "coreVersion": state.core_version, "pluginVersion": state.plugin_version}
        data["templates"] = [_template_data(found, state) for found in state.templates]
    return data


def _template_data(found: PodTemplate, state: CloudState) -> dict[str, Any]:
    return {
        "name": found.name,
        "id": found.id,
        "owner": found.owner,
        "labels": str(found.fields.get("label") or "").split(),
        "agents": [{"name": agent.name, "idle": agent.idle} for agent in state.agents if agent.template_id == found.id],
    }


def as_text(result: FleetResult) -> str:
    """Return a table per controller."""
    return "\n".join(line for one in result.controllers for line in _lines(one, result.fleet))


def _lines(result: ControllerResult, fleet: str) -> Iterator[str]:
    if result.state is None:
        yield f"{result.controller}: {result.error or 'skipped'}"
        return
    state = result.state
    yield f"{result.controller} (cloud {state.cloud}, Jenkins {state.core_version}, kubernetes {state.plugin_version})"
    if not state.templates:
        yield "  no templates"
        return
    rows = [HEADINGS, *(_row(_template_data(found, state), fleet) for found in state.templates)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(data: dict[str, Any], fleet: str) -> tuple[str, ...]:
    owner = "this fleet" if data["owner"] == fleet else f"fleet {data['owner']}" if data["owner"] else "nobody"
    idle = sum(agent["idle"] for agent in data["agents"])
    agents = f"{len(data['agents'])} ({idle} idle)" if data["agents"] else "0"
    return data["name"], data["id"], owner, " ".join(data["labels"]) or "-", agents
