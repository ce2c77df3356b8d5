"""Commands that work on the controllers of a fleet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import (
    config_option,
    consent_options,
    controller_option,
    count,
    fail_fast_option,
    finish,
    format_option,
    load,
    output_option,
    print_json,
    quiet_work,
    timeout_option,
    via_option,
    work,
)

if TYPE_CHECKING:
    from jenkins_kaniko.plan import Consent
    from jenkins_kaniko.sync import FleetResult


@click.command()
@config_option
@format_option
@controller_option
@fail_fast_option
@consent_options
@via_option("script", "export", "configmap")
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan to this file, for `sync PLAN`.")
def plan(
    config: Path,
    output: str,
    controllers: tuple[str, ...],
    fail_fast: bool,
    via: str,
    out: Path | None,
    **consent: bool,
) -> None:
    """Show what sync would change, and change nothing. Exits 2 when there is something.

    \b
    Examples:
      jenkins-kaniko plan --controller main
      jenkins-kaniko plan --out plan.json && jenkins-kaniko sync plan.json
    """
    from jenkins_kaniko.plan import Consent
    from jenkins_kaniko.sync import plan_all, selected

    fleet = load(config, output, "plan")
    todo = work(fleet, fail_fast, Consent(**consent), via=via)
    result = plan_all(fleet, selected(fleet, controllers), todo)
    if out:
        _keep(out, result, todo.consent)
    finish("plan", result, output, errors.DIFFERENCES)


def _keep(out: Path, result: FleetResult, consent: Consent) -> None:
    """A plan of some controllers only would look like one of all of them."""
    from jenkins_kaniko import planfile

    if unplanned := [one.controller for one in result.controllers if one.plan is None]:
        click.echo(f"{out}: no plan was written: there is none for {', '.join(unplanned)}", err=True)
    else:
        planfile.write(out, result, consent)
        click.echo(f"{out}: carry it out with: jenkins-kaniko sync {out}", err=True)


@click.command()
@config_option
@format_option
@controller_option
@fail_fast_option
@via_option("script", "export")
def drift(config: Path, output: str, controllers: tuple[str, ...], fail_fast: bool, via: str) -> None:
    """Show what was changed by hand since the last sync. Exits 2 when there is something.

    `plan` compares the configuration with the controllers; `drift` the controllers with what was applied there.

    \b
    Example:
      jenkins-kaniko drift -o json
    """
    from jenkins_kaniko.sync import drift_all, selected

    fleet = load(config, output, "drift")
    result = drift_all(fleet, selected(fleet, controllers), work(fleet, fail_fast, via=via))
    finish("drift", result, output, errors.DIFFERENCES)


@click.command()
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@config_option
@format_option
@controller_option
@fail_fast_option
@consent_options
@via_option("script", "configmap")
@timeout_option
@click.option("--dry-run", is_flag=True, help="The same as plan.")
@click.pass_context
def sync(
    context: click.Context,
    /,
    plan_file: Path | None,
    config: Path,
    output: str,
    controllers: tuple[str, ...],
    fail_fast: bool,
    via: str,
    timeout: float,
    dry_run: bool,
    **consent: bool,
) -> None:
    """Bring the pod templates of the fleet onto its controllers.

    Templates of others are never touched. The change is one swap that happens only if nothing moved since it
    was planned; all controllers are worked on at once, each with its own result. What is replaced is kept below
    .jenkins-kaniko/backups, for rollback. With a PLAN that `plan --out` wrote, exactly that is done or nothing.

    \b
    Examples:
      JENKINS_TOKEN=... jenkins-kaniko sync
      jenkins-kaniko sync --prune --controller main
    """
    from jenkins_kaniko.plan import Consent
    from jenkins_kaniko.sync import selected, sync_all

    if dry_run and not plan_file:
        context.invoke(
            plan, config=config, output=output, controllers=controllers, fail_fast=fail_fast, via=via, **consent
        )
    fleet = load(config, output, "sync")
    if plan_file:
        from jenkins_kaniko import planfile

        if controllers or dry_run or any(consent.values()):
            raise click.UsageError("a PLAN says itself which controllers and what is allowed; give it alone")
        saved = planfile.load(plan_file, fleet)
        names, allowed, hashes = list(saved.hashes), saved.consent, saved.hashes
    else:
        names, allowed, hashes = list(controllers), Consent(**consent), None
    chosen = selected(fleet, names)
    todo = work(fleet, fail_fast, allowed, hashes, via, timeout)
    click.echo(f"fleet {fleet.name}: {count(len(chosen), 'controller')}: {', '.join(chosen)}", err=True)
    finish("sync", sync_all(fleet, chosen, todo), output, errors.OK)


@click.command()
@click.argument("backup_file", metavar="BACKUP", type=click.Path(path_type=Path))
@config_option
@format_option
@via_option("script", "configmap")
@timeout_option
def rollback(backup_file: Path, config: Path, output: str, via: str, timeout: float) -> None:
    """Put the fleet's templates on one controller back as a backup holds them.

    Templates of others stay as they are. What is replaced is kept too, so a rollback can be rolled back.

    \b
    Example:
      jenkins-kaniko rollback .jenkins-kaniko/backups/main/20261121T161006.052718Z-k3v_9xq2.json
    """
    from jenkins_kaniko import backup
    from jenkins_kaniko.sync import rollback as roll_back
    from jenkins_kaniko.sync import selected

    fleet = load(config, output, "rollback")
    saved = backup.load(backup_file)
    selected(fleet, [saved.controller])
    finish("rollback", roll_back(fleet, saved, work(fleet, via=via, timeout=timeout)), output, errors.OK)


@click.command("list")
@config_option
@output_option
@controller_option
@fail_fast_option
def list_templates(config: Path, output: str, controllers: tuple[str, ...], fail_fast: bool) -> None:
    """Show the pod templates on the controllers, and whose they are.

    \b
    Example:
      jenkins-kaniko list --controller main
    """
    from jenkins_kaniko import listing
    from jenkins_kaniko.sync import list_all, selected

    fleet = load(config, output, "list")
    result = list_all(fleet, selected(fleet, controllers), quiet_work(fleet, fail_fast))
    if output == "json":
        print_json("list", listing.as_data(result))
    else:
        click.echo(listing.as_text(result))
    sys.exit(result.exit_code(errors.OK))
