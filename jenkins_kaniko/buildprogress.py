"""The builder's log, line by line -> where it is: stage, step, and what it does there. Pure.

The log names a stage by its number and an instruction by its text; how many there are, and what a stage is called, is
in the Dockerfile. Where its text is not known, or is not what the log tells of, only what the log tells is said.
"""

from __future__ import annotations

import re

from jenkins_kaniko.dockerfile import Stage, index_of, stages

INFO = re.compile(r"INFO\[\d+\] (.*)")
STAGE = re.compile(r"Building stage '([^']*)' \[idx: '(\d+)'")
INSTRUCTION = re.compile(
    r"(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR) ",
    re.IGNORECASE,
)
TO_CACHE = re.compile(r"Pushing layer (\S+) to cache now")
STAGE_DONE = re.compile(r"(?:Storing source image|Saving file|Deleting filesystem)")
PUSHING = re.compile(r"Pushing image to (\S+)")
DOINGS = (
    (re.compile(r"Retrieving image (?:manifest )?(\S+)"), "fetching {}"),
    (re.compile(r"Checking for cached layer"), "asking the cache"),
    (re.compile(r"Found cached layer"), "unpacking it from the cache"),
    (re.compile(r"Unpacking rootfs"), "unpacking the base image"),
    (re.compile(r"(?:Initializing snapshotter|Taking snapshot)"), "taking a snapshot"),
    (re.compile(r"Running: "), ""),
)
"""What Kaniko (1.25) logs when it begins something, and how that is called here."""


class Progress:
    """Where a build is; its text is one line for people."""

    def __init__(self, dockerfile: str | None, target: str | None = None) -> None:
        """`dockerfile` is its text, where it is known; `target` is the stage that is wanted."""
        self._stages = stages(dockerfile or "")
        self._count = index_of(self._stages, target) + 1
        self._stage, self._current = "", Stage("", None)
        self._step, self._instruction, self._next = "", "", 0
        self._doing = "starting"
        self._cached: set[str] = set()

    def __str__(self) -> str:
        return "  ".join(filter(None, (self._stage, self._step, self._instruction, self._doing)))

    def read(self, line: str) -> None:
        """Take the next line of the log."""
        found = INFO.match(line)
        if not found:
            return
        text = found[1]
        if stage := STAGE.match(text):
            self._enter(stage[1], int(stage[2]))
        elif INSTRUCTION.match(text):
            self._begin(text)
        elif cached := TO_CACHE.match(text):
            self._cached.add(cached[1])  # it is pushed beside the next steps
        elif pushing := PUSHING.match(text):
            self._push(pushing[1])
        elif STAGE_DONE.match(text):
            self._step, self._instruction, self._doing = "", "", "keeping what later stages need"
        else:
            self._do(text)

    def _enter(self, base: str, index: int) -> None:
        self._current, total = Stage(base, None), ""
        if index < self._count and self._stages[index].may_be_from(base):
            self._current, total = self._stages[index], f"/{self._count}"
        self._stage = f"stage {index + 1}{total} {self._current.name or base}"
        self._step, self._instruction, self._next, self._doing = "", "", 0, ""

    def _begin(self, text: str) -> None:
        index = self._current.find(text, self._next)
        self._step = ""
        if index is not None:
            self._next = index + 1
            self._step = f"step {index + 1}/{len(self._current.instructions)}"
        self._instruction, self._doing = " ".join(text.split()), ""

    def _push(self, reference: str) -> None:
        if reference not in self._cached:
            self._stage, self._step, self._instruction = "", "", ""
            self._doing = f"pushing {reference}"

    def _do(self, text: str) -> None:
        for pattern, words in DOINGS:
            if found := pattern.match(text):
                self._doing = words.format(*found.groups())
                return
