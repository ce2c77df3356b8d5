"""The command that builds an image without Jenkins."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import output_option, print_json

if TYPE_CHECKING:
    from jenkins_kaniko.attempt import Listener
    from jenkins_kaniko.build import Result
    from jenkins_kaniko.buildjob import Spec
    from jenkins_kaniko.contexts import Context

UNITS = {"h": 3600, "m": 60, "s": 1}


class Duration(click.ParamType[float]):
    """Seconds, or a number with h, m or s."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return value
        if re.fullmatch(r"\d+(\.\d+)?", value):
            seconds = float(value)
        elif re.fullmatch(r"(\d+(\.\d+)?[hms])+", value):
            seconds = sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)([hms])", value))
        else:
            self.fail(f"{value!r} is not a duration: seconds, or a number with h, m or s, such as 90s or 1h30m")
        if seconds <= 0:
            self.fail(f"{value!r} is no time at all")
        return seconds


DURATION = Duration()


def build_options(command: Any) -> Any:
    """Add the options of kanikoBuild, as they are called on a command line."""
    for option in reversed(
        (
            click.option("-t", "--tag", "tags", multiple=True, required=True, metavar="IMAGE",
                         help="Repository to push to, or repository:tag; may be repeated for further tags."),
            click.option("-f", "--file", "dockerfile", metavar="PATH", help="Dockerfile, below the context."),
            click.option("--target", metavar="STAGE", help="Stage of the Dockerfile to build; else the last one."),
            click.option("--build-arg", "build_args", multiple=True, metavar="K[=V]",
                         help="Value of an ARG line, or of that variable of the environment; no secrets."),
            click.option("--label", "labels", multiple=True, metavar="K=V", help="Label of the image."),
            click.option("--annotation", "annotations", multiple=True, metavar="K=V",
                         help="Annotation of the image's manifest."),
            click.option("--cache/--no-cache", default=True, show_default=True, help="Use and fill the layer cache."),
            click.option("--cache-repo", metavar="REPOSITORY", help="Where the cache is; else beside the image."),
            click.option("--cache-ttl", metavar="DURATION", help="How old its layers may be, such as 168h."),
            click.option("--cache-copy-layers", is_flag=True, help="Keep the layers of COPY lines there too."),
            click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH",
                         help="Platform of the base images; else the node's."),
            click.option("--retries", type=int, default=2, show_default=True,
                         help="How often what can pass, such as a lost connection, is tried again."),
            click.option("--extra-arg", "extra_args", multiple=True, metavar="FLAG",
                         help="A further flag of the builder, such as --extra-arg=--single-snapshot."),
            click.option("--env", multiple=True, metavar="K=V", help="Environment variable of the builder."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def pod_options(command: Any) -> Any:
    """Add the options that say where and how the builder's pod runs."""
    for option in reversed(
        (
            click.option("-n", "--namespace", envvar="KUBE_NAMESPACE", show_envvar=True,
                         help="Where the build runs; else the namespace of the current context."),
            click.option("--name", help="Name of the build; else one that no other has."),
            click.option("--registry-secret", metavar="NAME",
                         help="Secret with the registry accounts; else docker-config, if there is one."),
            click.option("--ca-bundle", metavar="NAME[:KEY]",
                         help="ConfigMap with the certificate of a private registry; KEY is ca.crt."),
            click.option("--image", envvar="KANIKO_IMAGE", show_envvar=True,
                         help="Builder image; else the packaged one."),
            click.option("--builder-distribution", metavar="NAME",
                         help="Whose fork it is; else it has the flags of Kaniko 1.24."),
            click.option("--builder-version", metavar="VERSION", help="Its version."),
            click.option("--profile", type=click.Choice(["small", "medium", "large"]), default="medium",
                         show_default=True, help="How much processor, memory and disk the pod gets."),
            click.option("--node-selector", "node_selector", multiple=True, metavar="K=V", help="Label of the nodes."),
            click.option("--toleration", "tolerations", multiple=True, metavar="K[=V][:EFFECT]",
                         help="Taint of nodes that does not matter."),
            click.option("--timeout", type=DURATION, default="1h", show_default=True, envvar="BUILD_TIMEOUT",
                         show_envvar=True, help="How long the build may take, in seconds or as 10m."),
            click.option("--pending-timeout", type=DURATION, default="10m", show_default=True,
                         help="How long the pod may take to start."),
            click.option("--keep", is_flag=True, help="Leave the Job there for an hour after its end."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("source")
@build_options
@pod_options
@click.option("--render", is_flag=True, help="Print what would be made in the cluster instead.")
@output_option
@click.option("-v", "--verbose", is_flag=True, help="Tell what is done.")
@click.option("--digest-file", type=click.Path(path_type=Path), help="Write the digest to this file.")
def build(source: str, render: bool, output: str, verbose: bool, digest_file: Path | None, **given: Any) -> None:
    """Build an image from SOURCE in a cluster, and push it.

    SOURCE is a folder, - for a tar on standard input, an archive, or a URL. The last line
    on stdout is repository@digest; the log goes to stderr. Nothing is left in the cluster.

    \b
    Examples:
      jenkins-kaniko build . -t registry.example.com/team/app:1.4.2
      jenkins-kaniko build services/api -t registry.example.com/team/api --build-arg VERSION=1.4.2 --timeout 20m
    """
    from jenkins_kaniko.buildspec import spec_of

    spec = spec_of(given, os.environ)
    with _ending_well(output), _opened(source, spec) as context:
        if render:
            click.echo(_manifests(spec, context), nl=False)
            return
        from jenkins_kaniko.build import build as build_image
        from jenkins_kaniko.cluster_pods import Pods

        result = build_image(spec, context, Pods(given["namespace"]), _listener(verbose))
    _tell(result, output, digest_file)


@contextmanager
def _opened(source: str, spec: Spec) -> Iterator[Context]:
    from jenkins_kaniko.contexts import opened

    dockerfile = spec.options.get("dockerfile", "Dockerfile")
    with opened(source, dockerfile=dockerfile, stdin=sys.stdin.buffer, tell=_say) as context:
        yield context


@contextmanager
def _ending_well(output: str) -> Iterator[None]:
    """End by signals as by errors: what is in the cluster is removed on the way."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(errors.INTERRUPTED)
    except errors.JenkinsKanikoError as error:
        if output == "json":
            from jenkins_kaniko.report import error_data

            print_json("build", {"error": error_data(error)})
        raise


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(errors.TERMINATED)


def _manifests(spec: Spec, context: Context) -> str:
    from jenkins_kaniko import buildjob, transport
    from jenkins_kaniko.render import dump

    archive = transport.packed(context.tar())
    job = dump(buildjob.job(spec, context.facts, streamed=archive is None))
    return f"{dump(buildjob.config_map(spec, 1, None, archive))}---\n{job}" if archive else job


def _listener(verbose: bool) -> Listener:
    from jenkins_kaniko.attempt import Listener

    return Listener(note=_say, detail=_say if verbose else lambda _text: None, line=_say)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _tell(result: Result, output: str, digest_file: Path | None) -> None:
    from jenkins_kaniko import buildreport

    if digest_file:
        digest_file.write_text(result.digest, encoding="utf-8")
    buildreport.export(result, os.environ)
    click.echo(buildreport.summary(result), err=True)
    if output == "json":
        print_json("build", buildreport.data(result))
    else:
        click.echo(result.ref)
