"""The command that proves what the registry accounts in a Secret are worth."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import ca_option, output_option, print_json, told_as

if TYPE_CHECKING:
    from jenkins_kaniko.secret_check import Finding


@click.command()
@click.argument("name")
@click.option("-n", "--namespace", envvar="KUBE_NAMESPACE", show_envvar=True, help="Of the Secret.")
@click.option(
    "--repository", "repositories", multiple=True, metavar="IMAGE",
    help="Try pull and push of this image's repository; may be repeated.",
)  # fmt: skip
@ca_option
@output_option
def check(name: str, namespace: str | None, repositories: tuple[str, ...], ca_file: Path | None, output: str) -> None:
    """Log in with each registry account of the Secret NAME, and try what it may do.

    The registries are asked from here, not from a pod. A push is begun and cancelled: no image is made.

    \b
    Example:
      jenkins-kaniko secret check docker-config -n builds --repository registry.example.com/team/app
    """
    from jenkins_kaniko import registry_secret, secret_check
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.registry_login import Registry

    with told_as("secret check", output):
        door = Objects()
        secret = registry_secret.read(door, name, namespace or door.namespace)
        ask = partial(Registry, ca_file=ca_file)
        findings = secret_check.check(secret, repositories, ask, datetime.now(UTC))
    if output == "json":
        print_json("secret check", {"name": name, "findings": [asdict(one) for one in findings]})
    else:
        click.echo("\n".join(map(_text, findings)))
    sys.exit(errors.OK if all(one.status == "ok" for one in findings) else errors.UNREACHABLE)


def _text(found: Finding) -> str:
    where = f"{found.registry}: {found.what}" + (f" {found.repository}" if found.repository else "")
    lines = [f"{found.status:8}{where}"]
    if found.cause:
        lines.append(f"        cause: {found.cause}")
    if found.fix:
        lines.append(f"        fix: {found.fix}")
    return "\n".join(lines)
