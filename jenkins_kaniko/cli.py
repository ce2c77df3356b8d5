"""Commands: the only place that reads arguments, prints and exits.

Everything but click is imported when a command needs it: `--help`, `--version` and completion stay fast.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import __version__, errors

if TYPE_CHECKING:
    from jenkins_kaniko.model import Controller, Fleet, SecretKey
    from jenkins_kaniko.sync import Door, FleetResult

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default="jenkins-kaniko.yaml",
    show_default=True,
    envvar="JENKINS_KANIKO_CONFIG",
    show_envvar=True,
    help="The configuration of the fleet.",
)
output_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the result."
)
controller_option = click.option(
    "--controller", "controllers", multiple=True, metavar="NAME", help="Only this controller; may be repeated."
)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep the agent pod templates behind kanikoBuild() the same on every Jenkins controller.

    \b
    jenkins-kaniko validate     is the configuration right?
    jenkins-kaniko plan         what would change on the controllers?
    jenkins-kaniko sync         change it

    Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 wrong input, 2 differences,
    3 mixed outcomes, 4 refused for safety, 5 cannot reach or not allowed, 7 failed.
    """


@cli.command()
@config_option
@output_option
def validate(config: Path, output: str) -> None:
    """Check the configuration; no controller needed.

    All mistakes are listed with file and line.

    \b
    Example:
      jenkins-kaniko validate -c fleet/jenkins-kaniko.yaml
    """
    fleet = _load(config, output, "validate")
    names = [template.name for template in fleet.templates]
    if output == "json":
        _print_json("validate", {"problems": [], "controllers": list(fleet.controllers), "templates": names})
    else:
        click.echo(
            f"{config}: fleet {fleet.name}: {_count(len(names), 'template')}, "
            f"{_count(len(fleet.controllers), 'controller')}: valid"
        )


@cli.command()
@config_option
@output_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["pod", "jcasc", "helm"]),
    default="pod",
    show_default=True,
    help="pod: Kubernetes manifests; jcasc: for configuration-as-code; helm: values of Jenkins' Helm chart.",
)
@click.option("--template", "only", metavar="NAME", help="Only this template.")
def render(config: Path, output: str, form: str, only: str | None) -> None:
    """Print the agent pods; no controller needed.

    \b
    Examples:
      jenkins-kaniko render --template kaniko
      jenkins-kaniko render --format helm > templates.yaml
    """
    from jenkins_kaniko import render as renderer

    fleet = _load(config, output, "render")
    templates = [template for template in fleet.templates if only in (None, template.name)]
    if only and not templates:
        there = ", ".join(template.name for template in fleet.templates) or "none"
        raise errors.WrongInputError(f"no template named {only}; the configuration has: {there}")
    if output == "json":
        data = renderer.as_data(form, templates, fleet)
        _print_json("render", {"format": form, "result": data})
    else:
        click.echo(renderer.as_text(form, templates, fleet), nl=False)


@cli.command()
@config_option
@output_option
@controller_option
def plan(config: Path, output: str, controllers: tuple[str, ...]) -> None:
    """Show what sync would change, and change nothing. Exits 2 when there is something.

    \b
    Example:
      jenkins-kaniko plan --controller main
    """
    from jenkins_kaniko.sync import plan_all, selected

    fleet = _load(config, output, "plan")
    result = plan_all(fleet, selected(fleet, controllers), _connect(fleet), _read_secret)
    _finish("plan", result, output, errors.DIFFERENCES)


@cli.command()
@config_option
@output_option
@controller_option
def sync(config: Path, output: str, controllers: tuple[str, ...]) -> None:
    """Bring the pod templates of the fleet onto its controllers.

    Templates of others are never touched. The change is one swap that happens only if nothing moved since it
    was planned; all controllers are worked on at once, each with its own result.

    \b
    Example:
      JENKINS_TOKEN=... jenkins-kaniko sync
    """
    from jenkins_kaniko.sync import selected, sync_all

    fleet = _load(config, output, "sync")
    chosen = selected(fleet, controllers)
    click.echo(f"fleet {fleet.name}: {_count(len(chosen), 'controller')}: {', '.join(chosen)}", err=True)
    result = sync_all(fleet, chosen, _connect(fleet), _read_secret)
    _finish("sync", result, output, errors.OK)


def _load(path: Path, output: str, command: str) -> Fleet:
    from jenkins_kaniko import config

    try:
        return config.load(path)
    except errors.WrongInputError as error:
        if output == "json":
            _print_json(command, _error_data(error))
        raise


def _error_data(error: errors.WrongInputError) -> dict[str, Any]:
    data: dict[str, Any] = {"error": {"message": str(error), "exitCode": error.exit_code}}
    if isinstance(error, errors.ConfigError):
        fields = ("file", "line", "key", "message")
        data["problems"] = [{name: getattr(problem, name) for name in fields} for problem in error.problems]
    return data


def _connect(fleet: Fleet) -> Any:
    def connect(name: str, controller: Controller, token: str) -> Door:
        from jenkins_kaniko import jenkins

        ca = fleet.folder / controller.ca if controller.ca else None
        if ca and not ca.is_file():
            raise errors.WrongInputError(f"controllers.{name}.ca: {ca}: no such file")
        return jenkins.Controller(name, controller.url, controller.user, token, controller.cloud, ca)

    return connect


def _read_secret(key: SecretKey) -> str:
    from jenkins_kaniko import cluster

    return cluster.read_secret(key.namespace, key.name, key.key)


def _finish(command: str, result: FleetResult, output: str, differences: int) -> None:
    from rich.console import Console

    from jenkins_kaniko import report

    if output == "json":
        _print_json(command, report.fleet_data(result))
    else:
        report.print_fleet(result, Console(highlight=False))
    sys.exit(result.exit_code(differences))


def _print_json(command: str, data: dict[str, Any]) -> None:
    from jenkins_kaniko import report

    click.echo(report.as_json(command, data))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def main() -> None:
    """Run the command line; a user's mistake ends as one text on stderr and an exit code, never a traceback."""
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
