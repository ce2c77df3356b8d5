"""Many controllers: each has its own result, and one that fails hides none of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.model import CloudState, Controller, SecretKey, SecretRef
from jenkins_kaniko.plan import make
from jenkins_kaniko.sync import ControllerResult, Door, FleetResult, plan_all, secret_value, selected, sync_all
from tests.support.fakes import FakeController, cloud, fleet, found, swapped, wanted

ACME = fleet("""
fleet: acme
controllers:
  zeta: {url: 'https://zeta.example.com', user: ci-bot, token: {secret: {namespace: ci, name: zeta, key: token}}}
  alpha: {url: 'https://alpha.example.com', user: ci-bot, token: {secret: {namespace: ci, name: alpha, key: token}}}
  mid: {url: 'https://mid.example.com', user: ci-bot, token: {secret: {namespace: ci, name: mid, key: token}}}
templates:
  kaniko: {}
""")
WANTED = wanted(ACME)
EMPTY = cloud()
DONE = swapped(EMPTY, WANTED)
FOREIGN = cloud(found("8d3c", "kaniko"))
DOWN = UnreachableError("no answer")
BROKEN = JenkinsKanikoError("boom")

Run = Callable[[Mapping[str, FakeController]], FleetResult]


def door_to(controllers: Mapping[str, FakeController]) -> Callable[[str, Controller, str], Door]:
    def connect(name: str, controller: Controller, token: str) -> Door:
        assert (controller, token) == (ACME.controllers[name], f"token of {name}")
        return controllers[name]

    return connect


def token_of(key: SecretKey) -> str:
    return f"token of {key.name}\n"


def planned(controllers: Mapping[str, FakeController]) -> FleetResult:
    return plan_all(ACME, selected(ACME, []), door_to(controllers), token_of)


def synced(controllers: Mapping[str, FakeController]) -> FleetResult:
    return sync_all(ACME, selected(ACME, []), door_to(controllers), token_of)


def fakes(**states: CloudState | JenkinsKanikoError) -> dict[str, FakeController]:
    """Return a controller for each name, with a state or with a failure."""
    return {
        name: FakeController(name, EMPTY, failure=given)
        if isinstance(given, JenkinsKanikoError)
        else FakeController(name, given)
        for name, given in states.items()
    }


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
    assert [controller.requests for controller in controllers.values()] == [["read"], ["read"], ["read"]]


def test_syncing_changes_what_differs_and_leaves_the_rest() -> None:
    controllers = fakes(zeta=EMPTY, alpha=DONE, mid=DOWN)
    assert synced(controllers) == FleetResult(
        "acme",
        (
            ControllerResult("zeta", make(EMPTY, WANTED, "acme"), applied=True),
            ControllerResult("alpha", make(DONE, WANTED, "acme")),
            ControllerResult("mid", error=DOWN),
        ),
    )
    assert [controller.requests for controller in controllers.values()] == [["read", "apply"], ["read"], ["read"]]
    assert controllers["zeta"].state == DONE


def test_syncing_twice_changes_nothing_the_second_time() -> None:
    controllers = fakes(zeta=EMPTY, alpha=cloud(found("8d3c", "maven")), mid=EMPTY)
    assert synced(controllers).exit_code(0) == 0
    assert [result.plan is not None and result.plan.empty for result in synced(controllers).controllers] == [True] * 3


def test_a_refused_change_keeps_its_plan_beside_the_error() -> None:
    controllers = fakes(zeta=FOREIGN, alpha=DONE, mid=DONE)
    result = synced(controllers).controllers[0]
    assert (result.plan, result.applied) == (make(FOREIGN, WANTED, "acme"), False)
    assert isinstance(result.error, RefusedError)
    assert controllers["zeta"].requests == ["read"]


def test_results_are_in_the_order_of_the_configuration_whoever_answers_first() -> None:
    last_answered = threading.Event()

    class Slow(FakeController):
        def read(self) -> CloudState:
            assert last_answered.wait(10)
            return super().read()

    class Last(FakeController):
        def read(self) -> CloudState:
            last_answered.set()
            return super().read()

    controllers = {"zeta": Slow("zeta", DONE), "alpha": Slow("alpha", DONE), "mid": Last("mid", DONE)}
    assert [result.controller for result in planned(controllers).controllers] == ["zeta", "alpha", "mid"]


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
    states: tuple[CloudState | JenkinsKanikoError, ...], after_plan: int, after_sync: int
) -> None:
    names = ("zeta", "alpha", "mid")
    plan_code = planned(fakes(**dict(zip(names, states, strict=True)))).exit_code(differences=2)
    sync_code = synced(fakes(**dict(zip(names, states, strict=True)))).exit_code(differences=0)
    assert (plan_code, sync_code) == (after_plan, after_sync)


def test_a_missing_token_is_that_controllers_error_only() -> None:
    def read_secret(key: SecretKey) -> str:
        return "" if key.name == "alpha" else token_of(key)

    result = plan_all(ACME, selected(ACME, []), door_to(fakes(zeta=DONE, alpha=DONE, mid=DONE)), read_secret)
    assert [str(one.error) for one in result.controllers] == [
        "None",
        "controllers.alpha.token: secret ci/alpha is not set or empty",
        "None",
    ]


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
