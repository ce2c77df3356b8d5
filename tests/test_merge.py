"""Patches lie on data as Kubernetes lays them: by name in its named lists, and null removes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.merge import MERGE_KEYS, merged

KEYS = st.sampled_from([*MERGE_KEYS, "name", "mountPath", "ip", "labels", "args"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b", "name"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)
MAPPINGS = st.dictionaries(KEYS, JSON, max_size=4)


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}, {"b": {"d": 3}}),
        ({}, {"a": {"b": None}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": None, "c": 2}}, {"a": {"c": 2}}),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"env": "test"}, {"env": "production"}, {"env": "production"}),
        ({"volumes": "a"}, {"volumes": [{"name": "b"}]}, {"volumes": [{"name": "b"}]}),
    ],
)
def test_a_patch_lies_on_data(base: Any, over: Any, result: Any) -> None:
    assert merged(base, over) == result


@pytest.mark.parametrize(("key", "name"), MERGE_KEYS.items())
def test_named_lists_merge_item_by_item(key: str, name: str) -> None:
    base = {key: [{name: "one", "x": 1, "y": 1}, {name: "two", "x": 1}]}
    over = {key: [{name: "two", "x": 2}, {name: "three"}, {name: "one", "y": None}]}
    assert merged(base, over) == {key: [{name: "one", "x": 1}, {name: "two", "x": 2}, {name: "three"}]}


def test_lists_inside_named_items_merge_by_their_own_names() -> None:
    base = {"containers": [{"name": "kaniko", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}
    over = {"containers": [{"name": "kaniko", "env": [{"name": "B", "value": "3"}]}]}
    assert merged(base, over) == {
        "containers": [{"name": "kaniko", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}]
    }


@pytest.mark.parametrize("item", [1, "name", ["name"], {}, {"name": ["a"]}, {"name": None}], ids=repr)
def test_items_without_a_name_are_added(item: Any) -> None:
    result = merged({"volumes": [{"name": "a"}]}, {"volumes": [item]})
    assert result == {"volumes": [{"name": "a"}, {} if item == {"name": None} else item]}


def test_two_patches_laid_together_keep_their_nulls() -> None:
    data = {"spec": {"a": 1, "b": 2, "c": 3}}
    first, second = {"spec": {"a": None, "x": 1}}, {"spec": {"b": None, "x": 2}}
    both = merged(first, second, keep_nulls=True)
    assert both == {"spec": {"a": None, "b": None, "x": 2}}
    assert merged(data, both) == {"spec": {"c": 3, "x": 2}}


@given(MAPPINGS)
def test_an_empty_patch_changes_nothing(data: Any) -> None:
    assert merged(data, {}) == data


@given(MAPPINGS, MAPPINGS)
def test_a_patch_laid_twice_is_as_laid_once(data: Any, patch: Any) -> None:
    once = merged(data, patch)
    assert merged(once, patch) == once


@given(MAPPINGS, MAPPINGS, st.booleans())
def test_what_is_merged_stays_as_it_was(data: Any, patch: Any, keep_nulls: bool) -> None:
    before = copy.deepcopy((data, patch))
    merged(data, patch, keep_nulls=keep_nulls)
    assert (data, patch) == before
