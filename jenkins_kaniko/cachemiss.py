"""The first instruction that the cache did not have -> what is probably why. Pure.

Kaniko's key of an instruction is made of the base image, of each instruction up to it, of the files that COPY and ADD
take, and of the build arguments and variables that RUN may see. Its log names hits and misses, but no keys; so where an
instruction before it was found, what differs is between the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from jenkins_kaniko.dockerfile import Stage, stages

STAGE = re.compile(r"INFO\[\d+\] Building stage '([^']*)' \[idx: '(\d+)'")
HIT = re.compile(r"INFO\[\d+\] Using caching version of cmd: (.*)")
MISS = re.compile(r"INFO\[\d+\] No cached layer found for cmd (.*)")
EXPIRED = re.compile(r"INFO\[\d+\] Cache entry expired: ")
NOT_WRITTEN = re.compile(r"WARN\[\d+\] Error uploading layer to cache: ")
COPIES = re.compile(r"(?:COPY|ADD)\s", re.IGNORECASE)
ARG = re.compile(r"ARG\s+(\w+)", re.IGNORECASE)


@dataclass
class Lookups:
    """What the log told of the cache, up to the first miss.

    Attributes:
        stage, base: number of the stage that is built, and what it is from.
        hits: the instruction of each stage that was found last.
        miss: the instruction that was not found.
        expired: whether it was there, and too old.
        not_written: whether a layer could not be kept; this counts after the miss too.
    """

    stage: int = 0
    base: str = ""
    hits: dict[int, str] = field(default_factory=dict)
    miss: str | None = None
    expired: bool = False
    not_written: bool = False

    def read(self, line: str) -> None:
        """Take the next line of the log."""
        if NOT_WRITTEN.match(line):
            self.not_written = True
        elif self.miss is not None:
            return
        elif found := STAGE.match(line):
            self.base, self.stage = found[1], int(found[2])
        elif found := HIT.match(line):
            self.hits[self.stage] = found[1]
        elif EXPIRED.match(line):
            self.expired = True
        elif found := MISS.match(line):
            self.miss = found[1]


def reason(lookups: Lookups, dockerfile: str | None, build_args: Collection[str]) -> str | None:
    """Return why the first miss is one; None where there is none, or nothing tells.

    Args:
        dockerfile: its text, where it is known.
        build_args: names of those that were given.
    """
    if lookups.miss is None:
        return None
    if lookups.expired:
        return "it is in the cache, and older than --cache-ttl allows"
    if lookups.not_written:
        return "probably nothing could be kept before: writing to the cache fails, see the log"
    changes = _changes(lookups.miss, lookups, stages(dockerfile or ""), build_args)
    if lookups.hits:
        return f"probably changed: {changes}" if changes else None
    return "probably the cache holds nothing of this build yet" + (f"; else changed: {changes}" if changes else "")


def _changes(miss: str, lookups: Lookups, found: Sequence[Stage], build_args: Collection[str]) -> str | None:
    """Return what may differ; None where the Dockerfile is not that of the log."""
    index = lookups.stage
    if index >= len(found) or not found[index].may_be_from(lookups.base):
        return None
    end = found[index].find(miss)
    if end is None:
        return None
    between, base = _between(lookups.hits, found, index, end + 1)
    changes = [f"what {text} takes" for text in between if COPIES.match(text)]
    changes += [f"build argument {arg[1]}" for text in between if (arg := ARG.match(text)) and arg[1] in build_args]
    changes += [f"base image {base}"] if base not in (None, "scratch") else []
    return " or ".join(changes or ["its text" if len(between) == 1 else "its text, or that of a line before it"])


def _between(hits: Mapping[int, str], found: Sequence[Stage], index: int, end: int) -> tuple[list[str], str | None]:
    """Return the instructions since the last hit, back through the stages that a stage is from.

    Without a hit the image that it all begins with comes as second.
    """
    between: list[str] = []
    while True:
        stage = found[index]
        hit = stage.find(hits[index]) if index in hits else None
        between[:0] = stage.instructions[0 if hit is None else hit + 1 : end]
        if hit is not None:
            return between, None
        earlier = [other for other in range(index) if found[other].name == stage.base]
        if not earlier:
            return between, stage.base
        index, end = earlier[-1], len(found[earlier[-1]].instructions)
