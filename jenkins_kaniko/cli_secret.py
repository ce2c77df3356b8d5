"""The commands for registry accounts in Secrets of a cluster."""

from __future__ import annotations

import click

from jenkins_kaniko.cli_groups import LazyGroup

COMMANDS = {
    "create": "cli_secret_write",
    "check": "cli_secret_check",
    "rotate": "cli_secret_write",
    "remove": "cli_secret_remove",
}


@click.group(cls=LazyGroup, modules=COMMANDS, functions={})
def secret() -> None:
    """Make the registry accounts of builds and nodes, prove that they work, and change their passwords.

    \b
    Examples:
      jenkins-kaniko secret create docker-config -n builds --registry ghcr.io --username octocat
      jenkins-kaniko secret check docker-config -n builds --repository ghcr.io/octocat/app
    """
