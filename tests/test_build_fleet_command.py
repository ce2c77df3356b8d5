"""What `jenkins-kaniko build --all` takes and refuses, and what it builds; the cluster is a fake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.cli import cli
from tests.support.fake_cluster import DIGEST, FakeCluster, ended
from tests.support.webhook import Webhook
from tests.test_probe import stopped

REGISTRY = "registry.example.com/team"


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster in which all builds end well, and a folder with three services, of which two are listed."""
    for name in ("KUBE_NAMESPACE", "BUILD_TIMEOUT", "KANIKO_IMAGE", "JENKINS_KANIKO_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("api", "web", "old"):
        (tmp_path / "services" / name).mkdir(parents=True)
        (tmp_path / "services" / name / "Dockerfile").write_text("FROM scratch\n")
    configure(web={"image": f"{REGISTRY}/web", "context": "services/web"}, api={"image": f"{REGISTRY}/api"})
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    made = FakeCluster([[ended()]])
    monkeypatch.setattr("jenkins_kaniko.cluster_pods.Pods", lambda _namespace: made)
    return made


def configure(**builds: dict[str, Any]) -> None:
    Path("jenkins-kaniko.yaml").write_text(yaml.safe_dump({"builds": builds}, sort_keys=False))


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["build", "--all", "--jobs", "1", *arguments], env=environment)


def jobs(cluster: FakeCluster) -> list[dict[str, Any]]:
    return [dict(one) for one in cluster.made if one["kind"] == "Job"]


def arguments(job: dict[str, Any]) -> list[str]:
    (builder,) = job["spec"]["template"]["spec"]["containers"]
    return list(builder["args"])


def test_all_are_built_in_the_order_of_the_file(cluster: FakeCluster) -> None:
    done = run()
    assert (done.exit_code, done.stdout) == (
        0, f"web  SUCCESS    {REGISTRY}/web@{DIGEST}\napi  SUCCESS    {REGISTRY}/api@{DIGEST}\n",
    )  # fmt: skip
    first, second = (arguments(job) for job in jobs(cluster))
    assert f"--destination={REGISTRY}/web:latest" in first
    assert f"--destination={REGISTRY}/api:latest" in second
    assert len({job["metadata"]["name"] for job in jobs(cluster)}) == len(cluster.deleted) == 2


def test_only_the_named_ones_are_built() -> None:
    assert run("api").stdout == f"api  SUCCESS    {REGISTRY}/api@{DIGEST}\n"


def test_every_key_reaches_the_builder(cluster: FakeCluster) -> None:
    configure(
        web={
            "image": f"{REGISTRY}/web:1", "tags": ["2"], "context": "services/web", "dockerfile": "Dockerfile",
            "target": "prod", "buildArgs": {"DEBUG": True, "LEVEL": 3}, "labels": {"l": "1"},
            "annotations": {"a": "b"}, "env": {"GOFLAGS": "-mod=vendor"}, "cache": {"repo": "r.example.com/cache"},
            "platforms": ["linux/arm64"], "retries": 0, "timeoutMinutes": 1.5, "agentTimeoutMinutes": 2,
            "extraArgs": ["--single-snapshot"],
        },
    )  # fmt: skip
    assert run().exit_code == 0
    (job,) = jobs(cluster)
    assert arguments(job)[1:] == [
        "--dockerfile=Dockerfile", "--target=prod", "--custom-platform=linux/arm64", f"--destination={REGISTRY}/web:1",
        f"--destination={REGISTRY}/web:2", "--build-arg=DEBUG=true", "--build-arg=LEVEL=3", "--label=l=1",
        "--annotation=a=b", "--cache", "--cache-repo=r.example.com/cache",
        "--digest-file=/dev/termination-log", "--single-snapshot",
    ]  # fmt: skip
    (builder,) = job["spec"]["template"]["spec"]["containers"]
    assert builder["env"] == [{"name": "GOFLAGS", "value": "-mod=vendor"}]
    assert job["spec"]["activeDeadlineSeconds"] == 90 + 120 + 60


def test_what_is_typed_goes_over_what_the_file_says(cluster: FakeCluster) -> None:
    own = {"context": "services/web", "buildArgs": {"A": "own", "B": "own"}, "cache": {"ttl": "24h"}, "retries": 0}
    configure(web={"image": f"{REGISTRY}/web", **own, "timeoutMinutes": 5}, api={"image": f"{REGISTRY}/api"})
    typed = ["--build-arg", "A=typed", "--build-arg", "WHO", "--cache-repo", "r.example.com/c", "--retries", "2"]
    assert run(*typed, "--timeout", "60", "--profile", "small", WHO="me").exit_code == 0
    web, api = jobs(cluster)
    assert {"--build-arg=A=typed", "--build-arg=B=own", "--build-arg=WHO=me"} < set(arguments(web))
    assert {"--cache-repo=r.example.com/c", "--cache-ttl=24h", "--push-retry=2"} < set(arguments(web))
    assert {"--build-arg=A=typed", "--build-arg=WHO=me", "--cache-repo=r.example.com/c"} < set(arguments(api))
    for job in (web, api):
        assert job["spec"]["activeDeadlineSeconds"] == 60 + 600 + 60
        (builder,) = job["spec"]["template"]["spec"]["containers"]
        assert builder["resources"]["requests"]["memory"] == "512Mi"


def test_no_cache_means_all(cluster: FakeCluster) -> None:
    configure(web={"image": f"{REGISTRY}/web", "context": "services/web", "cache": {"ttl": "24h"}})
    run("--no-cache")
    assert [flag for flag in arguments(jobs(cluster)[0]) if flag.startswith("--cache")] == []


def test_all_images_get_a_further_tag(cluster: FakeCluster) -> None:
    configure(web={"image": f"{REGISTRY}/web:1", "context": "services/web", "tags": ["2"]}, api={"image": "r.io/api"})
    assert run("-t", "c0ffee", "--tag", "main").exit_code == 0
    pushed = [[one for one in arguments(job) if one.startswith("--destination")] for job in jobs(cluster)]
    assert pushed == [
        [f"--destination={REGISTRY}/web:{tag}" for tag in ("1", "2", "c0ffee", "main")],
        [f"--destination=r.io/api:{tag}" for tag in ("c0ffee", "main")],
    ]


def test_a_command_is_run_in_all_images(cluster: FakeCluster) -> None:
    cluster.watches = [[ended()], [stopped(0)]]
    cluster.output = b"1.4\n"
    done = run("api", "--probe", "app --version", "-o", "json")
    assert json.loads(done.stdout)["builds"][0]["probe"] == {
        "command": "app --version", "exitCode": 0, "output": "1.4\n", "seconds": 0,
    }  # fmt: skip


# --- who is told of the end ------------------------------------------------------------------------------------------


def test_one_notice_tells_of_all() -> None:
    with Webhook() as webhook:
        done = run("-o", "json", JENKINS_KANIKO_NOTIFY=webhook.url)
    assert done.exit_code == 0
    assert [post.data for post in webhook.posts] == [json.loads(done.stdout)]


def test_failures_are_told_too(cluster: FakeCluster) -> None:
    cluster.watches = [[ended(1, "")], [ended()]]
    with Webhook() as webhook:
        done = run("--notify", f"slack+{webhook.url}")
    assert done.exit_code == errors.BUILD_FAILED
    (text,) = [post.data["text"] for post in webhook.posts]
    assert text == f"{done.stdout}1 of 2 builds failed: web"


def test_what_ends_all_builds_is_told(cluster: FakeCluster) -> None:
    configure(api={"image": f"{REGISTRY}/api", "context": "services/apy"})
    with Webhook() as program, Webhook() as people:
        done = run("--notify", program.url, "--notify", f"slack+{people.url}")
    error = {"message": str(done.exception), "exitCode": errors.WRONG_INPUT}
    assert [post.data for post in program.posts] == [{"schemaVersion": 1, "command": "build", "error": error}]
    assert [post.data["text"] for post in people.posts] == [f"build --all: {done.exception}"]


def test_the_file_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = run("web", "-c", str(tmp_path / "jenkins-kaniko.yaml"))
    assert done.stdout == f"web  SUCCESS    {REGISTRY}/web@{DIGEST}\n"


def test_none_begins_where_one_has_no_context(cluster: FakeCluster) -> None:
    configure(web={"image": f"{REGISTRY}/web"}, api={"image": f"{REGISTRY}/api", "context": "services/apy"})
    done = run("-o", "json")
    assert isinstance(done.exception, errors.WrongInputError)
    assert "services/apy: there is no such file or folder" in str(done.exception)
    assert json.loads(done.stdout)["error"]["message"] == str(done.exception)
    assert cluster.made == []


def test_the_result_is_data_for_scripts() -> None:
    done = run("-o", "json")
    printed = json.loads(done.stdout)
    assert (printed["schemaVersion"], printed["command"]) == (1, "build")
    assert [(one["name"], one["result"], one["digest"]) for one in printed["builds"]] == [
        ("web", "SUCCESS", DIGEST), ("api", "SUCCESS", DIGEST),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["apy"], "no build named apy; the configuration has: web, api"),
        (["-c", "other.yaml"], "other.yaml: no such file"),
        (
            ["-t", f"{REGISTRY}/app"],
            f"--tag: '{REGISTRY}/app' is not a tag; with --all it is a further tag of all images",
        ),
        (["--subfolder", "services"], "--subfolder is for a single build, not for --all"),
        (["--detach"], "--detach is for a single build, not for --all"),
        (["--name", "mine"], "--name is for a single build, not for --all"),
        (["--digest-file", "digest"], "--digest-file is for a single build, not for --all"),
        (["--render"], "--render is for a single build, not for --all"),
        (["--probe", "'"], '--probe: "\'" cannot be taken apart into words: No closing quotation'),
        (["--notify", "ftp://example.com/"], "--notify, no. 1: is no URL that can be used"),
        (["--label", "x"], "--label: 'x' has no value"),
        (["--jobs", "0"], "'--jobs': 0 is not in the range x>=1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_used_is_named(cluster: FakeCluster, typed: list[str], says: str) -> None:
    done = run(*typed)
    assert done.exit_code != 0
    assert says in done.output + str(done.exception)
    assert cluster.made == []


def test_mistakes_are_named_with_their_line() -> None:
    flags = {"extraArgs": ["--image-format=oci"]}
    configure(web={"image": f"{REGISTRY}/web", **flags}, api={"image": f"{REGISTRY}/api", **flags})
    done = run("--image", "registry.example.com/kaniko", "-o", "json")
    problems = json.loads(done.stdout)["problems"]
    assert [(one["file"], one["line"], one["key"]) for one in problems] == [
        ("jenkins-kaniko.yaml", 2, "builds.web"), ("jenkins-kaniko.yaml", 6, "builds.api"),
    ]  # fmt: skip
    assert "--image-format needs osscontainertools 1.28.1 or later" in problems[0]["message"]


def test_a_configuration_without_builds_says_so() -> None:
    Path("jenkins-kaniko.yaml").write_text("fleet: acme\n")
    assert str(run().exception) == "the configuration has no builds; add one below `builds:`"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ([".", "other", "-t", f"{REGISTRY}/app"], "Got several SOURCEs; give one."),
        (["-t", f"{REGISTRY}/app"], "Missing argument 'SOURCE', or --all."),
        (["."], "Missing option '-t' / '--tag'."),
    ],
    ids=["two sources", "no source", "no image"],
)
def test_a_single_build_has_one_source_and_an_image(typed: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, ["build", *typed])
    assert (done.exit_code, says in done.output) == (2, True)
