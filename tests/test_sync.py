"""Many controllers: each has its own result, and one that fails hides none of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko import backup
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.fleetfile import Controller
from jenkins_kaniko.fleetvalues import SecretKey, SecretRef
from jenkins_kaniko.model import CloudState, Fleet
from jenkins_kaniko.plan import Consent, make
from jenkins_kaniko.sync import (
    ControllerResult,
    Door,
    Drift,
    FleetResult,
    Work,
    drift_all,
    plan_all,
    rollback,
    secret_value,
    selected,
    sync_all,
)
from tests.support.fakes import FakeController, applied, cloud, fleet, found, wanted, with_xml

TEXT = """
fleet: acme
controllers:
  zeta: {url: 'https://zeta.example.com', user: ci-bot, token: {secret: {namespace: ci, name: zeta, key: token}}}
  alpha: {url: 'https://alpha.example.com', user: ci-bot, token: {secret: {namespace: ci, name: alpha, key: token}}}
  mid: {url: 'https://mid.example.com', user: ci-bot, token: {secret: {namespace: ci, name: mid, key: token}}}
templates:
  kaniko: {}
"""
ACME = fleet(TEXT)
WANTED = wanted(ACME)
EMPTY = cloud()
DONE = cloud(*applied(ACME))
FOREIGN = cloud(found("8d3c", "kaniko"))
DOWN = UnreachableError("no answer")
BROKEN = JenkinsKanikoError("boom")

Controllers = Mapping[str, FakeController]


def fleet_in(folder: Path, text: str = TEXT) -> Fleet:
    return replace(fleet(text), folder=folder)


def door_to(controllers: Controllers) -> Callable[[str, Controller, str], Door]:
    def connect(name: str, controller: Controller, token: str) -> Door:
        assert (controller.url, token) == (f"https://{name}.example.com", f"token of {name}")
        return controllers[name]

    return connect


def token_of(key: SecretKey) -> str:
    return f"token of {key.name}\n"


def work(controllers: Controllers, **settings: Any) -> Work:
    return Work(door_to(controllers), token_of, **settings)


def planned(controllers: Controllers, **settings: Any) -> FleetResult:
    return plan_all(ACME, selected(ACME, []), work(controllers, **settings))


@pytest.fixture
def synced(tmp_path: Path) -> Callable[..., FleetResult]:
    """Run sync_all in a folder of its own."""

    def run(controllers: Controllers, **settings: Any) -> FleetResult:
        return sync_all(fleet_in(tmp_path), selected(ACME, []), work(controllers, **settings))

    return run


def fakes(**states: CloudState | JenkinsKanikoError) -> dict[str, FakeController]:
    """Return a controller for each name, with a state or with a failure."""
    return {
        name: FakeController(name, EMPTY, failure=given)
        if isinstance(given, JenkinsKanikoError)
        else FakeController(name, given)
        for name, given in states.items()
    }


def requests(controllers: Controllers) -> list[list[str]]:
    return [controller.requests for controller in controllers.values()]


def test_planning_changes_nothing_and_reads_each_controller_once() -> None:
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=DOWN)
    assert planned(controllers) == FleetResult(
        "acme",
        (
            ControllerResult("zeta", make(EMPTY, WANTED, "acme")),
            ControllerResult("alpha", make(DONE, WANTED, "acme")),
            ControllerResult("mid", error=DOWN),
        ),
    )
    assert requests(controllers) == [["read"], ["read"], ["read"]]


def test_syncing_changes_what_differs_and_leaves_the_rest(synced: Callable[..., FleetResult]) -> None:
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=DOWN)
    result = synced(controllers)
    assert result == FleetResult(
        "acme",
        (
            ControllerResult("zeta", make(EMPTY, WANTED, "acme"), applied=True, backup=result.controllers[0].backup),
            ControllerResult("alpha", make(with_xml(DONE), WANTED, "acme")),
            ControllerResult("mid", error=DOWN),
        ),
    )
    assert requests(controllers) == [["read", "apply"], ["read"], ["read"]]
    assert controllers["zeta"].state == DONE


def test_syncing_twice_changes_nothing_the_second_time(synced: Callable[..., FleetResult]) -> None:
    controllers = fakes(zeta=EMPTY, alpha=cloud(found("8d3c", "maven")), mid=EMPTY)
    assert synced(controllers).exit_code(0) == 0
    assert [result.plan is not None and result.plan.empty for result in synced(controllers).controllers] == [True] * 3


def test_a_refused_change_keeps_its_plan_beside_the_error(synced: Callable[..., FleetResult], tmp_path: Path) -> None:
    controllers = fakes(zeta=FOREIGN, alpha=DONE, mid=DONE)
    result = synced(controllers).controllers[0]
    assert (result.plan, result.applied) == (make(with_xml(FOREIGN), WANTED, "acme"), False)
    assert isinstance(result.error, RefusedError)
    assert controllers["zeta"].requests == ["read"]
    assert list(tmp_path.iterdir()) == [], "no backup of what is not replaced"


# --- each controller its own templates ---------------------------------------------------------------------------

CHOSEN = TEXT + "  big: {controllers: [alpha, mid]}\n"


def test_a_template_goes_to_the_controllers_it_is_meant_for(tmp_path: Path) -> None:
    controllers = fakes(zeta=EMPTY, alpha=EMPTY, mid=EMPTY)
    sync_all(fleet_in(tmp_path, CHOSEN), ["zeta", "alpha", "mid"], work(controllers))
    names = {name: [one.name for one in controller.state.templates] for name, controller in controllers.items()}
    assert names == {"zeta": ["kaniko"], "alpha": ["kaniko", "big"], "mid": ["kaniko", "big"]}


def test_a_template_that_is_no_longer_meant_for_a_controller_is_undeclared_there(tmp_path: Path) -> None:
    controllers = fakes(zeta=cloud(*applied(fleet(CHOSEN))), alpha=cloud(*applied(fleet(CHOSEN))))
    given_fleet = fleet_in(tmp_path, CHOSEN)
    result = plan_all(given_fleet, controllers, work(controllers))
    assert [one.plan.notes for one in result.controllers if one.plan] == [
        ("template big is this fleet's but not declared; it stays (--prune removes it)",),
        (),
    ]
    sync_all(given_fleet, controllers, work(controllers, consent=Consent(prune=True)))
    assert [[one.name for one in fake.state.templates] for fake in controllers.values()] == [
        ["kaniko"],
        ["kaniko", "big"],
    ]


# --- all at once, or one after the other -------------------------------------------------------------------------


def test_results_are_in_the_order_of_the_configuration_whoever_answers_first() -> None:
    last_answered = threading.Event()

    class Slow(FakeController):
        def read(self, *, backup: bool = False) -> CloudState:
            assert last_answered.wait(10)
            return super().read(backup=backup)

    class Last(FakeController):
        def read(self, *, backup: bool = False) -> CloudState:
            last_answered.set()
            return super().read(backup=backup)

    controllers = {"zeta": Slow("zeta", DONE), "alpha": Slow("alpha", DONE), "mid": Last("mid", DONE)}
    done: list[str] = []
    result = planned(controllers, on_done=lambda one: done.append(one.controller))
    assert [one.controller for one in result.controllers] == ["zeta", "alpha", "mid"]
    assert sorted(done) == ["alpha", "mid", "zeta"]


def test_all_controllers_are_worked_on_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    class Waiting(FakeController):
        def read(self, *, backup: bool = False) -> CloudState:
            together.wait()
            return super().read(backup=backup)

    assert planned({name: Waiting(name, DONE) for name in ("zeta", "alpha", "mid")}).exit_code(2) == 0


def test_fail_fast_begins_no_controller_after_one_that_failed(synced: Callable[..., FleetResult]) -> None:
    controllers = fakes(zeta=EMPTY, alpha=DOWN, mid=EMPTY)
    done: list[tuple[str, bool]] = []
    result = synced(controllers, fail_fast=True, on_done=lambda one: done.append((one.controller, one.skipped)))
    assert requests(controllers) == [["read", "apply"], ["read"], []]
    assert result.controllers[1:] == (
        ControllerResult("alpha", error=DOWN),
        ControllerResult("mid", skipped=True),
    )
    assert done == [("zeta", False), ("alpha", False), ("mid", True)]


@pytest.mark.parametrize(
    ("states", "code"),
    [((DOWN, DONE, DONE), 5), ((DONE, DOWN, DONE), 3), ((EMPTY, DOWN, DONE), 3), ((FOREIGN, DONE, DONE), 4)],
)
def test_what_was_not_begun_does_not_count_in_the_exit_code(
    synced: Callable[..., FleetResult], states: tuple[CloudState | JenkinsKanikoError, ...], code: int
) -> None:
    controllers = fakes(**dict(zip(("zeta", "alpha", "mid"), states, strict=True)))
    assert synced(controllers, fail_fast=True).exit_code(0) == code


@pytest.mark.parametrize(
    ("states", "after_plan", "after_sync"),
    [
        ((DONE, DONE, DONE), 0, 0),
        ((EMPTY, EMPTY, EMPTY), 2, 0),
        ((EMPTY, DONE, DONE), 2, 0),
        ((DOWN, DOWN, DOWN), 5, 5),
        ((DOWN, DONE, DONE), 3, 3),
        ((DOWN, EMPTY, EMPTY), 3, 3),
        ((DOWN, BROKEN, DOWN), 3, 3),
        ((FOREIGN, FOREIGN, FOREIGN), 2, 4),
        ((FOREIGN, DONE, DONE), 2, 3),
        ((FOREIGN, DOWN, DONE), 3, 3),
    ],
)
def test_the_exit_code_is_common_or_says_mixed(
    synced: Callable[..., FleetResult],
    states: tuple[CloudState | JenkinsKanikoError, ...],
    after_plan: int,
    after_sync: int,
) -> None:
    names = ("zeta", "alpha", "mid")
    plan_code = planned(fakes(**dict(zip(names, states, strict=True)))).exit_code(differences=2)
    sync_code = synced(fakes(**dict(zip(names, states, strict=True)))).exit_code(differences=0)
    assert (plan_code, sync_code) == (after_plan, after_sync)


def test_a_missing_token_is_that_controllers_error_only() -> None:
    def read_secret(key: SecretKey) -> str:
        return "" if key.name == "alpha" else token_of(key)

    controllers = fakes(zeta=DONE, alpha=DONE, mid=DONE)
    result = plan_all(ACME, selected(ACME, []), Work(door_to(controllers), read_secret))
    assert [str(one.error) for one in result.controllers] == [
        "None",
        "controllers.alpha.token: secret ci/alpha is not set or empty",
        "None",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'"a\0b"', "template kaniko: inheritFrom holds the character U+0000, which Jenkins cannot keep; remove it"),
        (r'"\uffff"', "template kaniko: inheritFrom holds the character U+FFFF, which Jenkins cannot keep; remove it"),
        (r'"a\Lb"', "template kaniko: inheritFrom holds the character U+2028, which Jenkins cannot keep; remove it"),
    ],
)
def test_what_no_xml_can_carry_is_refused_before_any_request(tmp_path: Path, text: str, said: str) -> None:
    controllers = fakes(zeta=EMPTY)
    given_fleet = fleet_in(tmp_path, TEXT.replace("kaniko: {}", f"kaniko: {{inheritFrom: {text}}}"))
    for command in (plan_all, sync_all):
        with pytest.raises(WrongInputError) as caught:
            command(given_fleet, ["zeta"], work(controllers))
        assert str(caught.value) == said
    assert requests(controllers) == [[]]


def test_what_no_xml_can_carry_in_a_cloud_changes_nothing(tmp_path: Path) -> None:
    text = TEXT.replace("user: ci-bot", r'user: ci-bot, ensureCloud: {serverUrl: "\ufffe"}', 1)
    controllers = fakes(zeta=EMPTY)
    [result] = sync_all(fleet_in(tmp_path, text), ["zeta"], work(controllers)).controllers
    assert str(result.error) == (
        "controllers.zeta.ensureCloud: serverUrl holds the character U+FFFE, which Jenkins cannot keep; remove it"
    )
    assert requests(controllers) == [["read"]]


# --- a reviewed plan ---------------------------------------------------------------------------------------------


def test_a_reviewed_plan_is_carried_out_when_nothing_moved(synced: Callable[..., FleetResult]) -> None:
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=cloud(found("8d3c", "maven")))
    expected = {one.controller: one.plan.hash for one in planned(controllers).controllers if one.plan}
    assert synced(controllers, expected=expected).exit_code(0) == 0
    assert [len(controller.state.templates) for controller in controllers.values()] == [1, 1, 2]


@pytest.mark.parametrize("moved", ["the cloud", "the configuration", "the consent"])
def test_a_reviewed_plan_is_not_carried_out_when_something_moved(tmp_path: Path, moved: str) -> None:
    old = found("jenkins-kaniko-acme-old", "old", owner="acme")
    controllers = fakes(zeta=cloud(old))
    given_fleet = fleet_in(tmp_path, TEXT.replace("{}", "{idleMinutes: 5}") if moved == "the configuration" else TEXT)
    [plan] = [one.plan for one in plan_all(ACME, ["zeta"], work(controllers)).controllers if one.plan]
    if moved == "the cloud":
        controllers["zeta"].state = cloud(old, found("8d3c", "maven"))
    before = controllers["zeta"].state
    consent = Consent(prune=moved == "the consent")
    result = sync_all(given_fleet, ["zeta"], work(controllers, expected={"zeta": plan.hash}, consent=consent))
    assert str(result.controllers[0].error) == (
        "controller zeta: something moved since the plan was written: the cloud, or the configuration; "
        "nothing was changed. Write a new plan and look at it."
    )
    assert (result.exit_code(0), controllers["zeta"].state) == (4, before)


def test_a_reviewed_plan_that_would_be_refused_is_refused(synced: Callable[..., FleetResult]) -> None:
    controllers = fakes(zeta=FOREIGN, alpha=FOREIGN, mid=FOREIGN)
    expected = {one.controller: one.plan.hash for one in planned(controllers).controllers if one.plan}
    result = synced(controllers, expected=expected)
    assert (result.exit_code(0), requests(controllers)) == (4, [["read", "read"]] * 3)
    assert "nobody's mark is on it" in str(result.controllers[0].error)


# --- drift -------------------------------------------------------------------------------------------------------


def drifts(state: CloudState, text: str = TEXT) -> tuple[int, tuple[Drift, ...]]:
    controllers = fakes(zeta=state)
    result = drift_all(fleet(text), ["zeta"], work(controllers))
    assert controllers["zeta"].requests == ["read"]
    return result.exit_code(2), result.controllers[0].drift


def test_what_is_as_it_was_applied_has_no_drift() -> None:
    assert drifts(cloud(*applied(ACME), found("8d3c", "maven", serviceAccount="root"))) == (0, ())


def test_a_configuration_that_moved_is_no_drift() -> None:
    assert drifts(DONE, TEXT.replace("{}", "{idleMinutes: 5}")) == (0, ())


def test_what_somebody_changed_or_removed_by_hand_is_drift() -> None:
    text = TEXT + "  big: {}\n"
    state = cloud(*applied(ACME, idleMinutes=7), found("old", "old", owner="acme"), found("x", "go", owner="other"))
    assert drifts(state, text) == (
        2,
        (Drift("kaniko", ("idleMinutes",)), Drift("old", None), Drift("big", missing=True)),
    )


def test_everything_is_missing_in_a_cloud_that_is_not_there() -> None:
    assert drifts(cloud(exists=False)) == (2, (Drift("kaniko", missing=True),))


# --- backup and rollback -----------------------------------------------------------------------------------------


def test_what_is_replaced_is_kept_before_it_is_replaced(tmp_path: Path, synced: Callable[..., FleetResult]) -> None:
    kept_when_applied = []

    class Watched(FakeController):
        def apply(self, *arguments: Any) -> CloudState:
            kept_when_applied.append([path.name for path in tmp_path.rglob("*.json")])
            return super().apply(*arguments)

    there = cloud(*applied(ACME, idleMinutes=7))
    result = synced({"zeta": Watched("zeta", there), **fakes(alpha=DONE, mid=DONE)})
    path = result.controllers[0].backup
    assert path is not None
    assert kept_when_applied == [[path.name]]
    assert [one.backup for one in result.controllers[1:]] == [None, None]
    assert backup.load(path).templates[0].xml == with_xml(there).templates[0].xml


def test_without_a_backup_nothing_is_changed(tmp_path: Path, synced: Callable[..., FleetResult]) -> None:
    (tmp_path / ".jenkins-kaniko").write_text("in the way")
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=DONE)
    result = synced(controllers)
    assert controllers["zeta"].requests == ["read"]
    assert (result.exit_code(0), result.controllers[0].backup) == (3, None)
    assert "the backup cannot be written (File exists); nothing was changed on zeta" in str(result.controllers[0].error)


def test_a_change_that_failed_tells_where_the_backup_is(synced: Callable[..., FleetResult]) -> None:
    class Cut(FakeController):
        def apply(self, *arguments: Any) -> CloudState:
            raise DOWN

    result = synced({name: Cut(name, EMPTY) for name in ("zeta", "alpha", "mid")}).controllers[0]
    assert (result.error, result.applied, bool(result.backup and result.backup.is_file())) == (DOWN, False, True)


def rolled_back(folder: Path, controllers: Controllers, path: Path | None) -> ControllerResult:
    assert path
    [result] = rollback(fleet_in(folder), backup.load(path), work(controllers)).controllers
    return result


def test_a_rollback_and_the_rollback_of_it(tmp_path: Path, synced: Callable[..., FleetResult]) -> None:
    before = cloud(found("8d3c", "maven"), *applied(ACME, idleMinutes=7))
    controllers = fakes(zeta=before, alpha=DONE, mid=DONE)
    sync_backup = synced(controllers).controllers[0].backup
    after = controllers["zeta"].state
    back = rolled_back(tmp_path, controllers, sync_backup)
    assert (back.applied, back.error, controllers["zeta"].state) == (True, None, before)
    again = rolled_back(tmp_path, controllers, back.backup)
    assert (again.applied, again.error, controllers["zeta"].state) == (True, None, after)
    third = rolled_back(tmp_path, controllers, back.backup)
    assert (third.plan is not None and third.plan.empty, third.backup) == (True, None)


@pytest.mark.parametrize("other", [{"fleet": "other"}, {"cloud": "k8s"}])
def test_a_backup_of_another_fleet_or_cloud_is_not_restored(
    tmp_path: Path, synced: Callable[..., FleetResult], other: dict[str, Any]
) -> None:
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=DONE)
    path = synced(controllers).controllers[0].backup
    assert path
    saved = replace(backup.load(path), **other)
    [result] = rollback(fleet_in(tmp_path), saved, work(controllers)).controllers
    assert str(result.error) == f"the backup is of fleet {saved.fleet}, cloud {saved.cloud}"
    assert controllers["zeta"].requests == ["read", "apply", "read"]


# --- selected ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "chosen"), [([], ["zeta", "alpha", "mid"]), (["mid", "zeta"], ["zeta", "mid"]), (["mid", "mid"], ["mid"])]
)
def test_named_controllers_are_chosen_in_the_order_of_the_configuration(names: list[str], chosen: list[str]) -> None:
    assert list(selected(ACME, names)) == chosen


def test_unknown_controllers_are_all_named() -> None:
    with pytest.raises(WrongInputError) as caught:
        selected(ACME, ["main", "mid", "prod"])
    assert str(caught.value) == "no controller named main, prod; the configuration has: zeta, alpha, mid"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "the configuration has no controllers; add one below `controllers:`"),
        (["main"], "no controller named main; the configuration has: none"),
    ],
)
def test_a_configuration_without_controllers_says_so(names: list[str], message: str) -> None:
    with pytest.raises(WrongInputError) as caught:
        selected(fleet("fleet: acme"), names)
    assert str(caught.value) == message


# --- secret_value ------------------------------------------------------------------------------------------------


def no_cluster(key: SecretKey) -> str:
    raise AssertionError(f"the cluster was asked for {key}")


def test_a_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JENKINS_TOKEN", " 11f0c3\n")
    assert secret_value(SecretRef(env="JENKINS_TOKEN"), "key", Path(), no_cluster) == "11f0c3"


@pytest.mark.parametrize("absolute", [False, True])
def test_a_token_comes_from_a_file_beside_the_configuration(tmp_path: Path, absolute: bool) -> None:
    (tmp_path / "token").write_text("11f0c3\n", encoding="utf-8")
    name = str(tmp_path / "token") if absolute else "token"
    assert secret_value(SecretRef(file=name), "key", tmp_path, no_cluster) == "11f0c3"


def test_a_token_comes_from_a_secret() -> None:
    ref = SecretRef(secret=SecretKey(namespace="ci", name="main", key="token"))
    assert secret_value(ref, "key", Path(), token_of) == "token of main"


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_an_empty_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("JENKINS_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("JENKINS_TOKEN", value)
    with pytest.raises(WrongInputError) as caught:
        secret_value(SecretRef(env="JENKINS_TOKEN"), "controllers.main.token", Path(), no_cluster)
    assert str(caught.value) == "controllers.main.token: environment variable JENKINS_TOKEN is not set or empty"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none", None, "{folder}/none: No such file or directory"),
        ("token", b"", "file {folder}/token is not set or empty"),
        ("token", b"\xff11f0c3", "{folder}/token: is not text"),
        (".", None, "{folder}: Is a directory"),
        ("a\0b", None, "{folder}/a\0b: is not text"),
    ],
)
def test_a_file_without_a_token_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongInputError) as caught:
        secret_value(SecretRef(file=name), "controllers.main.token", tmp_path, no_cluster)
    assert str(caught.value) == f"controllers.main.token: {message.format(folder=tmp_path)}"
    assert "11f0c3" not in str(caught.value)
