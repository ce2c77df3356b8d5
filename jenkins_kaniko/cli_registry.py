"""The group of commands for a registry in the cluster."""

from __future__ import annotations

import click

from jenkins_kaniko.cli_groups import LazyGroup

COMMANDS = {"trust": "cli_registry_trust", "verify": "cli_registry_verify"}


@click.group(cls=LazyGroup, modules=COMMANDS, functions={})
def registry() -> None:
    """Run a registry in the cluster that builds push to and nodes pull from, over verified TLS.

    \b
    Example:
      jenkins-kaniko registry trust
    """
