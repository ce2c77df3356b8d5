"""One result, shown to people and to scripts: whole texts, so that nobody has to guess what a user sees."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jenkins_kaniko import report
from jenkins_kaniko.errors import RefusedError, UnreachableError
from jenkins_kaniko.model import Agent, PodTemplate
from jenkins_kaniko.plan import ADOPT, CREATE, DELETE, UPDATE, Change, FieldChange, Plan
from jenkins_kaniko.report import as_json, fleet_data, markdown, print_fleet
from jenkins_kaniko.sync import ControllerResult, Drift, FleetResult
from tests.support.fakes import cloud

AGENTS = (Agent("big-1", "jenkins-kaniko-acme-big", True), Agent("maven-1", "8d3c", True), Agent("x", "other", True))
STATE = cloud(agents=AGENTS)
OLD_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kaniko\n    image: kaniko:1\n    tty: true\n"
NEW_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: kaniko\n    image: kaniko:2\n    tty: true\n"

SMALL = PodTemplate("jenkins-kaniko-acme-small", "small", {}, "acme")
BIG = PodTemplate("jenkins-kaniko-acme-big", "big", {}, "acme")
MAVEN = PodTemplate("jenkins-kaniko-acme-maven", "maven", {}, "acme")
OLD = PodTemplate("jenkins-kaniko-acme-old", "old", {}, "acme")


def mark(text: str) -> dict[str, str]:
    return {"key": "jenkins-kaniko/applied", "value": text}


OWNER = {"key": "jenkins-kaniko/owner", "value": "acme"}
TEAM = {"key": "team", "value": "a"}
CREATED = Change(
    CREATE,
    SMALL,
    (
        FieldChange("name", None, "small"),
        FieldChange("showRawYaml", True, False),
        FieldChange("annotations", [], [OWNER, mark("1")]),
        FieldChange("yaml", None, "kind: Pod\nspec: {}\n"),
    ),
)
UPDATED = Change(
    UPDATE,
    BIG,
    (
        FieldChange("idleMinutes", 30, 0),
        FieldChange("label", "größer [bold]", "big"),
        FieldChange("serviceAccount", "admin", None),
        FieldChange("annotations", [OWNER, mark("1"), TEAM], [OWNER, {"key": "x", "value": "y"}, mark("2")]),
        FieldChange("yaml", OLD_POD, NEW_POD),
    ),
)
ADOPTED = Change(
    ADOPT,
    MAVEN,
    (FieldChange("id", "8d3c", MAVEN.id), FieldChange("annotations", [{**TEAM, "value": "b"}], [OWNER, TEAM])),
)
DELETED = Change(DELETE, OLD)
REMARKED = Change(UPDATE, SMALL, (FieldChange("annotations", [OWNER], [OWNER, mark("1")]),))
REFUSAL = "template small: one named small is there"
NOTE = "template older is this fleet's but not declared; it stays (--prune removes it)"
CLOUD = (FieldChange("namespace", None, "builds"),)

RESULT = FleetResult(
    "acme",
    (
        ControllerResult("main", Plan(STATE, (CREATED, UPDATED, ADOPTED, DELETED), (), (REFUSAL,), (NOTE,), CLOUD)),
        ControllerResult("quiet", Plan(STATE, (), ())),
        ControllerResult("done", Plan(STATE, (REMARKED,), ()), applied=True, backup=Path("/fleet/backup.json")),
        ControllerResult("new", Plan(cloud(exists=False), (), (), cloud=CLOUD)),
        ControllerResult("refused", Plan(STATE, (CREATED,), (), (REFUSAL,)), error=RefusedError("one\ntwo [red]")),
        ControllerResult("down", error=UnreachableError("controller down: no answer within 60 s")),
        ControllerResult("later", skipped=True),
    ),
)
DRIFTED = FleetResult(
    "acme",
    (
        ControllerResult(
            "main", drift=(Drift("small", ("idleMinutes", "yaml")), Drift("big", None), Drift("gone", missing=True))
        ),
        ControllerResult("quiet"),
    ),
)

WHERE = "(cloud kubernetes, Jenkins 2.452.1, kubernetes 4238.v41b_3ef14a_5d)"
CREATED_TEXT = """\
  + template small (jenkins-kaniko-acme-small)
  +   name: "small"
  +   showRawYaml: false
  +   annotation jenkins-kaniko/owner: "acme"
  +   yaml:
  +     kind: Pod
  +     spec: {}
"""
TEXT = f"""\
main: differs {WHERE}
  ~ cloud kubernetes: namespace: (default) -> "builds"
{CREATED_TEXT}\
  ~ template big (jenkins-kaniko-acme-big)
  ~   idleMinutes: 30 -> 0
  ~   label: "größer [bold]" -> "big"
  ~   serviceAccount: "admin" -> (default)
  -   annotation team: "a" -> (default)
  +   annotation x: "y"
  ~   yaml:
        @@ -4,4 +4,4 @@
          containers:
          - name: kaniko
  -         image: kaniko:1
  +         image: kaniko:2
            tty: true
  ~ template maven (jenkins-kaniko-acme-maven) taken over
  ~   id: "8d3c" -> "jenkins-kaniko-acme-maven"
  ~   annotation team: "b" -> "a"
  +   annotation jenkins-kaniko/owner: "acme"
  - template old (jenkins-kaniko-acme-old)
    {NOTE}
    agents that keep the old pod until they end: big-1, maven-1
  ! would be refused: {REFUSAL}
quiet: unchanged {WHERE}
done: applied {WHERE}
  ~ template small (jenkins-kaniko-acme-small)
  ~   its mark of what was last applied
    what was replaced: /fleet/backup.json
new: differs {WHERE}
  + cloud kubernetes
  ~ cloud kubernetes: namespace: (default) -> "builds"
refused: failed {WHERE}
{CREATED_TEXT}\
  ! one
  ! two [red]
down: failed
  ! controller down: no answer within 60 s
later: skipped
1 applied, 2 differs, 2 failed, 1 skipped, 1 unchanged
"""
DRIFT_TEXT = """\
main: drifted
  ~ template small: changed by hand: idleMinutes, yaml
  ~ template big: its mark of what was applied is gone; sync writes it anew
  - template gone: not there; removed by hand, or never applied
quiet: unchanged
1 drifted, 1 unchanged
"""


def on_a_terminal(result: FleetResult) -> str:
    """Return what one that is narrower than the lines gets."""
    console = Console(file=io.StringIO(), highlight=False, width=40, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        print_fleet(result, console)
    return captured.get()


@pytest.mark.parametrize(("result", "text"), [(RESULT, TEXT), (DRIFTED, DRIFT_TEXT)], ids=["changes", "drift"])
def test_people_read_everything_of_every_controller(result: FleetResult, text: str) -> None:
    assert report.text(result) + "\n" == text


def test_a_terminal_gets_the_same_text_in_colours() -> None:
    coloured = on_a_terminal(RESULT)
    assert "\x1b[32m  + template small (jenkins-kaniko-acme-small)\x1b[0m\n" in coloured
    assert "\x1b[31m  - template old (jenkins-kaniko-acme-old)\x1b[0m\n" in coloured
    assert "\x1b[31m  -         image: kaniko:1\x1b[0m\n" in coloured
    assert "\x1b[1;31m  ! one\x1b[0m\n" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == TEXT


def test_a_merge_request_gets_the_same_as_a_diff_for_each_controller() -> None:
    parts = markdown(RESULT).split("\n\n")
    blocks = dict(pairwise(parts))
    assert [part for part in parts if part.startswith("###")] == [
        f"### main: differs {WHERE}",
        f"### quiet: unchanged {WHERE}",
        f"### done: applied {WHERE}",
        f"### new: differs {WHERE}",
        f"### refused: failed {WHERE}",
        "### down: failed",
        "### later: skipped",
    ]
    assert parts[-1] == "1 applied, 2 differs, 2 failed, 1 skipped, 1 unchanged"
    assert blocks["### down: failed"] == "```diff\n# controller down: no answer within 60 s\n```"
    main = blocks[f"### main: differs {WHERE}"].splitlines()
    assert (main[0], main[-1]) == ("```diff", "```")
    text = [line[2:] for line in TEXT[: TEXT.index("quiet:")].splitlines()[1:]]
    assert main[1:-1] == [{"~": "!", "!": "#"}.get(line[0], line[0]) + line[1:] for line in text]


LINES = st.lists(st.sampled_from(["```", "````", "~~~", "# x", "", "- a", "text"]), max_size=6).map("\n".join)


@given(LINES, LINES, st.text(max_size=5))
def test_a_diff_is_one_block_whatever_it_holds(old: str, new: str, name: str) -> None:
    template = PodTemplate(name, name)
    change = Change(UPDATE, template, (FieldChange("yaml", old, new), FieldChange("label", old, new)))
    text = markdown(FleetResult("acme", (ControllerResult("main", Plan(STATE, (change,), ())),)))
    heading, block, summary = re.fullmatch(r"(### .*)\n\n((?:.|\n)*)\n\n(.*)", text).groups()  # type: ignore[union-attr]
    assert (heading, summary) == (f"### main: differs {WHERE}", "1 differs")
    first, *inner, last = block.split("\n")
    assert (first, last) == (f"{last}diff", "`" * len(last))
    assert all(re.match("[-+!# ]|$", line) and not re.match(f" {{0,3}}{last}", line) for line in inner)


AWKWARD = "a\x1b[31mred\r\nb\x07\u202ec\x9b\u2028d\ud800e"
SAFE = "a\\u001b[31mred\\r\\nb\\u0007\\u202ec\\u009b\\u2028d\\ud800e"


def test_names_on_a_controller_cannot_steer_a_terminal() -> None:
    state = replace(STATE, cloud=AWKWARD, agents=(Agent(AWKWARD, "x", True),))
    plan = Plan(state, (Change(DELETE, PodTemplate("x", AWKWARD)),), (), (AWKWARD,), (AWKWARD,))
    result = FleetResult("acme", (ControllerResult("main", plan, drift=(Drift(AWKWARD),)),))
    for text in (report.text(result), markdown(result)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800]", text)
        assert text.count(SAFE) >= 5


def change_data(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "template": change.template.name,
        "id": change.template.id,
        "fields": [{"field": one.field, "old": one.old, "new": one.new} for one in change.fields],
    }


def test_scripts_get_the_same_as_data() -> None:
    state = {
        "cloud": "kubernetes",
        "cloudExists": True,
        "coreVersion": "2.452.1",
        "pluginVersion": "4238.v41b_3ef14a_5d",
        "stateHash": STATE.hash,
    }
    none: dict[str, Any] = {"cloudChanges": [], "changes": [], "outdatedAgents": [], "notes": [], "refusals": []}
    namespace = [{"field": "namespace", "old": None, "new": "builds"}]
    hashes = [one.plan.hash if one.plan else "" for one in RESULT.controllers]
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
                "planHash": hashes[0],
                "cloudChanges": namespace,
                "changes": [change_data(one) for one in (CREATED, UPDATED, ADOPTED, DELETED)],
                "outdatedAgents": ["big-1", "maven-1"],
                "notes": [NOTE],
                "refusals": [REFUSAL],
            },
            {"name": "quiet", "status": "unchanged", **state, **none, "planHash": hashes[1]},
            {
                "name": "done",
                "status": "applied",
                "backup": "/fleet/backup.json",
                **state,
                **none,
                "planHash": hashes[2],
                "changes": [change_data(REMARKED)],
            },
            {
                "name": "new",
                "status": "differs",
                **state,
                **none,
                "cloudExists": False,
                "stateHash": RESULT.controllers[3].plan.state.hash,  # type: ignore[union-attr]
                "planHash": hashes[3],
                "cloudChanges": namespace,
            },
            {
                "name": "refused",
                "status": "failed",
                "error": {"message": "one\ntwo [red]", "exitCode": 4},
                **state,
                **none,
                "planHash": hashes[4],
                "changes": [change_data(CREATED)],
                "refusals": [REFUSAL],
            },
            {
                "name": "down",
                "status": "failed",
                "error": {"message": "controller down: no answer within 60 s", "exitCode": 5},
            },
            {"name": "later", "status": "skipped"},
        ],
    }
    assert "größer" in text


def test_drift_is_data_for_scripts_too() -> None:
    assert fleet_data(DRIFTED)["controllers"] == [
        {
            "name": "main",
            "status": "drifted",
            "drift": [
                {"template": "small", "fields": ("idleMinutes", "yaml"), "missing": False},
                {"template": "big", "fields": None, "missing": False},
                {"template": "gone", "fields": (), "missing": True},
            ],
        },
        {"name": "quiet", "status": "unchanged"},
    ]


def test_data_can_always_be_written() -> None:
    text = as_json("plan", {"name": "a\ud800b🐳"})
    assert json.loads(text.encode("utf-8"))["name"] == "a\ud800b🐳"


def test_a_fleet_where_nothing_changes_is_two_lines_long() -> None:
    quiet = FleetResult("acme", (RESULT.controllers[1],))
    assert report.text(quiet) == f"quiet: unchanged {WHERE}\n1 unchanged"
