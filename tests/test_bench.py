"""The arithmetic of the benchmarks."""

from __future__ import annotations

from bench.sync import PEER, Row, ratios, table


def row(tool: str, templates: int, controllers: int, seconds: float) -> Row:
    return Row(tool, "new", templates, controllers, 0, requests=2, seconds=seconds, mib=50, runs=3)


ROWS = [row("jenkins-kaniko", 1, 1, 0.5), row("jenkins-kaniko", 200, 1, 1.0), row("jenkins-kaniko", 200, 20, 1.5)]
ROWS += [row(PEER, 200, 1, 4.0)]


def test_a_ratio_compares_rows_that_differ_in_one_thing() -> None:
    found = [(one["by_one_controller"], one["by_one_template"], one["by_peer"]) for one in ratios(ROWS)]
    assert found == [(1.0, 1.0, None), (1.0, 2.0, 0.25), (1.5, None, None)]


def test_the_peer_stands_beside_one_controller_only() -> None:
    assert [line.split(" | ")[-4:] for line in table(ROWS)[2:]] == [
        ["-", "-", "-", "- |"],
        ["2", "4.00", "50", "0.25 |"],
        ["-", "-", "-", "- |"],
    ]
