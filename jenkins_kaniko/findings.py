"""What is wrong somewhere: what doctor's checks look at, and what they find. Pure but for the door that it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.cluster_objects import Objects

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
Mend = Callable[[Objects, Callable[[str], None]], None]
"""Mends by a cluster's door, and tells of what it made."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: stable, for scripts; docs/doctor.md lists them.
        severity: builds fail by an error, can fail by a warning; an info is what could not be looked at.
        evidence: what was seen.
        fix: what to run or to do, with the names of this place in it.
        mends: what `--fix` does, where it harms nobody.
    """

    name: str
    severity: str
    evidence: str
    cause: str
    fix: str
    mends: Mend | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Kind:
    """What can be wrong; `cause` and `fix` have {places} for the names that a check knows."""

    name: str
    severity: str
    cause: str
    fix: str

    def found(self, evidence: str, **names: str) -> Finding:
        """Return a finding of this kind."""
        return Finding(self.name, self.severity, evidence, self.cause.format(**names), self.fix.format(**names))


class HopelessError(Exception):
    """What was found makes it vain to look at more of the same place."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


@dataclass(frozen=True)
class Place:
    """Where builds run, and how.

    Attributes:
        spec: of such a build; its namespace is `namespace`.
        image: what is pushed there; None where nobody said.
        manifests: what the cluster must admit there.
        template: the agent pod template that is meant; None for builds by this command.
    """

    objects: Objects
    namespace: str
    spec: Spec
    image: str | None
    manifests: Sequence[Mapping[str, Any]]
    template: str | None = None

    @property
    def pod(self) -> Mapping[str, Any]:
        """The builder's pod, among the manifests."""
        return next(one for one in self.manifests if one["kind"] == "Pod")


Check = Callable[[Place], Iterator[Finding]]
