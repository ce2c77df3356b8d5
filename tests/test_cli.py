"""What a user types, and what comes back: exit code, stdout for results, stderr for everything else."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import yaml

from jenkins_kaniko import __version__, cli
from tests.support.fakes import FakeController, ScriptConsole, cloud, found

CONFIGURATION = """\
fleet: acme
controllers:
  main: {url: 'https://main.example.com', user: ci-bot, token: {env: JENKINS_TOKEN}}
  prod: {url: 'https://prod.example.com/ci/', user: ci-bot, token: {env: JENKINS_TOKEN}}
templates:
  kaniko: {}
  big: {labels: [big], idleMinutes: 5}
"""
TOKEN = "11f0c3e5a7b9d1"
HEAVY = ("pydantic", "yaml", "kubernetes", "jinja2", "rich", "jenkins", "requests", "urllib3")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder with a configuration."""
    (tmp_path / "jenkins-kaniko.yaml").write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JENKINS_TOKEN", TOKEN)
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "")  # else click shows pytest's name

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["jenkins-kaniko", *arguments])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        assert "Traceback" not in out + err
        return Outcome(code, out, err)

    return run


@dataclass(frozen=True)
class Controllers:
    """The two controllers of the configuration behind their HTTP."""

    http: responses.RequestsMock
    main: FakeController
    prod: FakeController


@pytest.fixture
def controllers() -> Iterator[Controllers]:
    main, prod = FakeController("main", cloud()), FakeController("prod", cloud(found("8d3c", "maven")))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as http:
        http.add_callback("POST", "https://main.example.com/scriptText", ScriptConsole(main))
        http.add_callback("POST", "https://prod.example.com/ci/scriptText", ScriptConsole(prod))
        yield Controllers(http, main, prod)


# --- validate ----------------------------------------------------------------------------------------------------


def test_a_valid_configuration_says_what_is_in_it(run: Run) -> None:
    assert run("validate") == Outcome(0, "jenkins-kaniko.yaml: fleet acme: 2 templates, 2 controllers: valid\n", "")


def test_a_valid_configuration_is_data_for_scripts(run: Run) -> None:
    outcome = run("validate", "--output", "json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out) == {
        "schemaVersion": 1,
        "command": "validate",
        "problems": [],
        "warnings": [],
        "controllers": ["main", "prod"],
        "templates": ["kaniko", "big"],
        "builds": [],
    }


MISTAKES = "fleet: acme\ntemplates:\n  kaniko:\n    idleMinutes: -1\n    engine: docker\n"
MISTAKES_TEXT = """\
bad.yaml:4: templates.kaniko.idleMinutes: should be greater than or equal to 0
bad.yaml:5: templates.kaniko.engine: 'docker' is not one of 'kaniko' or 'none'
"""


@pytest.mark.parametrize("command", ["validate", "render", "plan", "drift", "sync"])
def test_every_command_lists_all_mistakes(run: Run, command: str) -> None:
    Path("bad.yaml").write_text(MISTAKES, encoding="utf-8")
    assert run(command, "-c", "bad.yaml") == Outcome(1, "", MISTAKES_TEXT)


@pytest.mark.parametrize("command", ["validate", "render", "plan", "drift", "sync"])
def test_mistakes_are_data_for_scripts_too(run: Run, command: str) -> None:
    Path("bad.yaml").write_text(MISTAKES, encoding="utf-8")
    outcome = run(command, "-c", "bad.yaml", "-o", "json")
    assert (outcome.code, outcome.err) == (1, MISTAKES_TEXT)
    assert json.loads(outcome.out) == {
        "schemaVersion": 1,
        "command": command,
        "error": {"message": MISTAKES_TEXT.rstrip("\n"), "exitCode": 1},
        "problems": [
            {
                "file": "bad.yaml",
                "line": 4,
                "key": "templates.kaniko.idleMinutes",
                "message": "should be greater than or equal to 0",
            },
            {
                "file": "bad.yaml",
                "line": 5,
                "key": "templates.kaniko.engine",
                "message": "'docker' is not one of 'kaniko' or 'none'",
            },
        ],
    }


def test_the_configuration_can_be_named_by_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.yaml").write_text("fleet: other\n", encoding="utf-8")
    monkeypatch.setenv("JENKINS_KANIKO_CONFIG", "other.yaml")
    assert run("validate").out == "other.yaml: fleet other: 0 templates, 0 controllers: valid\n"


# --- render ------------------------------------------------------------------------------------------------------


def test_pods_are_rendered_as_documents(run: Run) -> None:
    outcome = run("render")
    pods = list(yaml.safe_load_all(outcome.out))
    assert (outcome.code, outcome.err, [pod["kind"] for pod in pods]) == (0, "", ["Pod", "Pod"])


@pytest.mark.parametrize("form", ["pod", "jcasc", "helm"])
def test_text_and_json_of_a_form_are_the_same(run: Run, form: str) -> None:
    text = run("render", "--format", form, "--template", "big").out
    data = json.loads(run("render", "--format", form, "--template", "big", "--output", "json").out)
    shown = list(yaml.safe_load_all(text)) if form == "pod" else yaml.safe_load(text)
    assert data == {"schemaVersion": 1, "command": "render", "format": form, "result": shown}


def test_the_rights_of_commands_are_printed(run: Run) -> None:
    folder = Path(__file__).parent.parent / "resources" / "jenkins_kaniko" / "rbac"
    names = sorted(path.stem for path in folder.iterdir())
    every = list(yaml.safe_load_all(run("render", "rbac").out))
    each = [role for name in names for role in yaml.safe_load_all(run("render", "rbac", name).out)]
    assert every == each
    assert {role["kind"] for role in every} == {"Role", "ClusterRole"}
    wrong = run("render", "rbac", "bild")
    assert (wrong.code, wrong.out) == (1, "")
    assert f"no roles are called bild; there are: {', '.join(names)}" in wrong.err


def test_the_rights_are_printed_with_what_gives_them(run: Run) -> None:
    given = ["--namespace", "builds", "--account", "ci:builder"]
    parts = list(
        yaml.safe_load_all(run("render", "rbac", "build-isolate", *given, "--object", "docker-config=ecr").out)
    )
    plain = list(yaml.safe_load_all(run("render", "rbac", "build-isolate").out))
    name, group = "jenkins-kaniko-isolate", "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "namespace": "ci", "name": "builder"}
    everywhere = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{name}-ci-builder"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [subject],
    }
    there = {
        **everywhere,
        "kind": "RoleBinding",
        "metadata": {"name": f"{name}-ci-builder", "namespace": "builds"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
    }
    role = {**plain[1], "metadata": {"name": name, "namespace": "builds"}}
    role["rules"] = [{**plain[1]["rules"][0], "resourceNames": ["ecr"]}, plain[1]["rules"][1]]
    assert parts == [plain[0], everywhere, role, there]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rbac", "build", "--account", "ci:x"], "--account: needs --namespace, where the roles count"),
        (["rbac", "build", "--namespace", "a"], "--namespace and --object: need --account NAMESPACE:NAME"),
        (
            ["rbac", "build", "--namespace", "a", "--account", "x"],
            "--account: 'x' cannot be used; allowed: NAMESPACE:NAME",
        ),
        (
            ["rbac", "build-isolate", "--namespace", "a", "--account", "ci:x", "--object", "y=z"],
            "--object: the roles name no y; they name docker-config, registry-ca",
        ),
        (["rbac", "--namespace", "a", "--account", "ci:x", "--object", "y"], "--object: 'y' has no other name"),
        (["--account", "ci:x"], "--namespace, --account, --object: are for `render rbac`"),
    ],
)
def test_rights_that_cannot_be_given_so(run: Run, arguments: list[str], says: str) -> None:
    done = run("render", *arguments)
    assert (done.code, done.out) == (1, "")
    assert says in done.err


def test_one_template_can_be_rendered(run: Run) -> None:
    [item] = yaml.safe_load(run("render", "--format", "jcasc", "--template", "big").out)
    assert item["name"] == "big"


def test_an_unknown_template_is_named_with_those_there(run: Run) -> None:
    assert run("render", "--template", "small") == Outcome(
        1, "", "jenkins-kaniko: no template named small; the configuration has: kaniko, big\n"
    )


# --- plan and sync -----------------------------------------------------------------------------------------------


def progress(outcome: Outcome) -> list[str]:
    """Return what was said of each controller as it ended, whichever was first."""
    return sorted(line for line in outcome.err.splitlines() if not line.startswith("fleet "))


def test_a_plan_with_differences_ends_with_2_and_changes_nothing(run: Run, controllers: Controllers) -> None:
    outcome = run("plan")
    assert (outcome.code, progress(outcome)) == (2, ["main: differs", "prod: differs"])
    lines = outcome.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "main: differs (cloud kubernetes, Jenkins 2.452.1, kubernetes 4238.v41b_3ef14a_5d)",
        "prod: differs (cloud kubernetes, Jenkins 2.452.1, kubernetes 4238.v41b_3ef14a_5d)",
        "2 differs",
    ]
    assert lines.count("  + template big (jenkins-kaniko-acme-big)") == 2
    assert (controllers.main.requests, controllers.prod.requests) == (["read"], ["read"])


def test_sync_changes_then_a_plan_finds_nothing(run: Run, controllers: Controllers) -> None:
    synced = run("sync")
    assert (synced.code, synced.err.splitlines()[0]) == (0, "fleet acme: 2 controllers: main, prod")
    assert progress(synced) == ["main: applied", "prod: applied"]
    assert synced.out.splitlines()[-1] == "2 applied"
    assert [template.name for template in controllers.prod.state.templates] == ["maven", "kaniko", "big"]
    again = run("plan")
    assert (again.code, again.out.splitlines()[-1]) == (0, "2 unchanged")
    assert run("sync").code == 0
    assert controllers.main.requests == ["read", "apply", "read", "read"]


def test_sync_without_doing_it_is_plan(run: Run, controllers: Controllers) -> None:
    dry, planned = run("sync", "--dry-run", "-o", "json"), run("plan", "-o", "json")
    assert (dry.code, dry.out, progress(dry)) == (planned.code, planned.out, progress(planned))
    assert run("sync", "--dry-run", "--prune", "--controller", "main").code == 2
    assert controllers.main.requests == ["read", "read", "read"]


def test_one_controller_can_be_chosen(run: Run, controllers: Controllers) -> None:
    outcome = run("sync", "--controller", "prod")
    assert (outcome.code, outcome.err) == (0, "fleet acme: 1 controller: prod\nprod: applied\n")
    assert (controllers.main.requests, controllers.prod.requests) == ([], ["read", "apply"])


@pytest.mark.parametrize(("command", "code", "status"), [("plan", 2, "differs"), ("sync", 0, "applied")])
def test_results_are_data_for_scripts(run: Run, controllers: Controllers, command: str, code: int, status: str) -> None:
    outcome = run(command, "--output", "json")
    data = json.loads(outcome.out)
    assert outcome.code == code
    assert (data["schemaVersion"], data["command"], data["fleet"]) == (1, command, "acme")
    assert [(one["name"], one["status"]) for one in data["controllers"]] == [("main", status), ("prod", status)]


@pytest.mark.parametrize("command", ["plan", "drift", "sync"])
def test_results_can_go_into_a_merge_request(run: Run, controllers: Controllers, command: str) -> None:
    lines = run(command, "-o", "markdown").out.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("#")] == ["### main", "### prod"]
    assert lines.count("```diff") == lines.count("```") == 2


def test_a_controller_that_is_down_does_not_hide_the_other(run: Run, controllers: Controllers) -> None:
    controllers.http.replace("POST", "https://main.example.com/scriptText", status=503)
    outcome = run("sync")
    assert (outcome.code, progress(outcome)) == (3, ["main: failed", "prod: applied"])
    assert outcome.out.splitlines()[:2] == [
        "main: failed",
        "  ! controller main (https://main.example.com): HTTP 503: Jenkins is starting; try again in a minute",
    ]
    assert outcome.out.splitlines()[-1] == "1 applied, 1 failed"


def test_fail_fast_says_what_was_not_begun(run: Run, controllers: Controllers) -> None:
    controllers.http.replace("POST", "https://main.example.com/scriptText", status=503)
    outcome = run("sync", "--fail-fast")
    assert (outcome.code, progress(outcome)) == (5, ["main: failed", "prod: skipped"])
    assert outcome.out.splitlines()[-2:] == ["prod: skipped", "1 failed, 1 skipped"]
    assert controllers.prod.requests == []


@pytest.mark.parametrize("command", ["plan", "drift", "sync"])
def test_controllers_that_fail_alike_give_their_code(run: Run, controllers: Controllers, command: str) -> None:
    for url in ("https://main.example.com/scriptText", "https://prod.example.com/ci/scriptText"):
        controllers.http.replace("POST", url, status=401)
    assert run(command).code == 5


def test_a_template_that_is_not_ours_is_refused_and_taken_over_with_consent(run: Run, controllers: Controllers) -> None:
    controllers.prod.state = cloud(found("8d3c", "kaniko"))
    planned = run("plan", "--controller", "prod")
    assert planned.code == 2
    assert (
        "  ! would be refused: template kaniko: one named kaniko (id 8d3c) is there and nobody's mark is on it; --adopt"
        in planned.out
    )
    synced = run("sync", "--controller", "prod")
    assert synced.code == 4
    assert controllers.prod.state == cloud(found("8d3c", "kaniko"))
    adopted = run("sync", "--controller", "prod", "--adopt")
    assert (adopted.code, controllers.prod.state.templates[0].owner) == (0, "acme")
    assert "  ~ template kaniko (jenkins-kaniko-acme-kaniko) taken over\n" in adopted.out


def test_what_is_no_longer_declared_goes_with_consent(run: Run, controllers: Controllers) -> None:
    gone = [found(f"jenkins-kaniko-acme-t{n}", f"t{n}", owner="acme") for n in range(3)]
    controllers.main.state = cloud(*gone, found("8d3c", "maven"))
    noted = run("plan", "--controller", "main").out
    assert "    template t0 is this fleet's but not declared; it stays (--prune removes it)\n" in noted
    refused = run("sync", "--controller", "main", "--prune")
    assert (refused.code, len(controllers.main.state.templates)) == (4, 4)
    assert "3 of the 3 templates of fleet acme would be deleted: t0, t1, t2; if that is meant, give" in refused.out
    done = run("sync", "--controller", "main", "--prune", "--allow-deletes")
    assert (done.code, [one.name for one in controllers.main.state.templates]) == (0, ["maven", "kaniko", "big"])


def test_a_missing_token_is_named(run: Run, controllers: Controllers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JENKINS_TOKEN")
    outcome = run("plan")
    assert outcome.code == 1
    assert "  ! controllers.main.token: environment variable JENKINS_TOKEN is not set or empty\n" in outcome.out
    assert len(controllers.http.calls) == 0


def test_a_missing_ca_is_named_with_its_whole_path(run: Run, tmp_path: Path) -> None:
    text = CONFIGURATION.replace("user: ci-bot,", "user: ci-bot, ca: certs/ca.pem,")
    (tmp_path / "jenkins-kaniko.yaml").write_text(text, encoding="utf-8")
    outcome = run("plan", "--controller", "main")
    assert (outcome.code, outcome.out.splitlines()[1]) == (
        1,
        f"  ! controllers.main.ca: {tmp_path}/certs/ca.pem: no such file",
    )


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://main.example.com", True),
        ("http://10.0.0.7:8080", True),
        ("http://localhost.example.com", True),
        ("https://main.example.com", False),
        ("http://127.0.0.1:8080", False),
        ("http://127.8.0.1", False),
        ("http://[::1]:8080/ci", False),
        ("http://localhost:8080", False),
        ("http://jenkins.localhost", False),
    ],
)
def test_a_token_that_others_can_read_on_the_way_is_warned_of_once(
    run: Run, tmp_path: Path, url: str, warned: bool
) -> None:
    text = CONFIGURATION.replace("https://main.example.com", url)
    (tmp_path / "jenkins-kaniko.yaml").write_text(text, encoding="utf-8")
    console = url.rstrip("/") + "/scriptText"
    with responses.RequestsMock() as http:
        http.add_callback("POST", console, ScriptConsole(FakeController("main", cloud())))
        outcome = run("sync", "--controller", "main")
    warning = "warning: controllers.main.url: the token goes over the network in clear text; use https://"
    assert (outcome.code, outcome.err.splitlines().count(warning)) == (0, int(warned))
    assert outcome.err.count("warning") == int(warned)


# --- plans in files ----------------------------------------------------------------------------------------------


def test_a_plan_in_a_file_is_carried_out(run: Run, controllers: Controllers) -> None:
    planned = run("plan", "--out", "plan.json", "--controller", "prod", "--prune")
    assert planned.code == 2
    assert planned.err.splitlines()[-1] == "plan.json: carry it out with: jenkins-kaniko sync plan.json"
    synced = run("sync", "plan.json")
    assert (synced.code, synced.err) == (0, "fleet acme: 1 controller: prod\nprod: applied\n")
    assert (controllers.main.requests, controllers.prod.requests) == ([], ["read", "read", "apply"])
    again = run("sync", "plan.json")
    assert (again.code, "something moved since the plan was written" in again.out) == (4, True)


def test_a_plan_in_a_file_keeps_the_consent_it_was_made_with(run: Run, controllers: Controllers) -> None:
    controllers.main.state = cloud(found("8d3c", "kaniko"), found("9e4d", "old", owner="acme"))
    assert run("plan", "--out", "plan.json", "--controller", "main", "--prune", "--adopt").code == 2
    assert run("sync", "plan.json").code == 0
    assert [one.name for one in controllers.main.state.templates] == ["kaniko", "big"]


def test_a_plan_in_a_file_is_not_carried_out_when_the_configuration_moved(
    run: Run, controllers: Controllers, tmp_path: Path
) -> None:
    run("plan", "--out", "plan.json")
    text = CONFIGURATION.replace("idleMinutes: 5", "idleMinutes: 6")
    (tmp_path / "jenkins-kaniko.yaml").write_text(text, encoding="utf-8")
    assert run("sync", "plan.json").code == 4
    assert (controllers.main.state, controllers.main.requests) == (cloud(), ["read", "read"])


def test_no_plan_is_written_when_a_controller_could_not_be_planned(run: Run, controllers: Controllers) -> None:
    controllers.http.replace("POST", "https://main.example.com/scriptText", status=503)
    outcome = run("plan", "--out", "plan.json")
    assert (outcome.code, Path("plan.json").exists()) == (3, False)
    assert outcome.err.splitlines()[-1] == "plan.json: no plan was written: there is none for main"
    assert "prod: differs" in outcome.out


def test_a_plan_that_would_be_refused_is_refused_from_its_file(run: Run, controllers: Controllers) -> None:
    controllers.main.state = cloud(found("8d3c", "kaniko"))
    assert run("plan", "--out", "plan.json", "--controller", "main").code == 2
    outcome = run("sync", "plan.json")
    assert (outcome.code, "nobody's mark is on it" in outcome.out) == (4, True)
    assert controllers.main.state == cloud(found("8d3c", "kaniko"))


@pytest.mark.parametrize("option", [["--prune"], ["--controller", "main"], ["--dry-run"], ["--adopt"]])
def test_a_plan_in_a_file_is_given_alone(run: Run, controllers: Controllers, option: list[str]) -> None:
    run("plan", "--out", "plan.json")
    outcome = run("sync", "plan.json", *option)
    assert (outcome.code, outcome.out) == (1, "")
    assert "a PLAN says itself which controllers and what is allowed; give it alone" in outcome.err


def test_a_plan_of_a_controller_that_is_no_longer_there_is_named(run: Run, controllers: Controllers) -> None:
    run("plan", "--out", "plan.json")
    Path("jenkins-kaniko.yaml").write_text(CONFIGURATION.replace("  main:", "  first:"), encoding="utf-8")
    outcome = run("sync", "plan.json")
    assert (outcome.code, outcome.err) == (
        1,
        "jenkins-kaniko: no controller named main; the configuration has: first, prod\n",
    )


# --- drift and rollback ------------------------------------------------------------------------------------------


def test_drift_names_what_somebody_changed_by_hand(run: Run, controllers: Controllers) -> None:
    run("sync")
    quiet = run("drift")
    assert (quiet.code, quiet.out) == (0, "main: unchanged\nprod: unchanged\n2 unchanged\n")
    kaniko, big = controllers.main.state.templates
    by_hand = replace(big, fields={**big.fields, "idleMinutes": 9, "serviceAccount": "root"})
    controllers.main.state = cloud(kaniko, by_hand)
    outcome = run("drift")
    assert (outcome.code, outcome.out.splitlines()[:2]) == (
        2,
        ["main: drifted", "  ~ template big: changed by hand: idleMinutes, serviceAccount"],
    )
    assert progress(outcome) == ["main: drifted", "prod: unchanged"]


def test_a_sync_can_be_rolled_back(run: Run, controllers: Controllers) -> None:
    before = controllers.prod.state
    synced = json.loads(run("sync", "-o", "json").out)
    saved = synced["controllers"][1]["backup"]
    assert f"    what was replaced: {saved}" not in run("plan").out
    outcome = run("rollback", saved)
    assert (outcome.code, controllers.prod.state) == (0, before)
    assert outcome.err == "prod: applied\n"
    assert "  - template kaniko (jenkins-kaniko-acme-kaniko)\n" in outcome.out
    assert "    what was replaced: " in outcome.out
    assert run("rollback", saved).out.splitlines()[-1] == "1 unchanged"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"controller": "gone"}, "jenkins-kaniko: no controller named gone; the configuration has: main, prod"),
        ({"schemaVersion": 7}, "not a backup of jenkins-kaniko, or of another version of it"),
    ],
)
def test_a_backup_that_does_not_fit_is_named(
    run: Run, controllers: Controllers, change: dict[str, Any], said: str
) -> None:
    saved = Path(json.loads(run("sync", "-o", "json").out)["controllers"][1]["backup"])
    saved.write_text(json.dumps({**json.loads(saved.read_text()), **change}))
    outcome = run("rollback", str(saved))
    assert (outcome.code, outcome.out, said in outcome.err) == (1, "", True)


# --- the token ---------------------------------------------------------------------------------------------------


def test_the_token_is_in_nothing_that_is_written_or_said(run: Run, controllers: Controllers, tmp_path: Path) -> None:
    """Over runs that succeed and runs that fail; `run` itself looks at what is printed."""
    token = base64.b64encode(f"ci-bot:{TOKEN}".encode()).decode()
    controllers.prod.state = cloud(found("8d3c", "kaniko"))
    said = ""
    for arguments in (
        ["plan", "--out", "plan.json", "--adopt"], ["sync", "plan.json"], ["drift"], ["sync", "-o", "json"], ["plan"],
    ):  # fmt: skip
        outcome = run(*arguments)
        said += outcome.out + outcome.err
    failures: list[dict[str, Any]] = [
        {"status": 401, "body": TOKEN},
        {"body": "java.lang.IllegalStateException: boom"},
        {"body": requests.ConnectionError("closed")},
    ]
    for failure in failures:
        controllers.http.replace("POST", "https://main.example.com/scriptText", **failure)
        outcome = run("sync", "--controller", "main")
        assert outcome.code in (5, 7)
        said += outcome.out + outcome.err
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in written} > {"plan.json", ".gitignore"}
    assert len([path for path in written if "backups" in path.parts]) == 2
    for content in (*written.values(), said.encode()):
        assert TOKEN.encode() not in content
        assert token.encode() not in content


# --- usage -------------------------------------------------------------------------------------------------------

COMMANDS = list(cli.COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_of_each_command_has_an_example(run: Run, command: str, option: str) -> None:
    outcome = run(command, option)
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(rf"Examples?:\n +.*jenkins-kaniko {command}\b", outcome.out)


def test_the_help_names_every_command_and_exit_code(run: Run) -> None:
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.findall(r"^  ([a-z]+)  ", outcome.out.split("Commands:")[1], re.MULTILINE) == COMMANDS
    described = {int(code) for code in re.findall(r"\b(\d) [a-z]", outcome.out.split("Exit codes:")[1])}
    assert described == {0, 1, 2, 3, 4, 5, 6, 7, 8}


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version") == Outcome(0, f"jenkins-kaniko {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snyc"], "No such command 'snyc'"),
        (["plan", "--contoller", "main"], "No such option '--contoller'"),
        (["plan", "--output", "yaml"], "'yaml' is not one of 'text', 'markdown', 'json'"),
        (["rollback"], "Missing argument 'BACKUP'"),
        (["rollback", "none.json"], "none.json: No such file or directory"),
        (["sync", "none.json"], "none.json: No such file or directory"),
        (["plan", "--controller"], "Option '--controller' requires an argument"),
        (["render", "--format", "xml"], "'xml' is not one of 'pod', 'jcasc', 'helm'"),
        (["validate", "extra"], "Got unexpected extra argument (extra)"),
        (["plan", "--controller", "test"], "no controller named test; the configuration has: main, prod"),
        (["validate", "-c", "none.yaml"], "none.yaml: no such file. Give one with --config"),
        (["validate", "-c", "."], ".: cannot be read: [Errno 21] Is a directory"),
        (["validate", "-c", "latin.yaml"], "latin.yaml: cannot be read: 'utf-8' codec can't decode"),
        ([], "Usage: jenkins-kaniko [OPTIONS] COMMAND"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_on_stderr(run: Run, arguments: list[str], message: str) -> None:
    Path("latin.yaml").write_bytes(b"fleet: \xfc")
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert message in outcome.err


# --- as a process ------------------------------------------------------------------------------------------------

LOADED = """
import sys
sys.argv = ["jenkins-kaniko", *sys.argv[1:]]
from jenkins_kaniko.cli import main
try:
    main()
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--help"], {}),
        (["--version"], {}),
        (["sync", "--help"], {}),
        ([], {"_JENKINS_KANIKO_COMPLETE": "bash_complete", "COMP_WORDS": "jenkins-kaniko s", "COMP_CWORD": "1"}),
    ],
    ids=["help", "version", "help of a command", "completion"],
)
def test_help_version_and_completion_load_nothing_heavy(arguments: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = ended.stderr.split("loaded: ")[1].split()
    assert "click" in loaded
    assert set(HEAVY) & set(loaded) == set()
    assert ended.stdout


def test_the_package_can_be_run_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "jenkins_kaniko", "snyc"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "No such command 'snyc'" in ended.stderr


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path: Path) -> None:
    many = "\n".join(f"  t{number}: {{}}" for number in range(60))
    (tmp_path / "jenkins-kaniko.yaml").write_text(f"fleet: acme\ntemplates:\n{many}\n", encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            [sys.executable, "-m", "jenkins_kaniko", "render"],
            cwd=tmp_path,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.stderr == ""
