"""Options to argument lists: the vectors that Groovy's interpreter of the same table must yield too."""

from __future__ import annotations

from typing import Any

import pytest

from jenkins_kaniko import resources
from jenkins_kaniko.engines import argv
from jenkins_kaniko.errors import WrongInputError
from tests.support.vectors import builder, load_vectors, place


@pytest.mark.parametrize("vector", load_vectors("argv"), ids=lambda vector: vector["case"])
def test_options_become_arguments(vector: dict[str, Any]) -> None:
    assert argv(vector["options"], place(vector), builder(vector)) == vector["argv"]


@pytest.mark.parametrize("vector", load_vectors("error"), ids=lambda vector: vector["case"])
def test_wrong_options_are_named(vector: dict[str, Any]) -> None:
    with pytest.raises(WrongInputError) as caught:
        argv(vector["options"], place(vector), builder(vector))
    assert str(caught.value) == vector["error"]


def test_every_option_and_every_flag_of_the_table_has_a_vector() -> None:
    vectors = load_vectors("argv")
    flags = {argument.partition("=")[0] for vector in vectors for argument in vector["argv"]}
    assert {row["flag"] for row in resources.engines()["kaniko"]["arguments"]} - flags == set()
    for outcome in ("argv", "error"):
        given = {name for vector in load_vectors(outcome) for name in vector["options"]}
        assert {row["option"] for row in resources.options()} - given == set()


def test_the_table_names_only_what_there_is() -> None:
    options = {row["option"] for row in resources.options()}
    assert {row["type"] for row in resources.options()} <= set(resources.types())
    for engine in resources.engines().values():
        assert {name for row in engine["arguments"] for name in row["options"]} <= options
