"""The CronJob that renews a token of Amazon ECR, run by a real cluster: its image, its identity and its command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.lab.building import ROOT, Builds, Run
from tests.lab.test_secret import account, accounts_in, secret
from tests.support.aws_double import REGISTRY, AwsDouble
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

PROGRAM = "#!/usr/bin/python3\nfrom jenkins_kaniko.cli import main\nmain()\n"
LEVEL = "pod-security.kubernetes.io/enforce"


def needed(name: str, found: set[str]) -> set[str]:
    """Return the distributions that one needs, itself among them."""
    if name in found:
        return found
    found.add(name)
    for text in metadata.requires(name) or []:
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            needed(one.name, found)
    return found


def context(folder: Path) -> None:
    """Put this command there with all it needs, as `pip install` would put it into an image."""
    site = folder / "site"
    for name in needed("jenkins-kaniko", set()) - {"jenkins-kaniko"}:
        distribution = metadata.distribution(name)
        for file in distribution.files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(distribution.locate_file(file)), site / file)
    shutil.copytree(ROOT / "jenkins_kaniko", site / "jenkins_kaniko")
    shutil.copytree(ROOT / "resources" / "jenkins_kaniko", site / "jenkins_kaniko" / "data")
    (folder / "jenkins-kaniko").write_text(PROGRAM)
    (folder / "jenkins-kaniko").chmod(0o755)


@pytest.fixture
def aws(builds: Builds) -> Iterator[AwsDouble]:
    """AWS where pods reach it."""
    with AwsDouble(host=builds.lab.settings["LAB_REGISTRY_ADDRESS"].partition(":")[0]) as double:
        yield double


def test_the_job_renews_the_token(
    builds: Builds, run: Run, registry: Registry, image: str, aws: AwsDouble, tmp_path: Path
) -> None:
    """In a namespace of the level restricted, by an image that the node pulls with the very Secret."""
    lab, host, where = builds.lab, builds.lab.settings["LAB_REGISTRY"], ["-n", builds.namespace]
    context(tmp_path)
    lines = [f"FROM {host}/library/python:3.11-slim", "COPY site /usr/lib/python3/dist-packages"]
    (tmp_path / "Dockerfile").write_text("\n".join([*lines, "COPY jenkins-kaniko /usr/local/bin/", ""]))
    pushed = run(str(tmp_path), "-t", f"{image}:renews")
    assert pushed.returncode == 0, pushed.stderr

    given = {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.key_id, "AWS_SECRET_ACCESS_KEY": aws.secret}
    builds.kubectl(
        "create", "secret", "generic", "aws", *(f"--from-literal={name}={one}" for name, one in given.items())
    )
    assert secret(lab, "create", "ecr", *where, *account(host, registry.user), stdin=registry.password).returncode == 0
    renewed = ["--renew-image", pushed.stdout.strip(), "--aws-secret", "aws"]
    made = secret(lab, "create", "ecr", *where, "--ecr", "eu-central-1", *renewed, **given)
    assert made.returncode == 0, made.stderr

    aws.password = "second"
    lab.kubectl("label", "namespace", builds.namespace, f"{LEVEL}=restricted", "--overwrite")
    try:
        builds.kubectl("create", "job", "renew-now", "--from=cronjob/ecr-renew")
        ended = ["--for=jsonpath={.status.conditions[*].type}", "--timeout=120s"]
        builds.kubectl("wait", "job/renew-now", *ended)
        job = json.loads(builds.kubectl("get", "job", "renew-now", "-o", "json"))
        assert job["status"].get("succeeded") == 1, builds.kubectl("logs", "job/renew-now")
    finally:
        lab.kubectl("label", "namespace", builds.namespace, f"{LEVEL}=baseline", "--overwrite")
    assert accounts_in(builds, "ecr") == {REGISTRY: "AWS:second", host: f"{registry.user}:{registry.password}"}
    said = builds.kubectl("logs", "job/renew-now")
    assert said == f"secret {builds.namespace}/ecr: changed ({REGISTRY})\n"
