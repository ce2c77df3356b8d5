"""Where a build context comes from: the kind of source is told by how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jenkins_kaniko import contexts_directory
from jenkins_kaniko.contexts_stream import Context, Facts, Tell
from jenkins_kaniko.errors import WrongInputError

__all__ = ["Context", "Facts", "opened"]

FORMS = (
    "a folder, a tar or zip file, - (one of these on stdin), https://…, s3://BUCKET/KEY, or the URL of a git repository"
)


def _nobody(_: str) -> None:
    """Tell nobody."""


@contextmanager
def opened(
    source: str,
    *,
    subfolder: str | None = None,
    dockerfile: str = "Dockerfile",
    stdin: BinaryIO | None = None,
    tell: Tell = _nobody,
) -> Iterator[Context]:
    """Open a build context; what was fetched for it is removed afterwards, in every outcome.

    Args:
        source: as a user writes it.
        subfolder: of the source; it is the context then.
        dockerfile: path of the Dockerfile in the context.
        stdin: read for the source `-`.
        tell: told how a download goes, and what is left out.

    Raises:
        WrongInputError: there is no such source, it is damaged, or it lacks the Dockerfile.
        UnreachableError: a server does not answer, or does not let us in.
        JenkinsKanikoError: fetching it failed.
    """
    with _opened(source, subfolder, dockerfile, tell) as context:
        yield context


@contextmanager
def _opened(source: str, subfolder: str | None, dockerfile: str, tell: Tell) -> Iterator[Context]:
    root = contexts_directory.folder(Path(source), subfolder)
    if not root.is_dir():
        raise WrongInputError(f"{source}: there is no such file or folder; allowed: {FORMS}")
    text = contexts_directory.dockerfile_text(root, dockerfile)
    facts = Facts("directory", dockerfile_text=text)
    yield Context(facts, lambda tell: contexts_directory.entries(root, dockerfile, tell), tell)
