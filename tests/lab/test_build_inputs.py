"""What a build tells of a git revision: from a build job's ConfigMap, and from a folder in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.building import Builds, Run
from tests.support.git_server import git
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

LABEL = "org.opencontainers.image"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "docker").mkdir(parents=True)
    (folder / "docker" / "Dockerfile").write_text("FROM scratch AS runner\nCOPY data /\nFROM scratch\n")
    (folder / "data").write_text("committed")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_the_configmap_of_a_build_job_becomes_an_image(
    run: Run, builds: Builds, image: str, registry: Registry, checkout: Path, tmp_path: Path
) -> None:
    (checkout / "data").write_text("not committed")
    (tmp_path / "config.yaml").write_text(f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: build-config}}
data:
  DOCKER_FILE: docker/Dockerfile
  DOCKER_TARGET: runner
  REPO_NAME: {image}
  GIT_REVISION: main
  GIT_URL: file://{checkout}
""")
    done = run("--from-config", "config.yaml")
    assert done.returncode == 0, done.stderr
    digest, _ = registry.manifest("build/app", "latest")
    assert done.stdout == f"{image}@{digest}\n"
    assert registry.files("build/app", "latest") == {"/data": b"committed"}
    labels = registry.config("build/app", "latest")["config"]["Labels"]
    assert labels[f"{LABEL}.revision"] == git(checkout, "rev-parse", "main")
    assert builds.left() == []


def test_the_image_of_a_changed_checkout_tells_so(run: Run, image: str, registry: Registry, checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://ci-bot:s3cret@example.com/team/app.git")
    (checkout / "data").write_text("not committed")
    done = run("app", "--file", "docker/Dockerfile", "--target", "runner", "-t", f"{image}:changed")
    assert done.returncode == 0, done.stderr
    assert registry.config("build/app", "changed")["config"]["Labels"] == {
        f"{LABEL}.revision": f"{git(checkout, 'rev-parse', 'HEAD')}-dirty",
        f"{LABEL}.source": "https://example.com/team/app.git",
    }
