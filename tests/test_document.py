"""YAML becomes plain data that knows its lines, and what is only YAML is a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from jenkins_kaniko.document import Document
from jenkins_kaniko.errors import ConfigError


def problems(text: str) -> list[str]:
    """Return what is wrong with `text`, found at once or while it is read."""
    try:
        return [str(problem) for problem in Document(text, "x.yaml").problems]
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", {}),
        ("# only a remark\n", {}),
        ("\ufefffleet: acme", {"fleet": "acme"}),
        ("a: 5\nb: 0.5\nc: yes\nd: ~\ne: ''\nf: '5'", {"a": 5, "b": 0.5, "c": True, "d": None, "e": "", "f": "5"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a: [1, {b: c}]", {"a": [1, {"b": "c"}]}),
        ("on: 1\n1.50: 2\n~: 3", {"on": 1, "1.50": 2, "~": 3}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("a: &x {b: 1}\nd: &y {c: 2}\ne: {<<: [*y, *x]}", {"a": {"b": 1}, "d": {"c": 2}, "e": {"b": 1, "c": 2}}),
        ("a: &x {b: 1}\nc: &y {<<: *x, b: 2}\nd: *y", {"a": {"b": 1}, "c": {"b": 2}, "d": {"b": 2}}),
        ("a: ${HOME} $HOME {{ b }}", {"a": "${HOME} $HOME {{ b }}"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('a: "\\u0085\\u2028\\U0001F600"', {"a": "\u0085\u2028\U0001f600"}),
    ],
)
def test_a_text_becomes_plain_data(text: str, data: Any) -> None:
    document = Document(text, "x.yaml")
    assert (document.data, document.problems) == (data, [])


def test_every_key_and_item_has_its_line() -> None:
    text = "a:\n  b:\n    - c\n    -\n      d: 1\n\n  e: 2\n"
    assert Document(text, "x.yaml").lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 3,
        ("a", "b", 1): 5,
        ("a", "b", 1, "d"): 5,
        ("a", "e"): 7,
    }


def test_what_is_missing_stands_where_it_would_be() -> None:
    document = Document("a:\n  b:\n    c: 1\n", "x.yaml")
    assert [document.line(path) for path in [("a", "b", "d", "e"), ("a", "x"), ("x",)]] == [2, 1, 1]


def test_merged_keys_have_the_line_they_are_written_in() -> None:
    document = Document("a: &x\n  b: 1\nc:\n  <<: *x\n", "x.yaml")
    assert document.line(("c", "b")) == 2


def test_a_problem_names_file_line_and_dotted_path() -> None:
    document = Document("a:\n  - b\n  - c: 1\n", "x.yaml")
    assert str(document.problem(("a", 1, "c"), "is wrong")) == "x.yaml:3: a.1.c: is wrong"


GIVEN_TWICE = ["x.yaml:2: a: given twice; first in line 1", "x.yaml:3: b.c: given twice; first in line 3"]
NOT_FINITE = [
    "x.yaml:1: a: '.inf' cannot be read; write it in quotes",
    "x.yaml:2: b: '-.inf' cannot be read; write it in quotes",
    "x.yaml:3: c: '.nan' cannot be read; write it in quotes",
]
SAME_ANCHOR = ["x.yaml:2: not valid YAML: found duplicate anchor 'a'; first occurrence second occurrence"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\nb: {c: 1, c: 1}", GIVEN_TWICE),
        ("a: 2024-02-29", ["x.yaml:1: a: '2024-02-29' is a date in YAML; write it in quotes"]),
        ("a: 2024-02-29 10:00:00", ["x.yaml:1: a: '2024-02-29 10:00:00' is a datetime in YAML; write it in quotes"]),
        ("a: !!binary aGk=", ["x.yaml:1: a: 'aGk=' is a bytes in YAML; write it in quotes"]),
        ("a: !!map b", ["x.yaml:1: a: 'b' is a dict in YAML; write it in quotes"]),
        ("a: .inf\nb: -.inf\nc: .nan", NOT_FINITE),
        ("a: 0x" + "f" * 5000, ["x.yaml:1: a: '0x" + "f" * 5000 + "' cannot be read; write it in quotes"]),
        ("a: 0x_", ["x.yaml:1: a: '0x_' cannot be read; write it in quotes"]),
        ("a: =", ["x.yaml:1: a: '=' cannot be read; write it in quotes"]),
        ("a: !mine b", ["x.yaml:1: a: 'b' cannot be read; write it in quotes"]),
        ("a: !!bool maybe", ["x.yaml:1: a: 'maybe' cannot be read; write it in quotes"]),
        ("a: !!timestamp soon", ["x.yaml:1: a: 'soon' cannot be read; write it in quotes"]),
        ('a: "\\udc00"', ["x.yaml:1: a: '\\udc00' cannot be read; write it in quotes"]),
        ("? {a: 1}\n: 2", ["x.yaml:1: a key must be a text"]),
        ("a: 1\n\nb: \x07", ["x.yaml:3: not valid YAML: the character U+0007 cannot stand in it; escape it in quotes"]),
        ('a: "\\U00110000"', ["x.yaml:1: not valid YAML: chr() arg not in range(0x110000)"]),
        ("[" * 1000, ["x.yaml:1: nested deeper than 100 levels"]),
        ("a: &a\n  - *a", ["x.yaml:1: nested deeper than 100 levels"]),
        ("a: &a 1\nb: &a 2", SAME_ANCHOR),
    ],
)
def test_what_is_no_json_is_a_problem(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_a_pod_may_be_nested_as_deep_as_a_hundred_levels() -> None:
    deep: Any = Document("{a: " * 100 + "1" + "}" * 100, "x.yaml").data
    for _ in range(100):
        deep = deep["a"]
    assert deep == 1


def test_json_with_escaped_characters_is_read_as_it_means() -> None:
    assert Document('{"\\ud83d\\udc33": "\\ud83d\\udc33"}', "x.json").data == {"🐳": "🐳"}
