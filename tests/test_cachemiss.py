"""Why an instruction was not in the cache, as far as the log and the Dockerfile tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jenkins_kaniko.cachemiss import Lookups, reason

DOCKERFILE = """\
FROM scratch AS base
COPY sh /bin/sh
RUN one
ARG VER=1
RUN two \\
  && more
COPY src.txt /
RUN three
RUN four

FROM base
ENV A=1
RUN five

FROM python:3.11
RUN six
"""
TWO = "RUN two   && more"
NOTHING_YET = "probably the cache holds nothing of this build yet"
BASES = ("scratch", "base", "python:3.11")


def log(*lookups: str, stage: int = 0) -> list[str]:
    """Return the log of lookups, written as +HIT and -MISS, in a stage."""
    words = {"+": "Using caching version of cmd: ", "-": "No cached layer found for cmd "}
    begin = f"INFO[0000] Building stage '{BASES[stage]}' [idx: '{stage}', base-idx: '-1']"
    return [begin, *(f"INFO[0001] {words[text[0]]}{text[1:]}" for text in lookups)]


def why(lines: list[str], dockerfile: str | None = DOCKERFILE) -> str | None:
    lookups = Lookups()
    for line in lines:
        lookups.read(line)
    return reason(lookups, dockerfile, ["VER"])


FULL = log("+RUN one", f"+{TWO}", "+RUN three", "+RUN four")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (FULL, None),
        (log("-RUN one"), f"{NOTHING_YET}; else changed: what COPY sh /bin/sh takes"),
        (log("+RUN one", f"-{TWO}"), "probably changed: build argument VER"),
        (log("+RUN one", f"+{TWO}", "-RUN three"), "probably changed: what COPY src.txt / takes"),
        (log("+RUN one", "-RUN three"), "probably changed: what COPY src.txt / takes or build argument VER"),
        (log("+RUN one", f"+{TWO}", "+RUN three", "-RUN four"), "probably changed: its text"),
        ([*FULL, *log("-RUN five", stage=1)], "probably changed: its text, or that of a line before it"),
        ([*FULL[:-1], *log("-RUN five", stage=1)], "probably changed: its text, or that of a line before it"),
        ([*FULL[:-2], *log("-RUN five", stage=1)], "probably changed: what COPY src.txt / takes"),
        ([*FULL, *log("-RUN six", stage=2)], "probably changed: base image python:3.11"),
        ([*log("-RUN one"), *log("-RUN six", stage=2)],
         f"{NOTHING_YET}; else changed: what COPY sh /bin/sh takes"),
        (["INFO[0000] Cache entry expired: r.example.com/a:b", *log("-RUN one")],
         "it is in the cache, and older than --cache-ttl allows"),
        ([*log("-RUN one"), "WARN[0002] Error uploading layer to cache: UNAUTHORIZED"],
         "probably nothing could be kept before: writing to the cache fails, see the log"),
    ],
)  # fmt: skip
def test_a_miss_is_explained(lines: list[str], says: str | None) -> None:
    assert why(lines) == says


@pytest.mark.parametrize("dockerfile", [None, "", "FROM other\nRUN one\n", "FROM scratch\nRUN other\n"])
def test_without_the_dockerfile_nothing_is_guessed(dockerfile: str | None) -> None:
    assert why(log("+RUN zero", "-RUN one"), dockerfile) is None
    assert why(log("-RUN one"), dockerfile) == NOTHING_YET


@given(some.lists(some.sampled_from(FULL + log("-RUN five", stage=1)) | some.text()), some.text())
def test_no_log_and_no_dockerfile_make_it_fail(lines: list[str], dockerfile: str) -> None:
    for text in (dockerfile, DOCKERFILE, DOCKERFILE + dockerfile):
        found = why(lines, text)
        assert found is None or found.startswith(("probably ", "it is "))
