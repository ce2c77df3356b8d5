"""What `--via export` reads is what the script console tells, on both plugin versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jenkins_kaniko.export import Export
from jenkins_kaniko.jenkins import Controller
from tests.support.standin import StandIn

pytestmark = pytest.mark.jvm

CLOUDS = Path(__file__).parent / "fixtures" / "contract" / "clouds.groovy"


@pytest.fixture(scope="module", params=["4238", "1.29"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with StandIn(tmp_path_factory.mktemp("home"), plugin=request.param) as standin:
        standin.run(CLOUDS)
        yield Controller("main", standin.url, standin.admin.name, standin.admin.token, "kubernetes")


def test_both_ways_read_the_same(door: Controller) -> None:
    console, export = door.read(), Export(door).read()
    assert export.templates == console.templates
    assert export.defaults == {name: console.defaults[name] for name in export.defaults}
    assert export.cloud_fields == console.cloud_fields
    assert export.kinds == console.kinds
    versions = ("cloud", "core_version", "plugin_version", "casc_sources", "exists")
    assert {name: getattr(export, name) for name in versions} == {name: getattr(console, name) for name in versions}
