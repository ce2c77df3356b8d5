"""Results -> text for people, JSON for scripts. One result object serves both, so they cannot disagree."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from jenkins_kaniko.plan import CREATE, Change, FieldChange, Plan
from jenkins_kaniko.sync import ControllerResult, FleetResult

SCHEMA_VERSION = 1
STYLES = {"+": "green", "-": "red", "~": "yellow", "!": "bold red"}


def as_json(command: str, data: dict[str, Any]) -> str:
    """Return one envelope for every command's JSON output."""
    envelope = {"schemaVersion": SCHEMA_VERSION, "command": command, **data}
    return json.dumps(envelope, indent=2, ensure_ascii=False)


def fleet_data(result: FleetResult) -> dict[str, Any]:
    """Return a fleet's result as plain data."""
    return {"fleet": result.fleet, "controllers": [_controller_data(one) for one in result.controllers]}


def _controller_data(result: ControllerResult) -> dict[str, Any]:
    data: dict[str, Any] = {"name": result.controller, "status": _status(result)}
    if result.error:
        data["error"] = {"message": str(result.error), "exitCode": result.error.exit_code}
    if result.plan:
        data |= _plan_data(result.plan)
    return data


def _plan_data(plan: Plan) -> dict[str, Any]:
    return {
        "cloud": plan.state.cloud,
        "coreVersion": plan.state.core_version,
        "pluginVersion": plan.state.plugin_version,
        "stateHash": plan.state.hash,
        "changes": [
            {
                "action": change.action,
                "template": change.wanted.name,
                "id": change.wanted.id,
                "fields": [{"field": f.field, "old": f.old, "new": f.new} for f in change.fields],
            }
            for change in plan.changes
        ],
        "undeclared": list(plan.undeclared),
        "refusals": list(plan.refusals),
    }


def _status(result: ControllerResult) -> str:
    if result.error:
        return "failed"
    if result.plan is None or result.plan.empty:
        return "unchanged"
    return "applied" if result.applied else "differs"


def print_fleet(result: FleetResult, console: Console) -> None:
    """Print each controller with its changes, then one line that sums up."""
    for one in result.controllers:
        console.print(_headline(one), soft_wrap=True)
        for mark, line in _details(one):
            console.print(Text(f"  {mark} {line}".rstrip(), STYLES.get(mark, "")), soft_wrap=True)
    counts = [_status(one) for one in result.controllers]
    console.print(", ".join(f"{counts.count(status)} {status}" for status in sorted(set(counts))), soft_wrap=True)


def _headline(result: ControllerResult) -> Text:
    where = f"{result.controller}: {_status(result)}"
    if result.plan:
        state = result.plan.state
        where += f" (cloud {state.cloud}, Jenkins {state.core_version}, kubernetes {state.plugin_version})"
    return Text(where, "bold")


def _details(result: ControllerResult) -> Iterator[tuple[str, str]]:
    plan = result.plan
    if plan:
        for change in plan.changes:
            yield from _change_lines(change)
        for name in plan.undeclared:
            yield " ", f"template {name} is this fleet's but not declared; it stays as it is"
    if result.error:
        yield from (("!", line) for line in str(result.error).splitlines())
    elif plan:
        yield from (("!", f"would be refused: {refusal}") for refusal in plan.refusals)


def _change_lines(change: Change) -> Iterator[tuple[str, str]]:
    mark = "+" if change.action == CREATE else "~"
    yield mark, f"template {change.wanted.name} ({change.wanted.id})"
    for field in change.fields:
        if field.field == "yaml":
            yield from _yaml_lines(field)
        elif change.action == CREATE:
            yield mark, f"  {field.field}: {_shown(field.new)}"
        else:
            yield mark, f"  {field.field}: {_shown(field.old)} -> {_shown(field.new)}"


def _yaml_lines(field: FieldChange) -> Iterator[tuple[str, str]]:
    """The pod as a diff of lines; of a new one all lines are new."""
    old, new = (field.old or "").splitlines(), (field.new or "").splitlines()
    yield "+" if not old else "~", "  yaml:"
    for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]:
        if line.startswith("@@"):
            if old:
                yield " ", f"    {line}"
        else:
            yield line[0], f"    {line[1:]}"


def _shown(value: Any) -> str:
    return "(default)" if value is None else json.dumps(value, ensure_ascii=False)
