"""Where a build is, as its log and the Dockerfile tell; the log is one of Kaniko 1.25.6 in the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jenkins_kaniko.buildprogress import Progress
from jenkins_kaniko.dockerfile import Stage, index_of, stages

FOLDER = Path(__file__).parent / "fixtures" / "build_log"
LOG = (FOLDER / "three-stages.log").read_text(encoding="utf-8").splitlines()
DOCKERFILE = (FOLDER / "three-stages.dockerfile").read_text(encoding="utf-8")


def told(lines: list[str], dockerfile: str | None, target: str | None = None) -> list[str]:
    """Return what a reader sees, one after the other."""
    progress = Progress(dockerfile, target)
    seen: list[str] = []
    for line in lines:
        progress.read(line)
        if str(progress) not in seen[-1:]:
            seen.append(str(progress))
    return seen


def test_a_build_is_followed_from_stage_to_stage_and_step_to_step() -> None:
    make = "RUN echo $VER && sleep 1 && echo built > /out"
    assert told(LOG, DOCKERFILE) == [
        "starting",
        "stage 1/3 base",
        "stage 1/3 base  asking the cache",
        "stage 1/3 base  unpacking the base image",
        "stage 1/3 base  step 1/3  COPY sh /bin/sh",
        "stage 1/3 base  step 1/3  COPY sh /bin/sh  taking a snapshot",
        "stage 1/3 base  step 2/3  ENV X=1",
        "stage 1/3 base  step 3/3  RUN echo hi > /hi",
        "stage 1/3 base  step 3/3  RUN echo hi > /hi  taking a snapshot",
        "stage 1/3 base  step 3/3  RUN echo hi > /hi",
        "stage 1/3 base  step 3/3  RUN echo hi > /hi  taking a snapshot",
        "stage 1/3 base  keeping what later stages need",
        "stage 2/3 build",
        "stage 2/3 build  asking the cache",
        "stage 2/3 build  unpacking the base image",
        "stage 2/3 build  step 1/5  ARG VER=1",
        "stage 2/3 build  step 2/5  WORKDIR /src",
        "stage 2/3 build  step 2/5  WORKDIR /src  taking a snapshot",
        "stage 2/3 build  step 3/5  COPY src.txt .",
        "stage 2/3 build  step 3/5  COPY src.txt .  taking a snapshot",
        f"stage 2/3 build  step 4/5  {make}",
        f"stage 2/3 build  step 4/5  {make}  taking a snapshot",
        f"stage 2/3 build  step 4/5  {make}",
        f"stage 2/3 build  step 4/5  {make}  taking a snapshot",
        "stage 2/3 build  step 5/5  RUN <<EOT",
        "stage 2/3 build  step 5/5  RUN <<EOT  taking a snapshot",
        "stage 2/3 build  keeping what later stages need",
        "stage 3/3 scratch",
        "stage 3/3 scratch  unpacking the base image",
        "stage 3/3 scratch  step 1/2  COPY --from=build /out /out",
        "stage 3/3 scratch  step 1/2  COPY --from=build /out /out  taking a snapshot",
        "stage 3/3 scratch  step 2/2  LABEL a=b",
        "pushing registry.example.com/team/app:1",
    ]


@pytest.mark.parametrize("dockerfile", [None, "FROM other\nRUN make\n", "# escape=`\nFROM scratch\n"])
def test_what_the_dockerfile_does_not_tell_is_left_out(dockerfile: str | None) -> None:
    seen = told(LOG, dockerfile)
    assert "stage 2 base" in seen
    assert "stage 2 base  COPY src.txt ." in seen
    assert seen[-1] == "pushing registry.example.com/team/app:1"


def test_stages_after_the_wanted_one_do_not_count() -> None:
    assert "stage 2/2 build  step 2/5  WORKDIR /src" in told(LOG, DOCKERFILE, "build")


def test_a_base_image_that_is_fetched_is_named() -> None:
    assert told(["INFO[0000] Retrieving image manifest python:3.11"], None) == ["fetching python:3.11"]


def test_the_same_instruction_twice_is_two_steps() -> None:
    lines = ["INFO[0000] Building stage 'scratch' [idx: '0', base-idx: '-1']", *["INFO[0001] RUN make"] * 2]
    progress = Progress("FROM scratch\nRUN make\nENV A=1\nRUN make\n")
    for line in lines:
        progress.read(line)
    assert str(progress) == "stage 1/1 scratch  step 3/3  RUN make"


def test_what_runs_in_the_build_does_not_count() -> None:
    assert told(["RUN make", "Building stage 'x' [idx: '0'", "INFO: Retrieving image x"], None) == ["starting"]


def test_a_dockerfile_is_read_as_the_engine_does() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nARG V=1\nfrom --platform=linux/amd64 base:$V as One\n"
        "RUN a && \\\n# why\n\n  b\nRUN <<A cat && cat <<-'B'\nFROM lies\nA\nRUN lies\nB\nRUN echo $((1<<W))\n"
        "FROM One\nCMD x\n"
    )
    assert stages(text) == [
        Stage("base:$V", "One", ["RUN a && \\ b", "RUN <<A cat && cat <<-'B'", "RUN echo $((1<<W))"]),
        Stage("One", None, ["CMD x"]),
    ]
    assert [index_of(stages(text), target) for target in (None, "one", "0", "1", "none")] == [1, 0, 0, 1, 1]
    assert stages("") == []


@given(some.lists(some.sampled_from(LOG) | some.text(), max_size=30), some.text() | some.just(DOCKERFILE))
def test_no_log_and_no_dockerfile_make_it_fail(lines: list[str], dockerfile: str) -> None:
    assert told([f"INFO[0000] {line}" for line in lines] + lines, dockerfile) is not None
