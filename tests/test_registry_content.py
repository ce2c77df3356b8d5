"""What `registry ls` and `registry rm` take for an image."""

from __future__ import annotations

from typing import cast

import pytest

from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import RefusedError, WrongInputError
from jenkins_kaniko.registry import Registry
from jenkins_kaniko.registry_content import Content, Image, condemned, content, without_host
from tests.support.fake_objects import FakeObjects

DIGEST = "sha256:" + "1" * 64
IMAGE = Image("team/app", "1", DIGEST, 10)


class FakeContent:
    """A registry with one image."""

    def tags(self, repository: str) -> list[str]:
        return ["1"] if repository == "team/app" else []

    def image(self, repository: str, name: str) -> Image | None:
        return IMAGE if repository == "team/app" and name in ("1", DIGEST) else None


@pytest.mark.parametrize("name", [":1", f"@{DIGEST}", f":1@{DIGEST}", f":moved@{DIGEST}"])
@pytest.mark.parametrize(
    "host",
    ["", "registry.ci:5000/", "registry.ci.svc:5000/", "registry.ci.svc.cluster.local:5000/"],
)
def test_an_image_is_known_by_what_build_prints(host: str, name: str) -> None:
    reference = without_host(Registry(namespace="ci"), f"{host}team/app{name}")
    assert condemned(cast(Content, FakeContent()), reference) == [IMAGE]


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("registry.ci:5001/app:1", "registry.ci:5001/app:1: is of another registry than registry.ci:5000"),
        ("localhost:5000/app:1", "localhost:5000/app:1: is of another registry than registry.ci:5000"),
        ("team/app", "team/app: a tag or a digest is missing: repository:tag or repository@sha256:…"),
        ("team/app:2", "team/app:2: there is no such image; tags of team/app: 1"),
        ("ghcr.io/app:2", "ghcr.io/app:2: there is no such image; tags of ghcr.io/app: none"),
    ],
)
def test_what_is_no_image_of_it_is_said_to_be_so(reference: str, says: str) -> None:
    with pytest.raises(WrongInputError) as caught:
        condemned(cast(Content, FakeContent()), without_host(Registry(namespace="ci"), reference))
    assert str(caught.value) == says


def test_a_mirror_is_not_asked_for_what_another_registry_has() -> None:
    with pytest.raises(
        RefusedError, match=r"^registry ci/hub: is a mirror, and would ask docker\.io for its tags and "
    ):
        content(cast(Objects, FakeObjects()), Registry("hub", "ci", mirror="docker.io"))
