"""Image layers and image archives, written byte for byte the same from the same inputs.

There is no Docker here to build images with, and none is needed: a layer is a tar file, an image is a JSON
document that lists layers by hash.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Entry:
    """One file, folder, or (with *same_as*) a further name of a file, in a layer."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    folder: bool = False
    same_as: str = ""
    owner: int = 0


@dataclass(frozen=True)
class Layer:
    """A layer on disk, plain and compressed, with the hash of each."""

    tar: Path
    packed: Path
    diff_id: str
    digest: str


@dataclass(frozen=True)
class Image:
    """Layers and the part of the image configuration that says how to run them."""

    layers: list[Layer]
    config: dict[str, Any] = field(default_factory=dict)

    def document(self) -> bytes:
        """The image configuration; without architecture and os some builders refuse the image."""
        machine = platform.machine()
        content = {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in self.layers]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "lab"} for _ in self.layers],
        }
        return json.dumps(content, sort_keys=True).encode()


def layer_of(tar: Path, packed: Path) -> Layer:
    """Describe a layer that is on disk."""
    return Layer(tar, packed, sha256(tar), sha256(packed))


def write_layer(entries: list[Entry], tar: Path) -> Layer:
    """Write a layer with these entries in the given order."""
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
            info.size = len(entry.data)
            if entry.folder:
                info.type = tarfile.DIRTYPE
            elif entry.same_as:
                info.type, info.linkname = tarfile.LNKTYPE, entry.same_as
            archive.addfile(info, io.BytesIO(entry.data))
    packed = tar.with_name(tar.name + ".gz")
    pack(tar, packed, level=1)
    return layer_of(tar, packed)


def pack(plain: Path, packed: Path, level: int) -> None:
    """Compress a file without a name or a time in the result."""
    with plain.open("rb") as source, packed.open("wb") as out:
        target = gzip.GzipFile("", "wb", compresslevel=level, fileobj=out, mtime=0)
        shutil.copyfileobj(source, target, 1 << 20)
        target.close()


def write_archive(images: dict[str, Image], target: Path) -> None:
    """Write a docker-archive that `ctr images import` reads; layers that images share are in it once."""
    manifest = []
    layers: dict[str, Path] = {}
    documents: dict[str, bytes] = {}
    for name, image in images.items():
        document = image.document()
        config_name = hashlib.sha256(document).hexdigest() + ".json"
        documents[config_name] = document
        layers.update({f"{layer.diff_id}.tar": layer.tar for layer in image.layers})
        names = [f"{layer.diff_id}.tar" for layer in image.layers]
        manifest.append({"Config": config_name, "RepoTags": [name], "Layers": names})
    documents["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, path in layers.items():
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            with path.open("rb") as data:
                archive.addfile(info, data)
        for name, document in documents.items():
            info = tarfile.TarInfo(name)
            info.size = len(document)
            archive.addfile(info, io.BytesIO(document))


def sha256(path: Path) -> str:
    """The hash of a file in hexadecimal."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
