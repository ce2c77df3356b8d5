"""kanikoBuildAll with real pods: several images at a time, a failing one, and the example of a monorepo."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.registry import Registry
from tests.support.repository import IDENTITY, committed, git

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "build-all-pods.jenkinsfile"
MONOREPO = ROOT / "examples" / "monorepo"
SOURCE = {
    "Dockerfile": "FROM python:3.11-slim\nARG WHO=nobody\nRUN echo $WHO > /who\n",
    "broken/Dockerfile": "FROM python:3.11-slim\nRUN exit 3\n",
    "slow/Dockerfile": "FROM python:3.11-slim\nRUN sleep 1000\n",
}


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synced_home(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def alive() -> list[int]:
    """How many pods of the build were alive whenever one more had come up."""
    return []


@pytest.fixture(scope="module")
def build(lab: Lab, home: Path, alive: list[int], tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One run for all tests of builds."""
    created = set()

    def count(line: str) -> None:
        if line.startswith("Created Pod: "):
            created.add(line.rpartition("/")[2])
        if line.startswith("Agent "):
            alive.append(len(created.intersection(lab.living_pods("kaniko-"))))

    source = committed(tmp_path_factory.mktemp("source"), SOURCE)
    environment = {"REGISTRY": lab.settings["LAB_REGISTRY"]}
    result = run_pipeline(JENKINSFILE, home, ROOT, source, environment, lab.kubeconfig, job="all", on_line=count)
    assert result.result == "SUCCESS", result.log
    alive.append(len(created.intersection(lab.living_pods("kaniko-"))))
    return result


def said(build: PipelineResult, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.*)$", build.log, re.MULTILINE)


def summaries(log: str) -> list[list[list[str]]]:
    """Name, result and text of each build, for each summary."""
    found = re.findall(r"^kanikoBuildAll:\n((?:  .*\n)+)", log, re.MULTILINE)
    return [[line.split(maxsplit=2) for line in lines.splitlines()] for lines in found]


def who(registry: Registry, image: str) -> str:
    return registry.files(f"all/{image}", "latest", base_layers=2)["/who"].decode().strip()


def test_each_image_is_what_was_returned_for_it(lab: Lab, registry: Registry, build: PipelineResult) -> None:
    names = ["two", "one"]
    refs = [
        f"{lab.settings['LAB_REGISTRY']}/all/{name}@{registry.manifest(f'all/{name}', 'latest')[0]}" for name in names
    ]
    assert said(build, "good") == [f"{name} {ref}" for name, ref in zip(names, refs, strict=True)]
    assert summaries(build.log)[0] == [[name, "SUCCESS", ref] for name, ref in zip(names, refs, strict=True)]
    assert [who(registry, name) for name in names] == ["nobody", "one"]


def test_one_failing_build_does_not_hinder_the_others(lab: Lab, registry: Registry, build: PipelineResult) -> None:
    assert said(build, "bad") == ["kanikoBuildAll: 1 of 3 builds failed: broken"]
    assert [row[:2] for row in summaries(build.log)[1]] == [
        ["first", "SUCCESS"],
        ["broken", "FAILURE"],
        ["last", "SUCCESS"],
    ]
    assert summaries(build.log)[1][1][2].startswith(f"kanikoBuild: {lab.settings['LAB_REGISTRY']}/all/broken")
    assert [who(registry, name) for name in ("first", "last")] == ["all", "last"]


def test_the_first_failure_stops_the_others_if_wanted(build: PipelineResult) -> None:
    assert said(build, "fast") == ["kanikoBuildAll: 1 of 3 builds failed: broken"]
    assert [row[:2] for row in summaries(build.log)[2]] == [
        ["slow", "ABORTED"],
        ["broken", "FAILURE"],
        ["late", "NOT_BUILT"],
    ]


def test_the_files_are_numbered_as_the_builds_were_given(home: Path, build: PipelineResult) -> None:
    archive = home / "jobs/all/builds/1/archive"
    images = {path.name: json.loads(path.read_text(encoding="utf-8"))["image"] for path in archive.iterdir()}
    assert {name: image.rpartition("/")[2] for name, image in images.items()} == {
        "kaniko-build.json": "two",
        "kaniko-build-2.json": "one",
        "kaniko-build-3.json": "first",
        "kaniko-build-5.json": "last",  # there is none of the one that failed
    }


def test_never_more_pods_than_wanted_and_none_is_left(build: PipelineResult, alive: list[int]) -> None:
    assert (max(alive), alive[-1]) == (2, 0)


def test_a_monorepo_builds_what_changed(lab: Lab, registry: Registry, home: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(MONOREPO, source)
    committed(source, {})

    def built(number: int, before: str = "") -> list[str]:
        environment = {"REGISTRY": lab.settings["LAB_REGISTRY"], "GIT_PREVIOUS_SUCCESSFUL_COMMIT": before}
        jenkinsfile = source / "Jenkinsfile"
        result = run_pipeline(
            jenkinsfile, home, ROOT, source, environment, lab.kubeconfig, job="monorepo", build_number=number
        )
        assert result.result == "SUCCESS", result.log
        assert summaries(result.log) or "kanikoBuildAll: nothing to build\n" in result.log
        return [" ".join(row[:2]) for summary in summaries(result.log) for row in summary]

    def commit(path: str) -> str:
        """Change a file; return the commit before."""
        before = git(source, "rev-parse", "HEAD")
        with (source / path).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        git(source, "add", ".")
        git(source, *IDENTITY, "commit", "--quiet", "-m", path)
        return before

    assert built(1) == ["api SUCCESS", "web SUCCESS"]
    assert built(2, commit("services/web/app.py")) == ["web SUCCESS"]
    assert built(3, commit("README.md")) == []
    assert built(4, commit('services/web/"grün".txt')) == ["web SUCCESS"]  # a name that git quotes when it lists it
    assert registry.manifest("monorepo/web", "4")[0] == registry.manifest("monorepo/web", "latest")[0]
    with pytest.raises(OSError, match="404"):
        registry.manifest("monorepo/api", "2")
