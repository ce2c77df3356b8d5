"""Commands that write configuration: a file to start from, and templates that are on a controller already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import config_option, count, load, output_option, print_json, quiet_work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jenkins_kaniko.importer import Imported
    from jenkins_kaniko.model import Fleet

EXAMPLE = {"url": "https://jenkins.example.com", "user": "ci-bot", "token_env": "JENKINS_TOKEN"}
INCLUDED = "imported-main.yaml"


@click.command()
@config_option
@click.option("--fleet", "name", default="my-fleet", show_default=True, help="The mark of everything it will manage.")
@click.option("--from", "url", metavar="URL", help="A controller whose templates are taken over.")
@click.option("--user", help="With --from: a user with Overall/Administer.")
@click.option("--token-env", metavar="VAR", default="JENKINS_TOKEN", show_default=True, help="Where its token is.")
@click.option("--ca", type=click.Path(path_type=Path), help="PEM file of the CA of the controller's certificate.")
@click.option("--cloud", default="kubernetes", show_default=True, help="The Kubernetes cloud there.")
def init(
    config: Path, name: str, url: str | None, user: str | None, token_env: str, ca: Path | None, cloud: str
) -> None:
    """Write a configuration to start from; nothing is overwritten.

    \b
    Examples:
      jenkins-kaniko init --fleet acme
      jenkins-kaniko init --fleet acme --from https://jenkins.example.com --user ci-bot
    """
    from jenkins_kaniko import render
    from jenkins_kaniko.config import parse

    if bool(url) != bool(user):
        raise click.UsageError("--from and --user belong together")
    _refuse_existing([config])
    if url is None:
        text = render.starter(name, EXAMPLE)
        parse(text, config)
        _write(config.parent, {config.name: text})
        click.echo(f"{config}: written; change it to your needs, then: jenkins-kaniko validate")
        return
    relative = os.path.relpath(ca, config.parent) if ca else None
    controller = {"url": url, "user": user, "token_env": token_env, "ca": relative, "cloud": cloud}
    fleet = parse(render.starter(name, controller, taken=True), config)
    imported = _taken(fleet, "main", (), INCLUDED)
    include = INCLUDED if imported.taken else None
    files = imported.files if imported.taken else {}
    _write(config.parent, {config.name: render.starter(name, controller, include, taken=True), **files})
    _tell(imported)
    click.echo(f"{config}: written, with {count(len(imported.taken), 'template')}; now: jenkins-kaniko plan")


@click.command("import")
@click.argument("names", metavar="[TEMPLATE]...", nargs=-1)
@config_option
@output_option
@click.option("--controller", required=True, metavar="NAME", help="The controller of the configuration to take from.")
@click.option("--out", metavar="FILE", help="What to write, beside the configuration.  [default: imported-NAME.yaml]")
def import_templates(names: tuple[str, ...], config: Path, output: str, controller: str, out: str | None) -> None:
    """Take templates that are on a controller into the configuration.

    Without a TEMPLATE (name or id) all that no fleet owns. They are written into a file of their own, their pods
    beside it; include it, and `plan` has nothing to do. The configuration itself is not edited.

    \b
    Example:
      jenkins-kaniko import --controller main maven node
    """
    from jenkins_kaniko.sync import selected

    fleet = load(config, output, "import")
    selected(fleet, [controller])
    imported = _taken(fleet, controller, names, out or f"imported-{controller}.yaml")
    if not imported.taken:
        raise errors.WrongInputError("\n".join(imported.left) or f"controller {controller}: no templates there to take")
    _write(fleet.folder, imported.files)
    file = next(iter(imported.files))
    if output == "json":
        print_json("import", {"file": file, "taken": list(imported.taken), "left": list(imported.left)})
        return
    _tell(imported)
    click.echo(f"{fleet.folder / file}: {count(len(imported.taken), 'template')}; add to {config}: include: [{file}]")


def _taken(fleet: Fleet, controller: str, names: tuple[str, ...], file: str) -> Imported:
    from jenkins_kaniko import importer
    from jenkins_kaniko.sync import list_all

    (result,) = list_all(fleet, [controller], quiet_work(fleet)).controllers
    if result.state is None:
        raise result.error or errors.JenkinsKanikoError(f"controller {controller}: was not read")
    return importer.take(result.state, fleet, controller, names, file)


def _tell(imported: Imported) -> None:
    for line in imported.left:
        click.echo(line, err=True)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all of them or none; to the byte, because pods are compared to the byte."""
    _refuse_existing([folder / name for name in files])
    for name, text in files.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("xb") as file:
                file.write(text.encode("utf-8"))
        except OSError as error:
            raise errors.WrongInputError(f"{folder / name}: {error.strerror}") from None


def _refuse_existing(paths: list[Path]) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise errors.WrongInputError(f"{', '.join(there)}: there already; it is not overwritten")
