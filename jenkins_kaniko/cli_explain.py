"""The command that says what a failed build's log means."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import output_option, print_json

TAIL = 1_000_000
"""How many bytes of a log are looked at: a failure is at its end."""


@click.command()
@click.argument("log", type=click.File("rb"))
@click.option("--dockerfile", type=click.Path(path_type=Path), help="Name the failing line of this Dockerfile.")
@click.option("--exit-code", type=int, metavar="N", help="What the builder ended with, where the log does not say.")
@output_option
def explain(log: BinaryIO, dockerfile: Path | None, exit_code: int | None, output: str) -> None:
    """Say what the log of a failed build means, and what to do.

    LOG is a file, or - for standard input: what the builder printed, or the console log of a whole Jenkins build.
    Its last failure is explained.

    \b
    Examples:
      jenkins-kaniko explain console.txt
      kubectl logs my-build | jenkins-kaniko explain - --dockerfile Dockerfile --exit-code 137
      curl -s https://jenkins.example.com/job/app/7/consoleText | jenkins-kaniko explain - --output json
    """
    from jenkins_kaniko.console import failure
    from jenkins_kaniko.explain import diagnosis, explanation

    source = _read(dockerfile) if dockerfile else None
    seen = failure(_tail(log).decode("utf-8", "replace"), exit_code, source, str(dockerfile) if dockerfile else None)
    if output == "json":
        print_json("explain", asdict(diagnosis(seen)))
    else:
        click.echo(explanation(seen))


def _read(dockerfile: Path) -> str:
    try:
        return dockerfile.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise errors.WrongInputError(f"{dockerfile}: {error.strerror}") from error


def _tail(stream: BinaryIO) -> bytes:
    """Return the end of a stream, however long it is."""
    kept = b""
    while part := stream.read(TAIL):
        kept = (kept + part)[-TAIL:]
    return kept
