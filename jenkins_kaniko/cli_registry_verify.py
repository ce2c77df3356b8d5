"""The command that tries whether nodes pull from a registry of the cluster."""

from __future__ import annotations

import sys

import click

from jenkins_kaniko.cli_build_options import DURATION
from jenkins_kaniko.cli_registry_trust import name_option, namespace_option
from jenkins_kaniko.cli_shared import output_option, print_json, say, told_as


@click.command()
@namespace_option
@name_option
@click.option("--image", envvar="KANIKO_IMAGE", show_envvar=True, help="Builder image; else the packaged one.")
@click.option("--builder-distribution", metavar="NAME", help="Whose fork it is; else it has the flags of Kaniko 1.24.")
@click.option("--builder-version", metavar="VERSION", help="Its version.")
@click.option(
    "--registry-secret",
    metavar="NAME",
    help="Secret with the registry accounts; else NAME-docker-config, or the registry's first account.",
)
@click.option(
    "--timeout", type=DURATION, default="5m", show_default=True, help="How long the build may take, and then all nodes."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the builder's log.")
@output_option
def verify(
    namespace: str,
    name: str,
    image: str | None,
    builder_distribution: str | None,
    builder_version: str | None,
    registry_secret: str | None,
    timeout: float,
    verbose: bool,
    output: str,
) -> None:
    """Try whether images built in the cluster start on every node.

    A small image is built into the registry and run on each node by its digest. The image stays in the registry, as
    jenkins-kaniko/verify; nothing stays in the cluster.

    \b
    Example:
      jenkins-kaniko registry verify
    """
    from contextlib import nullcontext

    from jenkins_kaniko import nodereport
    from jenkins_kaniko.attempt import Listener
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.cluster_pods import Pods
    from jenkins_kaniko.registry_trust_nodes import described
    from jenkins_kaniko.registry_verify import Pulls
    from jenkins_kaniko.registry_verify import verify as verify_nodes
    from jenkins_kaniko.registry_verify_login import login

    given = {
        "name": None,
        "image": image,
        "builder_distribution": builder_distribution,
        "builder_version": builder_version,
        "registry_secret": None,
        "ca_bundle": f"{name}-ca",
        "profile": "small",
        "tolerations": (),
        "timeout": timeout,
        "pending_timeout": timeout,
        "keep": False,
        "probe": None,
        "probe_timeout": 0,
    }
    listener = Listener(note=say, detail=_nothing, line=say if verbose else _nothing)
    with told_as("registry verify", output):
        door = Objects()
        registry = described(door, name, namespace)
        with nullcontext(registry_secret) if registry_secret else login(door, name, namespace) as secret:
            pulls = Pulls(registry.hosts[0], namespace, secret)
            nodes = verify_nodes(door, Pods(namespace), pulls, given, listener)
    if output == "json":
        print_json("registry verify", {"nodes": nodereport.data(nodes)})
    else:
        click.echo(nodereport.text(nodes))
    sys.exit(nodereport.exit_code(nodes))


def _nothing(_text: str) -> None:
    """What only the curious want to know."""
