"""What `jenkins-kaniko build` takes and refuses, and what it would make, without a cluster."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.cli import cli
from tests.support.fake_cluster import FakeCluster, ended
from tests.support.webhook import Webhook

IMAGE = "registry.example.com/team/app"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KUBE_NAMESPACE", "BUILD_TIMEOUT", "KANIKO_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["build", ".", "-t", f"{IMAGE}:1", *arguments], env=environment)


def rendered(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    done = run("--render", *arguments, **environment)
    assert done.exit_code == 0, done.output
    return list(yaml.safe_load_all(done.stdout))


def test_what_would_be_made_can_be_seen() -> None:
    config_map, job = rendered("--name", "mine")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(config_map["binaryData"]["context.tar.gz"]))) as archive:
        assert archive.getnames() == ["Dockerfile"]
    labels = {"app.kubernetes.io/managed-by": "jenkins-kaniko", "jenkins-kaniko/build": "mine"}
    assert (job["metadata"]["name"], job["metadata"]["labels"]) == ("mine", labels)
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 3600 + 600 + 60)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"], "initContainers" in pod) == (
        "Never",
        False,
        False,
    )
    assert "imagePullSecrets" not in pod  # nobody knows whether there is one, and a missing one is a warning each time
    (builder,) = pod["containers"]
    assert (builder["command"][0], builder["command"][-1]) == ("/busybox/sh", "/kaniko/executor")
    assert builder["args"] == [
        "--context=tar:///jenkins-kaniko/context.tar.gz",
        f"--destination={IMAGE}:1",
        "--cache",
        "--push-retry=2",
        "--image-download-retry=2",
        "--image-fs-extract-retry=2",
        "--digest-file=/dev/termination-log",
    ]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["context"]["configMap"] == {"name": config_map["metadata"]["name"]}
    assert (volumes["docker-config"]["secret"]["secretName"], volumes["docker-config"]["secret"]["optional"]) == (
        "docker-config", True,
    )  # fmt: skip


def test_a_namespace_of_its_own_can_be_seen() -> None:
    namespace, config_map, job = rendered("--isolate", "--name", "mine")
    assert [one["metadata"]["name"] for one in (namespace, job)] == ["mine", "mine"]
    assert (namespace["kind"], config_map["kind"]) == ("Namespace", "ConfigMap")
    assert [one["metadata"].get("namespace") for one in (namespace, config_map, job)] == [None, "mine", "mine"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_the_namespace_that_is_given_can_be_seen() -> None:
    assert [one["metadata"]["namespace"] for one in rendered("-n", "builds")] == ["builds", "builds"]
    assert ["namespace" in one["metadata"] for one in rendered()] == [False, False]


def test_every_option_reaches_the_pod(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "Dockerfile").write_text("FROM scratch\n")
    _, job = rendered(
        "-t", f"{IMAGE}:2", "-f", "sub/Dockerfile", "--target", "prod", "--build-arg", "A=b=c", "--build-arg", "WHO",
        "--label", "l=1", "--annotation", "n=2", "--cache-repo", "r.example.com/cache", "--cache-ttl", "24h",
        "--cache-copy-layers", "--platform", "linux/arm64", "--retries", "0", "--extra-arg=--single-snapshot",
        "--env", "HTTP_PROXY=http://p", "--registry-secret", "account", "--ca-bundle", "ca:root.pem",
        "--profile", "large", "--node-selector", "disk=ssd", "--toleration", "builds=only:NoSchedule",
        "--toleration", "spot", "--timeout", "1h30m", "--pending-timeout", "90",
        WHO="me",
    )  # fmt: skip
    pod = job["spec"]["template"]["spec"]
    (builder,) = pod["containers"]
    assert builder["args"] == [
        "--context=tar:///jenkins-kaniko/context.tar.gz", "--dockerfile=sub/Dockerfile", "--target=prod",
        "--custom-platform=linux/arm64", f"--destination={IMAGE}:1", f"--destination={IMAGE}:2", "--build-arg=A=b=c",
        "--build-arg=WHO=me", "--label=l=1", "--annotation=n=2", "--cache", "--cache-repo=r.example.com/cache",
        "--cache-ttl=24h", "--cache-copy-layers", "--digest-file=/dev/termination-log", "--single-snapshot",
    ]  # fmt: skip
    assert builder["env"] == [{"name": "HTTP_PROXY", "value": "http://p"}]
    assert builder["resources"]["requests"]["cpu"] == "2"
    assert {"name": "ca-bundle", "mountPath": "/kaniko/ssl/certs/ca.crt", "subPath": "root.pem", "readOnly": True} in (
        builder["volumeMounts"]
    )
    assert pod["volumes"][1]["secret"]["optional"] is False
    bundle = {"name": "ca", "items": [{"key": "root.pem", "path": "root.pem"}]}  # a wrong key is no empty folder then
    assert pod["volumes"][2] == {"name": "ca-bundle", "configMap": bundle}
    assert pod["imagePullSecrets"] == [{"name": "account"}]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [
        {"key": "builds", "operator": "Equal", "value": "only", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
    ]
    assert job["spec"]["activeDeadlineSeconds"] == 5400 + 90 + 60


@pytest.mark.parametrize(
    ("tags", "pushed"),
    [([""], ["latest"]), ([":1"], ["1"]), ([":1", ""], ["1", "latest"]), (["", ":1"], ["latest", "1"])],
)
def test_a_name_without_a_tag_means_latest_wherever_it_stands(tags: list[str], pushed: list[str]) -> None:
    typed = [part for tag in tags for part in ("-t", f"{IMAGE}{tag}")]
    done = CliRunner().invoke(cli, ["build", ".", "--render", *typed])
    job = list(yaml.safe_load_all(done.stdout))[1]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    prefix = f"--destination={IMAGE}:"
    assert [one.removeprefix(prefix) for one in arguments if one.startswith(prefix)] == pushed


def test_the_environment_of_older_scripts_is_honoured() -> None:
    _, job = rendered("--no-cache", KANIKO_IMAGE="example.com/kaniko:1", BUILD_TIMEOUT="600")
    (builder,) = job["spec"]["template"]["spec"]["containers"]
    assert (builder["image"], "--cache" in builder["args"]) == ("example.com/kaniko:1", False)
    assert job["spec"]["activeDeadlineSeconds"] == 600 + 600 + 60


@pytest.mark.parametrize(
    ("image", "measured"),
    [
        ("example.com/kaniko:1.25-debug", True),
        ("example.com/kaniko:debug@sha256:" + "0" * 64, True),
        ("example.com:5000/debug/kaniko", False),
        ("example.com/kaniko:1.25", False),
    ],
)
def test_memory_is_measured_where_the_image_has_a_shell(image: str, measured: bool) -> None:
    (builder,) = rendered("--image", image)[1]["spec"]["template"]["spec"]["containers"]
    assert (builder["command"] != ["/kaniko/executor"]) == measured
    assert "--destination=registry.example.com/team/app:1" in builder["args"]


def test_a_large_context_waits_for_its_stream(folder: Path) -> None:
    (folder / "random").write_bytes(os.urandom(1_000_000))
    (job,) = rendered()
    (waits,) = job["spec"]["template"]["spec"]["initContainers"]
    assert waits["command"][:2] == ["/busybox/sh", "-c"]


def test_names_are_new_and_fit() -> None:
    names = {rendered("-t", f"{IMAGE}:1")[1]["metadata"]["name"] for _ in range(3)}
    assert (len(names), {name[:10] for name in names}) == (3, {"build-app-"})
    done = CliRunner().invoke(cli, ["build", ".", "--render", "-t", f"example.com/{'a.b_' * 30}x"])
    name = list(yaml.safe_load_all(done.stdout))[1]["metadata"]["name"]
    assert (len(name) <= 52, name.startswith("build-a-b-a-b")) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-t", "other.example.com/app"], "another repository than registry.example.com/team/app"),
        (["--name", "Mine"], "--name: 'Mine' is not a name"),
        (["--label", "team"], "--label: 'team' has no value; write team=VALUE"),
        (["--build-arg", "NOWHERE"], "--build-arg: NOWHERE has no value, and is not in the environment"),
        (["--toleration", "a=b:Never"], "--toleration: 'a=b:Never' is not"),
        (["--cache-ttl", "soon", "--env", "PATH=x"], "option env: 'PATH' is refused"),
        (["--cache-ttl", "soon", "--env", "PATH=x"], "option cache.ttl: 'soon' is not a duration"),
        (["--annotation", "a=b", "--image", "example.com/k:1"], "--annotation needs osscontainertools 1.25.3"),
        (["--extra-arg=--cleanup"], "--cleanup is set by the step itself"),
        (["-f", "nowhere"], "nowhere"),
        (["--label", "author=J\udcfcrgen"], "option labels: not UTF-8 text"),
        (["--detach", "--digest-file", "digest"], "--digest-file: not with --detach"),
        (["--detach", "--isolate"], "--isolate: not with --detach"),
        (["--detach", "--probe", "app"], "--probe: not with --detach"),
        (["--detach", "--notify", "https://example.com/"], "--notify: not with --detach"),
        (["--isolate", "--keep"], "--keep: not with --isolate"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], says: str) -> None:
    done = run("--render", *arguments)
    assert isinstance(done.exception, errors.WrongInputError)
    assert says in str(done.exception)


@pytest.mark.parametrize("text", ["soon", "10x", "0", "-1", "1m2"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    done = run("--render", f"--timeout={text}")
    assert (done.exit_code, "--timeout" in done.output) == (2, True)


def test_a_mistake_is_data_too() -> None:
    done = run("-o", "json", "-f", "nowhere")
    assert json.loads(done.stdout)["error"]["exitCode"] == errors.WRONG_INPUT


def test_a_build_that_nobody_waits_for_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is that of a whole CI system, for its other builds."""
    cluster = FakeCluster([[ended()]])
    monkeypatch.setattr("jenkins_kaniko.cluster_pods.Pods", lambda _namespace: cluster)
    with Webhook() as webhook:
        done = run("--detach", "--name", "mine", JENKINS_KANIKO_NOTIFY=webhook.url)
    assert (done.exit_code, done.stdout, webhook.posts) == (0, "mine\n", [])


def test_nothing_heavy_is_imported_for_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    rendered()
    assert "kubernetes" not in sys.modules
