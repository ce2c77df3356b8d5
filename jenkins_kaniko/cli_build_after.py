"""What follows a build on the command line: a probe of its image, and who is told how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_build_options import DURATION
from jenkins_kaniko.cli_shared import say

if TYPE_CHECKING:
    from jenkins_kaniko.build import Result
    from jenkins_kaniko.build_all import Outcome

    End = Result | list[Outcome]


def after_options(command: Any) -> Any:
    """Add the options on what comes after the push."""
    for option in reversed(
        (
            click.option("--probe", metavar="COMMAND",
                         help="Run this once in the pushed image; what it prints is in the result."),
            click.option("--probe-timeout", type=DURATION, default="1m", show_default=True,
                         help="How long it may run."),
            click.option("--notify", "receivers", multiple=True, metavar="URL|env:NAME",
                         envvar="JENKINS_KANIKO_NOTIFY", show_envvar=True,
                         help="Tell a webhook, Slack or Teams of the end; may be repeated. The URL is a secret: "
                              "better in the environment."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@contextmanager
def notifying(receivers: Sequence[str], image: str | None = None) -> Iterator[Callable[[End], None]]:
    """Tell of the end of what is done inside, whatever it is; takes the result, or those of --all, where there is one.

    Args:
        image: that is built; None where there are several.
    """
    ends: list[End] = []
    if not receivers:  # what makes the notices takes longer to import than all that a build needs before its Job
        yield ends.append
        return
    from jenkins_kaniko import notices, notify

    to = notify.receivers(receivers, os.environ)
    try:
        yield ends.append
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        notice = notices.failed(image, *_told(error))
        notify.deliver(to, notice, notify.STOPPED_SECONDS if stopped else notify.SECONDS, say)
        raise
    for end in ends:
        notice = notices.ended(end) if isinstance(end, list) else notices.pushed(end)
        notify.deliver(to, notice, notify.SECONDS, say)


def _told(error: BaseException) -> tuple[str, int]:
    """Return the message and the exit code of what ends a build."""
    if isinstance(error, errors.JenkinsKanikoError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", errors.INTERRUPTED
    if isinstance(error, SystemExit):
        return "terminated", errors.TERMINATED
    return f"failed unexpectedly: {type(error).__name__}", 1
