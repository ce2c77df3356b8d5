"""The command line's entry: which command is where, and how a failure ends.

Everything but click is imported when a command needs it: `--help`, `--version` and completion stay fast.
"""

from __future__ import annotations

import errno
import os
import sys

import click

from jenkins_kaniko import __version__, errors
from jenkins_kaniko.cli_groups import LazyGroup

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
COMMANDS = {
    "init": "cli_import",
    "validate": "cli_config",
    "schema": "cli_config",
    "render": "cli_config",
    "plan": "cli_fleet",
    "drift": "cli_fleet",
    "sync": "cli_fleet",
    "rollback": "cli_fleet",
    "list": "cli_fleet",
    "import": "cli_import",
    "build": "cli_build",
    "ps": "cli_builds",
    "logs": "cli_builds",
    "cancel": "cli_builds",
    "gc": "cli_builds",
    "secret": "cli_secret",
    "registry": "cli_registry",
    "explain": "cli_explain",
    "doctor": "cli_doctor",
}
"""Commands to the modules that hold them, in the order of the help."""
FUNCTIONS = {"list": "list_templates", "import": "import_templates"}
"""Commands that cannot be called in Python what they are called on the command line."""


@click.group(cls=LazyGroup, modules=COMMANDS, functions=FUNCTIONS, context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep the agent pod templates behind kanikoBuild() the same on every Jenkins controller.

    \b
    jenkins-kaniko init         write a configuration to start from
    jenkins-kaniko validate     is it right?
    jenkins-kaniko plan         what would change on the controllers?
    jenkins-kaniko sync         change it
    jenkins-kaniko drift        what did somebody change there by hand?
    jenkins-kaniko rollback     put back what a sync replaced
    jenkins-kaniko list         what is there, and whose is it?
    jenkins-kaniko import       take templates that are there into the configuration
    jenkins-kaniko build        build an image without Jenkins
    jenkins-kaniko ps           which builds are there, and how are they?
    jenkins-kaniko logs         what does a build say, and how did it end?
    jenkins-kaniko cancel       end a build
    jenkins-kaniko gc           remove what killed builds left
    jenkins-kaniko secret       make, prove and change registry accounts in the cluster
    jenkins-kaniko registry     run a registry in the cluster
    jenkins-kaniko explain      what does the log of a failed build mean?
    jenkins-kaniko doctor       what keeps builds from working?

    Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 wrong input, 2 differences,
    3 mixed outcomes, 4 refused for safety, 5 cannot reach or not allowed, 6 the build failed, 7 failed,
    8 doctor found errors, 124 timed out.
    """


def main() -> None:
    """Run the command line; a user's mistake ends as one text on stderr and an exit code, never a traceback."""
    _open_closed_streams()
    try:
        cli(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(errors.WRONG_INPUT)
    except click.ClickException as error:
        error.show()
        sys.exit(errors.WRONG_INPUT)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what a controller was just asked for it may still do: plan tells", err=True)
        os._exit(errors.INTERRUPTED)  # sys.exit would wait for the threads that wait for controllers
    except errors.JenkinsKanikoError as error:
        click.echo(f"jenkins-kaniko: {error}" if "\n" not in str(error) else str(error), err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"jenkins-kaniko: {error.strerror}: {error.filename or 'where stdout leads to'}", err=True)
        sys.exit(errors.WRONG_INPUT)


def _open_closed_streams() -> None:
    """Let what is printed go nowhere where whoever started us closed stdout or stderr, as some schedulers do."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
