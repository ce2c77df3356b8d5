"""The command that takes back registry accounts that `secret create` made."""

from __future__ import annotations

import click

from jenkins_kaniko.cli_registry_options import confirm, yes_option
from jenkins_kaniko.cli_shared import output_option, print_json, told_as


@click.command()
@click.argument("name")
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, metavar="NAMESPACE",
    help="Only there; may be repeated. Else wherever create put it.",
)  # fmt: skip
@yes_option
@output_option
def remove(name: str, namespaces: tuple[str, ...], yes: bool, output: str) -> None:
    """Remove the Secret NAME wherever this command made it, and what renews its token.

    \b
    Example:
      jenkins-kaniko secret remove docker-config -n builds --yes
    """
    from jenkins_kaniko import registry_secret
    from jenkins_kaniko import registry_secret_remove as removing
    from jenkins_kaniko.cluster_objects import Objects

    with told_as("secret remove", output):
        door = Objects()
        found = removing.ours(door, name, namespaces or registry_secret.copies(door, name))
        names = [removing.where(*one) for one in found]
        confirm(yes, f"Remove {', '.join(names)}?")
        removing.remove(door, found, lambda text: None if output == "json" else click.echo(f"removed: {text}"))
    if output == "json":
        print_json("secret remove", {"removed": names})
