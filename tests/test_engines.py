"""Options to argument lists: the vectors that Groovy's interpreter of the same table must yield too."""

from __future__ import annotations

from typing import Any

import pytest

from jenkins_kaniko.engines import argv
from jenkins_kaniko.errors import WrongInputError
from tests.support.vectors import load_vectors, place


@pytest.mark.parametrize("vector", load_vectors("argv"), ids=lambda vector: vector["case"])
def test_options_become_arguments(vector: dict[str, Any]) -> None:
    assert argv(vector["options"], place(vector)) == vector["argv"]


@pytest.mark.parametrize("vector", load_vectors("error"), ids=lambda vector: vector["case"])
def test_wrong_options_are_named(vector: dict[str, Any]) -> None:
    with pytest.raises(WrongInputError) as caught:
        argv(vector["options"], place(vector))
    assert str(caught.value) == vector["error"]
