"""What else a build takes: a folder of the source, an engine by name, secrets for RUN lines."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.build import build
from jenkins_kaniko.buildsecrets import masked
from jenkins_kaniko.cli import cli
from jenkins_kaniko.options import Builder
from tests.support.fake_cluster import DIGEST, FakeCluster, Told, context, ended, spec

IMAGE = "registry.example.com/team/app"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KUBE_NAMESPACE", "BUILD_TIMEOUT", "KANIKO_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["build", ".", "-t", f"{IMAGE}:1", "--render", *arguments], env=environment)


def rendered(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    done = run(*arguments, **environment)
    assert done.exit_code == 0, done.output
    return list(yaml.safe_load_all(done.stdout))


def refusal(*arguments: str, **environment: str) -> str:
    done = run(*arguments, **environment)
    assert isinstance(done.exception, errors.WrongInputError)
    return str(done.exception)


# --- a folder of the source, and the engine --------------------------------------------------------------------------


def test_a_folder_of_the_source_is_the_context(folder: Path) -> None:
    (folder / "services" / "api" / "docker").mkdir(parents=True)
    (folder / "services" / "api" / "docker" / "Dockerfile").write_text("FROM scratch\n")
    config_map, job = rendered("--subfolder", "services/api", "--file", "docker/Dockerfile")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(config_map["binaryData"]["context.tar.gz"]))) as archive:
        assert archive.getnames() == ["docker", "docker/Dockerfile"]
    assert "--dockerfile=docker/Dockerfile" in job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_folder_that_is_not_there_is_refused() -> None:
    assert refusal("--subfolder", "nowhere") == ".: there is no folder 'nowhere' in it"
    assert refusal("--subfolder", "..") == ".: the subfolder '..' lies outside of it"


def test_the_engine_has_a_name() -> None:
    (builder,) = rendered("--engine", "kaniko")[1]["spec"]["template"]["spec"]["containers"]
    assert builder["name"] == "kaniko"
    assert refusal("--engine", "docker") == "option engine: 'docker' is not an engine (valid: kaniko)"


def test_a_script_may_leave_the_choice_of_the_engine() -> None:
    done = run("--engine", "auto")
    assert (done.exit_code, done.stderr) == (0, "engine: kaniko, the only one there is to choose from\n")
    assert list(yaml.safe_load_all(done.stdout))[1]["spec"]["template"]["spec"]["containers"][0]["name"] == "kaniko"


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_the_builder_finds_secrets_as_files(folder: Path) -> None:
    (folder / "key.pem").write_text("s3cret key")
    arguments = ("--secret", "id=npm", "--secret", "id=pip,env=PIP_TOKEN", "--secret", "id=key,src=key.pem")
    done = run(*arguments, npm="s3cret npm", PIP_TOKEN="s3cret pip")
    assert done.exit_code == 0, done.output
    assert "s3cret" not in done.output
    _, job = yaml.safe_load_all(done.stdout)
    pod = job["spec"]["template"]["spec"]
    (builder,) = pod["containers"]
    assert [one for one in builder["args"] if one.startswith("--secret")] == [
        f"--secret=id={name},src=/jenkins-kaniko-secrets/{name}" for name in ("npm", "pip", "key")
    ]
    assert {"name": "secrets", "mountPath": "/jenkins-kaniko-secrets", "readOnly": True} in builder["volumeMounts"]
    (volume,) = (one for one in pod["volumes"] if one["name"] == "secrets")
    assert volume["secret"]["defaultMode"] == 0o400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("npm=s3cret", "--secret: id=NAME, id=NAME,src=FILE or id=NAME,env=VARIABLE is expected"),
        ("s3cret", "--secret: id=NAME, id=NAME,src=FILE or id=NAME,env=VARIABLE is expected"),
        ("id=npm,value=s3cret", "--secret: id=NAME, id=NAME,src=FILE or id=NAME,env=VARIABLE is expected"),
        ("id=npm,env=A,src=b", "--secret: id=NAME, id=NAME,src=FILE or id=NAME,env=VARIABLE is expected"),
        ("id=npm", "--secret: id=npm: npm is not in the environment"),
        ("id=npm,env=NOWHERE", "--secret: id=npm: NOWHERE is not in the environment"),
        ("id=npm,src=nowhere", "--secret: id=npm: nowhere: cannot be read: No such file or directory"),
        ("id=npm,src=~nobody-1/x", "--secret: id=npm: ~nobody-1/x: there is no home of this user"),
        ("id=../npm,env=HOME", "option secrets: '../npm' is not an id: letters, digits and . _ -"),
    ],
)
def test_a_secret_that_is_not_there_is_refused(text: str, says: str) -> None:
    assert refusal("--secret", text, HOME="/") == says


def test_secrets_that_no_cluster_takes_are_refused(folder: Path) -> None:
    (folder / "large").write_bytes(b"x" * 1_000_001)
    assert "more than 1000000 bytes" in refusal("--secret", "id=a,src=large")
    assert refusal("--secret", "id=a,env=HOME", "--secret", "id=a,env=HOME", HOME="/") == (
        "--secret: id=a is given twice"
    )


def test_a_builder_without_secrets_is_refused_before_anything_is_made() -> None:
    older = ("--image", "example.com/k:1", "--builder-distribution", "osscontainertools", "--builder-version", "1.26.2")
    assert refusal("--secret", "id=npm", *older, npm="s3cret") == (
        "option secrets: --secret needs osscontainertools 1.26.3 or later; "
        "the template's builder is osscontainertools 1.26.2"
    )


def test_the_job_owns_the_secret_and_nothing_else_holds_it() -> None:
    given = {"image": f"{IMAGE}:1", "secrets": {"npm": "src=/jenkins-kaniko-secrets/npm"}}
    wanted = spec(options=given, secrets={"npm": b"s3cret"}, builder=Builder("osscontainertools", "1.28.3"))
    cluster = FakeCluster([[ended()]])
    assert build(wanted, context(), cluster, Told().listener).digest == DIGEST
    job, secret, config_map = cluster.made
    name = secret["metadata"]["name"]
    assert secret == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**config_map["metadata"], "name": name},
        "data": {"npm": base64.b64encode(b"s3cret").decode()},
    }
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "uid-of-app"
    (volume,) = (one for one in job["spec"]["template"]["spec"]["volumes"] if one["name"] == "secrets")
    assert volume["secret"]["secretName"] == name
    shown = repr((job, config_map, wanted))
    assert [text for text in ("s3cret", secret["data"]["npm"]) if text in shown] == []


def test_a_log_does_not_show_what_a_run_line_printed() -> None:
    lines = [b"2026-11-21T20:54:25Z npm 2026: s3cret", b"2026-11-21T20:54:25Z {", b"2026-11-21T20:54:26Z x=longer line"]
    secrets = {"a": b"s3cret\n", "b": b"{\nlonger line\n}", "c": b"2026", "d": b""}
    assert list(masked(lines, secrets)) == [
        b"2026-11-21T20:54:25Z npm ****: ****",
        b"2026-11-21T20:54:25Z {",
        b"2026-11-21T20:54:26Z x=****",
    ]


def test_a_failure_does_not_show_it_either() -> None:
    lines = [b"2026-11-21T20:54:25Z token s3cret is refused", b"2026-11-21T20:54:26Z error building image: s3cret"]
    cluster, told = FakeCluster([[ended(1, "")]], [lines]), Told()
    with pytest.raises(errors.BuildFailedError) as caught:
        build(spec(secrets={"npm": b"s3cret"}), context(), cluster, told.listener)
    assert "token **** is refused" in str(caught.value)
    assert "s3cret" not in "".join([str(caught.value), *told.notes, *told.lines])
