"""The options of the commands that build, as they are called on a command line."""

from __future__ import annotations

import re
from typing import Any

import click

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


def _engine(_ctx: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Take what scripts with several builders call the choice among them."""
    if name != "auto":
        return name
    click.echo("engine: kaniko, the only one there is to choose from", err=True)
    return None


def build_options(command: Any) -> Any:
    """Add the options that kanikoBuild() has too."""
    for option in reversed(
        (
            click.option("-t", "--tag", "tags", multiple=True, metavar="IMAGE",
                         help="Repository to push to, or repository:tag; may be repeated for further tags. "
                              "With --all: a further tag of all images."),
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
            click.option("--secret", "secrets", multiple=True, metavar="id=NAME[,src=FILE|,env=VAR]",
                         help="What RUN --mount=type=secret,id=NAME mounts; else the variable NAME."),
            click.option("--env", multiple=True, metavar="K=V", help="Environment variable of the builder."),
            click.option("--engine", metavar="NAME", callback=_engine,
                         help="What builds: kaniko, the only one yet, or auto."),
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
