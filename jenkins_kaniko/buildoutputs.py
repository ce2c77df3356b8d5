"""The files that get the result of a build: those of the CI system that runs us, and --digest-file.

Tekton names files for its results, by absolute paths; GitHub Actions one file for NAME=VALUE lines.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jenkins_kaniko.build import Result
from jenkins_kaniko.errors import WrongInputError

DIGEST_FILE, OF_GITHUB = "--digest-file", "GITHUB_OUTPUT"
OF_TEKTON = ("IMAGE_DIGEST", "IMAGE_URL")


def outputs(digest_file: Path | None, environment: Mapping[str, str]) -> dict[str, Path]:
    """Return the files that are wanted, by the option or variable that names them."""
    named = {name: environment[name] for name in OF_TEKTON if environment.get(name, "").startswith("/")}
    if path := environment.get(OF_GITHUB):
        named[OF_GITHUB] = path
    found = {name: Path(path) for name, path in named.items()}
    return {DIGEST_FILE: digest_file, **found} if digest_file else found


def check(files: Mapping[str, Path]) -> None:
    """Refuse what no file can be written to, before there is something to write.

    Raises:
        WrongInputError: a file's folder is not there, it is a folder itself, or it may not be written.
    """
    for name, path in files.items():
        if not path.parent.is_dir():
            raise WrongInputError(f"{name}: {path}: there is no folder {path.parent}; make it, or name another")
        if path.is_dir():
            raise WrongInputError(f"{name}: {path}: is a folder; name a file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise WrongInputError(f"{name}: {path}: may not be written; name another")


def write(result: Result, files: Mapping[str, Path]) -> None:
    """Write all files; where one cannot be written, the others still are.

    Raises:
        WrongInputError: some were not written.
    """
    failures = []
    for name, path in files.items():
        try:
            with path.open("a" if name == OF_GITHUB else "w", encoding="utf-8") as file:
                file.write(_text(name, result))
        except OSError as error:
            failures.append(f"{name}: {path}: cannot be written: {error.strerror}")
    if failures:
        raise WrongInputError("\n".join([*failures, "the image was pushed all the same"]))


def _text(name: str, result: Result) -> str:
    if name == OF_GITHUB:
        values = {"image": result.image, "digest": result.digest, "ref": result.ref}
        return "".join(f"{key}={value}\n" for key, value in values.items())
    return f"{result.image}:{result.tags[0]}" if name == "IMAGE_URL" else result.digest
