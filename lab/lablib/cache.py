"""Things that are expensive to make, made once per set of inputs.

An entry is a folder named after a hash of what it was made from. It is built under another name and renamed when
it is complete, so whatever has the final name is whole, however the builder ended.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lablib.run import stage
from lablib.settings import cache_root

PARTIAL = ".partial"


def key(*inputs: Any) -> str:
    """A short hash of files (by content) and JSON values, in order."""
    digest = hashlib.sha256()
    for value in inputs:
        data = value.read_bytes() if isinstance(value, Path) else json.dumps(value, sort_keys=True).encode()
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:16]


def entry(name: str, hashed: str, build: Callable[[Path], None]) -> Path:
    """The finished folder for these inputs; *build* fills a new one when there is none."""
    final = cache_root() / f"{name}-{hashed}"
    if final.exists():
        return final
    partial = final.with_name(final.name + PARTIAL)
    # Only a killed build leaves one: builders hold the lock of the lab.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with stage(f"building {name}"):
        build(partial)
    partial.rename(final)
    return final
