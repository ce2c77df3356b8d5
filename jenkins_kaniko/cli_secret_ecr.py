"""What `secret create` does for Amazon ECR: ask for a token, and have it renewed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko.errors import WrongInputError

if TYPE_CHECKING:
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.dockerconfig import Account
    from jenkins_kaniko.ecr_renewal import Renewal


def ecr_options(command: Any) -> Any:
    """Add the options of Amazon ECR."""
    for option in (
        click.option(
            "--aws-secret", metavar="NAME",
            help="With --renew-image: a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, instead of a role.",
        ),
        click.option("--aws-role", metavar="ARN", help="With --renew-image: the role that EKS gives its pods."),
        click.option(
            "--renew-image", metavar="IMAGE",
            help="Make a CronJob that renews the token every 4 hours; the image has this command.",
        ),
        click.option("--ecr", metavar="REGION", help="Take a token of Amazon ECR, by the environment's AWS account."),
    ):  # fmt: skip
        command = option(command)
    return command


def ecr_accounts(region: str) -> Mapping[str, Account]:
    """Return the account of the AWS account's registry."""
    from jenkins_kaniko import ecr

    return ecr.accounts(region, os.environ)


def renewal_of(name: str, given: Mapping[str, Any]) -> Renewal | None:
    """Return what shall be renewed, None where nothing shall. Raises WrongInputError where options do not fit."""
    from jenkins_kaniko.ecr_renewal import LONGEST_NAME, Renewal

    region, image, role, secret = (given[option] for option in ("ecr", "renew_image", "aws_role", "aws_secret"))
    if not image:
        if role or secret:
            raise WrongInputError("--aws-role and --aws-secret: are for --renew-image, which is missing")
        return None
    if not region:
        raise WrongInputError("--renew-image: is for --ecr, which is missing; other accounts need no renewal")
    if bool(role) == bool(secret):
        raise WrongInputError("--renew-image: give --aws-role ARN or --aws-secret NAME, which say who asks AWS")
    renewal = Renewal(name, region, image, role, secret)
    if (excess := len(renewal.name) - LONGEST_NAME) > 0:
        raise WrongInputError(
            f"{name}: with --renew-image the name of a Secret has at most {len(name) - excess} characters, "
            f"not {len(name)}: the CronJob is called {renewal.name}"
        )
    return renewal


def install(door: Objects, renewal: Renewal, namespaces: Iterable[str]) -> None:
    """Make what renews the token in each namespace, and say what was made even where the next part fails."""
    from jenkins_kaniko import ecr_renewal

    for namespace in namespaces:
        for manifest in ecr_renewal.manifests(renewal, namespace):
            state = door.apply(manifest)
            click.echo(f"{manifest['kind'].lower()} {namespace}/{renewal.name}: {state}", err=True)
