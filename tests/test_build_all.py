"""kanikoBuildAll: forms, mistakes, names, workers, failures. Its builds are played by a kanikoBuild without pods."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.pipeline import PipelineResult, played_library, run_examples, run_pipeline, start_pipeline

pytestmark = pytest.mark.jvm

ROOT = Path(__file__).parent.parent
JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "build-all.jenkinsfile"
PLAYED = """\
Map onItsOwnAgent(Map options) {
    echo "start ${options.image}"
    switch (options.target) {
        case 'fail': sleep(1); error("kanikoBuild: ${options.image}: build failed\\n  at Dockerfile:3")
        case 'sleep': sleep(2); break
        case 'long': sleep(60); break
        case 'stubborn': try { sleep(60) } finally { echo 'tidies up'; sleep(60) }
    }
    echo "end ${options.image}"
    return [ref: 'ref of ' + options.image, given: options.sort()]
}
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One run for all tests: the library of a folder, so in the sandbox, as it is but for kanikoBuild."""
    library = played_library(tmp_path_factory.mktemp("library"), PLAYED)
    more = ["--untrusted-library", f"jenkins-kaniko={library}"]
    result = run_pipeline(JENKINSFILE, library / "home", library, library_name="unused", job="all", more=more)
    assert result.result == "SUCCESS", result.log
    return result


def said(build: PipelineResult, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.*)$", build.log, re.MULTILINE)


def test_each_form_builds_all_and_returns_them_in_order(build: PipelineResult) -> None:
    assert said(build, "list") == [
        "[ref:ref of r/a:1, given:[image:r/a:1], name:a, result:SUCCESS]",
        "[ref:ref of r/b, given:[image:r/b], name:B, result:SUCCESS]",
        "2 results",
    ]
    assert said(build, "map") == [
        "[ref:ref of r/a, given:[image:r/a], name:one, result:SUCCESS]",
        "[ref:ref of r/a, given:[image:r/a], name:zwei, result:SUCCESS]",
        "2 results",
    ]
    assert said(build, "named map") == [
        "[ref:ref of r/a, given:[image:r/a], name:one, result:SUCCESS]",
        "1 results",
    ]


def test_options_of_a_build_win_over_shared_ones_and_maps_are_put_together(build: PipelineResult) -> None:
    given = [re.search(r"given:\[(.*)\], name", line) for line in said(build, "shared")[:3]]
    assert [found and found[1] for found in given] == [
        "buildArgs:[X:own, Z:3, Y:2], image:r/shared, tags:[1, 2]",
        "buildArgs:[X:1, Z:3], image:r/b, tags:[1, 2]",
        "buildArgs:[X:1, Z:3], image:r/shared, tags:[3]",
    ]


def test_with_nothing_to_build_nothing_is_built(build: PipelineResult) -> None:
    assert [said(build, name) for name in ("nothing", "empty map", "no builds")] == [["0 results"]] * 3
    assert said(build, "kanikoBuildAll").count("nothing to build") == 3


def test_mistakes_are_told_at_once_and_before_any_build(build: PipelineResult) -> None:
    form = "AbortException: kanikoBuildAll: a list of option maps is expected, or a map from names to option maps"
    assert said(build, "wrong item") == said(build, "forgot builds") == [form]
    number = "AbortException: kanikoBuildAll: option maxParallel: a number from 1 is expected"
    assert said(build, "wrong number") == [number]
    switch = "AbortException: kanikoBuildAll: option failFast: true or false is expected"
    assert said(build, "wrong switch") == [switch]
    mistakes = said(build, "mistakes")[0].split(" / ")
    buildargs = "option buildArgs: a map is expected"
    assert mistakes[:3] == [
        "AbortException: kanikoBuildAll: several builds have the name app: give each a name: of its own",
        f"  app: {buildargs}",
        f"  build 2: option image is required; {buildargs}",
    ]
    assert mistakes[4].startswith("  z: unknown option tag; did you mean tags? (valid: ")
    assert "start r/x/app" not in build.log


def test_a_misspelt_option_for_all_is_told_once_with_the_right_one(build: PipelineResult) -> None:
    text = said(build, "misspelt")[0]
    first, second = (line.partition(" (valid: ") for line in text.split(" / "))
    assert first[0] == "AbortException: kanikoBuildAll: unknown option maxParalel; did you mean maxParallel?"
    assert second[0] == "  unknown option buildArg; did you mean buildArgs?"
    assert {"builds", "failFast", "image", "maxParallel"} < set(first[2].rstrip(")").split(", "))


def test_all_results_are_told_before_the_step_fails(build: PipelineResult) -> None:
    assert said(build, "failures") == ["AbortException: kanikoBuildAll: 2 of 3 builds failed: a, c"]
    before = build.log[: build.log.index("\nfailures: ")]
    summary = before[before.rindex("kanikoBuildAll:\n") :].splitlines()[1:4]
    assert summary == [
        "  a    FAILURE    kanikoBuild: r/a: build failed",
        "  bee  SUCCESS    ref of r/bee",
        "  c    FAILURE    kanikoBuild: r/c: build failed",
    ]
    assert "kanikoBuildAll: a failed: kanikoBuild: r/a: build failed\n  at Dockerfile:3\n" in build.log


def running(build: PipelineResult, images: str) -> list[int]:
    """How many builds of these images ran after each start and end."""
    count, counts = 0, []
    for what in re.findall(rf"^(start|end) {images}$", build.log, re.MULTILINE):
        count += 1 if what == "start" else -1
        counts.append(count)
    return counts


def test_no_more_than_max_parallel_run_at_once_and_nobody_waits_without_need(build: PipelineResult) -> None:
    two, four = running(build, "two/."), running(build, "four/.")
    assert (len(two), max(two), two[-1]) == (10, 2, 0)
    assert (len(four), max(four), four[-1]) == (10, 4, 0)
    part = build.log[build.log.index("named map: ") :]
    assert re.search(r"start r/a\n(.*\n)*?end r/a\n(.*\n)*?start r/b\n", part)


def test_branches_have_the_names_of_the_builds_or_of_workers(build: PipelineResult) -> None:
    branches = re.findall(r"^\[Pipeline\] \{ \(Branch: (.*)\)$", build.log, re.MULTILINE)
    assert sorted(branches[:4]) == ["B", "a", "one", "zwei"]
    assert {"worker 1", "worker 2", "worker 3", "worker 4"} == {name for name in branches if "worker" in name}


def test_the_first_failure_stops_the_others_if_wanted(build: PipelineResult) -> None:
    assert said(build, "fail fast") == ["AbortException: kanikoBuildAll: 1 of 4 builds failed: b"]
    before = build.log[: build.log.index("\nfail fast: ")]
    assert before[before.rindex("kanikoBuildAll:\n") :].splitlines()[1:5] == [
        "  a  ABORTED    interrupted while it ran",
        "  b  FAILURE    kanikoBuild: r/b: build failed",
        "  c  NOT_BUILT  not started",
        "  d  NOT_BUILT  not started",
    ]


def test_an_interruption_from_outside_goes_on_as_it_is_after_the_results(build: PipelineResult) -> None:
    assert said(build, "timeout around") == ["FlowInterruptedException: null"]
    before = build.log[: build.log.index("\ntimeout around: ")]
    assert before[before.rindex("kanikoBuildAll:\n") :].splitlines()[1:3] == [
        "  a  ABORTED    interrupted while it ran",
        "  b  FAILURE    kanikoBuild: r/b: build failed",
    ]


def test_an_abort_after_the_first_failure_stays_an_abort(tmp_path: Path) -> None:
    """A trusted library, which may ask why it was interrupted; the build that is stopped has to be stopped again."""
    library = played_library(tmp_path / "library", PLAYED)
    builds = "[[image: 'r/a', target: 'stubborn'], [image: 'r/b', target: 'fail']]"
    jenkinsfile = tmp_path / "Jenkinsfile"
    step = f"kanikoBuildAll(builds: {builds}, failFast: true)\n"
    jenkinsfile.write_text(f"@Library('jenkins-kaniko') _\n{step}", encoding="utf-8")
    arguments = ["--home", str(tmp_path / "home"), "--job", "all", "--library", f"jenkins-kaniko={library}"]
    log = ""
    with start_pipeline([*arguments, str(jenkinsfile)]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log += line
            if line == "tidies up\n":
                process.send_signal(signal.SIGTERM)
    assert log.endswith("\nAborted\nFinished: ABORTED\n"), log
    assert log[log.rindex("kanikoBuildAll:\n") :].splitlines()[1:3] == [
        "  a  ABORTED    interrupted while it ran",
        "  b  FAILURE    kanikoBuild: r/b: build failed",
    ]


def test_the_examples_of_the_page_build_what_they_say(tmp_path: Path) -> None:
    result = run_examples(ROOT / "docs" / "kaniko-build-all.md", PLAYED, tmp_path)
    team = "registry.example.com/team"
    assert re.findall("^(?:api|web): .*$", result.log, re.MULTILINE) == [
        f"api: ref of {team}/api",
        f"web: ref of {team}/web",
    ]
    refs = re.findall(r"^  (\w+)  SUCCESS    ref of (.*)$", result.log, re.MULTILINE)
    assert refs == [
        *[("api", f"{team}/api"), ("web", f"{team}/web")] * 2,
        *[("api", f"{team}/app:api"), ("web", f"{team}/app:web")],
    ], result.log
