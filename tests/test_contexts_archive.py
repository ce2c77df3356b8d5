"""Archives as build contexts: whole and checked, or refused with a reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from jenkins_kaniko.contexts import Facts, opened
from jenkins_kaniko.errors import WrongInputError

TEXT = "FROM scratch\n"
DOCKERFILE = ("Dockerfile", 0o644, TEXT.encode(), "")
BOTH = [DOCKERFILE, ("run.sh", 0o755, b"#!/bin/sh\n" * 100, ""), ("lib", 0o750, None, ""), ("lib/x", 0o600, b"x", "")]
LINK = ("lib/link", 0o777, None, "../run.sh")
Described = tuple[str, int, bytes | None, str]
"""Name, mode, content (None for a folder or a link), and what a link points to."""
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": lambda content: content,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


def member(described: Described) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
    name, mode, content, target = described
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.size, info.linkname = mode, 1_234_567_890, len(content or b""), target
    info.type = tarfile.SYMTYPE if target else tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.uid, info.uname = 1000, "somebody"
    return info, io.BytesIO(content or b"")


def tar(
    *members: Described | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT, headers: dict[str, str] | None = None
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, pax_headers=headers or {}) as archive:
        for each in members:
            archive.addfile(each) if isinstance(each, tarfile.TarInfo) else archive.addfile(*member(each))
    return file.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(*members: Described, system: int = 3) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, content, target in members:
            item = zipfile.ZipInfo(name if content is not None or target else f"{name}/", (2009, 2, 13, 23, 31, 30))
            kind = stat.S_IFLNK if target else stat.S_IFDIR if content is None else stat.S_IFREG
            item.create_system, item.compress_type = system, zipfile.ZIP_DEFLATED
            item.external_attr = (kind | mode) << 16 if system == 3 else 0
            archive.writestr(item, target.encode() or content or b"")
    return file.getvalue()


def received(
    source: Path | str, *, stdin: bytes = b"", subfolder: str | None = None, file: str = "Dockerfile"
) -> bytes:
    with opened(str(source), subfolder=subfolder, dockerfile=file, stdin=io.BytesIO(stdin)) as context:
        return b"".join(context.tar())


def described(content: bytes) -> list[Described]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert {(each.uid, each.gid, each.uname) for each in archive} == {(0, 0, "")}
        return [
            (each.name, each.mode, (each.isreg() or None) and archive.extractfile(each).read(), each.linkname)  # type: ignore[union-attr]
            for each in archive
        ]


def refusal(content: bytes, **options: str) -> str:
    with pytest.raises(WrongInputError) as caught:
        received("-", stdin=content, **options)
    return str(caught.value).removeprefix("stdin: ")


@pytest.mark.parametrize("form", COMPRESSIONS)
def test_a_tar_of_any_compression(tmp_path: Path, form: str) -> None:
    content = COMPRESSIONS[form](tar(*BOTH, LINK))
    path = tmp_path / "any-name"
    path.write_bytes(content)
    assert described(received(path)) == [*BOTH, LINK]
    assert described(received("-", stdin=content)) == [*BOTH, LINK]


@pytest.mark.parametrize("form", COMPRESSIONS)
def test_a_tar_that_was_compressed_in_pieces(form: str) -> None:
    content = tar(*BOTH)
    pieces = COMPRESSIONS[form](content[:1000]) + COMPRESSIONS[form](content[1000:])
    assert described(received("-", stdin=pieces)) == BOTH


def test_a_zip_with_modes_and_links(tmp_path: Path) -> None:
    path = tmp_path / "project.zip"
    path.write_bytes(zipped(*BOTH, LINK))
    assert described(received(path)) == [*BOTH, LINK]
    with tarfile.open(fileobj=io.BytesIO(received(path))) as archive:
        assert {each.mtime for each in archive} == {1_234_567_890}


def test_a_zip_that_was_not_made_on_unix_gets_usual_modes() -> None:
    content = received("-", stdin=zipped(DOCKERFILE, ("lib", 0, None, ""), ("lib/x", 0, b"x", ""), system=0))
    assert described(content) == [DOCKERFILE, ("lib", 0o755, None, ""), ("lib/x", 0o644, b"x", "")]


def test_a_zip_of_windows_may_separate_folders_by_backslashes() -> None:
    """As Windows PowerShell writes them; on Unix a backslash is a part of a name."""
    windows = zipped(DOCKERFILE, ("lib\\x", 0, b"x", ""), ("empty\\", 0, b"", ""), system=0)
    assert described(received("-", stdin=windows)) == [
        DOCKERFILE, ("lib/x", 0o644, b"x", ""), ("empty", 0o755, None, "")
    ]  # fmt: skip
    assert refusal(zipped(DOCKERFILE, ("..\\evil", 0, b"", ""), system=0)).startswith("entry '../evil' leads out")
    unix = ("lib\\x", 0o644, b"x", "")
    assert described(received("-", stdin=zipped(DOCKERFILE, unix))) == [DOCKERFILE, unix]


def test_facts_estimate_and_a_second_stream(tmp_path: Path) -> None:
    path = tmp_path / "context.tar.gz"
    path.write_bytes(gzip.compress(tar(*BOTH)))
    with opened(str(path)) as context:
        assert context.facts == Facts("archive", dockerfile_text=TEXT)
        assert context.estimate == len(TEXT) + 1000 + 1
        assert b"".join(context.tar()) == b"".join(context.tar())


def test_stdin_may_be_a_pipe() -> None:
    out, into = os.pipe()
    content = gzip.compress(tar(DOCKERFILE, ("data", 0o644, os.urandom(1 << 20), "")))

    def write() -> None:
        with os.fdopen(into, "wb") as file:
            file.write(content)

    threading.Thread(target=write).start()
    with os.fdopen(out, "rb") as stdin, opened("-", stdin=stdin) as context:
        assert context.facts == Facts("stdin", dockerfile_text=TEXT)
        assert context.estimate == len(TEXT) + (1 << 20)


# --- which part of it ------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_all_is_not_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "project.zip"
    path.write_bytes(zipped(("project", 0o755, None, ""), ("project/Dockerfile-estela", 0o644, TEXT.encode(), "")))
    with pytest.raises(WrongInputError) as caught:
        received(path)
    wanted = "there is no file 'Dockerfile' in the context; it holds project/Dockerfile-estela; --file names it"
    assert str(caught.value) == f"{path}: {wanted}"
    assert described(received(path, subfolder="project", file="Dockerfile-estela")) == [
        ("Dockerfile-estela", 0o644, TEXT.encode(), "")
    ]
    with pytest.raises(WrongInputError) as caught:
        received(path, subfolder="projects", file="Dockerfile-estela")
    assert str(caught.value) == f"{path}: there is no folder 'projects' in it"


def test_a_subfolder_with_the_links_in_it() -> None:
    inner = [("./app/Dockerfile", 0o644, TEXT.encode(), ""), ("app/link", 0o777, None, "../outer")]
    content = tar(("outer", 0o644, b"", ""), *inner, special("app/hard", tarfile.LNKTYPE, "./app/Dockerfile"))
    assert described(received("-", stdin=content, subfolder="./app/")) == [
        DOCKERFILE,
        ("link", 0o777, None, "../outer"),
        ("hard", 0o644, None, "Dockerfile"),
    ]
    content = tar(("outer", 0o644, b"", ""), *inner, special("app/hard", tarfile.LNKTYPE, "outer"))
    said = "entry 'app/hard' is a link to 'outer', which is not below 'app/'"
    assert refusal(content, subfolder="app") == said


def test_names_of_any_bytes_and_any_length() -> None:
    names = ["new\nline", "not-utf-8-\udcff", "größe", "long/" * 60 + "leaf"]
    members = [(name, 0o644, b"x", "") for name in names]
    assert [each[0] for each in described(received("-", stdin=tar(DOCKERFILE, *members)))] == ["Dockerfile", *names]


def test_pipes_and_devices_are_left_out_and_named() -> None:
    content = tar(special("pipe", tarfile.FIFOTYPE), DOCKERFILE, special("null", tarfile.CHRTYPE))
    notes: list[str] = []
    with opened("-", stdin=io.BytesIO(content), tell=notes.append) as context:
        assert described(b"".join(context.tar())) == [DOCKERFILE]
    assert notes == [f"stdin: {name}: left out: a pipe or device" for name in ("pipe", "null")]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "to"),
    [
        (("../evil", 0o644, b"", ""), "../evil"),
        (("/etc/evil", 0o644, b"", ""), "/etc/evil"),
        (("lib/../../evil", 0o644, b"", ""), "lib/../../evil"),
        (("..", 0o755, None, ""), ".."),
    ],
)
def test_what_leads_out_of_the_context_is_refused_by_name(bad: Described, to: str) -> None:
    said = f"entry '{bad[0]}' leads out of the context, to '{to}'; it is not sent"
    for content in (tar(DOCKERFILE, bad), zipped(DOCKERFILE, bad)):
        assert refusal(content).replace(f"{bad[0]}/'", f"{bad[0]}'") == said


def test_a_hard_link_out_of_the_context_is_refused_by_name() -> None:
    content = tar(DOCKERFILE, special("evil", tarfile.LNKTYPE, "../etc/passwd"))
    assert refusal(content) == "entry 'evil' leads out of the context, to '../etc/passwd'; it is not sent"


@pytest.mark.parametrize("target", ["/usr/bin/python3", "../../other", "missing", "python"])
def test_links_are_sent_as_they_are_wherever_they_lead(target: str) -> None:
    members = [DOCKERFILE, ("bin", 0o755, None, ""), ("bin/python", 0o777, None, target)]
    for content in (tar(*members), zipped(*members)):
        assert described(received("-", stdin=content)) == members


def test_a_tree_with_its_links_is_taken_as_a_folder_and_as_its_tar(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(TEXT)
    (tmp_path / "py").symlink_to("/usr/bin/python3")
    (tmp_path / "up").symlink_to("../..")
    packed = subprocess.run(["tar", "c", "--sort=name", "."], cwd=tmp_path, capture_output=True, check=True).stdout
    assert received("-", stdin=packed) == received(tmp_path)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("a", 0o777, None, "/etc"), ("a/passwd", 0o644, b"", "")], "'a/passwd' lies below a link; such"),
        ([("a", 0o777, None, "/etc/passwd"), ("a", 0o644, b"", "")], "'a' takes the place of a link; such"),
        ([("a", 0o777, None, "/etc"), ("a", 0o777, None, "")], "'a' takes the place of a link; such"),
        ([("a", 0o777, None, "/etc"), special("b", tarfile.LNKTYPE, "a/passwd")], "'b' is a link to what lies below"),
        (
            [("a", 0o777, None, "/etc"), special("b", tarfile.LNKTYPE, "a"), ("b/passwd", 0o644, b"", "")],
            "'b/passwd' lies below a link; such",
        ),
        (
            [("a", 0o777, None, "b"), ("b", 0o777, None, "/etc/passwd"), ("a", 0o644, b"", "")],
            "'a' takes the place of a link; such",
        ),
    ],
)
def test_nothing_is_unpacked_through_a_link(members: list[Described | tarfile.TarInfo], says: str) -> None:
    assert refusal(tar(DOCKERFILE, *members)).startswith(f"entry {says}")


def test_a_name_that_ends_early_in_the_pod_is_refused() -> None:
    """A header of its own (PAX) may hold any bytes; others end a name at a zero, and would take it for that link."""
    evil = special("evil", tarfile.SYMTYPE, "/etc")
    evil.pax_headers = {"path": "evil\0x"}
    said = "entry 'evil\\x00x' has a zero byte in its name; such archives are not sent"
    assert refusal(tar(DOCKERFILE, evil, ("evil/passwd", 0o644, b"", ""))) == said


def test_a_dockerfile_that_is_a_link_out_of_the_archive_is_refused() -> None:
    assert refusal(tar(("Dockerfile", 0o777, None, "/etc/passwd"))) == "the Dockerfile 'Dockerfile' lies outside of it"
    inside = tar(DOCKERFILE, ("docker", 0o755, None, ""), ("docker/Dockerfile", 0o777, None, "../Dockerfile"))
    assert received("-", stdin=inside, file="docker/Dockerfile")


@pytest.mark.parametrize("name", ["a/file", "a/deep/file", "./a//file"])
def test_an_entry_that_would_be_written_through_a_link_is_refused(name: str) -> None:
    content = tar(DOCKERFILE, ("lib", 0o755, None, ""), ("a", 0o777, None, "lib"), (name, 0o644, b"", ""))
    assert refusal(content) == f"entry '{name}' lies below a link; such archives are not sent"


def test_an_encrypted_zip_is_refused() -> None:
    content = bytearray(zipped(DOCKERFILE))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(content)) == "entry 'Dockerfile' is encrypted; nothing here can decrypt it"


def test_what_is_no_archive_is_said() -> None:
    allowed = "allowed: tar, tar.gz, tar.bz2, tar.xz, tar.zst and zip"
    assert refusal(b"") == f"it is empty; {allowed}"
    assert refusal(TEXT.encode()) == f"it is no archive; {allowed}"
    assert refusal(b"\n<!DOCTYPE html>" * 100) == (
        f"it is no archive; it looks like a web page (the URL of a git repository ends in .git); {allowed}"
    )


def test_a_missing_source_is_said_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(WrongInputError) as caught:
        received(tmp_path / "missing")
    assert str(caught.value).startswith(f"{tmp_path}/missing: there is no such file or folder; allowed: a folder, ")


def test_zstd_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = COMPRESSIONS["tar.zst"](tar(DOCKERFILE))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert refusal(content) == "tar.zst needs another package: pip install 'jenkins-kaniko[zstd]'"


MANY = [DOCKERFILE, *((f"file{number}", 0o644, os.urandom(700), "") for number in range(40))]


@pytest.mark.parametrize("form", [*COMPRESSIONS, "zip"])
def test_an_archive_that_was_cut_anywhere_is_refused(form: str) -> None:
    """A tar has no list of what is in it: one that ends between two entries looks like a smaller one."""
    plain = tar(*MANY, form=tarfile.GNU_FORMAT)
    end = len(plain.rstrip(b"\0")) // 512 * 512
    if form == "tar":
        cuts = [plain[:size] for size in range(512, end, 512)]
    elif form == "zip":
        cuts = [zipped(*MANY)[:size] for size in range(100, len(zipped(*MANY)), 1000)]
    else:
        whole = COMPRESSIONS[form](plain)
        cuts = [whole[:size] for size in range(100, len(whole) - 1, 1000)]
        cuts += [COMPRESSIONS[form](plain[:size]) for size in range(2048, end, 4096)]
    for cut in cuts:
        assert "the archive is damaged or cut off: " in refusal(cut)


@pytest.mark.parametrize("form", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_damaged_archive_is_refused(form: str) -> None:
    content = bytearray(zipped(*MANY) if form == "zip" else COMPRESSIONS[form](tar(*MANY)))
    content[len(content) // 2] ^= 0xFF
    assert "the archive is damaged or cut off: " in refusal(bytes(content))


def test_an_entry_that_is_shorter_than_the_zip_says_is_refused() -> None:
    content = bytearray(zipped(DOCKERFILE))
    content[content.index(b"PK\x01\x02") + 24] += 1
    assert refusal(bytes(content)) == (
        "entry 'Dockerfile': the archive is damaged or cut off: 1 bytes of it are missing"
    )


def test_a_wrong_checksum_at_the_end_is_seen() -> None:
    content = bytearray(gzip.compress(tar(*BOTH)))
    content[-6] ^= 0xFF
    assert refusal(bytes(content)).startswith("the archive is damaged or cut off: CRC check failed")


def test_memory_stays_flat_whatever_the_size(tmp_path: Path) -> None:
    path = tmp_path / "large.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.addfile(*member(DOCKERFILE))
        for number in range(8_000):
            archive.addfile(*member((f"file{number}", 0o644, b"", "")))
        huge = tarfile.TarInfo("huge")
        huge.size = 32 << 20
        with Path("/dev/zero").open("rb") as zeros:
            archive.addfile(huge, zeros)
    tracemalloc.start()
    try:
        with opened(str(path)) as context:
            size = sum(len(piece) for piece in context.tar())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 32 << 20
    assert peak < 8 << 20
