"""A git revision as build context.

A branch or tag is resolved to a commit first, and that commit is fetched: what was built can be told afterwards.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from jenkins_kaniko import contexts_directory
from jenkins_kaniko.contexts_stream import Context, Facts, Tell
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError
from jenkins_kaniko.git import Git, rfc3339

URL = re.compile(r"(git|ssh|file)://.+|https?://[^?#]+\.git/?(#.*)?|[\w.-]+@[\w.-]+:.+", re.DOTALL)
COMMIT = re.compile("[0-9a-f]{40}")
SHORT_COMMIT = re.compile("[0-9a-f]{4,39}")
PLACES = ("refs/heads/", "refs/tags/", "refs/", "")
"""Where a name is looked for, the branches first."""
TAGGED = "^{}"
"""Ends the name of what an annotated tag points to."""
NEAR_NAMES = 3
BRANCHES_AND_TAGS = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


@dataclass(frozen=True)
class Reference:
    """What a source names; `url` is without the account, which only those of http have here."""

    url: str
    user: str | None
    password: str | None
    revision: str
    subfolder: str


def is_git(source: str) -> bool:
    """Whether a source is the URL of a git repository, by its form."""
    return URL.fullmatch(source) is not None


def reference(source: str) -> Reference:
    """Return what a source names, as Docker writes it: URL#REVISION:FOLDER."""
    address, _, fragment = source.partition("#")
    revision, _, subfolder = fragment.partition(":")
    if not address.startswith("http"):
        return Reference(address, None, None, revision, subfolder)
    parts = urlsplit(address)
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Reference(url, user, password, revision, subfolder)


@contextmanager
def opened(source: str, subfolder: str | None, dockerfile: str, tell: Tell) -> Iterator[Context]:
    """Fetch a revision into a temporary folder.

    Args:
        source: URL#REVISION:FOLDER.
        subfolder: of the folder that the source names.
        dockerfile: its path in the context.
        tell: told what cannot be sent.

    Raises:
        WrongInputError: there is no such repository, revision or folder, or it lacks the Dockerfile.
        UnreachableError: the host does not answer, or does not let us in.
        JenkinsKanikoError: git failed otherwise.
    """
    wanted = reference(source)
    with tempfile.TemporaryDirectory(prefix="jenkins-kaniko-") as folder:
        git = _Checkout(folder, wanted)
        commit = git.check_out()
        seconds = int(git.run("show", "--no-patch", "--no-show-signature", "--format=%ct", commit))
        created = rfc3339(seconds)
        try:
            root = contexts_directory.folder(contexts_directory.folder(Path(folder), wanted.subfolder), subfolder)
            text = contexts_directory.dockerfile_text(root, dockerfile)
        except WrongInputError as error:
            # the temporary folder says nothing to a user
            raise WrongInputError(str(error).replace(folder, git.shown, 1)) from None
        # files of a checkout are as old as the checkout; the commit's time makes equal contexts of equal commits
        entries = partial(contexts_directory.entries, root, dockerfile, never=["**/.git"], mtime=seconds)
        yield Context(Facts("git", commit, git.shown, created, text), entries, tell)


class _Checkout(Git):
    """A checkout of what is wanted."""

    def __init__(self, folder: str, wanted: Reference) -> None:
        super().__init__(folder, wanted.url, wanted.user, wanted.password)
        if self._account:
            from jenkins_kaniko.lint import in_clear_text  # it takes long to import

            if in_clear_text(wanted.url):
                raise WrongInputError(
                    f"{self.shown}: an account is not sent without encryption; use https://, or take it out of the URL"
                    " and of GIT_USERNAME, GIT_TOKEN and GIT_PASSWORD"
                )
        self._wanted = wanted

    def check_out(self) -> str:
        """Fetch and check out what is wanted, and return its commit."""
        revision = self._wanted.revision or "HEAD"
        commit = revision if COMMIT.fullmatch(revision) else self._resolved(revision)
        self._fetch(commit)
        self.run("checkout", "--quiet", "--detach", commit)
        if (Path(self._folder) / ".gitmodules").exists():
            self._update_submodules()
        return commit

    def _resolved(self, revision: str) -> str:
        """Return the commit that a branch, a tag, any other name or a short commit means."""
        lines = self.run("ls-remote", "--quiet", "origin").splitlines()
        commits = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
        for place in PLACES:
            name = f"{place}{revision}"
            if name in commits:
                return commits.get(f"{name}{TAGGED}", commits[name])
        if SHORT_COMMIT.fullmatch(revision) and (commit := self._lengthened(revision)):
            return commit
        names = [re.sub("^refs/(heads|tags)/", "", name) for name in commits if not name.endswith(TAGGED)]
        near = difflib.get_close_matches(revision, names, NEAR_NAMES) or names[1 : NEAR_NAMES + 1]
        hint = f"; there is {', '.join(near)}" if near else "; it is empty"
        raise WrongInputError(f"{self.shown}: there is no branch, tag or commit '{revision}'{hint}")

    def _lengthened(self, short: str) -> str | None:
        """Return the commit that begins so, None without one; that takes all commits, but not their files."""
        with tempfile.TemporaryDirectory(prefix="jenkins-kaniko-") as folder:
            history = _Checkout(folder, self._wanted)
            history.run("fetch", "--quiet", "--filter=tree:0", "origin", *BRANCHES_AND_TAGS)
            found = history.run("rev-parse", f"--disambiguate={short}").split()
            commits = [name for name in found if history.run("cat-file", "-t", name) == "commit\n"]
        if len(commits) > 1:
            raise WrongInputError(f"{self.shown}: '{short}' begins several commits: {', '.join(sorted(commits))}")
        return commits[0] if commits else None

    def _fetch(self, commit: str) -> None:
        """Fetch one commit without its history; all there is where the server does not hand out single ones."""
        try:
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit)
        except (UnreachableError, WrongInputError):
            raise
        except JenkinsKanikoError:
            self.run("fetch", "--quiet", "origin", "+refs/*:refs/origin/*")

    def _update_submodules(self) -> None:
        update = ("submodule", "--quiet", "update", "--init", "--recursive")
        try:
            self.run(*update, "--depth=1")
        except (UnreachableError, WrongInputError):
            raise
        except JenkinsKanikoError:
            self.run(*update)
