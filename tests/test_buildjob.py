"""The Job of a build, as the cluster reads it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.buildjob import job
from jenkins_kaniko.contexts import Facts
from tests.support.fake_cluster import IMAGE, spec


def expanded(text: str) -> str:
    """Return a command's word or a variable's value as kubelet hands it on, where the variable A is there."""
    return re.sub(r"\$(\$|\(A\))", lambda found: "$" if found[1] == "$" else "a", text)


@pytest.mark.parametrize(("text", "seen"), [("$$(A)", "$(A)"), ("$(A)$(B)$", "a$(B)$"), ("$$$(A)", "$a")])
def test_what_a_cluster_replaces(text: str, seen: str) -> None:
    assert expanded(text) == seen


@pytest.mark.parametrize("has_shell", [False, True])
@given(text=st.text(alphabet="$()Ab", min_size=1, max_size=12))
def test_the_cluster_replaces_nothing_in_what_was_typed(has_shell: bool, text: str) -> None:
    options = {"image": IMAGE, "buildArgs": {"V": text}, "env": {"V": text}}
    made: dict[str, Any] = job(
        spec(options=options, image="r/kaniko:debug" if has_shell else "r/kaniko"), Facts("directory"), streamed=False
    )
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert expanded(container["env"][0]["value"]) == text
    assert f"--build-arg=V={text}" in [expanded(argument) for argument in container["args"]]
    assert (len(container["command"]) > 1) == has_shell
