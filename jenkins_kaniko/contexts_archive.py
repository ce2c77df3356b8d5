"""A tar or zip file as build context. It is never unpacked here: its entries are checked and sent on, one by one.

An entry that would be written outside of the folder that it is unpacked in is refused by its name. Symbolic links are
sent as they are, wherever they lead, as those of a folder are; but nothing is unpacked through one: an entry below a
link, or in the place of one, is refused, because what unpacks in the pod may follow links that it has just made.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from jenkins_kaniko import archives
from jenkins_kaniko.contexts_stream import FOLDER, HARD_LINK, SYMLINK, Context, Entry, Facts, Tell, no_dockerfile
from jenkins_kaniko.errors import WrongInputError


def context(file: BinaryIO, source: str, facts: Facts, subfolder: str | None, dockerfile: str, tell: Tell) -> Context:
    """Return an archive as context, after a look at every entry.

    Args:
        file: can be read from any place, and stays open as long as the context is used.
        source: for errors.
        facts: to which the text of the Dockerfile is added.
        subfolder: of the archive that is the context; None for all of it.
        dockerfile: its path in the context.
        tell: told what cannot be sent.

    Raises:
        WrongInputError: it is no archive, or a damaged one, or an entry may not be sent; or it lacks the Dockerfile.
    """
    read = partial(_entries, file, source, subfolder)
    wanted, near, text, found, size = posixpath.normpath(dockerfile), [], None, False, 0
    is_empty = True
    for entry in read(lambda _: None):
        is_empty = False
        size += entry.size
        if "dockerfile" in posixpath.basename(entry.name).lower():
            near.append(entry.name)
        if entry.name == wanted and entry.kind != FOLDER:
            found = True
            if entry.kind == SYMLINK and _leads_out(posixpath.join(posixpath.dirname(wanted), entry.target)):
                raise WrongInputError(f"{source}: the Dockerfile '{dockerfile}' lies outside of it")
            text = next(iter(entry.content()), b"").decode("utf-8", "replace") if entry.content else None
    if is_empty and subfolder:
        raise WrongInputError(f"{source}: there is no folder '{subfolder}' in it")
    if not found:
        raise no_dockerfile(source, dockerfile, near)
    return Context(replace(facts, dockerfile_text=text), read, tell, size)


def _entries(file: BinaryIO, source: str, subfolder: str | None, tell: Tell) -> Iterator[Entry]:
    """Yield the checked entries of the archive, or of one folder of it."""
    top = f"{posixpath.normpath(subfolder)}/" if subfolder else ""
    links: set[str] = set()
    for entry in archives.entries(file, source, tell):
        checked = _checked(entry, source, links)
        if checked.name != "." and checked.name.startswith(top):
            yield _moved(checked, top, source)


def _checked(entry: Entry, source: str, links: set[str]) -> Entry:
    """Return an entry with its plain name.

    Args:
        links: names of the links before it; its own is added.
    """
    if "\0" in entry.name + entry.target:
        raise WrongInputError(f"{source}: entry {entry.name!r} has a zero byte in its name; such archives are not sent")
    name = _inside(entry.name, entry.name, source)
    target = _inside(entry.target, entry.name, source) if entry.kind == HARD_LINK else entry.target
    if _is_below(name, links):
        raise WrongInputError(f"{source}: entry '{entry.name}' lies below a link; such archives are not sent")
    if entry.kind != SYMLINK and name in links:
        raise WrongInputError(f"{source}: entry '{entry.name}' takes the place of a link; such archives are not sent")
    if entry.kind == HARD_LINK and _is_below(target, links):
        raise WrongInputError(f"{source}: entry '{entry.name}' is a link to what lies below a link; it is not sent")
    if entry.kind == SYMLINK or (entry.kind == HARD_LINK and target in links):
        links.add(name)
    return entry._replace(name=name, target=target)


def _is_below(name: str, links: set[str]) -> bool:
    while links and (name := posixpath.dirname(name)):
        if name in links:
            return True
    return False


def _inside(path: str, entry: str, source: str) -> str:
    if _leads_out(path):
        raise WrongInputError(f"{source}: entry '{entry}' leads out of the context, to '{path}'; it is not sent")
    return posixpath.normpath(path)


def _leads_out(path: str) -> bool:
    plain = posixpath.normpath(path)
    return plain.startswith("/") or plain.split("/")[0] == ".."


def _moved(entry: Entry, top: str, source: str) -> Entry:
    """Return an entry as it is called in the folder that is the context."""
    if entry.kind == HARD_LINK and not entry.target.startswith(top):
        raise WrongInputError(
            f"{source}: entry '{entry.name}' is a link to '{entry.target}', which is not below '{top}'"
        )
    target = entry.target.removeprefix(top) if entry.kind == HARD_LINK else entry.target
    return entry._replace(name=entry.name.removeprefix(top), target=target)
