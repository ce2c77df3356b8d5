"""A folder as build context: the same files on the other side, or an error that names the file."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jenkins_kaniko.contexts import Facts, opened
from jenkins_kaniko.contexts_directory import entries
from jenkins_kaniko.contexts_stream import CHUNK_BYTES, FILE, FOLDER, HARD_LINK, SYMLINK, Context, Entry
from jenkins_kaniko.errors import WrongInputError

LONG = "long-" * 30
UNPACKERS = [
    ["tar"],
    pytest.param(["busybox", "tar"], marks=pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox here")),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a Dockerfile, beside which a test may keep more."""
    path = tmp_path / "context"
    path.mkdir()
    (path / "Dockerfile").write_text("FROM scratch\nCOPY . .\n", encoding="utf-8")
    return path


def tar_of(source: Path | str, *, subfolder: str | None = None, dockerfile: str = "Dockerfile") -> bytes:
    with opened(str(source), subfolder=subfolder, dockerfile=dockerfile) as context:
        return b"".join(context.tar())


def names_of(source: Path, **options: str) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar_of(source, **options))) as archive:
        return archive.getnames()


def refusal(source: Path | str, **options: str) -> str:
    with pytest.raises(WrongInputError) as caught:
        tar_of(source, **options)
    return str(caught.value)


def described(top: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """Return mode, time and content or target of everything below a folder; folders have no time of their own."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders + files:
            path = os.path.join(folder, name)  # noqa: PTH118  # bytes
            status = os.lstat(path)
            content, time = b"", int(status.st_mtime)
            if stat.S_ISLNK(status.st_mode):
                content, time = os.readlink(path), 0  # noqa: PTH115  # bytes
            elif stat.S_ISREG(status.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            else:
                time = 0
            found[path[len(os.fsencode(top)) :]] = (status.st_mode, time, content)
    return found


def fill(root: Path) -> None:
    """Make one of everything that a name, a mode and a link can be."""
    for name in (b"new\nline", b"not-utf-8-\xff\xfe", "größe".encode(), b"-x", b" ", b"a\\b", b"[a]*?", LONG.encode()):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    deep = root / "deep" / LONG / LONG
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("leaf", encoding="utf-8")
    (root / "empty").mkdir(mode=0o750)
    for number, mode in enumerate((0o755, 0o600, 0o4755, 0o2755, 0o444, 0o000)):
        path = root / f"mode{number}"
        path.write_bytes(b"x" * number)
        path.chmod(mode)
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    os.utime(root / "mode0", (1, 1_234_567_890))
    for number, target in enumerate(("Dockerfile", "/etc/passwd", "../outside", "./a//b/", "missing", LONG, "x\ny")):
        (root / f"link{number}").symlink_to(target)
    (root / "folder-link").symlink_to("empty")


@pytest.mark.parametrize("unpacker", UNPACKERS, ids=lambda command: command[0])
def test_the_same_files_come_out_on_the_other_side(root: Path, tmp_path: Path, unpacker: list[str]) -> None:
    fill(root)
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run([*unpacker, "-xpf", "-", "-C", str(other)], input=tar_of(root), check=True)
    assert described(other) == described(root)


def test_root_owns_what_is_sent(root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(root))) as archive:
        assert {(member.uid, member.gid, member.uname, member.gname) for member in archive} == {(0, 0, "", "")}


def test_the_order_does_not_depend_on_the_file_system(root: Path, tmp_path: Path) -> None:
    names = ["b", "a/b", "a/a", "a.b", "B", "ab/x", "a-b/x", "ä"]
    for place, order in (("one", names), ("two", names[::-1])):
        for name in order:
            path = tmp_path / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
        (tmp_path / place / "Dockerfile").touch()
        for path in sorted((tmp_path / place).rglob("*")):
            os.utime(path, (0, 0))
    assert tar_of(tmp_path / "one") == tar_of(tmp_path / "two")
    wanted = ["B", "Dockerfile", "a", "a/a", "a/b", "a-b", "a-b/x", "a.b", "ab", "ab/x", "b", "ä"]
    assert sorted(names_of(tmp_path / "one")) == sorted(wanted)


def test_facts_and_estimate(root: Path) -> None:
    (root / "data").write_bytes(b"x" * 1000)
    with opened(str(root)) as context:
        text = "FROM scratch\nCOPY . .\n"
        assert context.facts == Facts("directory", dockerfile_text=text)
        assert context.estimate == 1000 + len(text)
        assert b"".join(context.tar()) == b"".join(context.tar())


# --- what is left out ------------------------------------------------------------------------------------------------


def test_the_ignore_file_and_the_dockerfile_are_sent_whatever_it_says(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n", encoding="utf-8")
    (root / "data").touch()
    assert names_of(root) == [".dockerignore", "Dockerfile"]


def test_what_comes_back_brings_its_folders(root: Path) -> None:
    (root / ".dockerignore").write_text("lib\nDockerfile\n!lib/a/keep\n!**/always\n", encoding="utf-8")
    for name in ("lib/a/keep", "lib/a/other", "lib/b/other", "lib/c/d/always", "lib/e/f/g"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "lib").chmod(0o711)
    wanted = [".dockerignore", "Dockerfile", "lib", "lib/a", "lib/a/keep", "lib/c", "lib/c/d", "lib/c/d/always"]
    assert names_of(root) == wanted
    with tarfile.open(fileobj=io.BytesIO(tar_of(root))) as archive:
        assert archive.getmember("lib").mode == 0o711


def test_the_ignore_file_of_the_dockerfile_goes_before_the_common_one(root: Path) -> None:
    (root / "docker").mkdir()
    (root / "docker" / "web").write_text("FROM scratch\n", encoding="utf-8")
    (root / ".dockerignore").write_text("a\n", encoding="utf-8")
    (root / "docker" / "web.dockerignore").write_text("*\n!a\n", encoding="utf-8")
    (root / "a").touch()
    (root / "b").touch()
    assert names_of(root) == [".dockerignore", "Dockerfile", "b", "docker", "docker/web", "docker/web.dockerignore"]
    assert names_of(root, dockerfile="./docker/web") == ["a", "docker", "docker/web", "docker/web.dockerignore"]


def test_a_mistake_in_the_ignore_file_is_named(root: Path) -> None:
    (root / ".dockerignore").write_text("a\n[b\n", encoding="utf-8")
    assert refusal(root).startswith(f"{root}/.dockerignore:2: '[b': ")


def test_sockets_and_pipes_are_left_out_and_named(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "socket"))
        notes: list[str] = []
        with opened(str(root), tell=notes.append) as context:
            content = b"".join(context.tar())
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
    assert names == ["Dockerfile"]
    assert notes == [f"{root}/{name}: left out: a socket, pipe or device" for name in ("pipe", "socket")]


# --- what cannot be sent ---------------------------------------------------------------------------------------------


CHANGED = "changed while it was read; build again when nobody writes to it, or leave it out by .dockerignore"
CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "longer": (lambda path: path.write_bytes(b"more than before"), CHANGED),
    "shorter": (lambda path: path.write_bytes(b""), CHANGED),
    "of the same size": (lambda path: path.write_bytes(b"BEFORE"), CHANGED),
    "gone": (lambda path: path.unlink(), "cannot be read: No such file or directory"),
    "a link": (lambda path: replaced(path).symlink_to("/etc/passwd"), "cannot be read: Too many levels of symbolic"),
    "a pipe": (lambda path: subprocess.run(["mkfifo", str(replaced(path))], check=True), CHANGED),
}


def replaced(path: Path) -> Path:
    path.unlink()
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_after_its_header_is_named(root: Path, change: str) -> None:
    path = root / "changing"
    path.write_bytes(b"before")
    os.utime(path, (0, 0))
    entry = next(entry for entry in entries(root, "Dockerfile", print) if entry.name == "changing")
    assert entry.content
    act, said = CHANGES[change]
    act(path)
    with pytest.raises(WrongInputError) as caught:
        list(entry.content())
    assert str(caught.value).startswith(f"{path}: {said}")


def test_a_stream_with_a_file_that_changes_does_not_look_like_a_whole_one(root: Path) -> None:
    path = root / "changing"
    path.write_bytes(bytes(3 * CHUNK_BYTES))
    with opened(str(root)) as context:
        stream = context.tar()
        received = [next(stream)]
        os.truncate(path, 2 * CHUNK_BYTES)
        with pytest.raises(WrongInputError, match="changing: changed while it was read"):
            received.extend(stream)
    content = io.BytesIO(b"".join(received))
    with pytest.raises(tarfile.ReadError), tarfile.open(fileobj=content, mode="r|") as archive:
        archive.getmembers()


def test_a_file_that_may_not_be_read_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so a refusal is made up."""
    system = os.open

    def refuse(path: str, flags: int) -> int:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return system(path, flags)

    (root / "secret").touch()
    monkeypatch.setattr("os.open", refuse)
    wanted = f"{root}/secret: cannot be read: Permission denied; mend that, or leave it out by .dockerignore"
    assert refusal(root) == wanted


def test_a_missing_dockerfile_is_said_with_those_that_are_there(root: Path) -> None:
    (root / "Dockerfile-estela").touch()
    wanted = "there is no file 'docker/file' in the context; it holds Dockerfile, Dockerfile-estela; --file names it"
    assert refusal(root, dockerfile="docker/file") == f"{root}: {wanted}"


@pytest.mark.parametrize("dockerfile", ["../outside", "/etc/hostname", "link"])
def test_a_dockerfile_outside_of_the_context_is_refused(root: Path, dockerfile: str) -> None:
    (root.parent / "outside").touch()
    (root / "link").symlink_to("../outside")
    assert refusal(root, dockerfile=dockerfile) == f"{root}: the Dockerfile '{dockerfile}' lies outside of it"


@pytest.mark.parametrize("name", [".dockerignore", "Dockerfile.dockerignore"])
def test_an_ignore_file_outside_of_the_context_is_refused(root: Path, name: str) -> None:
    """The builder would find a link that leads nowhere, and a repository could show files of this machine in errors."""
    (root.parent / "outside").write_text("[secret", encoding="utf-8")
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to("../outside")
    assert refusal(root) == f"{root}: the ignore file '{name}' lies outside of it"


@pytest.mark.parametrize("dockerfile", ["{root}/docker/file", "../{root.name}/docker/file"])
def test_a_dockerfile_is_named_by_its_path_in_the_context(root: Path, dockerfile: str) -> None:
    """The builder has no other path to it."""
    (root / "docker").mkdir()
    (root / "docker" / "file").touch()
    typed = dockerfile.format(root=root)
    said = f"{root}: the Dockerfile '{typed}' is to be named by its path in the context; write docker/file"
    assert refusal(root, dockerfile=typed) == said


def test_a_subfolder_is_the_context(root: Path) -> None:
    (root / "app").mkdir()
    (root / "app" / "Dockerfile").write_text("FROM app\n", encoding="utf-8")
    assert names_of(root, subfolder="app") == ["Dockerfile"]
    (root / "out").symlink_to("..")
    assert refusal(root, subfolder="out") == f"{root}: the subfolder 'out' lies outside of it"
    assert refusal(root, subfolder="missing") == f"{root}: there is no folder 'missing' in it"


# --- the stream ------------------------------------------------------------------------------------------------------

TEXTS = st.binary(min_size=1, max_size=300).map(
    lambda raw: raw.replace(b"\0", b"0").replace(b"/", b"_").decode("utf-8", "surrogateescape")
)


@example(name="n" * 100, kind=SYMLINK, mode=0, mtime=-1, size=0, target="t" * 100)
@example(name="n" * 101, kind=SYMLINK, mode=0, mtime=0, size=0, target="t" * 101)
@example(name="n" * 99, kind=FOLDER, mode=0, mtime=0, size=0, target="")
@example(name="n" * 100, kind=FOLDER, mode=0, mtime=0, size=0, target="")
@example(name="n", kind=FILE, mode=0, mtime=0, size=(1 << 33) - 1, target="")
@example(name="n", kind=FILE, mode=0, mtime=0, size=1 << 33, target="")
@example(name="n", kind=FILE, mode=0, mtime=0, size=1 << 40, target="")
@given(
    name=TEXTS,
    kind=st.sampled_from([FILE, FOLDER, SYMLINK, HARD_LINK]),
    mode=st.integers(0, 0o7777),
    mtime=st.integers(0, (1 << 33) - 1),
    size=st.integers(0, 1 << 50),
    target=TEXTS,
)
def test_tarfile_reads_every_header(name: str, kind: bytes, mode: int, mtime: int, size: int, target: str) -> None:
    size = size if kind == FILE else 0
    target = target if kind in (SYMLINK, HARD_LINK) else ""
    entry = Entry(name, kind, mode, mtime, size, target)
    content = b"".join(Context(Facts("directory"), lambda _: iter([entry]), print).tar())
    with tarfile.open(fileobj=io.BytesIO(content), encoding="utf-8") as archive:
        found = archive.next()
    assert found
    assert (found.name, found.type, found.mode, found.mtime, found.size, found.linkname) == (
        (name, kind, mode, max(0, mtime), size, target)
    )


def test_memory_and_pieces_stay_small_whatever_the_size(root: Path) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(512 << 20)
    tracemalloc.start()
    try:
        with opened(str(root)) as context:
            pieces = [len(piece) for piece in context.tar()]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(pieces) <= 1 << 20
    assert sum(pieces) > 512 << 20
    assert peak < 20 << 20
