"""Whatever is given as SOURCE, the command ends with an image or with a clear text, never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import contexts_download
from jenkins_kaniko.cli import cli
from jenkins_kaniko.contexts import opened
from jenkins_kaniko.errors import WrongInputError
from tests.test_contexts_archive import COMPRESSIONS, DOCKERFILE, LINK, tar, zipped

IMAGE = "registry.example.com/team/app"
LONG = "x" * 300
NO_HOST = "SOURCE is no URL that can be used: its host, or the port, is not written as one"


def nothing(folder: Path) -> None:
    """Leave the folder empty."""


def dockerfile(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")


def loop(folder: Path) -> None:
    (folder / "Dockerfile").symlink_to("Dockerfile")


def bad_name(folder: Path) -> None:
    content = zipped(("Dockerfile", 0o644, b"FROM scratch\n", ""), ("ü", 0o644, b"", ""))
    (folder / "bad.zip").write_bytes(content.replace("ü".encode(), b"\xff\xfe"))


@pytest.mark.parametrize(
    ("make", "typed", "says"),
    [
        (nothing, [LONG], f"{LONG}: cannot be read: File name too long"),
        (nothing, [f"{LONG}/app.zip"], f"{LONG}/app.zip: cannot be read: File name too long"),
        (nothing, [".", "--subfolder", LONG], f"{LONG}: cannot be read: File name too long"),
        (nothing, ["https://[::1/app.zip"], NO_HOST),
        (nothing, ["https://u:s3cret@[::1/app.git"], NO_HOST),
        (nothing, ["https://u:s3cret@127.0.0.1:port/app.zip"], NO_HOST),
        (nothing, ["https://u:s3cret@a..b/x.zip"], "https://a..b/x.zip: it, or where it leads to, is no URL"),
        (nothing, ["http://u:s3cret@example.com/x.zip"], "http://example.com/x.zip: what comes without encryption"),
        (nothing, ["HTTPS://example.com/x?sig=s3cret"], "https://example.com/x: there is no such file or folder"),
        (nothing, ["git+https://s3cret@example.com/x"], "git+https://example.com/x: there is no such file or folder"),
        (nothing, ["ssh://git@example.com:team/app.git"], NO_HOST),
        (dockerfile, [""], "SOURCE is empty; write . for the current folder"),
        (loop, ["."], ".: the Dockerfile 'Dockerfile'"),
        (bad_name, ["bad.zip"], "bad.zip: the archive is damaged or cut off: 'utf-8' codec can't decode"),
    ],
    ids=["name", "path", "subfolder", "archive's host", "git's host", "port", "label", "http", "scheme", "form of pip",
         "path as port", "empty", "loop", "zip"],
)  # fmt: skip
def test_a_source_that_cannot_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, typed: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(contexts_download, "PAUSE_SECONDS", 0)
    assert callable(make)
    make(tmp_path)
    done = CliRunner().invoke(cli, ["build", *typed, "-t", IMAGE, "--render"])
    assert isinstance(done.exception, WrongInputError)
    assert says in str(done.exception)
    assert "s3cret" not in str(done.exception)


def test_a_place_for_temporary_files_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(WrongInputError) as caught, opened("https://127.0.0.1:1/app.zip"):
        pass
    assert str(caught.value) == "https://127.0.0.1:1/app.zip: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [(".", 0, ""), ("-", 1, "jenkins-kaniko: there is no stdin to read; pipe a tar or zip file into it\n")],
)
def test_stdin_may_be_closed(tmp_path: Path, source: str, code: int, says: str) -> None:
    """As some schedulers start programs."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    program = str(Path(sys.executable).parent / "jenkins-kaniko")
    command = ["sh", "-c", '"$@" <&-', "sh", program, "build", source, "-t", IMAGE, "--render"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.parametrize(("closed", "results"), [("2>&-", "apiVersion: v1\n"), (">&-", "")])
def test_where_output_goes_may_be_closed(tmp_path: Path, closed: str, results: str) -> None:
    """What would go to stderr is not printed among the results then."""
    dockerfile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    program = str(Path(sys.executable).parent / "jenkins-kaniko")
    command = ["sh", "-c", f'"$@" {closed}', "sh", program, "build", ".", "-t", IMAGE, "--render"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(results)
    assert "pipe: left out" not in done.stdout


def test_a_full_disk_behind_stdout_is_said(tmp_path: Path) -> None:
    dockerfile(tmp_path)
    program = str(Path(sys.executable).parent / "jenkins-kaniko")
    with Path("/dev/full").open("w") as full:
        command = [program, "build", ".", "-t", IMAGE, "--render"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "jenkins-kaniko: No space left on device: where stdout leads to\n")


ARCHIVES = {
    "zip": zipped(DOCKERFILE, LINK),
    **{name: pack(tar(DOCKERFILE, LINK)) for name, pack in COMPRESSIONS.items()},
}


@pytest.mark.parametrize("form", ARCHIVES)
@given(data=st.data())
def test_a_damaged_archive_is_taken_or_refused(form: str, data: st.DataObject) -> None:
    content = bytearray(ARCHIVES[form])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with suppress(WrongInputError), opened(file.name) as context:
            list(context.tar())


def test_a_zip_without_a_time_is_from_when_zip_files_begin(tmp_path: Path) -> None:
    path = tmp_path / "app.zip"
    path.write_bytes(zipped(DOCKERFILE))
    with zipfile.ZipFile(path) as archive:
        time = archive.infolist()[0]
    date = ((time.date_time[0] - 1980) << 9 | time.date_time[1] << 5 | time.date_time[2]).to_bytes(2, "little")
    assert path.read_bytes().count(date) == 2
    path.write_bytes(path.read_bytes().replace(date, bytes(2)))
    with opened(str(path)) as context:
        header = next(iter(context.tar()))[:512]
    assert int(header[136:147], 8) == 315532800  # 1980-01-01


@pytest.mark.parametrize(("said", "seconds"), [("inf", (1 << 33) - 1), ("nan", 0), ("-1", 0), ("1e300", (1 << 33) - 1)])
def test_a_tar_may_say_any_time(tmp_path: Path, said: str, seconds: int) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(tar(DOCKERFILE, headers={"mtime": said}))
    with opened(str(path)) as context:
        header = next(iter(context.tar()))[:512]
    assert int(header[136:147], 8) == seconds
