"""What `build --all` takes and tells: the builds of a configuration, several at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from jenkins_kaniko.cli_shared import config_option, load, mistakes_as_data, print_json, say

if TYPE_CHECKING:
    from jenkins_kaniko.build_all import ClusterBuild, Outcome
    from jenkins_kaniko.buildboard import Board
    from jenkins_kaniko.buildspecs import Wanted

OF_ONE = ("subfolder", "name", "isolate", "detach", "render", "digest_file")
"""Options of a single build."""
WITH_DEFAULT = ("cache", "retries", "timeout", "pending_timeout")
"""Options that a build of the configuration has too, whose default does not go over it."""


def all_options(command: Any) -> Any:
    """Add the options that build what a configuration names."""
    for option in reversed(
        (
            click.option("--all", "every", is_flag=True, help="Build all that is below `builds` in the configuration, "
                         "or those of these NAMEs."),
            config_option,
            click.option("--jobs", type=click.IntRange(min=1), default=4, show_default=True,
                         help="With --all: how many builds run at a time."),
            click.option("--fail-fast", is_flag=True, help="With --all: the first failure stops the others."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def single_source(sources: tuple[str, ...], tags: tuple[str, ...]) -> str:
    """Return the source of a build without --all. Raises click.UsageError."""
    if len(sources) != 1:
        raise click.UsageError("Got several SOURCEs; give one." if sources else "Missing argument 'SOURCE', or --all.")
    if not tags:
        raise click.UsageError("Missing option '-t' / '--tag'.")
    return sources[0]


def wanted_builds(names: tuple[str, ...], output: str, given: Mapping[str, Any]) -> dict[str, Wanted]:
    """Return what is to be built.

    Raises:
        click.UsageError: an option of a single build is given.
        WrongInputError: the configuration, or an option, cannot be used.
    """
    from jenkins_kaniko.buildspecs import wanted

    context = click.get_current_context()
    for option in context.command.params:
        if option.name in OF_ONE and context.params[option.name]:
            raise click.UsageError(f"{option.opts[-1]} is for a single build, not for --all")
    fleet = load(Path(given["config"]), output, "build")
    untyped = [name for name in WITH_DEFAULT if context.get_parameter_source(name) is ParameterSource.DEFAULT]
    with mistakes_as_data(output, "build"):
        return wanted(fleet, names, given, {**given, **dict.fromkeys(untyped)}, os.environ)


def build_wanted(builds: Mapping[str, Wanted], output: str, verbose: bool, given: Mapping[str, Any]) -> list[Outcome]:
    """Build, tell how all of them went, and return that."""
    from jenkins_kaniko.build_all import build_all
    from jenkins_kaniko.buildboard import Board

    table = sys.stderr.isatty() and not verbose
    board = Board(builds, say, table=table, verbose=verbose)
    with _shown(board, table=table), _works(builds, board, given["namespace"]) as works:
        outcomes = build_all(works, given["jobs"], given["fail_fast"], board)
    _tell(outcomes, output)
    return outcomes


@contextmanager
def _works(builds: Mapping[str, Wanted], board: Board, namespace: str | None) -> Iterator[dict[str, ClusterBuild]]:
    """Open all contexts, so that none begins where another has a mistake, and remove what was fetched for them."""
    from jenkins_kaniko.build_all import ClusterBuild
    from jenkins_kaniko.cluster_pods import Pods
    from jenkins_kaniko.contexts import opened

    with ExitStack() as stack:
        works = {}
        pods = Pods(namespace)
        for name, one in builds.items():
            listener = board.listener(name)
            dockerfile = one.spec.options.get("dockerfile", "Dockerfile")
            context = stack.enter_context(opened(one.source, dockerfile=dockerfile, tell=listener.note))
            works[name] = ClusterBuild(one.spec, context, pods, listener)
        yield works


@contextmanager
def _shown(board: Board, *, table: bool) -> Iterator[None]:
    if not table:
        yield
        return
    from rich.console import Console

    with board.live(Console(stderr=True, highlight=False)):
        yield


def _tell(outcomes: list[Outcome], output: str) -> None:
    from jenkins_kaniko import buildboard

    for outcome in outcomes:
        if outcome.error:
            say(f"{outcome.name}: {outcome.error}")
    if output == "json":
        print_json("build", buildboard.data(outcomes))
    else:
        click.echo(buildboard.summary(outcomes))
    for line in buildboard.failures(outcomes):
        say(line)
