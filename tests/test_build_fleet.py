"""Several builds at a time: their order, what stops them, and that a stopped one makes no Job any more."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from jenkins_kaniko import build as building
from jenkins_kaniko import buildjob, errors
from jenkins_kaniko.build import Result
from jenkins_kaniko.build_all import ClusterBuild, Outcome, build_all, exit_code
from jenkins_kaniko.buildboard import Board, data, summary
from jenkins_kaniko.errors import BuildFailedError, JenkinsKanikoError, UnansweredError
from jenkins_kaniko.stoppable import StoppableDoor
from tests.support.fake_cluster import DIGEST, RUNNING, FakeCluster, Told, context, ended, spec

FAILED = BuildFailedError("registry.example.com/bad: build failed (exit code 3)\n  at Dockerfile:3")
PATIENCE_SECONDS = 10


def result(name: str) -> Result:
    return Result(f"registry.example.com/{name}", ["latest"], DIGEST, "kaniko", 2, 0, 0, None, None)


@dataclass
class FakeWork:
    """A build that ends as it is told to, when it is told to."""

    name: str
    end: Result | Exception
    may_end: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False

    def build(self) -> Result:
        assert self.may_end.wait(PATIENCE_SECONDS)
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    def stop(self) -> None:
        self.stopped = True


def works(*names: str, **ends: Exception) -> dict[str, FakeWork]:
    return {name: FakeWork(name, ends.get(name, result(name))) for name in names}


class Script:
    """Hears what begins and ends, and lets the next build end where so many run at a time."""

    def __init__(self, given: Mapping[str, FakeWork], *order: str, then: Callable[[], None] = lambda: None) -> None:
        """`order` is that in which builds end; `then` is called instead of letting another one end."""
        self.heard: list[str] = []
        self._given, self._order, self._then = given, list(order), then

    def begun(self, name: str) -> None:
        self.heard.append(f"{name} begins")

    def ended(self, outcome: Outcome) -> None:
        self.heard.append(f"{outcome.name} {outcome.word}")
        if outcome.word != "ABORTED":
            self.next()

    def next(self) -> None:
        if self._order:
            self._given[self._order.pop(0)].may_end.set()
        else:
            self._then()


def test_so_many_run_at_a_time_and_all_have_an_outcome() -> None:
    given = works("a", "bad", "c", "d", bad=FAILED)
    script = Script(given, "bad", "c", "a", "d")
    script.next()
    outcomes = build_all(given, 2, False, script)
    assert outcomes == [
        Outcome("a", "SUCCESS", result=result("a")),
        Outcome("bad", "FAILURE", error=FAILED),
        Outcome("c", "SUCCESS", result=result("c")),
        Outcome("d", "SUCCESS", result=result("d")),
    ]
    assert script.heard == [
        "a begins", "bad begins", "bad FAILURE", "c begins", "c SUCCESS", "d begins", "a SUCCESS", "d SUCCESS",
    ]  # fmt: skip


def test_the_first_failure_may_end_it_all() -> None:
    given = works("a", "bad", "c", "d", bad=FAILED)
    script = Script(given, "a", "bad")
    script.next()
    outcomes = build_all(given, 2, True, script)
    assert [(one.name, one.word) for one in outcomes] == [
        ("a", "SUCCESS"), ("bad", "FAILURE"), ("c", "ABORTED"), ("d", "NOT_BUILT"),
    ]  # fmt: skip
    assert [name for name, work in given.items() if work.stopped] == ["c"]
    assert script.heard[-2:] == ["bad FAILURE", "c ABORTED"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_who_stops_the_command_stops_what_runs(stop: BaseException) -> None:
    def stopped() -> None:
        raise stop

    given = works("a", "b", "c", "d")
    script = Script(given, "a", then=stopped)
    script.next()
    with pytest.raises(type(stop)):
        build_all(given, 2, False, script)
    assert [name for name, work in given.items() if work.stopped] == ["b"]
    assert script.heard == ["a begins", "b begins", "a SUCCESS", "b ABORTED"]


def test_a_defect_of_ours_is_not_taken_for_a_failed_build() -> None:
    given = works("a", "b", a=LookupError("defect"))
    script = Script(given, "a")
    script.next()
    with pytest.raises(LookupError, match="defect"):
        build_all(given, 2, False, script)
    assert given["b"].stopped


@pytest.mark.parametrize(
    ("codes", "expected"), [([], 0), ([7, 6, 124], 6), ([1, 7], 7), ([7, 124], 124)], ids=str
)  # fmt: skip
def test_the_exit_code_is_the_one_that_says_most(codes: list[int], expected: int) -> None:
    kinds = (errors.WrongInputError, BuildFailedError, JenkinsKanikoError, errors.TimedOutError)
    failed = [Outcome("x", "FAILURE", error=kind("why")) for kind in kinds if kind.exit_code in codes]
    others = [Outcome("a", "SUCCESS", result=result("a")), Outcome("b", "ABORTED"), Outcome("c", "NOT_BUILT")]
    assert exit_code([*failed, *others]) == expected


# --- stopping a build in the cluster ---------------------------------------------------------------------------------


class Watched(FakeCluster):
    """A cluster in which a test can wait for a request, and hold it."""

    def __init__(self, hold: str, **given: Any) -> None:
        super().__init__(**given)
        self.hold, self.held, self.go_on = hold, threading.Event(), threading.Event()

    def _at(self, request: str) -> None:
        if request == self.hold:
            self.held.set()
            assert self.go_on.wait(PATIENCE_SECONDS)

    def create_job(self, manifest: Mapping[str, Any]) -> str:
        self._at("create")
        return super().create_job(manifest)

    def watch(self, label: str, seconds: float) -> Any:
        self._at("watch")
        return super().watch(label, seconds)


def begun(cluster: FakeCluster, **changes: Any) -> tuple[ClusterBuild, threading.Thread, list[BaseException]]:
    """Return a build that runs in a thread, the thread, and what ended it."""
    work, ends = ClusterBuild(spec(**changes), context(), cluster, Told().listener), []

    def run() -> None:
        try:
            work.build()
        except BaseException as error:
            ends.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return work, thread, ends


def test_the_job_of_a_stopped_build_is_removed_while_its_thread_waits() -> None:
    cluster = Watched("watch", watches=[[RUNNING, None]])
    work, thread, ends = begun(cluster, keep=True)
    assert cluster.held.wait(PATIENCE_SECONDS)
    work.stop()
    assert cluster.deleted == ["app"]
    cluster.go_on.set()
    thread.join(PATIENCE_SECONDS)
    assert [type(end) for end in ends] == [JenkinsKanikoError]


def test_a_job_that_is_just_being_made_is_removed_too() -> None:
    cluster = Watched("create", watches=[[RUNNING, None]])
    work, thread, _ = begun(cluster)
    assert cluster.held.wait(PATIENCE_SECONDS)
    stopping = threading.Thread(target=work.stop)
    stopping.start()
    cluster.go_on.set()
    stopping.join(PATIENCE_SECONDS)
    assert "app" in cluster.deleted
    thread.join(PATIENCE_SECONDS)
    assert len([one for one in cluster.made if one["kind"] == "Job"]) == 1


def test_a_job_is_removed_too_where_the_answer_to_making_it_was_lost() -> None:
    lost = UnansweredError("gone")
    cluster = FakeCluster([[]], lost={"Job": [(lost, True)]})
    door = StoppableDoor(cluster)
    with pytest.raises(UnansweredError):
        door.create_job(buildjob.job(spec(), context().facts, streamed=False))
    door.stop(spec(), Told().listener.note)
    assert cluster.deleted == ["app"]


def test_a_stopped_build_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "PAUSE_SECONDS", 0)
    evicted = {**RUNNING, "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}
    cluster = Watched("watch", watches=[[evicted]])
    work, thread, ends = begun(cluster)
    assert cluster.held.wait(PATIENCE_SECONDS)
    work.stop()
    cluster.go_on.set()
    thread.join(PATIENCE_SECONDS)
    assert [type(end) for end in ends] == [SystemExit]
    assert [one["metadata"]["name"] for one in cluster.made if one["kind"] == "Job"] == ["app"]


def test_a_build_that_is_not_stopped_ends_as_any_other() -> None:
    work = ClusterBuild(spec(), context(), FakeCluster([[ended()]]), Told().listener)
    assert work.build().digest == DIGEST


# --- what is told ----------------------------------------------------------------------------------------------------


def test_each_line_names_its_build_and_a_stopped_one_is_silent() -> None:
    said: list[str] = []
    board = Board(["api", "web"], said.append, table=False, verbose=False)
    board.begun("api")
    listener = board.listener("api")
    listener.note("waiting: Unschedulable")
    listener.detail("for the curious")
    listener.line("INFO[0000] COPY . /app")
    board.ended(Outcome("api", "ABORTED"))
    listener.line("INFO[0001] too late")
    board.ended(Outcome("web", "FAILURE", error=FAILED))
    assert said == [
        "[api] waiting: Unschedulable",
        "[api] INFO[0000] COPY . /app",
        "[api] ABORTED",
        "[web] FAILURE registry.example.com/bad: build failed (exit code 3)",
    ]


def test_who_asks_hears_more() -> None:
    said: list[str] = []
    Board(["api"], said.append, table=False, verbose=True).listener("api").detail("for the curious")
    assert said == ["[api] for the curious"]


def test_a_terminal_shows_a_row_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    said: list[str] = []
    board = Board(["api", "web", "later"], said.append, table=True, verbose=False)
    for name in ("api", "web"):
        board.begun(name)
        board.listener(name).note("the registry has a failure; attempt 2 in 5 s")
        board.listener(name).line("RUN \x1b[2J[/bold]make " + "x" * 100)
    now[0] += 12
    board.ended(Outcome("web", "SUCCESS", result=result("web")))
    now[0] += 30
    console = Console(file=io.StringIO(), width=50, color_system=None)
    console.print(board.table())
    assert isinstance(console.file, io.StringIO)
    rows = [row.rstrip() for row in console.file.getvalue().splitlines()]
    assert rows == [
        "api    runs     42 s  RUN [2J[/bold]make xxxxxxxx…",
        "web    SUCCESS  12 s  registry.example.com/web@sh…",
        "later  waits",
    ]
    assert said == [
        "[api] the registry has a failure; attempt 2 in 5 s",
        "[web] the registry has a failure; attempt 2 in 5 s",
        f"[web] SUCCESS registry.example.com/web@{DIGEST}",
    ]


def test_the_result_is_the_same_for_people_and_for_scripts() -> None:
    outcomes = [
        Outcome("api", "SUCCESS", result=result("api")),
        Outcome("bad", "FAILURE", error=FAILED),
        Outcome("later", "NOT_BUILT"),
    ]
    assert summary(outcomes) == (
        f"api    SUCCESS    registry.example.com/api@{DIGEST}\n"
        "bad    FAILURE    registry.example.com/bad: build failed (exit code 3)\n"
        "later  NOT_BUILT"
    )
    pushed = {"image": "registry.example.com/api", "tags": ["latest"], "digest": DIGEST}
    more = {"ref": f"registry.example.com/api@{DIGEST}", "engine": "kaniko", "seconds": 2}
    assert data(outcomes) == {
        "builds": [
            {"name": "api", "result": "SUCCESS", **pushed, **more, "cacheHits": 0, "cacheMisses": 0},
            {"name": "bad", "result": "FAILURE", "error": {"message": str(FAILED), "exitCode": errors.BUILD_FAILED}},
            {"name": "later", "result": "NOT_BUILT"},
        ]
    }
