"""The commands that list and remove images of a registry in the cluster, and collect what is left of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from jenkins_kaniko.cli_registry_options import (
    confirm,
    must_be_there,
    name_option,
    namespace_option,
    opened,
    timeout_option,
    yes_option,
)
from jenkins_kaniko.cli_shared import count, output_option, print_json, say, told_as

if TYPE_CHECKING:
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.registry import Registry
    from jenkins_kaniko.registry_content import Image


@click.command()
@click.argument("repository", required=False)
@name_option
@namespace_option
@output_option
def ls(repository: str | None, name: str, namespace: str, output: str) -> None:
    """List the tags of REPOSITORY, or of all.

    \b
    Example:
      jenkins-kaniko registry ls team/app
    """
    from jenkins_kaniko import registry_content

    with told_as("registry ls", output):
        objects, wanted = _installed(name, namespace)
        images = registry_content.images(
            registry_content.content(objects, wanted),
            registry_content.without_host(wanted, repository) if repository else None,
        )
        if output == "json":
            print_json("registry ls", {"images": [asdict(image) for image in images]})
        else:
            for image in images:
                click.echo(_line(image))


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@name_option
@namespace_option
@yes_option
@output_option
def rm(images: tuple[str, ...], name: str, namespace: str, yes: bool, output: str) -> None:
    """Remove each IMAGE, given as repository:tag or repository@digest, with all tags of the same digest.

    The registry's own host may be before it, as `build` prints it. Space is free again after `registry gc`.

    \b
    Example:
      jenkins-kaniko registry rm team/app:1.4.2
    """
    from jenkins_kaniko import registry_content

    with told_as("registry rm", output):
        objects, wanted = _installed(name, namespace)
        references = [registry_content.without_host(wanted, one) for one in images]
        content = registry_content.content(objects, wanted)
        found = {image: None for one in references for image in registry_content.condemned(content, one)}
        for image in found:
            say(_line(image))
        confirm(yes, f"Remove {count(len(found), 'tag')}?")
        for repository, digest in dict.fromkeys((image.repository, image.digest) for image in found):
            content.remove(repository, digest)
            say(f"removed: {repository}@{digest}")
        if output == "json":
            print_json("registry rm", {"images": [asdict(image) for image in found]})


@click.command()
@name_option
@namespace_option
@click.option("--dry-run", is_flag=True, help="Only count what would be removed.")
@timeout_option
@output_option
def gc(name: str, namespace: str, dry_run: bool, timeout: float, output: str) -> None:
    """Free the space of layers that no image needs; pushes are refused meanwhile, pulls pause twice.

    \b
    Example:
      jenkins-kaniko registry gc
    """
    from jenkins_kaniko import registry_gc

    with told_as("registry gc", output):
        objects, wanted = _installed(name, namespace)
        number = registry_gc.collect(objects, wanted, say, dry_run=dry_run, timeout=timeout)
        if output == "json":
            print_json("registry gc", {"blobs": number, "dryRun": dry_run})
        else:
            click.echo(f"{count(number, 'blob')} {'would be ' if dry_run else ''}removed")


def _installed(name: str, namespace: str) -> tuple[Objects, Registry]:
    objects, kept, wanted = opened(name, namespace, {})
    must_be_there(wanted, kept is not None)
    return objects, wanted


def _line(image: Image) -> str:
    size = f"{image.size / 1e6:.1f} MB" if image.size is not None else "several platforms"
    return f"{image.repository}:{image.tag}  {image.digest}  {size}"
