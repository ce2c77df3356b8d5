"""`--secret` on a real cluster. The lab's Kaniko is older than secrets: how far it gets shows what it was given."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.lab.building import Builds, Run, write

pytestmark = pytest.mark.lab

NPM, KEY = "s3cret of npm", b"s3cret\x00\xff\nof a key\n"
NEWER = ("--builder-distribution", "osscontainertools", "--builder-version", "1.28.3")


def test_secrets_reach_the_pod_and_go_with_it(run: Run, builds: Builds, image: str, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    (tmp_path / "key.pem").write_bytes(KEY)
    given = ["--secret", "id=npm,env=NPM_TOKEN", "--secret", "id=key,src=key.pem", "--name", "secret", "--keep"]
    done = run(".", "-t", f"{image}:secret", *given, *NEWER, NPM_TOKEN=NPM)
    # a pod whose Secret is not there does not start
    assert (done.returncode, "unknown flag: --secret" in done.stderr) == (6, True)
    [secret] = json.loads(builds.kubectl("get", "secret", "-l", "jenkins-kaniko/build=secret", "-o", "json"))["items"]
    assert {name: base64.b64decode(text) for name, text in secret["data"].items()} == {"npm": NPM.encode(), "key": KEY}
    [owner] = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Job", "secret")
    rest = builds.kubectl("get", "jobs,pods,configmaps,events", "-o", "yaml")
    assert "src=/jenkins-kaniko-secrets/npm" in rest
    for text in (NPM, *secret["data"].values()):
        assert text not in rest + done.stderr
    builds.kubectl("delete", "job", "secret")
    assert builds.left() == []


def test_a_builder_without_secrets_is_refused_before_anything_is_made(
    run: Run, builds: Builds, image: str, tmp_path: Path
) -> None:
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(".", "-t", f"{image}:secret", "--secret", "id=npm", npm=NPM)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "jenkins-kaniko: option secrets: --secret needs osscontainertools 1.26.3 or later; "
        "the template's builder is chainguard 1.25.6\n"
    )
    assert builds.left() == []
