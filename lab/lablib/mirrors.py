"""What the lab serves in place of public registries: base images and Python wheels.

The registry's storage is written directly (the layout is documented and stable): linking a few files takes no time,
pushing a quarter of a gigabyte at every start does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from lablib import cache
from lablib.layers import sha256
from lablib.run import run_logged
from lablib.settings import Settings

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def seed_registry(settings: Settings, base: Path, images: Path, storage: Path) -> None:
    """Put the base image under every mirrored name into the registry's storage."""
    root = storage / "docker/registry/v2"
    document = (images / "public.json").read_bytes()
    blobs = [_add_blob(root, path) for path in (base / "base.tar.gz", images / "layer-pip.tar.gz")]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(document), "digest": _add_bytes(root, document)},
            "layers": [{"mediaType": LAYER, "size": size, "digest": digest} for digest, size in blobs],
        }
    ).encode()
    digest = _add_bytes(root, manifest)
    config_digest = f"sha256:{hashlib.sha256(document).hexdigest()}"
    for name in settings.pinned["mirrored"]:
        repository, tag = name.split(":")
        place = root / "repositories" / repository
        for blob in [config_digest, *(blob for blob, _ in blobs)]:
            _link(place / "_layers", blob)
        _link(place / "_manifests/revisions", digest)
        _link(place / f"_manifests/tags/{tag}/index", digest)
        _write(place / f"_manifests/tags/{tag}/current/link", digest.encode())


def wheels(settings: Settings) -> Path:
    """A cached folder `simple/PROJECT/*.whl`, which any web server turns into a package index."""
    requirements = settings.folder / settings.pinned["requirements"]

    def build(target: Path) -> None:
        flat = target / "flat"
        argv = ["pip3", "download", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
        argv += ["--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
        argv += ["--requirement", str(requirements), "--dest", str(flat)]
        run_logged("pypi mirror", argv, settings.logs / "pip.log")
        for wheel in sorted(flat.iterdir()):
            project = re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
            place = target / "simple" / project
            place.mkdir(parents=True, exist_ok=True)
            wheel.rename(place / wheel.name)
        flat.rmdir()

    return cache.entry("pypi", cache.key(requirements), build)


def _add_blob(root: Path, path: Path) -> tuple[str, int]:
    """Link a file into the storage, which never changes a blob in place; copy across file systems."""
    hexadecimal = sha256(path)
    place = _blob(root, hexadecimal)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except OSError:
        shutil.copy(path, place)
    return f"sha256:{hexadecimal}", path.stat().st_size


def _add_bytes(root: Path, data: bytes) -> str:
    hexadecimal = hashlib.sha256(data).hexdigest()
    _write(_blob(root, hexadecimal), data)
    return f"sha256:{hexadecimal}"


def _blob(root: Path, hexadecimal: str) -> Path:
    return root / "blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"


def _link(place: Path, digest: str) -> None:
    _write(place / "sha256" / digest.removeprefix("sha256:") / "link", digest.encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
