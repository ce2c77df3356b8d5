"""The command that makes nodes trust a registry of the cluster."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_build_options import DURATION
from jenkins_kaniko.cli_shared import output_option, print_json, say, told_as

namespace_option = click.option(
    "-n", "--namespace", default="shared-services", show_default=True, help="Where the registry runs."
)
name_option = click.option("--name", default="registry", show_default=True, help="Name of its Service.")


@click.command()
@namespace_option
@name_option
@click.option("--remove", is_flag=True, help="Remove what this command wrote on the nodes, and what runs there.")
@click.option(
    "--restart-runtime",
    "restart",
    is_flag=True,
    help="Where it must be, change the container runtime's own configuration and restart it (privileged).",
)
@click.option("--image", help="Image with a shell that runs on the nodes; else the one there, or the packaged one.")
@click.option("--timeout", type=DURATION, default="5m", show_default=True, help="How long all nodes may take.")
@output_option
def trust(
    namespace: str, name: str, remove: bool, restart: bool, image: str | None, timeout: float, output: str
) -> None:
    """Make all nodes pull from a registry of the cluster, over verified TLS.

    A pod on each node writes down the registry's address and certificate where the node's container runtime looks
    for them. Run it again when one of the two has changed.

    \b
    Examples:
      jenkins-kaniko registry trust
      jenkins-kaniko registry trust --remove
    """
    from jenkins_kaniko import nodereport
    from jenkins_kaniko import registry_trust_nodes as nodes
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.registry_trust import Trust

    with told_as("registry trust", output):
        door = Objects()
        wanted = Trust(name, namespace, "", "") if remove else nodes.described(door, name, namespace)
        wanted = nodes.with_image(door, replace(wanted, restart=restart), image)
        carry_out = nodes.untrust if remove else nodes.trust
        outcome = carry_out(door, wanted, timeout, say)
    if output == "json":
        print_json("registry trust", {"change": outcome.change, "nodes": nodereport.data(outcome.nodes)})
    else:
        click.echo(nodereport.text(outcome.nodes))
    code = nodereport.exit_code(outcome.nodes)
    if code == errors.OK:
        say(outcome.change)
    sys.exit(code)
