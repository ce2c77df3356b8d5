"""Commands for builds that somebody started: which there are, what they say, end them, clear up after them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_build_options import DURATION
from jenkins_kaniko.cli_shared import output_option, print_json, say, told_as

if TYPE_CHECKING:
    from jenkins_kaniko.build import Result
    from jenkins_kaniko.cluster_builds import Builds

namespace_option = click.option(
    "-n", "--namespace", envvar="KUBE_NAMESPACE", show_envvar=True,
    help="Where the builds are; else the namespace of the current context.",
)  # fmt: skip


all_namespaces_option = click.option(
    "-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces instead, those of --isolate among them."
)


@click.command()
@namespace_option
@all_namespaces_option
@output_option
def ps(namespace: str | None, everywhere: bool, output: str) -> None:
    """Show the builds of a namespace, and how they are.

    Builds are there while they run, and an hour longer after --detach and --keep.

    \b
    Examples:
      jenkins-kaniko ps -n builds
      jenkins-kaniko ps --all-namespaces
    """
    from jenkins_kaniko import buildlisting, builds

    with told_as("ps", output):
        door = _door(namespace)
        found = builds.everywhere(door) if everywhere else builds.builds(door)
    if output == "json":
        print_json("ps", buildlisting.builds_data(found))
    else:
        click.echo(buildlisting.builds_text(found, _now(), everywhere=everywhere))


@click.command()
@click.argument("name")
@namespace_option
@click.option("-f", "--follow", is_flag=True, help="Wait for the end.")
@output_option
def logs(name: str, namespace: str | None, follow: bool, output: str) -> None:
    """Show the log of the build NAME and, once it ended, its result.

    It ends as `build` would have: the last line on stdout is repository@digest, or a failure is explained. With
    -o json the log goes to stderr.

    \b
    Examples:
      jenkins-kaniko logs build-app-1f3a9c
      jenkins-kaniko logs -f $(jenkins-kaniko build . -t registry.example.com/team/app --detach)
    """
    from jenkins_kaniko import following
    from jenkins_kaniko.attempt import Listener

    listener = Listener(note=say, detail=lambda _text: None, line=say if output == "json" else click.echo)
    with told_as("logs", output):
        result = following.follow(_door(namespace), name, listener, to_end=follow)
    if result:
        _tell(result, output)
    elif output == "json":
        print_json("logs", {})
    else:
        say(f"{name} did not end yet; wait for it with: jenkins-kaniko logs -f {name}")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@namespace_option
@output_option
def cancel(names: tuple[str, ...], namespace: str | None, output: str) -> None:
    """End the builds called NAME, and remove what there is of them in the cluster.

    \b
    Example:
      jenkins-kaniko cancel build-app-1f3a9c
    """
    from jenkins_kaniko import builds

    with told_as("cancel", output):
        door = _door(namespace)
        found = [builds.find(door, name) for name in dict.fromkeys(names)]
        for one in found:
            for job in door.jobs(f"{builds.OURS}={one.name}"):
                door.delete_job(job["metadata"]["name"], job["metadata"]["uid"])
            say(f"{one.name}: {'removed' if one.over else 'cancelled'} ({one.state})")
    if output == "json":
        print_json("cancel", {"builds": [{"name": one.name, "state": one.state} for one in found]})


@click.command()
@namespace_option
@all_namespaces_option
@click.option("--older-than", type=DURATION, default="1h", show_default=True, help="How long it must have been over.")
@click.option("--yes", is_flag=True, help="Remove it; else it is only shown.")
@output_option
def gc(namespace: str | None, everywhere: bool, older_than: float, yes: bool, output: str) -> None:
    """Show what killed clients left in a namespace and by --isolate; with --yes, remove it.

    That is: Jobs of builds that ended or whose deadline passed, ConfigMaps and Secrets of builds whose Job is gone,
    and namespaces of --isolate without a build.

    \b
    Examples:
      jenkins-kaniko gc
      jenkins-kaniko gc --all-namespaces
      jenkins-kaniko gc --older-than 10m --yes
    """
    from jenkins_kaniko import buildlisting, leftovers

    with told_as("gc", output):
        door = _door(namespace)
        look = leftovers.everywhere if everywhere else leftovers.leftovers
        found = look(door, timedelta(seconds=older_than), _now(), say)
    failed = leftovers.remove(door, found) if yes else {}
    if output == "json":
        print_json("gc", buildlisting.leftovers_data(found, failed, removed=yes))
    else:
        click.echo(buildlisting.leftovers_text(found, failed, removed=yes))
    if found and not yes:
        say("nothing was removed; --yes does it")
    sys.exit(_common(failed.values()) if len(failed) == len(found) else errors.MIXED_OUTCOMES if failed else errors.OK)


def _common(failures: Iterable[errors.JenkinsKanikoError]) -> int:
    """Return the exit code of failures that are alike."""
    codes = {error.exit_code for error in failures}
    return codes.pop() if len(codes) == 1 else errors.MIXED_OUTCOMES if codes else errors.OK


def _door(namespace: str | None) -> Builds:
    from jenkins_kaniko.cluster_builds import Builds

    return Builds(namespace)


def _now() -> datetime:
    return datetime.now(UTC)


def _tell(result: Result, output: str) -> None:
    from jenkins_kaniko import buildreport

    say(buildreport.summary(result))
    if output == "json":
        print_json("logs", buildreport.data(result))
    else:
        click.echo(result.ref)
