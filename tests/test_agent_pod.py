"""The pipeline runner makes of pod templates the pods that the kubernetes plugin makes, as the golden files show."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.jvm import java
from tests.test_render import regenerating

FOLDER = Path(__file__).parent / "fixtures" / "agent_pod"
PODS = Path(__file__).parent / "support" / "pods.groovy"
CASES = sorted(path.parent for path in FOLDER.glob("*/templates.groovy"))

pytestmark = pytest.mark.jvm


def run(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [*java("groovy.ui.GroovyMain"), str(PODS), *map(str, files)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    """The pods of every template of every case, by the cases' names; one JVM makes them all."""
    done = run(*(case / "templates.groovy" for case in CASES))
    assert done.returncode == 0, done.stderr
    return dict(zip((case.name for case in CASES), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pods_are_the_golden_ones(case: Path, pods: dict[str, Any]) -> None:
    golden = case / "pods.yaml"
    if regenerating():
        golden.write_text(yaml.safe_dump(pods[case.name], sort_keys=False, width=120), encoding="utf-8")
    assert pods[case.name] == yaml.safe_load(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("volume", ["dynamicPVC", "genericEphemeralVolume"])
def test_volumes_that_need_a_claim_are_refused_by_name(tmp_path: Path, volume: str) -> None:
    case = tmp_path / "templates.groovy"
    case.write_text(
        f"cloud.templates = [podTemplate(name: 'a', volumes: [{volume}(mountPath: '/a')])]\n", encoding="utf-8"
    )
    assert "UnsupportedOperationException: the runner does not play " in run(case).stderr
