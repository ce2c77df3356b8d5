"""The files that get the result of a build, and what is told where one cannot be written; the cluster is a fake."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.cli import cli
from tests.support.fake_cluster import DIGEST, FakeCluster, ended
from tests.support.webhook import Webhook

REPOSITORY = "registry.example.com/team/app"
REF = f"{REPOSITORY}@{DIGEST}"


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster in which all builds end well, and a folder to build."""
    for name in ("KUBE_NAMESPACE", "BUILD_TIMEOUT", "KANIKO_IMAGE", "IMAGE_DIGEST", "IMAGE_URL", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    made = FakeCluster([[ended()]])
    monkeypatch.setattr("jenkins_kaniko.cluster_pods.Pods", lambda _namespace: made)
    return made


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["build", ".", "-t", f"{REPOSITORY}:1", *arguments], env=environment)


def test_the_digest_is_in_a_file(tmp_path: Path) -> None:
    done = run("--digest-file", "digest")
    assert (done.exit_code, done.stdout, (tmp_path / "digest").read_text()) == (0, f"{REF}\n", DIGEST)


def test_a_ci_system_gets_the_result_in_its_files(tmp_path: Path) -> None:
    (tmp_path / "github").write_text("before=1\n")
    files = {name: str(tmp_path / name) for name in ("IMAGE_DIGEST", "IMAGE_URL")}
    assert run(**files, GITHUB_OUTPUT="github").exit_code == 0
    assert (tmp_path / "IMAGE_DIGEST").read_text() == DIGEST
    assert (tmp_path / "IMAGE_URL").read_text() == f"{REPOSITORY}:1"
    assert (tmp_path / "github").read_text() == f"before=1\nimage={REPOSITORY}\ndigest={DIGEST}\nref={REF}\n"


def test_a_name_of_no_absolute_path_is_a_variable_of_somebody_else(tmp_path: Path) -> None:
    assert run(IMAGE_DIGEST="sha256:1", IMAGE_URL="example.com/app").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["Dockerfile"]


@pytest.mark.parametrize("name", ["--digest-file", "IMAGE_DIGEST", "IMAGE_URL", "GITHUB_OUTPUT"])
def test_a_folder_that_is_not_there_is_said_before_anything_is_built(
    cluster: FakeCluster, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "missing" / "dir"
    typed, environment = ([name, f"{folder}/x"], {}) if name.startswith("-") else ([], {name: f"{folder}/x"})
    done = run(*typed, **environment)
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception) == f"{name}: {folder}/x: there is no folder {folder}; make it, or name another"
    assert cluster.made == []


def test_a_folder_instead_of_a_file_is_said(cluster: FakeCluster, tmp_path: Path) -> None:
    assert str(run("--digest-file", str(tmp_path)).exception) == f"--digest-file: {tmp_path}: is a folder; name a file"
    assert cluster.made == []


@pytest.mark.parametrize("name", ["new", "old"])
def test_what_may_not_be_written_is_said_before_anything_is_built(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As on a file system for reading only; root may write everything else, so a refusal is made up."""
    (tmp_path / "old").touch()
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path) not in (tmp_path, tmp_path / "old"))
    done = run(GITHUB_OUTPUT=f"{tmp_path}/{name}")
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception) == f"GITHUB_OUTPUT: {tmp_path}/{name}: may not be written; name another"
    assert cluster.made == []


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_image_is_told_where_a_file_cannot_be_written(tmp_path: Path, output: str) -> None:
    """As on a disk that is full: everybody else learns of the image, and the exit code tells of the file."""
    with Webhook() as webhook:
        done = run("--digest-file", "/dev/full", "--notify", webhook.url, "-o", output, GITHUB_OUTPUT="github")
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception) == (
        "--digest-file: /dev/full: cannot be written: No space left on device\nthe image was pushed all the same"
    )
    assert done.stdout == f"{REF}\n" if output == "text" else json.loads(done.stdout)["ref"] == REF
    assert [post.data["ref"] for post in webhook.posts] == [REF]
    assert f"ref={REF}\n" in (tmp_path / "github").read_text()


def test_files_that_nobody_writes_do_not_matter() -> None:
    assert run("--render", GITHUB_OUTPUT="/missing/dir/x").exit_code == 0
    assert run("--detach", GITHUB_OUTPUT="/missing/dir/x").exit_code == 0


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set in the environment")])
def test_a_user_without_a_name_is_a_number(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """As in a container that runs as any user, on OpenShift for example."""

    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert run().exit_code == 0
    client = cluster.made[0]["metadata"]["annotations"]["jenkins-kaniko/client"]
    assert client.startswith(f"{os.getuid()}@")


@pytest.mark.parametrize("mistake", [["--name", "BAD_"], ["--detach", "--keep", "--isolate"], ["--label", "x"]])
def test_wrong_options_are_data_too(mistake: list[str]) -> None:
    done = run("-o", "json", *mistake)
    assert isinstance(done.exception, errors.WrongInputError)
    assert json.loads(done.stdout) == {
        "schemaVersion": 1,
        "command": "build",
        "error": {"message": str(done.exception), "exitCode": errors.WRONG_INPUT},
    }
