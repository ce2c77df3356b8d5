"""Git revisions as build contexts, from git's own server on this machine."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jenkins_kaniko.contexts import Facts, opened
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError
from tests.support.git_server import ENVIRONMENT, Host, git, serving
from tests.test_interrupt import heeding_ctrl_c

COMMITTED = 1_714_972_089
CREATED = "2024-05-06T05:08:09Z"


@pytest.fixture(autouse=True)
def _nobody_in_particular(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away the person's own git configuration and accounts, and keep temporary folders in sight."""
    for name in ("GIT_TOKEN", "GIT_USERNAME", "GIT_PASSWORD", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("git")
    make(folder)
    with serving(folder) as host:
        yield host


def make(folder: Path) -> None:
    """Make the repository app.git with branches, tags, a pull request and a submodule; others are copies of it."""
    for name in ("lib.git", "app.git", "empty.git"):
        git(folder, "init", "--quiet", "--bare", name)
    lib, app = folder / "lib", folder / "app"
    git(folder, "clone", "--quiet", "lib.git", "lib")
    commit(lib, "first", {"lib.txt": "lib"})
    git(lib, "push", "--quiet", "origin", "main")
    git(folder, "clone", "--quiet", "app.git", "app")
    commit(app, "before", {"Dockerfile": "FROM before\n"})
    commit(app, "first", {"Dockerfile": "FROM first\n", "old": "old"})
    git(app, "tag", "light")
    commit(app, "second", {"Dockerfile": "FROM second\n", "web/Dockerfile": "FROM web\n", ".dockerignore": "old\n"})
    git(app, "tag", "--annotate", "--message=v1", "v1.0")
    git(app, "branch", "both", "HEAD~1")
    git(app, "tag", "both")
    git(app, "checkout", "--quiet", "-b", "feature/x", "light")
    commit(app, "third", {"Dockerfile": "FROM feature\n"})
    git(app, "push", "--quiet", "origin", "main", "feature/x", "refs/heads/both", "--tags")
    commit(app, "fourth", {"Dockerfile": "FROM pull\n"})
    git(app, "push", "--quiet", "origin", "HEAD:refs/pull/7/head")
    git(app, "checkout", "--quiet", "-b", "with-lib", "main")
    git(app, "submodule", "--quiet", "add", "../lib.git", "modules/lib")
    commit(app, "fifth", {"web/link": "x"})
    git(app, "push", "--quiet", "origin", "with-lib")
    (folder / "private").mkdir()
    for name in ("lib.git", "app.git"):
        git(folder, "clone", "--quiet", "--mirror", name, f"private/{name}")


def commit(folder: Path, message: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={message}")


def commit_of(host: Host, name: str) -> str:
    return git(host.folder / "app.git", "rev-parse", f"{name}^{{commit}}")


def facts(source: str) -> Facts:
    with opened(source) as context:
        return context.facts


def names(source: str, *, subfolder: str | None = None) -> list[str]:
    with opened(source, subfolder=subfolder) as context:
        content = b"".join(context.tar())
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert {each.mtime for each in archive} == {COMMITTED}
        return archive.getnames()


def failure(source: str, kind: type[JenkinsKanikoError]) -> str:
    with pytest.raises(kind) as caught:
        facts(source)
    assert type(caught.value) is kind
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("revision", "commit", "text"),
    [
        ("", "main", "second"),
        ("#", "main", "second"),
        ("#main", "main", "second"),
        ("#feature/x", "feature/x", "feature"),
        ("#light", "light", "first"),
        ("#v1.0", "v1.0", "second"),
        ("#refs/tags/v1.0", "v1.0", "second"),
        ("#both", "refs/heads/both", "first"),
        ("#tags/both", "refs/tags/both", "second"),
        ("#refs/pull/7/head", "refs/pull/7/head", "pull"),
        ("#pull/7/head", "refs/pull/7/head", "pull"),
    ],
)
def test_a_name_is_resolved_to_its_commit(host: Host, revision: str, commit: str, text: str) -> None:
    url = host.url("app.git")
    assert facts(f"{url}{revision}") == Facts("git", commit_of(host, commit), url, CREATED, f"FROM {text}\n")


@pytest.mark.parametrize("length", [40, 7, 12])
@pytest.mark.parametrize("of", ["main", "main~2"])
def test_a_commit_in_full_or_short(host: Host, of: str, length: int) -> None:
    commit = commit_of(host, of)
    assert facts(f"{host.url('app.git')}#{commit[:length]}").commit == commit


@pytest.mark.parametrize("revision", ["main~2", "refs/pull/7/head"])
def test_a_server_that_hands_out_no_single_commits(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, revision: str
) -> None:
    """Git's first protocol gives away only what has a name."""
    (tmp_path / ".gitconfig").write_text("[protocol]\nversion = 0\n", encoding="utf-8")
    commit = commit_of(host, revision)
    assert facts(f"{host.url('app.git')}#{commit}").commit == commit
    url = host.url("app.git")
    assert failure(f"{url}#{'0' * 40}", WrongInputError).startswith(f"{url}: there is no such commit (")


def test_settings_in_the_environment_are_kept(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gave git its configuration in the environment still has it when an account is added."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{host.url('private/app.git')}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", host.url("short.git"))
    monkeypatch.setenv("GIT_USERNAME", "ci-bot")
    monkeypatch.setenv("GIT_PASSWORD", "s3cret/+=")
    assert facts(host.url("short.git")).commit == commit_of(host, "main")


def test_what_is_sent_has_no_repository_in_it_and_follows_the_ignore_file(host: Host) -> None:
    assert names(host.url("app.git")) == [".dockerignore", "Dockerfile", "web", "web/Dockerfile"]


def test_a_folder_of_a_revision(host: Host) -> None:
    assert names(f"{host.url('app.git')}#main:web") == ["Dockerfile"]
    assert names(f"{host.url('app.git')}#:web") == ["Dockerfile"]
    assert names(host.url("app.git"), subfolder="web") == ["Dockerfile"]
    url = host.url("app.git")
    assert failure(f"{url}#main:missing", WrongInputError) == f"{url}: there is no folder 'missing' in it"
    assert failure(f"{url}#main:..", WrongInputError) == f"{url}: the subfolder '..' lies outside of it"


def test_submodules_come_along(host: Host) -> None:
    sent = names(f"{host.url('app.git')}#with-lib")
    modules = ["modules", "modules/lib", "modules/lib/lib.txt"]
    assert sent == [".dockerignore", ".gitmodules", "Dockerfile", *modules, "web", "web/Dockerfile", "web/link"]


def test_equal_commits_make_equal_contexts(host: Host) -> None:
    contents = []
    for _ in range(2):
        with opened(host.url("app.git")) as context:
            contents.append(b"".join(context.tar()))
    assert contents[0] == contents[1]


def test_a_configuration_that_shows_signatures_plays_no_part(tmp_path: Path) -> None:
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\necho '[GNUPG:] GOODSIG'\necho 'gpg: Good signature' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[log]\nshowSignature = true\n[gpg]\nprogram = {program}\n", encoding="utf-8")
    signed = tmp_path / "signed"
    git(tmp_path, "init", "--quiet", "signed")
    commit(signed, "first", {"Dockerfile": "FROM scratch\n"})
    head, _, message = git(signed, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----"
    text = f"{head}\n{signature}\n\n{message}\n".encode()
    made = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=signed, input=text,
                          capture_output=True, check=True).stdout.decode().strip()  # fmt: skip
    git(signed, "update-ref", "HEAD", made)
    url = f"file://{signed}"
    assert facts(url) == Facts("git", made, url, CREATED, "FROM scratch\n")


# --- accounts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "account"),
    [
        ({"GIT_USERNAME": "ci-bot", "GIT_PASSWORD": "s3cret/+="}, ""),
        ({"GIT_USERNAME": "ci-bot", "GIT_TOKEN": "s3cret/+="}, ""),
        ({"GIT_TOKEN": "s3cret/+="}, "ci-bot@"),
        ({}, "ci-bot:s3cret%2F%2B%3D@"),
    ],
)
def test_a_private_repository_with_its_private_submodule(
    host: Host, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], account: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    url = host.url("private/app.git")
    with opened(f"{url.replace('//', f'//{account}')}#with-lib") as context:
        assert context.facts.source == url
        assert b"modules/lib/lib.txt" in b"".join(context.tar())


def test_a_token_alone_goes_with_the_usual_user(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TOKEN", "t0ken")
    host.accounts_seen.clear()
    assert facts(host.url("app.git")).commit
    assert set(host.accounts_seen) == {"x-access-token:t0ken"}


@pytest.mark.parametrize("count", ["", "some"])
def test_a_count_of_settings_that_is_none_is_no_traceback(
    host: Host, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "s3cret/+=")
    monkeypatch.setenv("GIT_USERNAME", "ci-bot")
    monkeypatch.setenv("GIT_CONFIG_COUNT", count)
    assert facts(host.url("private/app.git")).commit == commit_of(host, "main")


def test_a_token_goes_to_the_host_of_the_source_only(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A submodule may be anywhere: whoever wrote it does not get the token."""
    monkeypatch.setenv("GIT_TOKEN", "t0ken")
    with serving(host.folder) as other:
        git(tmp_path, "clone", "--quiet", str(host.folder / "app.git"), "app")
        git(tmp_path / "app", "submodule", "--quiet", "add", other.url("lib.git"), "lib")
        commit(tmp_path / "app", "elsewhere", {})
        git(tmp_path / "app", "push", "--quiet", "origin", "HEAD:elsewhere")
        assert "lib/lib.txt" in names(f"{host.url('app.git')}#elsewhere")
        assert set(other.accounts_seen) == {""}


@pytest.mark.parametrize(("account", "token"), [("", "s3cret"), ("ci-bot:s3cret@", "")])
def test_an_account_is_not_sent_without_encryption(monkeypatch: pytest.MonkeyPatch, account: str, token: str) -> None:
    monkeypatch.setenv("GIT_TOKEN", token)
    assert failure(f"http://{account}host.invalid/app.git", WrongInputError) == (
        "http://host.invalid/app.git: an account is not sent without encryption; use https://, or take it out of the"
        " URL and of GIT_USERNAME, GIT_TOKEN and GIT_PASSWORD"
    )


@pytest.mark.parametrize("variables", [{}, {"GIT_TOKEN": "wr0ng"}])
def test_a_missing_or_wrong_account_is_said_and_not_shown(
    host: Host, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = failure(host.url("private/app.git"), UnreachableError)
    assert said.startswith(
        f"{host.url('private/app.git')}: not allowed; set GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD"
    )
    assert "wr0ng" not in said


def test_no_account_is_on_a_command_line(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A git of the test's own writes down what it is called with."""
    log = tmp_path / "calls"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {"/usr/bin/git"} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert facts(host.url("private/app.git").replace("//", "//ci-bot:s3cret%2F%2B%3D@")).commit
    called = log.read_text(encoding="utf-8")
    assert "fetch" in called
    assert "s3cret" not in called


def test_what_git_says_is_shown_without_the_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "fatal: $GIT_CONFIG_VALUE_0 $GIT_TOKEN" >&2\nexit 128\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("GIT_TOKEN", "t0ken")
    said = failure("https://example.com/app.git", JenkinsKanikoError)
    assert said == "https://example.com/app.git: git failed: fatal: Authorization: Basic *** ***"


def test_what_git_says_of_submodules_is_shown_without_their_accounts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    url = "https://bot:t0ken@example.com/lib.git"
    program.write_text(f"#!/bin/sh\necho \"fatal: clone of '{url}' failed\" >&2\nexit 128\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    said = failure("https://example.com/app.git", JenkinsKanikoError)
    assert said == "https://example.com/app.git: git failed: fatal: clone of 'https://example.com/lib.git' failed"


def test_the_repository_that_this_runs_in_plays_no_part(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook of git has its repository in the environment."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    assert facts(host.url("app.git")).commit == commit_of(host, "main")


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_wrong_revision_is_said_with_the_nearest(host: Host) -> None:
    url = host.url("app.git")
    assert failure(f"{url}#v1.1", WrongInputError) == f"{url}: there is no branch, tag or commit 'v1.1'; there is v1.0"
    assert failure(f"{url}#feature/y", WrongInputError).endswith("; there is feature/x")
    assert failure(f"{url}#-x", WrongInputError).startswith(f"{url}: there is no branch, tag or commit '-x'; there is ")
    assert failure(f"{url}#{'0' * 8}", WrongInputError).startswith(
        f"{url}: there is no branch, tag or commit '00000000'"
    )
    assert failure(f"{url}#{'0' * 40}", WrongInputError).startswith(f"{url}: there is no such commit (")


def test_a_short_commit_of_several_is_said_with_them(host: Host, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "many.git")
    git(tmp_path, "clone", "--quiet", "many.git", "many")
    commit(tmp_path / "many", "first", {"Dockerfile": "FROM scratch\n"})
    stream = "".join(
        f"commit refs/heads/main\nmark :{number}\ncommitter a <a@example.com> {number} +0000\ndata 0\n"
        + ("from refs/heads/main^0\n" if number == 1 else "")
        for number in range(1, 600)
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=tmp_path / "many", env=ENVIRONMENT, input=stream.encode(), check=True
    )
    git(tmp_path / "many", "push", "--quiet", "origin", "main")
    commits = git(tmp_path / "many", "rev-list", "main").split()
    short = next(each[:4] for each in commits[1:] if sum(other.startswith(each[:4]) for other in commits) > 1)
    url = f"file://{tmp_path}/many.git"
    several = ", ".join(sorted(each for each in commits if each.startswith(short)))
    assert failure(f"{url}#{short}", WrongInputError) == f"{url}: '{short}' begins several commits: {several}"


def test_a_wrong_repository_is_said(host: Host) -> None:
    assert failure(host.url("missing.git"), WrongInputError).startswith(
        f"{host.url('missing.git')}: there is no such repository, or it is private; set GIT_TOKEN"
    )
    assert failure(f"file://{host.folder}/missing.git", WrongInputError).startswith(
        f"file://{host.folder}/missing.git: there is no such repository"
    )
    assert failure(host.url("empty.git"), WrongInputError) == (
        f"{host.url('empty.git')}: there is no branch, tag or commit 'HEAD'; it is empty"
    )


def test_a_host_that_does_not_answer_is_said() -> None:
    assert failure("http://127.0.0.1:1/app.git", UnreachableError).startswith(
        "http://127.0.0.1:1/app.git: the host does not answer, or not to the end (fatal: "
    )
    assert failure("https://user:s3cret@host.invalid/app.git", UnreachableError).startswith(
        "https://host.invalid/app.git: there is no host of this name (fatal: "
    )


def test_a_missing_dockerfile_is_said_with_the_url(host: Host) -> None:
    url = host.url("lib.git")
    assert failure(url, WrongInputError) == f"{url}: there is no file 'Dockerfile' in the context; --file names it"


def test_a_link_out_of_the_checkout_is_not_followed(host: Host, tmp_path: Path) -> None:
    """A repository of others must not take files of this machine into its context."""
    git(tmp_path, "clone", "--quiet", str(host.folder / "lib.git"), "lib")
    (tmp_path / "lib" / "Dockerfile").symlink_to("/etc/hostname")
    (tmp_path / "lib" / "all").symlink_to("/etc")
    commit(tmp_path / "lib", "evil", {})
    git(tmp_path / "lib", "push", "--quiet", "origin", "HEAD:evil")
    url = host.url("lib.git")
    assert failure(f"{url}#evil", WrongInputError) == f"{url}: the Dockerfile 'Dockerfile' lies outside of it"
    assert failure(f"{url}#evil:all", WrongInputError) == f"{url}: the subfolder 'all' lies outside of it"


def test_an_interrupted_fetch_leaves_nothing(tmp_path: Path) -> None:
    """A git of the test's own waits with a child of its own, as git does for its remote helper."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = ls-remote ] || exec /usr/bin/git "$@"\nsleep 60 &\necho $! > {tmp_path}/child\nwait\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    code = "from jenkins_kaniko.contexts import opened\nwith opened('http://127.0.0.1:1/app.git'): pass"
    variables = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "TMPDIR": tempfile.gettempdir()}
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, preexec_fn=heeding_ctrl_c)
    child = tmp_path / "child"
    while not (child.exists() and child.read_text(encoding="utf-8").endswith("\n")):
        time.sleep(0.05)
    assert list(Path(tempfile.gettempdir()).iterdir()) != []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    state = Path(f"/proc/{child.read_text(encoding='utf-8').strip()}/stat")
    until = time.monotonic() + 10  # a busy machine takes its time to end what was killed
    while _runs(state):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(state: Path) -> bool:
    """Return whether a process runs; nobody may have asked for its end yet."""
    try:
        return state.read_text(encoding="utf-8").split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    "source",
    ["ssh://git@host/app", "git@host:team/app.git", "git://host/app", "https://u:p@host/app.git#v1:sub", "file:///a",
     "https://host/app.git/", "https://host/app.git/#v1"],
)  # fmt: skip
def test_the_url_of_a_repository_is_told_by_its_form(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No git is there, so that the first call of it tells."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert failure(source, WrongInputError) == "a git source needs the program git, which is not installed here"
