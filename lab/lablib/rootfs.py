"""A small Debian made by debootstrap, kept as one image layer.

It stands in for the public python and debian images and for the Jenkins agent, none of which can be pulled here.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from lablib import cache
from lablib.layers import pack
from lablib.run import run_logged
from lablib.settings import Settings

# Documentation, translations and package indexes: half the size and of no use in a build.
STRIPPED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/i18n",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
    "var/log",
)
EMPTY = ("dev", "proc", "sys", "run", "tmp")  # the runtime fills these


def layer(settings: Settings) -> Path:
    """A cached folder with base.tar, base.tar.gz and the bundle of public CAs."""
    suite: str = settings.pinned["suite"]
    packages: list[str] = settings.pinned["basePackages"]
    log = settings.logs / "debootstrap.log"

    def build(target: Path) -> None:
        root = target / "root"
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(root)]
        run_logged("debootstrap", argv, log)
        _tidy(root)
        _pack(root, target / "base.tar")
        shutil.copy(root / "etc/ssl/certs/ca-certificates.crt", target)
        shutil.rmtree(root)

    return cache.entry("rootfs", cache.key(Path(__file__), suite, packages), build)


def _tidy(root: Path) -> None:
    for name in STRIPPED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()  # public python images let pip install into the system, so Dockerfiles do
    (root / "usr/bin/python").symlink_to("python3")
    for name in ("etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)


def _pack(root: Path, target: Path) -> None:
    """Write the tree in a fixed order. Times stay: Python's compiled files are only valid with them."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder, folders, files in os.walk(root):
            folders.sort()
            relative = Path(folder).relative_to(root)
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            if relative != Path():
                tar.add(folder, str(relative), recursive=False)
            if str(relative) in EMPTY:
                folders.clear()
                continue
            for name in sorted(files + links):
                tar.add(Path(folder) / name, str(relative / name), recursive=False)
    pack(target, target.parent / "base.tar.gz", level=6)
