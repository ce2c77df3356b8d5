"""The command that looks for what is wrong around builds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_build_options import pod_options
from jenkins_kaniko.cli_shared import output_option, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jenkins_kaniko.findings import Finding

TRIAL: dict[str, Any] = {
    "secrets": (), "dockerfile": None, "target": None, "engine": None, "build_args": (), "labels": (),
    "annotations": (), "env": (), "cache": False, "cache_repo": None, "cache_ttl": None, "cache_copy_layers": False,
    "platforms": (), "retries": 0,
}  # fmt: skip
"""The options of a build that doctor does not have."""
NO_IMAGE = "image"


@click.command()
@click.option("-t", "--tag", "repository", metavar="IMAGE", help="Try whether builds can push to this repository.")
@click.option("--build", is_flag=True, help="With -t: build and push an image; its tag is jenkins-kaniko-doctor.")
@click.option("--extra-arg", "extra_args", multiple=True, metavar="FLAG", help="A further flag of the builder.")
@pod_options
@output_option
def doctor(repository: str | None, build: bool, output: str, **given: Any) -> None:
    """Look for what keeps builds from working, and say what mends it.

    Give it the options of `jenkins-kaniko build`. Nothing is left in the cluster; without --build nothing is pushed.
    Exit code 8: there is an error; 0: there is none.

    \b
    Examples:
      jenkins-kaniko doctor -n builds
      jenkins-kaniko doctor -n builds -t registry.example.com/team/app --ca-bundle registry-ca
      jenkins-kaniko doctor -n builds -t registry.example.com/team/app --build -o json
    """
    from jenkins_kaniko.doctor import has_errors

    if build and not repository:
        raise errors.WrongInputError("--build: where to? give the repository with -t")
    found = _examined(repository, build, given)
    _tell(found, output)
    if has_errors(found):
        sys.exit(errors.ILL)


def _examined(repository: str | None, build: bool, given: dict[str, Any]) -> list[Finding]:
    from jenkins_kaniko.buildspec import spec_of
    from jenkins_kaniko.checks_cluster import unanswered
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.cluster_pods import Pods
    from jenkins_kaniko.doctor import examine
    from jenkins_kaniko.findings import Place

    spec = spec_of({**TRIAL, **given, "tags": (repository or NO_IMAGE,)}, os.environ)
    try:
        objects = Objects()
        pods = Pods(given["namespace"])
    except errors.UnreachableError as error:
        return [unanswered(error)]
    return examine(Place(objects, pods.namespace, spec, repository), pods, build=build)


def _tell(found: Sequence[Finding], output: str) -> None:
    from jenkins_kaniko import doctorreport

    if output == "json":
        print_json("doctor", doctorreport.data(found))
    elif sys.stdout.isatty():
        from rich.console import Console

        doctorreport.print_findings(found, Console(highlight=False))
    else:
        click.echo(doctorreport.text(found))
