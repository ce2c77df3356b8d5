"""The command that looks for what is wrong around builds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from jenkins_kaniko import errors, stopping
from jenkins_kaniko.cli_build_options import pod_options
from jenkins_kaniko.cli_shared import config_option, load, output_option, print_json, quiet_work, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jenkins_kaniko.checks_jenkins import Way
    from jenkins_kaniko.findings import Finding, Place
    from jenkins_kaniko.model import Fleet

TRIAL: dict[str, Any] = {
    "secrets": (), "dockerfile": None, "target": None, "engine": None, "build_args": (), "labels": (),
    "annotations": (), "env": (), "cache": False, "cache_repo": None, "cache_ttl": None, "cache_copy_layers": False,
    "platforms": (), "retries": 0, "probe": None, "probe_timeout": 0,
}  # fmt: skip
"""The options of a build that doctor does not have."""
NO_IMAGE = "image"
ROUNDS = 2
"""Of mending: in a namespace that was missing the certificate and the login are missing too."""


@click.command()
@config_option
@click.option("-t", "--tag", "repository", metavar="IMAGE", help="Try whether builds can push to this repository.")
@click.option("--build", is_flag=True, help="With -t: build and push an image; its tag is jenkins-kaniko-doctor.")
@click.option(
    "--fix", is_flag=True, help="Show and make what harms nobody: a namespace, and what a registry there gives it."
)
@click.option("--extra-arg", "extra_args", multiple=True, metavar="FLAG", help="A further flag of the builder.")
@pod_options
@output_option
def doctor(config: Path, repository: str | None, build: bool, fix: bool, output: str, **given: Any) -> None:
    """Look for what keeps builds from working, and say what mends it.

    With a configuration: its controllers, and its templates in the cluster of the current context. With --namespace, or
    without a configuration: what `jenkins-kaniko build` would do, whose options it takes. Nothing is left in the
    cluster; without --build nothing is pushed. Exit code 8: there is an error; 0: there is none.

    \b
    Examples:
      jenkins-kaniko doctor
      jenkins-kaniko doctor -n builds -t registry.example.com/team/app --ca-bundle registry-ca
      jenkins-kaniko doctor -n builds -t registry.example.com/team/app --build -o json
    """
    from jenkins_kaniko.doctor import has_errors, ordered

    stopping.heed(say)
    typed = click.get_current_context().get_parameter_source("config") is not ParameterSource.DEFAULT
    fleet = load(config, output, "doctor") if typed or config.is_file() else None
    templates = None if given["namespace"] else fleet
    if build and not repository and not templates:
        raise errors.WrongInputError("--build: where to? give the repository with -t")
    found = _in_cluster(templates, repository, build, given)
    for _ in range(ROUNDS if fix else 0):
        if not _mended(found):
            break
        found = _in_cluster(templates, repository, build, given)
    in_jenkins, ways = _in_jenkins(fleet)
    if templates and ways and not has_errors(found):
        found += _from_agents(templates, repository, ways, given)
    found = ordered([*found, *in_jenkins])
    _tell(found, output)
    if has_errors(found):
        sys.exit(errors.ILL)


def _in_cluster(fleet: Fleet | None, repository: str | None, build: bool, given: dict[str, Any]) -> list[Finding]:
    from jenkins_kaniko.checks_cluster import unanswered
    from jenkins_kaniko.cluster_pods import Pods
    from jenkins_kaniko.doctor import examine

    try:
        there = _places(fleet, repository, given)
        return [one for place in there for one in examine(place, Pods(place.namespace), build=build)]
    except errors.UnreachableError as error:
        return [unanswered(error)]


def _places(fleet: Fleet | None, repository: str | None, given: dict[str, Any]) -> Sequence[Place]:
    from jenkins_kaniko import places
    from jenkins_kaniko.buildspec import spec_of
    from jenkins_kaniko.cluster_objects import Objects

    spec = spec_of({**TRIAL, **given, "tags": (repository or NO_IMAGE,)}, os.environ)
    objects = Objects()
    if fleet:
        return places.of_templates(objects, fleet, spec, repository)
    return [places.of_build(objects, given["namespace"] or objects.namespace, spec, repository)]


def _from_agents(fleet: Fleet, repository: str | None, ways: Sequence[Way], given: dict[str, Any]) -> list[Finding]:
    from jenkins_kaniko.checks_cluster import unanswered
    from jenkins_kaniko.cluster_pods import Pods
    from jenkins_kaniko.doctor import examine_ways

    try:
        return examine_ways(_places(fleet, repository, given), ways, Pods)
    except errors.UnreachableError as error:
        return [unanswered(error)]


def _mended(found: Sequence[Finding]) -> bool:
    """Do what mends findings, shown before; return whether any of it came about."""
    from jenkins_kaniko import doctorreport
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.doctor import ordered

    mends = [one.mends for one in ordered(found) if one.mends]
    if mends:
        click.echo(doctorreport.text(found), err=True)
    mended = False
    for mend in mends:
        try:
            mend(Objects(), say)
            mended = True
        except errors.JenkinsKanikoError as error:
            say(f"not mended: {error}")
    return mended


def _in_jenkins(fleet: Fleet | None) -> tuple[list[Finding], list[Way]]:
    from jenkins_kaniko.checks_jenkins import examine

    return examine(fleet, quiet_work(fleet)) if fleet else ([], [])


def _tell(found: Sequence[Finding], output: str) -> None:
    from jenkins_kaniko import doctorreport

    if output == "json":
        print_json("doctor", doctorreport.data(found))
    elif sys.stdout.isatty():
        from rich.console import Console

        doctorreport.print_findings(found, Console(highlight=False))
    else:
        click.echo(doctorreport.text(found))
