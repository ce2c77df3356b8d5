"""The arithmetic of the benchmarks."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from bench import build, flags, step
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


ROUND = ["agent wanted", "agent there", "checkout", "new pod", "warm pod", "one sh", "end"]


def test_the_step_costs_what_is_not_its_executors() -> None:
    moments = [0, 10, 11, 13, 20, 25, 26, 100, 112, 113, 114, 119, 123, 126]
    marks = list(zip(2 * ROUND, map(float, moments), strict=True))
    found = step.medians(marks, executor=[4.0, 3.0, 3.0, 2.0])
    assert found == step.Overhead(agent=11, checkout=1.5, new_pod=2.5, warm_pod=2, executor=2.5, one_sh=2, rounds=2)
    assert step.overhead_table(found)[2:] == [
        "| in a new pod | 11.00 | 1.50 | 2.50 | 15.00 | 2.50 | 2.00 |",
        "| in a warm pod | - | - | 2.00 | 2.00 | 2.50 | 2.00 |",
    ]


def test_flags_stand_beside_those_of_the_runner() -> None:
    seconds = {flags.RUNNER: (10.0, 4.0, 8.0), "ours": (5.0, 1.0, 6.0)}
    rows = [
        flags.Row("tiny", name, scenario, taken, mib=100, runs=3)
        for name, all_taken in seconds.items()
        for scenario, taken in zip(flags.SCENARIOS, all_taken, strict=True)
    ]
    assert flags.table(rows)[2:] == [
        f"| tiny | {flags.RUNNER} | 10.00 | 1.00 | 4.00 | 1.00 | 8.00 | 1.00 | 100 |",
        "| tiny | ours | 5.00 | 0.50 | 1.00 | 0.25 | 6.00 | 0.75 | 100 |",
    ]


@pytest.mark.parametrize("size", [10_000, 3_000_000])
def test_a_context_has_its_size_and_cannot_be_made_smaller(tmp_path: Path, size: int) -> None:
    build.write_context(tmp_path / "context", size)
    content = (tmp_path / "context" / "large").read_bytes()
    assert len(content) == size
    assert len(zlib.compress(content)) > size


def test_a_way_to_build_stands_beside_the_script_and_beside_tar() -> None:
    small, large = "10 KB", "1 GiB"
    runs: dict[tuple[str, str], list[tuple[float, float | None, float | None]]] = {
        (small, build.OURS): [(1.5, 50, None), (9.0, 52, None), (1.0, 51, None)],
        (small, build.EXECUTOR): [(0.2, None, None)],
        (small, build.SCRIPTED): [(6.0, 30, None)],
        (large, build.OURS): [(30, 55, 40.0)],
        (large, build.EXECUTOR): [(0.5, None, 50.0)],
    }
    rows = [build.row(context, way, found) for (context, way), found in runs.items()]
    assert build.table(rows)[2:] == [
        "| 10 KB | jenkins-kaniko build | 1.50 | 0.25 | 51 | - | - |",
        "| 10 KB | executor alone | 0.20 | 0.03 | - | - | - |",
        "| 10 KB | script of kubectl | 6.00 | 1.00 | 30 | - | - |",
        "| 1 GiB | jenkins-kaniko build | 30.00 | - | 55 | 40 | 0.80 |",
        "| 1 GiB | executor alone | 0.50 | - | - | 50 | 1.00 |",
    ]
    assert build.crowd_table([build.Crowd(20, 16.0, 5.0)])[2:] == ["| 20 | 16.0 | 0.80 | 5.0 |"]
