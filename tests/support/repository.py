"""Git repositories for pipelines to check out."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.com")


def committed(folder: Path, files: Mapping[str, str]) -> Path:
    """Make `folder` a repository whose branch main has these files in one commit; return it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, *IDENTITY, "commit", "--quiet", "-m", "first")
    return folder


def git(repository: Path, *arguments: str) -> str:
    """Run git there and return what it prints."""
    done = subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()
