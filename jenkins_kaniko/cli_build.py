"""The command that builds an image without Jenkins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko.cli_build_after import after_options, notifying
from jenkins_kaniko.cli_build_all import all_options, build_wanted, single_source, wanted_builds
from jenkins_kaniko.cli_build_modes import check, door, mode_options, own_namespace, tell_sent
from jenkins_kaniko.cli_build_options import build_options, pod_options
from jenkins_kaniko.cli_from_config import from_config_option
from jenkins_kaniko.cli_shared import output_option, print_json, say, told_as

if TYPE_CHECKING:
    from jenkins_kaniko.attempt import Listener
    from jenkins_kaniko.build import Result
    from jenkins_kaniko.buildjob import Spec
    from jenkins_kaniko.contexts import Context


@click.command()
@click.argument("sources", nargs=-1, metavar="SOURCE | --all [NAME]...")
@click.option("--subfolder", metavar="PATH", help="Folder of SOURCE that is the context; --file is a path in it.")
@from_config_option
@build_options
@pod_options
@mode_options
@all_options
@after_options
@click.option("--render", is_flag=True, help="Print what would be made in the cluster instead.")
@output_option
@click.option("-v", "--verbose", is_flag=True, help="Tell what is done.")
@click.option("--digest-file", type=click.Path(path_type=Path), help="Write the digest to this file.")
def build(
    sources: tuple[str, ...],
    subfolder: str | None,
    render: bool,
    output: str,
    verbose: bool,
    digest_file: Path | None,
    **given: Any,
) -> None:
    """Build an image from SOURCE in a cluster, and push it; or all that the configuration names in `builds`.

    SOURCE is a folder, - for a tar on standard input, an archive, or a URL. The last line
    on stdout is repository@digest; the log goes to stderr. Nothing is left in the cluster.

    \b
    Examples:
      jenkins-kaniko build . -t registry.example.com/team/app:1.4.2
      jenkins-kaniko build services/api -t registry.example.com/team/api --build-arg VERSION=1.4.2 --timeout 20m
      jenkins-kaniko logs -f $(jenkins-kaniko build . -t registry.example.com/team/app --detach)
      jenkins-kaniko build --all
    """
    if given["every"]:
        builds = wanted_builds(sources, output, given)
        with told_as("build", output), notifying(given["receivers"]) as ended:
            outcomes = build_wanted(builds, output, verbose, given)
            ended(outcomes)
        from jenkins_kaniko.build_all import exit_code

        sys.exit(exit_code(outcomes))
    source = single_source(sources, given["tags"])
    with told_as("build", output):
        result = _built(source, subfolder, output, verbose, digest_file, render=render, given=given)
    if result:
        from jenkins_kaniko import buildoutputs

        buildoutputs.write(result, buildoutputs.outputs(digest_file, os.environ))


def _built(
    source: str,
    subfolder: str | None,
    output: str,
    verbose: bool,
    digest_file: Path | None,
    *,
    render: bool,
    given: Mapping[str, Any],
) -> Result | None:
    """Build, tell the result and return it; None where there is none, because nobody waits for it."""
    from jenkins_kaniko.buildspec import spec_of

    spec = spec_of(given, os.environ)
    check(given, digest_file)
    if not render and not given["detach"]:
        from jenkins_kaniko import buildoutputs

        buildoutputs.check(buildoutputs.outputs(digest_file, os.environ))
    with (
        notifying(() if render or given["detach"] else given["receivers"], spec.options["image"]) as ended,
        _opened(source, subfolder, spec) as context,
    ):
        if render:
            namespace = spec.name if given["isolate"] else given["namespace"]
            click.echo(own_namespace(given, spec) + _manifests(spec, context, namespace), nl=False)
            return None
        from jenkins_kaniko import statusline
        from jenkins_kaniko.build import build as build_image
        from jenkins_kaniko.buildprogress import Progress
        from jenkins_kaniko.following import send_off

        with door(given, spec, say) as namespace:
            if given["detach"]:
                send_off(spec, context, namespace, _listener(verbose))
                tell_sent(spec, namespace.namespace, output)
                return None
            with statusline.shown(Progress(context.facts.dockerfile_text, spec.options.get("target"))) as follow:
                result = build_image(spec, context, namespace, _listener(verbose, follow))
        _tell(result, output)
        ended(result)
        return result


@contextmanager
def _opened(source: str, subfolder: str | None, spec: Spec) -> Iterator[Context]:
    from jenkins_kaniko.contexts import opened

    dockerfile = spec.options.get("dockerfile", "Dockerfile")
    stdin = sys.stdin.buffer if sys.stdin else None  # it may be closed
    with opened(source, subfolder=subfolder, dockerfile=dockerfile, stdin=stdin, tell=say) as context:
        yield context


def _manifests(spec: Spec, context: Context, namespace: str | None) -> str:
    from jenkins_kaniko import buildjob, transport
    from jenkins_kaniko.render import dump

    archive = transport.packed(context.tar())
    made = [buildjob.config_map(spec, 1, None, archive)] if archive else []
    made.append(buildjob.job(spec, context.facts, streamed=archive is None))
    for manifest in made if namespace else []:
        manifest["metadata"]["namespace"] = namespace
    return "---\n".join(dump(manifest) for manifest in made)


def _listener(verbose: bool, follow: Callable[[str], None] = lambda _text: None) -> Listener:
    from jenkins_kaniko.attempt import Listener

    def line(text: str) -> None:
        follow(text)
        say(text)

    return Listener(note=say, detail=say if verbose else lambda _text: None, line=line)


def _tell(result: Result, output: str) -> None:
    from jenkins_kaniko import buildreport

    click.echo(buildreport.summary(result), err=True)
    if output == "json":
        print_json("build", buildreport.data(result))
    else:
        click.echo(result.ref)
