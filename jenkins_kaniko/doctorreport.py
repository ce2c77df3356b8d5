"""Findings -> text for people, data for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from jenkins_kaniko.findings import ERROR, INFO, SEVERITIES, WARNING, Finding
from jenkins_kaniko.report import printable

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {ERROR: "bold red", WARNING: "bold yellow", INFO: "bold", "": ""}


def data(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings with the keys of docs/doctor.md."""
    return {"findings": [_data(one) for one in findings]}


def _data(finding: Finding) -> dict[str, Any]:
    """Return a finding with whether `--fix` mends it, not with how."""
    return {**asdict(replace(finding, mends=None)), "mends": finding.mends is not None}


def text(findings: Sequence[Finding]) -> str:
    """Return each finding with its evidence, cause and fix, then one line that sums up."""
    return "\n".join(line for _, line in _marked(findings))


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print the same as `text` in colours, on a terminal."""
    from rich.text import Text

    for severity, line in _marked(findings):
        console.print(Text(line, STYLES[severity]), soft_wrap=True)


def _marked(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Yield lines with the severity that their colour goes by; what a cluster says could steer a terminal."""
    for one in findings:
        yield one.severity, f"{one.severity}: {one.name}"
        for name, value in (("found", one.evidence), ("cause", one.cause), ("fix", one.fix)):
            yield "", f"  {name + ':':<7}{printable(value)}"
    counts = [one.severity for one in findings]
    there = ", ".join(f"{counts.count(name)} {name}" for name in SEVERITIES if name in counts)
    yield "", there or "nothing is wrong"
