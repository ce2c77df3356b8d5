"""A Dockerfile's text -> its stages and their instructions, as far as following a build needs them. Pure.

Nothing is judged here: what this does not understand gives fewer instructions, and then the log alone tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from jenkins_kaniko.explain import compact, instructions, lines_of

FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
HEREDOC = re.compile(r"(?<=\s)\d*<<-?([\"']?)([A-Za-z_]\w*)\1(?=\s|$)")
OTHER_ESCAPE = re.compile(r"\s*#\s*escape\s*=\s*`", re.IGNORECASE)
"""The directive that makes backslashes ordinary, which Dockerfiles for Windows begin with."""


@dataclass(frozen=True)
class Stage:
    """A stage: what it is from, its name if it has one, and its instructions with continued lines joined."""

    base: str
    name: str | None
    instructions: list[str] = field(default_factory=list)

    def may_be_from(self, base: str) -> bool:
        """Return whether this can be what the stage is from; what build arguments make of a name is not known."""
        return "$" in self.base or self.base == base

    def find(self, announced: str, begin: int = 0) -> int | None:
        """Return the index of an instruction as the engine's log writes it, from an index on; None without one."""
        wanted = compact(announced)
        for index in range(begin, len(self.instructions)):
            if compact(self.instructions[index]) == wanted:
                return index
        return None


def stages(text: str) -> list[Stage]:
    """Return the stages; none where the text cannot be read."""
    found: list[Stage] = []
    if OTHER_ESCAPE.match(text):
        return found
    for instruction in _without_heredocs([one for _, one in instructions(lines_of(text))]):
        if begin := FROM.match(instruction):
            found.append(Stage(begin[1], begin[2]))
        elif found:
            found[-1].instructions.append(instruction)
    return found


def index_of(found: Sequence[Stage], target: str | None) -> int:
    """Return the index of the stage that `--target` names, by name or number; the last one's where it names none."""
    for index, stage in enumerate(found):
        if target and target.lower() in (str(index), (stage.name or "").lower()):
            return index
    return len(found) - 1


def _without_heredocs(lines: Iterable[str]) -> Iterator[str]:
    """Leave out the bodies of here-documents: to the engine they belong to the instruction before them."""
    ends: list[str] = []
    for line in lines:
        if ends:
            if line == ends[0]:
                ends.pop(0)
            continue
        yield line
        if re.match(r"(?:RUN|COPY|ADD)\s", line, re.IGNORECASE):
            ends = [end for _, end in HEREDOC.findall(line)]
