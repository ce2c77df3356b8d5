"""Where a build context comes from: the kind of source is told by how it is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from jenkins_kaniko import contexts_archive, contexts_directory, contexts_download, contexts_git
from jenkins_kaniko.contexts_stream import CHUNK_BYTES, Context, Facts, Tell
from jenkins_kaniko.errors import JenkinsKanikoError, WrongInputError

__all__ = ["Context", "Facts", "opened"]

FORMS = (
    "a folder, a tar or zip file, - (one of these on stdin), https://…, s3://BUCKET/KEY or the URL of a git repository"
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
        stdin: read for the source `-`; None where there is none.
        tell: told how a download goes, and what is left out.

    Raises:
        WrongInputError: there is no such source, it is damaged, or it lacks the Dockerfile.
        UnreachableError: a server does not answer, or does not let us in.
        JenkinsKanikoError: fetching it failed.
    """
    with ExitStack() as stack:
        try:
            context = stack.enter_context(_opened(source, subfolder, dockerfile, stdin, tell))
        except OSError as error:
            raise WrongInputError(f"{_shown(source)}: cannot be read: {error.strerror}") from None
        yield context


def _opened(
    source: str, subfolder: str | None, dockerfile: str, stdin: BinaryIO | None, tell: Tell
) -> AbstractContextManager[Context]:
    if not source:
        raise WrongInputError("SOURCE is empty; write . for the current folder")
    if "://" in source:
        _check_host(source)
    if contexts_git.is_git(source):
        return contexts_git.opened(source, subfolder, dockerfile, tell)
    if source == "-":
        return _from_stdin(stdin, subfolder, dockerfile, tell)
    if source.startswith(("https://", "s3://")):
        return _from_url(source, subfolder, dockerfile, tell)
    if Path(source).is_dir():
        return nullcontext(contexts_directory.context(Path(source), subfolder, dockerfile, tell))
    if Path(source).is_file():
        return _from_file(source, subfolder, dockerfile, tell)
    if source.startswith("http://"):
        raise WrongInputError(
            f"{_shown(source)}: what comes without encryption can be changed on its way; use https://"
        )
    raise WrongInputError(f"{_shown(source)}: there is no such file or folder; allowed: {FORMS}")


def _shown(source: str) -> str:
    """Return a source as it may be shown: what looks like a URL may hold an account, whatever its scheme."""
    return contexts_download.shown(source) if "://" in source else source


def _check_host(url: str) -> None:
    """Raise WrongInputError where nobody can tell the host; it is not shown, for it may hold an account."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise WrongInputError(
            "SOURCE is no URL that can be used: its host, or the port, is not written as one"
        ) from None


@contextmanager
def _from_file(source: str, subfolder: str | None, dockerfile: str, tell: Tell) -> Iterator[Context]:
    try:
        file = Path(source).open("rb")  # noqa: SIM115  # closed below, where errors are those of whoever uses it
    except OSError as error:
        raise WrongInputError(f"{source}: cannot be read: {error.strerror}") from None
    with file:
        yield contexts_archive.context(file, source, Facts("archive"), subfolder, dockerfile, tell)


@contextmanager
def _from_stdin(stdin: BinaryIO | None, subfolder: str | None, dockerfile: str, tell: Tell) -> Iterator[Context]:
    """Keep what comes: an archive is read more than once, and a cut transfer begins anew."""
    if stdin is None:
        raise WrongInputError("there is no stdin to read; pipe a tar or zip file into it")
    if stdin.isatty():
        raise WrongInputError("stdin is a terminal; pipe a tar or zip file into it")
    with tempfile.TemporaryFile() as file:
        try:
            shutil.copyfileobj(stdin, file, CHUNK_BYTES)
        except OSError as error:
            raise JenkinsKanikoError(f"stdin cannot be kept in {tempfile.gettempdir()}: {error.strerror}") from None
        yield contexts_archive.context(file, "stdin", Facts("stdin"), subfolder, dockerfile, tell)


@contextmanager
def _from_url(source: str, subfolder: str | None, dockerfile: str, tell: Tell) -> Iterator[Context]:
    name = contexts_download.shown(source)
    facts = Facts("s3" if source.startswith("s3:") else "url", source=name)
    with contexts_download.downloaded(source, tell) as file:
        yield contexts_archive.context(file, name, facts, subfolder, dockerfile, tell)
