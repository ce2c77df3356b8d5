"""Tar and zip files, read entry by entry from their start to their end, whatever their compression."""

from __future__ import annotations

import bz2
import calendar
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, BinaryIO, Protocol, cast

from jenkins_kaniko.contexts_stream import (
    BLOCK_BYTES,
    CHUNK_BYTES,
    FILE,
    FOLDER,
    HARD_LINK,
    SYMLINK,
    Entry,
    Tell,
)
from jenkins_kaniko.errors import WrongInputError

ALLOWED = "allowed: tar, tar.gz, tar.bz2, tar.xz, tar.zst and zip"
WEB_PAGE = "it looks like a web page (the URL of a git repository ends in .git)"
ZIP = b"PK"
DAMAGES = (
    EOFError,
    OSError,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    ValueError,  # a name that is not UTF-8, a place before the begin of the file
    OverflowError,
    struct.error,
)
"""What the modules raise for archives that they cannot read."""
UNIX = 3
"""What made a zip file, if its entries have modes."""
FILE_MODE, FOLDER_MODE = 0o644, 0o755


class Readable(Protocol):
    """A file, as far as it is read from its start to its end."""

    def read(self, size: int, /) -> bytes: ...


def entries(file: BinaryIO, source: str, tell: Tell) -> Iterator[Entry]:
    """Yield the entries as they stand in the archive, whose form its first bytes tell.

    Args:
        file: can be read from any place; an entry's content is to be read before the next entry.
        source: for errors.
        tell: told what is no file, folder or link.

    Raises:
        WrongInputError: it is no archive, or a damaged one.
    """
    file.seek(0)
    head = file.read(BLOCK_BYTES)
    file.seek(0)
    try:
        if head.startswith(ZIP):
            yield from _zip_entries(file, source)
        else:
            yield from _tar_entries(_unpacked(file, head, source), source, tell)
    except DAMAGES as error:
        raise _damaged(source, error) from None


def _damaged(source: str, error: Exception) -> WrongInputError:
    return WrongInputError(f"{source}: the archive is damaged or cut off: {error}")


# --- tar -------------------------------------------------------------------------------------------------------------


class _Unpacked:
    """The bytes of a tar for `tarfile`, which takes a missing end for an end: this remembers how they ended."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._last = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._last, self._ended = piece[-BLOCK_BYTES:] or self._last, not piece
        return piece

    def is_cut(self) -> bool:
        """Whether all was read without the block of zeros that ends an archive."""
        return self._ended and any(self._last)


class _Zstd:
    """Unpacks zstd; its errors are turned into the one of other decompressors."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError:
            raise WrongInputError("tar.zst needs another package: pip install 'jenkins-kaniko[zstd]'") from None
        self._stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        self._error = zstandard.ZstdError

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except self._error as error:
            raise OSError(error) from None


def _unpacked(file: BinaryIO, head: bytes, source: str) -> _Unpacked:
    for magic, unpack in UNPACKERS.items():
        if head.startswith(magic):
            return _Unpacked(unpack(file))
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        page = f"; {WEB_PAGE}" if head.lstrip().startswith(b"<") else ""
        raise WrongInputError(f"{source}: it is {'no archive' if head else 'empty'}{page}; {ALLOWED}") from None
    return _Unpacked(file)


def _tar_entries(stream: _Unpacked, source: str, tell: Tell) -> Iterator[Entry]:
    file = cast(IO[bytes], stream)
    with tarfile.open(fileobj=file, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        while (member := archive.next()) is not None:
            # tarfile would keep them all
            archive.members.clear()  # type: ignore[attr-defined]
            if entry := _of_member(archive, member, source):
                yield entry
            else:
                tell(f"{source}: {member.name}: left out: a pipe or device")
        if stream.is_cut():
            raise EOFError("its end is missing")
        while stream.read(CHUNK_BYTES):
            """Go on to the checksum of a compressed file, which is its last word."""


def _of_member(archive: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> Entry | None:
    if member.isreg():
        content = partial(_whole, source, member.name, member.size, partial(archive.extractfile, member))
        return Entry(member.name, FILE, member.mode, member.mtime, member.size, content=content)
    kind = FOLDER if member.isdir() else SYMLINK if member.issym() else HARD_LINK if member.islnk() else None
    return Entry(member.name, kind, member.mode, member.mtime, target=member.linkname) if kind else None


def _whole(source: str, name: str, size: int, open_it: Callable[[], IO[bytes] | None]) -> Iterator[bytes]:
    """Yield the content of an entry, which must be of the size that was said of it."""
    left = size
    try:
        with cast(IO[bytes], open_it()) as stream:
            while piece := stream.read(CHUNK_BYTES):
                left -= len(piece)
                yield piece
    except DAMAGES as error:
        raise _damaged(f"{source}: entry '{name}'", error) from None
    if left:
        raise _damaged(f"{source}: entry '{name}'", EOFError(f"{left} bytes of it are missing"))


UNPACKERS: dict[bytes, Callable[[BinaryIO], Readable]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _Zstd,
}
"""By the bytes that a file begins with; one that begins otherwise is not compressed."""


# --- zip -------------------------------------------------------------------------------------------------------------


def _zip_entries(file: BinaryIO, source: str) -> Iterator[Entry]:
    with zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            if item.flag_bits & 1:
                raise WrongInputError(f"{source}: entry '{item.filename}' is encrypted; nothing here can decrypt it")
            yield _of_item(archive, item, source)


def _mtime(item: zipfile.ZipInfo) -> int:
    """Return the time of an entry; that from which zip files count where it is none, as some programs write."""
    try:
        return calendar.timegm(item.date_time)
    except ValueError:
        return calendar.timegm((1980, 1, 1, 0, 0, 0))


def _of_item(archive: zipfile.ZipFile, item: zipfile.ZipInfo, source: str) -> Entry:
    """Return an entry; its mode and kind are those of Unix where the zip was made there."""
    on_unix = item.create_system == UNIX
    mode = item.external_attr >> 16 if on_unix else 0
    # some programs of Windows write its own separator, which no name there can hold
    name = item.filename if on_unix else item.filename.replace("\\", "/")
    mtime = _mtime(item)
    content = partial(_whole, source, name, item.file_size, partial(archive.open, item))
    if name.endswith("/"):
        return Entry(name, FOLDER, mode or FOLDER_MODE, mtime)
    if stat.S_ISLNK(mode):
        target = b"".join(content()).decode("utf-8", "surrogateescape")
        return Entry(name, SYMLINK, mode, mtime, target=target)
    return Entry(name, FILE, mode or FILE_MODE, mtime, item.file_size, content=content)
