"""Where a build runs and who waits for it: the options of `build` for that, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import print_json

if TYPE_CHECKING:
    from jenkins_kaniko.buildjob import Spec
    from jenkins_kaniko.cluster_pods import Pods


def mode_options(command: Any) -> Any:
    """Add the options that say whether the build has a client, and a namespace, of its own."""
    isolate = click.option("--isolate", is_flag=True, help="Build in a namespace of its own, deleted afterwards.")
    detach = click.option("--detach", is_flag=True, help="Do not wait; print the build's name, for `logs -f` later.")
    return detach(isolate(command))


def check(given: Mapping[str, Any], digest_file: Path | None) -> None:
    """Refuse what needs somebody at the end of a build that nobody waits for.

    Raises:
        WrongInputError: options exclude each other.
    """
    if given["detach"] and digest_file:
        raise errors.WrongInputError("--digest-file: not with --detach, which ends before there is a digest; see logs")
    # one in the environment is meant for the builds that somebody waits for
    to_notify = click.get_current_context().get_parameter_source("receivers") is ParameterSource.COMMANDLINE
    for option, value in (("--probe", given["probe"]), ("--notify", to_notify)):
        if given["detach"] and value:
            raise errors.WrongInputError(f"{option}: not with --detach: nobody would be there when the image is")
    if given["detach"] and given["isolate"]:
        raise errors.WrongInputError("--isolate: not with --detach: nobody would be there to delete the namespace")
    if given["keep"] and given["isolate"]:
        raise errors.WrongInputError("--keep: not with --isolate: the Job goes with its namespace")


@contextmanager
def door(given: Mapping[str, Any], spec: Spec, tell: Callable[[str], None]) -> Iterator[Pods]:
    """Give the door to the namespace that the build runs in: the given one, or one of its own."""
    if not given["isolate"]:
        from jenkins_kaniko.cluster_pods import Pods

        yield Pods(given["namespace"])
        return
    from jenkins_kaniko.cluster_builds import Builds
    from jenkins_kaniko.isolation import isolated

    own = Builds(spec.name)
    with isolated(Builds(given["namespace"]), own, spec, tell):
        yield own


def own_namespace(given: Mapping[str, Any], spec: Spec) -> str:
    """Return the namespace that the build gets, as a document of YAML; nothing where it gets none."""
    from jenkins_kaniko.isolation import namespace
    from jenkins_kaniko.render import dump

    return f"{dump(namespace(spec))}---\n" if given["isolate"] else ""


def tell_sent(spec: Spec, namespace: str, output: str) -> None:
    """Print what the build is found by."""
    from jenkins_kaniko.engines import split_tag

    if output == "json":
        image = split_tag(spec.options["image"])[0]
        print_json("build", {"name": spec.name, "namespace": namespace, "image": image})
    else:
        click.echo(spec.name)
