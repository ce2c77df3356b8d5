"""A folder in a git checkout -> what its image can tell of itself: which commit, whose, and whether it was changed."""

from __future__ import annotations

from pathlib import Path

from jenkins_kaniko.contexts_stream import Facts, Tell
from jenkins_kaniko.git import asked, distrusts, rfc3339, without_account

CHANGED = "-dirty"
"""What git-describe(1) appends where a file that git knows differs from the commit."""


def facts(folder: Path, dockerfile_text: str, tell: Tell) -> Facts:
    """Return what is known of a folder as context; outside of a checkout, or without git, nothing of a commit.

    Args:
        tell: told where git could say it, and does not.
    """
    head = asked(folder, "show", "--no-patch", "--no-show-signature", "--format=%H %ct", "HEAD")
    if not head:
        if distrusts(folder):
            tell(
                f"{folder}: no labels of the commit: git does not trust this checkout, as another user owns it"
                " (safe.directory)"
            )
        return Facts("directory", dockerfile_text=dockerfile_text)
    commit, seconds = head.split()
    source = asked(folder, "config", "--get", "remote.origin.url")
    # `git describe --dirty` says the same, but writes the index, which may become root's so
    changed = asked(folder, "status", "--porcelain", "--untracked-files=no")
    return Facts(
        "directory",
        commit=f"{commit}{CHANGED}" if changed else commit,
        source=without_account(source) if source else None,
        created=None if changed else rfc3339(int(seconds)),  # what was changed is not of that time
        dockerfile_text=dockerfile_text,
    )
