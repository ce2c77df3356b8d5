"""What several commands share: options, reading the configuration, making doors, ending with a result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import errors, stopping

if TYPE_CHECKING:
    from jenkins_kaniko import jenkins
    from jenkins_kaniko.fleetfile import Controller
    from jenkins_kaniko.fleetvalues import SecretKey
    from jenkins_kaniko.model import Fleet
    from jenkins_kaniko.plan import Consent
    from jenkins_kaniko.sync import Connect, ControllerResult, Door, FleetResult, Work

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
ca_option = click.option(
    "--ca-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Trust the PEM certificates in this file instead of the system's.",
)  # fmt: skip
format_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Form of the result; markdown is for the description of a merge request.",
)
controller_option = click.option(
    "--controller", "controllers", multiple=True, metavar="NAME", help="Only this controller; may be repeated."
)
fail_fast_option = click.option(
    "--fail-fast", is_flag=True, help="One controller after the other, and none after one failed."
)


timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=180,
    show_default=True,
    metavar="SECONDS",
    help="With --via configmap: how long what was written may take to be loaded.",
)


def via_option(*ways: str) -> Callable[[Any], Any]:
    """The option that chooses how a controller is spoken to."""
    told = {
        "script": "script: the script console, as Overall/Administer",
        "export": "export: only read what configuration-as-code exports, as Overall/SystemRead",
        "configmap": "configmap: the export, and the ConfigMap of controllers.NAME.sidecar",
    }
    text = "; ".join(told[way] for way in ways)
    return click.option("--via", type=click.Choice(ways), default="script", show_default=True, help=f"{text}.")


def consent_options(command: Any) -> Any:
    """Add the options by which a user allows more than creating and updating."""
    for option in (
        click.option("--allow-deletes", is_flag=True, help="With --prune: even if it is a large part of them."),
        click.option("--adopt", is_flag=True, help="Take over templates of the same name that nobody owns."),
        click.option("--prune", is_flag=True, help="Delete the fleet's templates that are no longer declared."),
    ):
        command = option(command)
    return command


def load(path: Path, output: str, command: str) -> Fleet:
    from jenkins_kaniko import config

    with mistakes_as_data(output, command):
        return config.load(path)


@contextmanager
def mistakes_as_data(output: str, command: str) -> Iterator[None]:
    """Print wrong input as JSON too, where JSON is wanted."""
    try:
        yield
    except errors.WrongInputError as error:
        if output == "json":
            print_json(command, _error_data(error))
        raise


def _error_data(error: errors.WrongInputError) -> dict[str, Any]:
    from jenkins_kaniko.report import error_data

    data: dict[str, Any] = {"error": error_data(error)}
    if isinstance(error, errors.ConfigError):
        data["problems"] = [asdict(problem) for problem in error.problems]
    return data


def work(
    fleet: Fleet,
    fail_fast: bool = False,
    consent: Consent | None = None,
    expected: Mapping[str, str] | None = None,
    via: str = "script",
    timeout: float = 0,
) -> Work:
    from jenkins_kaniko.plan import Consent
    from jenkins_kaniko.sync import Work

    consent = consent or Consent()
    connect = {
        "script": _connect(fleet),
        "export": _connect_export(fleet),
        "configmap": _connect_sidecar(fleet, consent, timeout),
    }[via]
    return Work(connect, _read_secret, consent, fail_fast, _tell, expected)


def quiet_work(fleet: Fleet, fail_fast: bool = False) -> Work:
    """For reading only, where a line for each controller would say nothing."""
    return replace(work(fleet, fail_fast), on_done=lambda _result: None)


def _tell(result: ControllerResult) -> None:
    """One line on stderr as each controller ends: on many of them the result comes late."""
    from jenkins_kaniko.report import status

    click.echo(f"{result.controller}: {status(result)}", err=True)


def _connect_export(fleet: Fleet) -> Connect:
    def connect(name: str, controller: Controller, token: str) -> Door:
        from jenkins_kaniko.export import Export

        return Export(_connect(fleet)(name, controller, token))

    return connect


def _connect_sidecar(fleet: Fleet, consent: Consent, timeout: float) -> Connect:
    def connect(name: str, controller: Controller, token: str) -> Door:
        from jenkins_kaniko.sidecar import SidecarDoor
        from jenkins_kaniko.sync import secret_value

        settings = controller.sidecar
        if settings is None or controller.ensure_cloud is None:
            missing = "sidecar" if settings is None else "ensureCloud"
            raise errors.WrongInputError(
                f"controllers.{name}.{missing}: missing; --via configmap writes a whole cloud into a ConfigMap"
            )
        key = f"controllers.{name}.sidecar.reloadToken"
        reload = secret_value(settings.reload_token, key, fleet.folder, _read_secret) if settings.reload_token else None
        return SidecarDoor(
            _connect(fleet)(name, controller, token), settings, fleet.name, reload,
            adopt=consent.adopt, timeout=timeout, tell=say,
        )  # fmt: skip

    return connect


def _connect(fleet: Fleet) -> Callable[[str, Controller, str], jenkins.Controller]:
    def connect(name: str, controller: Controller, token: str) -> jenkins.Controller:
        from jenkins_kaniko import jenkins, lint

        if lint.in_clear_text(controller.url):
            click.echo(f"warning: controllers.{name}.url: {lint.CLEAR_TEXT}", err=True)
        ca = fleet.folder / controller.ca if controller.ca else None
        if ca and not ca.is_file():
            raise errors.WrongInputError(f"controllers.{name}.ca: {ca}: no such file")
        may_create = controller.ensure_cloud is not None
        return jenkins.Controller(
            name, controller.url, controller.user, token, controller.cloud, ca, may_create=may_create
        )

    return connect


def _read_secret(key: SecretKey) -> str:
    from jenkins_kaniko import cluster

    return cluster.read_secret(key.namespace, key.name, key.key)


def finish(command: str, result: FleetResult, output: str, differences: int) -> None:
    from jenkins_kaniko import report

    if output == "json":
        print_json(command, report.fleet_data(result))
    elif output == "markdown":
        click.echo(report.markdown(result))
    elif sys.stdout.isatty():
        from rich.console import Console

        report.print_fleet(result, Console(highlight=False))
    else:
        click.echo(report.text(result))
    sys.exit(result.exit_code(differences))


def say(text: str) -> None:
    """Print a line on stderr, above a status line or table that is shown there."""
    click.echo(text, file=sys.stderr)  # err=True would go past it: click keeps the stream that it found first


def print_json(command: str, data: dict[str, Any]) -> None:
    from jenkins_kaniko import report

    click.echo(report.as_json(command, data))


@contextmanager
def told_as(command: str, output: str) -> Iterator[None]:
    """Tell errors as data too, and end by signals as by errors: what is in the cluster is removed on the way."""
    stopping.heed(say)
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        sys.exit(errors.INTERRUPTED)
    except errors.JenkinsKanikoError as error:
        if output == "json":
            from jenkins_kaniko.report import error_data

            print_json(command, {"error": error_data(error)})
        raise


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
