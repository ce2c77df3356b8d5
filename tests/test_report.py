"""One result, shown to people and to scripts: whole texts, so that nobody has to guess what a user sees."""

from __future__ import annotations

import io
import json
import re

from rich.console import Console

from jenkins_kaniko.errors import RefusedError, UnreachableError
from jenkins_kaniko.model import PodTemplate
from jenkins_kaniko.plan import CREATE, UPDATE, Change, FieldChange, Plan
from jenkins_kaniko.report import as_json, fleet_data, print_fleet
from jenkins_kaniko.sync import ControllerResult, FleetResult
from tests.support.fakes import cloud

STATE = cloud()
OLD_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kaniko\n    image: kaniko:1\n    tty: true\n"
NEW_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kaniko\n    image: kaniko:2\n    tty: true\n"

SMALL = PodTemplate("jenkins-kaniko-acme-small", "small", {}, "acme")
BIG = PodTemplate("jenkins-kaniko-acme-big", "big", {}, "acme")

CHANGES = (
    Change(
        CREATE,
        SMALL,
        (
            FieldChange("name", None, "small"),
            FieldChange("showRawYaml", True, False),
            FieldChange("annotations", [], [{"key": "jenkins-kaniko/owner", "value": "acme"}]),
            FieldChange("yaml", None, "kind: Pod\nspec: {}\n"),
        ),
    ),
    Change(
        UPDATE,
        BIG,
        (
            FieldChange("idleMinutes", 30, 0),
            FieldChange("label", "größer [bold]", "big"),
            FieldChange("serviceAccount", "admin", None),
            FieldChange("yaml", OLD_POD, NEW_POD),
        ),
    ),
)
REFUSAL = "template small: one named small is there"

RESULT = FleetResult(
    "acme",
    (
        ControllerResult("main", Plan(STATE, CHANGES, (), ("older",), (REFUSAL,))),
        ControllerResult("quiet", Plan(STATE, (), (), (), ())),
        ControllerResult("done", Plan(STATE, CHANGES[:1], (), (), ()), applied=True),
        ControllerResult("refused", Plan(STATE, CHANGES[:1], (), (), (REFUSAL,)), error=RefusedError("one\ntwo [red]")),
        ControllerResult("down", error=UnreachableError("controller down: no answer within 60 s")),
    ),
)

WHERE = "(cloud kubernetes, Jenkins 2.452.1, kubernetes 4238.v41b_3ef14a_5d)"
CREATED = """\
  + template small (jenkins-kaniko-acme-small)
  +   name: "small"
  +   showRawYaml: false
  +   annotations: [{"key": "jenkins-kaniko/owner", "value": "acme"}]
  +   yaml:
  +     kind: Pod
  +     spec: {}
"""
TEXT = f"""\
main: differs {WHERE}
{CREATED}\
  ~ template big (jenkins-kaniko-acme-big)
  ~   idleMinutes: 30 -> 0
  ~   label: "größer [bold]" -> "big"
  ~   serviceAccount: "admin" -> (default)
  ~   yaml:
        @@ -4,4 +4,4 @@
          containers:
          - name: kaniko
  -         image: kaniko:1
  +         image: kaniko:2
            tty: true
    template older is this fleet's but not declared; it stays as it is
  ! would be refused: {REFUSAL}
quiet: unchanged {WHERE}
done: applied {WHERE}
{CREATED}\
refused: failed {WHERE}
{CREATED}\
  ! one
  ! two [red]
down: failed
  ! controller down: no answer within 60 s
1 applied, 1 differs, 2 failed, 1 unchanged
"""


def printed(result: FleetResult, console: Console) -> str:
    with console.capture() as captured:
        print_fleet(result, console)
    return captured.get()


def pipe() -> Console:
    """Return what is no terminal, and narrower than the lines."""
    return Console(file=io.StringIO(), highlight=False, width=40)


def terminal() -> Console:
    return Console(file=io.StringIO(), highlight=False, width=40, force_terminal=True, color_system="standard")


def test_people_read_every_change_of_every_controller() -> None:
    assert printed(RESULT, pipe()) == TEXT


def test_a_terminal_gets_the_same_text_in_colours() -> None:
    coloured = printed(RESULT, terminal())
    assert "\x1b[32m  + template small (jenkins-kaniko-acme-small)\x1b[0m\n" in coloured
    assert "\x1b[31m  -         image: kaniko:1\x1b[0m\n" in coloured
    assert "\x1b[1;31m  ! one\x1b[0m\n" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == TEXT


def test_scripts_get_the_same_as_data() -> None:
    created = {
        "action": "create",
        "template": "small",
        "id": "jenkins-kaniko-acme-small",
        "fields": [
            {"field": "name", "old": None, "new": "small"},
            {"field": "showRawYaml", "old": True, "new": False},
            {"field": "annotations", "old": [], "new": [{"key": "jenkins-kaniko/owner", "value": "acme"}]},
            {"field": "yaml", "old": None, "new": "kind: Pod\nspec: {}\n"},
        ],
    }
    updated = {
        "action": "update",
        "template": "big",
        "id": "jenkins-kaniko-acme-big",
        "fields": [
            {"field": "idleMinutes", "old": 30, "new": 0},
            {"field": "label", "old": "größer [bold]", "new": "big"},
            {"field": "serviceAccount", "old": "admin", "new": None},
            {"field": "yaml", "old": OLD_POD, "new": NEW_POD},
        ],
    }
    state = {
        "cloud": "kubernetes",
        "coreVersion": "2.452.1",
        "pluginVersion": "4238.v41b_3ef14a_5d",
        "stateHash": STATE.hash,
    }
    text = as_json("plan", fleet_data(RESULT))
    assert json.loads(text) == {
        "schemaVersion": 1,
        "command": "plan",
        "fleet": "acme",
        "controllers": [
            {
                "name": "main",
                "status": "differs",
                **state,
                "changes": [created, updated],
                "undeclared": ["older"],
                "refusals": [REFUSAL],
            },
            {"name": "quiet", "status": "unchanged", **state, "changes": [], "undeclared": [], "refusals": []},
            {"name": "done", "status": "applied", **state, "changes": [created], "undeclared": [], "refusals": []},
            {
                "name": "refused",
                "status": "failed",
                "error": {"message": "one\ntwo [red]", "exitCode": 4},
                **state,
                "changes": [created],
                "undeclared": [],
                "refusals": [REFUSAL],
            },
            {
                "name": "down",
                "status": "failed",
                "error": {"message": "controller down: no answer within 60 s", "exitCode": 5},
            },
        ],
    }
    assert "größer" in text


def test_a_fleet_where_nothing_changes_is_two_lines_long() -> None:
    quiet = FleetResult("acme", (RESULT.controllers[1],))
    assert printed(quiet, pipe()) == f"quiet: unchanged {WHERE}\n1 unchanged\n"
