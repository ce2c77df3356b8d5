"""Results -> text for people, JSON for scripts. One result object serves both, so they cannot disagree."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jenkins_kaniko.errors import JenkinsKanikoError
from jenkins_kaniko.model import APPLIED_ANNOTATION
from jenkins_kaniko.plan import ADOPT, CREATE, DELETE, UPDATE, Change, FieldChange, Plan
from jenkins_kaniko.sync import ControllerResult, Drift, FleetResult

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = 1
MARKS = {CREATE: "+", UPDATE: "~", ADOPT: "~", DELETE: "-"}
MARKDOWN_MARKS = {"~": "!", "!": "#"}
"""A diff block colours lines that begin with +, - and !."""
UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the tab, and those that turn the direction of what follows."""
LONE_SURROGATES = re.compile("[\ud800-\udfff]")
"""What no output can be written with; JSON can spell them."""
HEADLINE = "#"
STYLES = {HEADLINE: "bold", "+": "green", "-": "red", "~": "yellow", "!": "bold red"}


def as_json(command: str, data: dict[str, Any]) -> str:
    """Return one envelope for every command's JSON output."""
    envelope = {"schemaVersion": SCHEMA_VERSION, "command": command, **data}
    text = json.dumps(envelope, indent=2, ensure_ascii=False)
    return LONE_SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def error_data(error: JenkinsKanikoError) -> dict[str, Any]:
    """Return what scripts learn of a failure."""
    return {"message": str(error), "exitCode": error.exit_code}


def fleet_data(result: FleetResult) -> dict[str, Any]:
    """Return a fleet's result as plain data."""
    return {"fleet": result.fleet, "controllers": [_controller_data(one) for one in result.controllers]}


def _controller_data(result: ControllerResult) -> dict[str, Any]:
    data: dict[str, Any] = {"name": result.controller, "status": status(result)}
    if result.error:
        data["error"] = error_data(result.error)
    if result.backup:
        data["backup"] = str(result.backup)
    if result.drift:
        data["drift"] = [asdict(one) for one in result.drift]
    if result.plan:
        data |= _plan_data(result.plan)
    return data


def _plan_data(plan: Plan) -> dict[str, Any]:
    return {
        "cloud": plan.state.cloud,
        "cloudExists": plan.state.exists,
        "coreVersion": plan.state.core_version,
        "pluginVersion": plan.state.plugin_version,
        "stateHash": plan.state.hash,
        "planHash": plan.hash,
        "cloudChanges": _fields_data(plan.cloud),
        "changes": [
            {
                "action": change.action,
                "template": change.template.name,
                "id": change.template.id,
                "fields": _fields_data(change.fields),
            }
            for change in plan.changes
        ],
        "outdatedAgents": list(plan.outdated_agents),
        "notes": list(plan.notes),
        "refusals": list(plan.refusals),
    }


def _fields_data(fields: tuple[FieldChange, ...]) -> list[dict[str, Any]]:
    return [{"field": one.field, "old": one.old, "new": one.new} for one in fields]


def status(result: ControllerResult) -> str:
    """Return one word for how it went on a controller."""
    if result.error or result.skipped:
        return "failed" if result.error else "skipped"
    if result.drift:
        return "drifted"
    if result.plan is None or result.plan.empty:
        return "unchanged"
    return "applied" if result.applied else "differs"


def print_fleet(result: FleetResult, console: Console) -> None:
    """Print the same as `text` in colours, on a terminal."""
    from rich.text import Text

    for mark, line in _marked(result):
        console.print(Text(line, STYLES.get(mark, "")), soft_wrap=True)


def text(result: FleetResult) -> str:
    """Return each controller with its changes, then one line that sums up.

    For a pipe: rich would take most of the time of a sync that makes hundreds of templates.
    """
    return "\n".join(line for _, line in _marked(result))


def _marked(result: FleetResult) -> Iterator[tuple[str, str]]:
    """Yield lines with the mark that their colour goes by."""
    for one in result.controllers:
        yield HEADLINE, _headline(one)
        yield from ((mark, f"  {mark} {line}".rstrip()) for mark, line in _details(one))
    yield "", _summary(result)


def markdown(result: FleetResult) -> str:
    """Return the same as `text` for a merge request: a heading and a diff per controller."""
    parts = []
    for one in result.controllers:
        lines = [f"{MARKDOWN_MARKS.get(mark, mark)} {line}".rstrip() for mark, line in _details(one)]
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", "\n".join(lines))), 3)
        body = f"\n\n{fence}diff\n" + "\n".join(lines) + f"\n{fence}" if lines else ""
        parts.append(f"### {_headline(one)}{body}")
    return "\n\n".join([*parts, _summary(result)])


def _summary(result: FleetResult) -> str:
    counts = [status(one) for one in result.controllers]
    return ", ".join(f"{counts.count(word)} {word}" for word in sorted(set(counts)))


def _headline(result: ControllerResult) -> str:
    where = f"{result.controller}: {status(result)}"
    if result.plan:
        state = result.plan.state
        where += f" (cloud {state.cloud}, Jenkins {state.core_version}, kubernetes {state.plugin_version})"
    return printable(where)


def _details(result: ControllerResult) -> Iterator[tuple[str, str]]:
    """Yield a mark and a text for each line; names on a controller are anybody's, and could steer a terminal."""
    yield from ((mark, printable(line)) for mark, line in _lines(result))


def printable(text: str) -> str:
    """Return a text of somebody else without what could steer a terminal."""
    return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _lines(result: ControllerResult) -> Iterator[tuple[str, str]]:
    plan = result.plan
    yield from (_drift_line(one) for one in result.drift)
    if plan:
        if not plan.state.exists:
            yield "+", f"cloud {plan.state.cloud}"
        yield from (("~", f"cloud {plan.state.cloud}: {_change_text(one)}") for one in plan.cloud)
        for change in plan.changes:
            yield from _change_lines(change)
        yield from ((" ", note) for note in plan.notes)
        if plan.outdated_agents:
            yield " ", f"agents that keep the old pod until they end: {', '.join(plan.outdated_agents)}"
    if result.error:
        yield from (("!", line) for line in str(result.error).splitlines())
    elif plan:
        yield from (("!", f"would be refused: {refusal}") for refusal in plan.refusals)
    if result.backup:
        yield " ", f"what was replaced: {result.backup}"


def _drift_line(drift: Drift) -> tuple[str, str]:
    if drift.missing:
        return "-", f"template {drift.template}: not there; removed by hand, or never applied"
    if drift.fields is None:
        return "~", f"template {drift.template}: its mark of what was applied is gone; sync writes it anew"
    return "~", f"template {drift.template}: changed by hand: {', '.join(drift.fields)}"


def _change_lines(change: Change) -> Iterator[tuple[str, str]]:
    mark = MARKS[change.action]
    taken = " taken over" if change.action == ADOPT else ""
    yield mark, f"template {change.template.name} ({change.template.id}){taken}"
    lines = [line for field in change.fields for line in _field_lines(field, change.action, mark)]
    yield from lines or [("~", "  its mark of what was last applied")] if change.fields else []


def _field_lines(field: FieldChange, action: str, mark: str) -> Iterator[tuple[str, str]]:
    if field.field == "yaml":
        yield from _yaml_lines(field)
    elif field.field == "annotations":
        yield from _annotation_lines(field)
    elif action == CREATE:
        yield mark, f"  {field.field}: {_shown(field.new)}"
    else:
        yield mark, f"  {_change_text(field)}"


def _change_text(field: FieldChange) -> str:
    return f"{field.field}: {_shown(field.old)} -> {_shown(field.new)}"


def _annotation_lines(field: FieldChange) -> Iterator[tuple[str, str]]:
    """One by one; what was last applied is for `drift`, not for people."""
    old = {item["key"]: item["value"] for item in field.old or []}
    new = {item["key"]: item["value"] for item in field.new or []}
    for key in dict.fromkeys([*old, *new]):
        if key != APPLIED_ANNOTATION and old.get(key) != new.get(key):
            mark = "~" if key in old and key in new else "+" if key in new else "-"
            shown = _shown(new[key]) if key not in old else f"{_shown(old[key])} -> {_shown(new.get(key))}"
            yield mark, f"  annotation {key}: {shown}"


def _yaml_lines(field: FieldChange) -> Iterator[tuple[str, str]]:
    """The pod as a diff of lines; of a new one all lines are new."""
    old, new = (field.old or "").splitlines(), (field.new or "").splitlines()
    yield "~" if old else "+", "  yaml:"
    if not old:
        yield from (("+", f"    {line}") for line in new)
    for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:] if old else []:
        yield (" ", f"    {line}") if line.startswith("@@") else (line[0], f"    {line[1:]}")


def _shown(value: Any) -> str:
    return "(default)" if value is None else json.dumps(value, ensure_ascii=False)
