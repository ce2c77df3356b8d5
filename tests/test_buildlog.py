"""Each line of a builder's log comes once, however often the connection breaks and the log is asked for again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from jenkins_kaniko.buildlog import BuildLog


@given(
    gaps=some.lists(some.integers(0, 2), max_size=30),
    reads=some.lists(some.tuples(some.integers(0, 30), some.integers(0, 30)), max_size=10),
)
def test_no_line_is_lost_or_repeated(gaps: list[int], reads: list[tuple[int, int]]) -> None:
    """A gap of 0 is a line with the same time as the one before it; each read begins somewhere before its news."""
    times = [sum(gaps[: number + 1]) for number in range(len(gaps))]
    lines = [b"2026-11-21T20:54:25.%09dZ line %d\n" % (time, number) for number, time in enumerate(times)]
    log, seen, read = BuildLog(), [], 0
    for back, forth in [*reads, (len(lines), len(lines))]:
        begin = max(0, read - back)
        while 0 < begin < len(times) and times[begin - 1] == times[begin]:
            begin -= 1  # what is asked for by time comes whole
        log.since()
        end = min(len(lines), max(read, begin + forth))
        seen += [text for line in lines[begin:end] if (text := log.new(line)) is not None]
        read = max(read, end)
    assert seen == [f"line {number}" for number in range(len(lines))]
    assert log.text == "\n".join(seen)


def test_all_is_asked_for_first_and_some_more_than_is_missing_later() -> None:
    log = BuildLog()
    assert log.since() is None
    log.new(b"2026-11-21T20:54:25.000000001Z text\n")
    assert log.since() == 60


def test_the_cache_is_counted() -> None:
    log = BuildLog()
    for number, text in enumerate(
        (b"Using caching version of cmd: RUN a", b"No cached layer found for cmd RUN b \x1b[0m")
    ):
        log.new(b"2026-11-21T20:54:25.%09dZ INFO[0000] %s" % (number, text))
    assert (log.hits, log.misses, log.first_miss) == (1, 1, "RUN b")
