"""`jenkins-kaniko build --from-config`: the ConfigMap of a build job in place of SOURCE and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from jenkins_kaniko import errors
from jenkins_kaniko.buildconfig import load
from jenkins_kaniko.cli import cli
from tests.support.git_server import git

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: build-config
data:
  DOCKER_FILE: docker/Dockerfile
  DOCKER_TARGET: runner
  REPO_NAME: registry.example.com/team/app
  GIT_REVISION: v1.0
  GIT_URL: {url}
  checkout.sh: |
    git clone "$GIT_URL" /workspace
    git checkout "$GIT_REVISION"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "app.git"
    (folder / "docker").mkdir(parents=True)
    (folder / "docker" / "Dockerfile").write_text("FROM scratch AS runner\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    git(folder, "tag", "v1.0")
    return folder


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["build", "--render", *arguments])


def builder(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    _, job = yaml.safe_load_all(done.stdout)
    arguments: list[str] = job["spec"]["template"]["spec"]["containers"][0]["args"]
    return [one for one in arguments if one.split("=")[0] in ("--dockerfile", "--target", "--destination", "--label")]


def test_the_file_is_all_that_is_needed(repository: Path, tmp_path: Path) -> None:
    done = run("--from-config", config(tmp_path, CONFIG.format(url=f"file://{repository}")))
    assert builder(done) == [
        "--dockerfile=docker/Dockerfile",
        "--target=runner",
        "--destination=registry.example.com/team/app:latest",
        f"--label=org.opencontainers.image.revision={git(repository, 'rev-parse', 'HEAD')}",
        "--label=org.opencontainers.image.created=2024-05-06T05:08:09Z",
        f"--label=org.opencontainers.image.source=file://{repository}",
    ]
    assert done.stderr == f"{tmp_path}/config.yaml: checkout.sh is not run: the command fetches the repository itself\n"


def test_what_is_typed_wins(repository: Path, tmp_path: Path) -> None:
    path = config(tmp_path, CONFIG.format(url="https://nowhere.example.com/app"))
    image = "registry.example.com/other:2"
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "Dockerfile").write_text("FROM scratch AS test\n", encoding="utf-8")
    done = run(str(tmp_path / "local"), "-t", image, "-f", "Dockerfile", "--target=test", "--from-config", path)
    assert builder(done) == ["--dockerfile=Dockerfile", "--target=test", f"--destination={image}"]


@pytest.mark.parametrize(
    ("url", "revision", "source"),
    [
        ("https://example.com/team/app", "main", "https://example.com/team/app.git#main"),
        ("https://example.com/team/app.git", "", "https://example.com/team/app.git"),
        ("https://example.com/team/app/", "", "https://example.com/team/app.git"),
        ("https://example.com/team/app.git/", "main", "https://example.com/team/app.git#main"),
        ("git@example.com:team/app", "0a1b2c3", "git@example.com:team/app#0a1b2c3"),
    ],
)
def test_url_and_revision_are_one_source(tmp_path: Path, url: str, revision: str, source: str) -> None:
    data = {"GIT_URL": url, "GIT_REVISION": revision}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": data})
    assert load(Path(config(tmp_path, text))).source == source


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("keramik", "REPO_NAME 'keramik' names no registry; give the image by -t REGISTRY/keramik"),
        ("team/keramik", "REPO_NAME 'team/keramik' names no registry; give the image by -t REGISTRY/team/keramik"),
        ("''", "there is no REPO_NAME in it; give the image by -t"),
    ],
)
def test_an_image_without_a_registry_is_not_pushed_to_docker_hub(
    repository: Path, tmp_path: Path, name: str, says: str
) -> None:
    text = CONFIG.format(url=f"file://{repository}").replace("registry.example.com/team/app", name)
    done = run("--from-config", config(tmp_path, text))
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception) == f"{tmp_path}/config.yaml: {says}"
    named = run("--from-config", config(tmp_path, text), "-t", "registry.example.com/app")
    assert "--destination=registry.example.com/app:latest" in builder(named)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("DOCKER_FILE:", "DOCKERFILE:", "6: data.DOCKERFILE: unknown key; did you mean DOCKER_FILE?"),
        ("DOCKER_FILE: docker/Dockerfile", "DOCKER_FILE: [a]", "6: data.DOCKER_FILE: a text is expected"),
        ("GIT_REVISION: v1.0", "GIT_REVISION: 1.0", "9: data.GIT_REVISION: a text is expected; write it in quotes"),
        ("GIT_REVISION: v1.0", "REPO_NAME: x", "9: data.REPO_NAME: given twice; first in line 8"),
        ("GIT_REVISION: v1.0", "GIT_REVISION: a:b", "9: data.GIT_REVISION: not the name of a branch, tag or commit"),
        ("example.com/app", "user:s3cret@example.com/app#main", "10: data.GIT_URL: a revision goes into GIT_REVISION"),
        ("kind: ConfigMap", "kind: Secret", "1: not a ConfigMap; "),
        ("metadata:\n  name: build-config", "metadate: {}", "3: metadate: unknown key; did you mean metadata?"),
        ("data:\n  DOCKER_FILE: docker/Dockerfile", "x: x\ndata:\n  DOCKER_FILE: [", "not valid YAML"),
    ],
)
def test_mistakes_are_named_by_line_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = CONFIG.format(url="https://example.com/app").replace(old, new)
    done = run("--from-config", config(tmp_path, text))
    assert isinstance(done.exception, errors.ConfigError)
    assert f"{tmp_path}/config.yaml:" in str(done.exception)
    assert says in str(done.exception)
    assert "s3cret" not in str(done.exception)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    data: dict[str, Any] = {"GIT_URI": "x", "REPO_NAME": 1}
    text = yaml.safe_dump({"kind": "ConfigMap", "data": data, "spec": {}})
    done = run("--from-config", config(tmp_path, text))
    assert [line.split(": ")[1] for line in str(done.exception).splitlines()] == [
        "data.GIT_URI",
        "data.REPO_NAME",
        "spec",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("--from-config", str(tmp_path / "nowhere.yaml"))
    assert str(done.exception) == f"{tmp_path}/nowhere.yaml: cannot be read: No such file or directory"


def test_without_a_repository_the_source_is_asked_for(tmp_path: Path) -> None:
    text = "kind: ConfigMap\ndata: {REPO_NAME: registry.example.com/app}\n"
    done = run("--from-config", config(tmp_path, text))
    assert "Missing argument 'SOURCE'" in done.output
