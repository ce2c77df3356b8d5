"""What an image can tell of a folder in a git checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jenkins_kaniko.contexts import Facts, opened
from tests.support.git_server import git

TEXT = "FROM scratch\n"
CREATED = "2024-05-06T05:08:09Z"
ORIGIN = "https://example.com/team/app.git"


@pytest.fixture(autouse=True)
def _nobody_in_particular(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "web").mkdir(parents=True)
    (folder / "Dockerfile").write_text(TEXT, encoding="utf-8")
    (folder / "web" / "Dockerfile").write_text(TEXT, encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    git(folder, "tag", "--annotate", "--message=v1", "v1.0")
    git(folder, "remote", "add", "origin", ORIGIN)
    return folder


def facts(folder: Path, subfolder: str | None = None) -> Facts:
    with opened(str(folder), subfolder=subfolder) as context:
        return context.facts


@pytest.mark.parametrize("subfolder", [None, "web"])
def test_a_checkout_tells_its_commit_origin_and_time(checkout: Path, subfolder: str | None) -> None:
    assert facts(checkout, subfolder) == Facts("directory", git(checkout, "rev-parse", "HEAD"), ORIGIN, CREATED, TEXT)


def test_a_changed_work_tree_is_told_and_has_no_time(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    (checkout / "new").touch()
    assert facts(checkout).commit == commit  # as git-describe(1) has it: only files that git knows count
    (checkout / "web" / "Dockerfile").write_text("FROM other\n", encoding="utf-8")
    assert facts(checkout) == Facts("directory", f"{commit}-dirty", ORIGIN, None, TEXT)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://ci-bot:s3cr@t@example.com/team/app.git", "https://example.com/team/app.git"),
        ("https://s3cr-t@example.com:8443/app", "https://example.com:8443/app"),
        ("ssh://git@example.com/team/app.git", "ssh://example.com/team/app.git"),
        ("git@example.com:team/app.git", "git@example.com:team/app.git"),
    ],
)
def test_the_origin_is_told_without_an_account(checkout: Path, url: str, source: str) -> None:
    git(checkout, "remote", "set-url", "origin", url)
    assert facts(checkout).source == source


def test_without_an_origin_the_commit_is_told(checkout: Path) -> None:
    git(checkout, "remote", "remove", "origin")
    assert facts(checkout) == Facts("directory", git(checkout, "rev-parse", "HEAD"), None, CREATED, TEXT)


def test_nothing_is_told_where_there_is_no_commit_no_repository_or_no_git(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nothing = Facts("directory", dockerfile_text=TEXT)
    for name in ("plain", "unborn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(TEXT, encoding="utf-8")
    git(tmp_path / "unborn", "init", "--quiet")
    assert facts(tmp_path / "plain") == facts(tmp_path / "unborn") == nothing
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts(checkout) == nothing
    assert capfd.readouterr() == ("", "")


def test_a_checkout_of_another_user_is_said(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a CI system checks out and root builds; git does not look into it then."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    notes: list[str] = []
    with opened(str(checkout), tell=notes.append) as context:
        assert context.facts == Facts("directory", dockerfile_text=TEXT)
    said = "no labels of the commit: git does not trust this checkout, as another user owns it (safe.directory)"
    assert notes == [f"{checkout}: {said}"]


def test_a_hook_of_another_repository_does_not_lead_there(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert facts(checkout).source == ORIGIN


def test_the_checkout_is_left_as_it_is(checkout: Path) -> None:
    os.utime(checkout / "Dockerfile", (0, 0))  # git would note in its index that the file did not change
    before = (checkout / ".git" / "index").read_bytes()
    assert facts(checkout).created == CREATED
    assert (checkout / ".git" / "index").read_bytes() == before
