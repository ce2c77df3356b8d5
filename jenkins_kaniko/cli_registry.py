"""The commands that install, show and remove a registry in the cluster."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_groups import LazyGroup
from jenkins_kaniko.cli_registry_options import (
    confirm,
    drop_options,
    must_be_there,
    name_option,
    namespace_option,
    opened,
    settings_options,
    timeout_option,
    yes_option,
)
from jenkins_kaniko.cli_shared import output_option, print_json, say, told_as

PASSWORD_BYTES = 72
"""How much of a password bcrypt takes, by which the registry knows it."""
COMMANDS = {
    "install": "cli_registry",
    "status": "cli_registry",
    "render": "cli_registry",
    "remove": "cli_registry",
    "trust": "cli_registry_trust",
    "verify": "cli_registry_verify",
    "ls": "cli_registry_images",
    "rm": "cli_registry_images",
    "gc": "cli_registry_images",
}


@click.group(cls=LazyGroup, modules=COMMANDS, functions={})
def registry() -> None:
    """Run a registry in the cluster that builds push to and nodes pull from, over verified TLS.

    \b
    Example:
      jenkins-kaniko registry install --storage 20Gi --for jenkins-builds
    """


@registry.command()
@settings_options
@drop_options
@click.option("--password-stdin", is_flag=True, help="Read the password of the first account from standard input.")
@click.option("--new-ca", is_flag=True, help="Make a new authority; who trusts the old one accepts it too.")
@timeout_option
@output_option
def install(
    name: str,
    namespace: str,
    no_accounts: bool,
    own_ca: bool,
    no_mirror: bool,
    not_for: tuple[str, ...],
    password_stdin: bool,
    new_ca: bool,
    timeout: float,
    output: str,
    **given: Any,
) -> None:
    """Install a registry, or bring the one that is there up to date.

    What is not given stays as it is. Certificates are renewed 30 days before their end: call it now and then.

    \b
    Examples:
      jenkins-kaniko registry install --storage 20Gi --for jenkins-builds
      jenkins-kaniko registry install --account jenkins --for jenkins-builds
      jenkins-kaniko registry install --name mirror --mirror docker.io
    """
    from jenkins_kaniko import registry_install
    from jenkins_kaniko.registry_settings import Dropped

    with told_as("registry install", output):
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
        objects, kept, wanted = opened(name, namespace, given, Dropped(no_accounts, own_ca, no_mirror, not_for))
        if password is not None and not (password and wanted.accounts):
            raise errors.WrongInputError("--password-stdin: needs a password on standard input, and --account NAME")
        if password is not None and len(password.encode()) > PASSWORD_BYTES:
            raise errors.WrongInputError(f"--password-stdin: longer than {PASSWORD_BYTES} bytes; choose a shorter one")
        made = registry_install.install(
            objects,
            wanted,
            kept,
            datetime.now(UTC),
            say,
            new_ca=new_ca,
            password=password,
            former=not_for,
            timeout=timeout,
        )
        steps = [{"object": where, "outcome": outcome} for where, outcome in made.done]
        if output == "json":
            print_json("registry install", {"address": wanted.address, "changed": made.changed, "steps": steps})
        else:
            click.echo(f"{wanted.address} serves" + ("" if made.changed else "; nothing to change"))


@registry.command()
@settings_options
@click.option(
    "--kustomize", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write a kustomization there instead."
)
def render(name: str, namespace: str, folder: Path | None, **given: Any) -> None:
    """Print what install would make, but for secrets.

    \b
    Example:
      jenkins-kaniko registry render --storage 20Gi --issuer ClusterIssuer/internal | kubectl apply -f -
    """
    from jenkins_kaniko import registry as parts
    from jenkins_kaniko.registry_settings import registry_of
    from jenkins_kaniko.render import dump

    wanted = registry_of(name, namespace, given, {})
    manifests = parts.rendered(wanted)
    if folder is None:
        click.echo("---\n".join([parts.missing(wanted), *(dump(one) for one in manifests)]), nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{one['kind'].lower()}-{one['metadata']['name']}.yaml": dump(one) for one in manifests}
    files["kustomization.yaml"] = parts.missing(wanted) + dump(parts.kustomization(files))
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")


@registry.command()
@name_option
@namespace_option
@output_option
def status(name: str, namespace: str, output: str) -> None:
    """Tell whether a registry serves, and with what.

    \b
    Example:
      jenkins-kaniko registry status -o json
    """
    from jenkins_kaniko import registry_status

    with told_as("registry status", output):
        objects, kept, wanted = opened(name, namespace, {})
        must_be_there(wanted, kept is not None)
        told = registry_status.status(objects, wanted, datetime.now(UTC))
        if output == "json":
            print_json("registry status", registry_status.data(told))
        else:
            click.echo(registry_status.text(told))
        sys.exit(errors.OK if told.ready else errors.FAILED)


@registry.command()
@name_option
@namespace_option
@click.option("--with-images", is_flag=True, help="Remove the claim with its images too.")
@yes_option
@output_option
def remove(name: str, namespace: str, with_images: bool, yes: bool, output: str) -> None:
    """Remove a registry; the claim with its images stays, and so does the namespace.

    \b
    Example:
      jenkins-kaniko registry remove --with-images --yes
    """
    from jenkins_kaniko import registry_install

    with told_as("registry remove", output):
        objects, _, wanted = opened(name, namespace, {})
        confirm(yes, f"Remove registry {namespace}/{name}{' and all its images' if with_images else ''}?")
        removed = registry_install.remove(objects, wanted, say, with_images=with_images)
        must_be_there(wanted, bool(removed))
        if output == "json":
            print_json("registry remove", {"removed": removed})
