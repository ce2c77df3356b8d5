"""What a build context is, wherever it comes from: facts about it, and its files as one tar stream.

`tarfile` is not used for writing: it makes a header in 25 microseconds, which is half of the time of a context of
100,000 files; this is four times as fast. Headers have GNU form (GNU tar manual, "Basic Tar Format"), not PAX: busybox
tar, which unpacks them in the pod, skips PAX headers, and only GNU ones carry names that are not UTF-8 as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from jenkins_kaniko.errors import WrongInputError

CHUNK_BYTES = 1 << 17
BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
FILE, HARD_LINK, SYMLINK, FOLDER, LONG_TARGET, LONG_NAME = b"0", b"1", b"2", b"5", b"K", b"L"
NAME_BYTES = 100
OCTAL_SIZES = 1 << 33
"""Sizes from 8 GiB on do not fit into the octal digits of a header."""
LATEST = (1 << 33) - 1
"""The last time that fits into a header."""
FIELDS = struct.Struct("100s 8s 8s 8s 12s 12s 8s 1s 100s 8s 247x")
"""name, mode, owner, group, size, time, checksum, kind, target, magic; owner names, device and prefix stay empty."""
Tell = Callable[[str], None]
SHOWN_DOCKERFILES = 5


@dataclass(frozen=True)
class Facts:
    """What is known of a context before its files are sent.

    Attributes:
        kind: directory, archive, stdin, git, url or s3.
        commit: what a git revision was resolved to, in full.
        source: the URL it came from, without account and query.
        created: time of the commit, RFC 3339.
        dockerfile_text: of the Dockerfile; bytes that are not UTF-8 are replaced.
    """

    kind: str
    commit: str | None = None
    source: str | None = None
    created: str | None = None
    dockerfile_text: str | None = None


class Entry(NamedTuple):
    """One file, folder or link of a context; root owns it, as all that Docker sends.

    Attributes:
        name: path in the context; bytes that are not UTF-8 as surrogates.
        kind: FILE, HARD_LINK, SYMLINK or FOLDER.
        mode: its permissions; what else a file's mode tells is left out.
        mtime: seconds since 1970; what is older counts as 1970.
        size: of a file.
        target: of a link.
        content: of a file: yields exactly `size` bytes.
    """

    name: str
    kind: bytes
    mode: int
    mtime: float
    size: int = 0
    target: str = ""
    content: Callable[[], Iterable[bytes]] | None = None


class Context:
    """A build context.

    Args:
        facts: about it.
        entries: yields its files, and tells what it leaves out; each call begins anew.
        tell: told what is left out when the context is streamed.
        size: how many bytes of content there are, where that is known already.
    """

    def __init__(
        self, facts: Facts, entries: Callable[[Tell], Iterator[Entry]], tell: Tell, size: int | None = None
    ) -> None:
        self.facts = facts
        self._entries = entries
        self._tell = tell
        self._size = size

    def tar(self) -> Iterator[bytes]:
        """Yield the context as an uncompressed tar, in pieces of at most 1 MiB; again from the start on each call.

        Only one of these streams is read at a time. A stream that ends by an error lacks the end of an archive.

        Raises:
            WrongInputError: a file cannot be read, or changed while it was; it is named.
        """
        return _of_even_size(_blocks(self._entries(self._tell)))

    @property
    def estimate(self) -> int:
        """How many bytes of content there are; counted when asked for."""
        if self._size is None:
            self._size = sum(entry.size for entry in self._entries(lambda _: None))
        return self._size


def no_dockerfile(source: str, dockerfile: str, names: Iterable[str]) -> WrongInputError:
    """Return the error of a context without the Dockerfile, with those that may be meant."""
    near = sorted(name for name in names if "dockerfile" in name.lower())[:SHOWN_DOCKERFILES]
    hint = f"; it holds {', '.join(near)}" if near else ""
    return WrongInputError(f"{source}: there is no file '{dockerfile}' in the context{hint}; --file names it")


def _blocks(entries: Iterable[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield _header(entry)
        if entry.content is not None:
            yield from entry.content()
            yield bytes(-entry.size % BLOCK_BYTES)
    yield END


def _header(entry: Entry) -> bytes:
    name, target = _bytes(entry.name), _bytes(entry.target)
    if entry.kind == FOLDER:
        name += b"/"
    before = _long(LONG_TARGET, target) + _long(LONG_NAME, name)
    mtime = int(min(max(0, entry.mtime), LATEST))  # a tar may say that it is infinite, or not a number
    return before + _block(entry.kind, name, target, entry.mode & 0o7777, entry.size, mtime)


def _long(kind: bytes, text: bytes) -> bytes:
    """Return what goes before a header that a name does not fit into: an entry with the name as its content."""
    if len(text) <= NAME_BYTES:
        return b""
    content = text + b"\0"
    return _block(kind, b"././@LongLink", b"", 0, len(content), 0) + content + bytes(-len(content) % BLOCK_BYTES)


def _block(kind: bytes, name: bytes, target: bytes, mode: int, size: int, mtime: int) -> bytes:
    length = b"%011o\0" % size if size < OCTAL_SIZES else b"\x80" + size.to_bytes(11, "big")
    numbers = b"%07o\0" % mode, b"0000000\0", b"0000000\0", length, b"%011o\0" % mtime
    block = FIELDS.pack(name[:NAME_BYTES], *numbers, b" " * 8, kind, target[:NAME_BYTES], b"ustar  \0")
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _of_even_size(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together and cut large ones, so that 100,000 small files are not 300,000 writes."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)
