"""Commands that need no controller: the configuration and what is made of it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_shared import config_option, count, load, output_option, print_json


@click.command()
@config_option
@output_option
@click.option("--strict", is_flag=True, help="Exit 1 when there are warnings.")
def validate(config: Path, output: str, strict: bool) -> None:
    """Check the configuration; no controller needed.

    All mistakes are listed with file and line; then, as warnings, what is allowed but will not work as meant.

    \b
    Example:
      jenkins-kaniko validate -c fleet/jenkins-kaniko.yaml
    """
    from jenkins_kaniko.lint import warnings

    fleet = load(config, output, "validate")
    names = [template.name for template in fleet.templates]
    builds = list(fleet.builds)
    found = warnings(fleet)
    if output == "json":
        data = {"problems": [], "warnings": [asdict(one) for one in found]}
        print_json("validate", {**data, "controllers": list(fleet.controllers), "templates": names, "builds": builds})
    else:
        for one in found:
            click.echo(f"warning: {one}")
        parts = [count(len(names), "template"), count(len(fleet.controllers), "controller")]
        parts += [count(len(builds), "build")] if builds else []
        owner = f"fleet {fleet.name}: " if fleet.name else ""
        click.echo(
            f"{config}: {owner}{', '.join(parts)}: valid" + (f", {count(len(found), 'warning')}" if found else "")
        )
    sys.exit(errors.WRONG_INPUT if strict and found else errors.OK)


@click.command()
@click.argument("words", nargs=-1, metavar="[rbac [NAME]...]")
@config_option
@output_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["pod", "jcasc", "helm", "configmap"]),
    default="pod",
    show_default=True,
    help="pod: Kubernetes manifests; jcasc: for configuration-as-code; helm: values of Jenkins' Helm chart; "
    "configmap: for the chart's sidecar, with --cloud.",
)
@click.option("--template", "only", metavar="NAME", help="Only this template.")
@click.option("--cloud", metavar="CONTROLLER", help="The whole cloud of this controller, which needs its ensureCloud.")
@click.option("--namespace", metavar="NAMESPACE", help="With rbac and --account: where the roles count.")
@click.option(
    "--account", metavar="NAMESPACE:NAME", help="With rbac: print also what gives it to this service account."
)
@click.option(
    "--object", "objects", multiple=True, metavar="NAME=OTHER",
    help="With rbac and --account: another name of an object that a role names; may be repeated.",
)  # fmt: skip
def render(
    words: tuple[str, ...],
    config: Path,
    output: str,
    form: str,
    only: str | None,
    cloud: str | None,
    namespace: str | None,
    account: str | None,
    objects: tuple[str, ...],
) -> None:
    """Print the agent pods, or with rbac the rights that commands need in a cluster; no controller needed.

    \b
    Examples:
      jenkins-kaniko render --template kaniko
      jenkins-kaniko render rbac build | kubectl apply -n builds -f -
      jenkins-kaniko render rbac build --namespace builds --account ci:builder | kubectl apply -f -
      jenkins-kaniko render --format helm > templates.yaml
      jenkins-kaniko render --format configmap --cloud main | kubectl apply -f -
    """
    if words:
        click.echo(_roles(namespace, account, objects, *words), nl=False)
        return
    if namespace or account or objects:
        raise click.UsageError("--namespace, --account, --object: are for `render rbac`")
    from jenkins_kaniko import forms

    if cloud and (only or form == forms.POD):
        raise click.UsageError("--cloud is the whole cloud, as jcasc, helm or configmap; give no --template")
    if form == forms.CONFIG_MAP and not cloud:
        raise click.UsageError("a ConfigMap defines the whole cloud: say of which controller with --cloud")
    fleet = load(config, output, "render")
    templates = [template for template in fleet.templates if only in (None, template.name)]
    if only and not templates:
        there = ", ".join(template.name for template in fleet.templates) or "none"
        raise errors.WrongInputError(f"no template named {only}; the configuration has: {there}")
    if cloud:
        from jenkins_kaniko.sync import selected

        selected(fleet, [cloud])
        data = forms.cloud_as_data(form, fleet, cloud)
    else:
        data = forms.as_data(form, templates, fleet)
    if output == "json":
        print_json("render", {"format": form, "result": data})
    else:
        click.echo(forms.as_text(form, data), nl=False)


def _roles(namespace: str | None, account: str | None, objects: tuple[str, ...], what: str, *names: str) -> str:
    """Return the packaged roles of some commands, or of all, given to an account or as they are, with comments."""
    from jenkins_kaniko import rbac, resources
    from jenkins_kaniko.render import dump

    there = resources.roles()
    if what != "rbac":
        raise click.UsageError(f"{what!r} cannot be rendered; allowed: rbac, or nothing for the agent pods")
    if unknown := [name for name in names if name not in there]:
        raise click.UsageError(f"no roles are called {', '.join(unknown)}; there are: {', '.join(there)}")
    if not account:
        if namespace or objects:
            raise click.UsageError("--namespace and --object: need --account NAMESPACE:NAME")
        return "---\n".join(resources.text(f"rbac/{name}.yaml") for name in names or there)
    if not namespace:
        raise click.UsageError("--account: needs --namespace, where the roles count")
    pairs = [one.partition("=") for one in objects]
    if wrong := [old for old, _, new in pairs if not (old and new)]:
        raise click.UsageError(f"--object: {wrong[0]!r} has no other name; write NAME=OTHER")
    made = rbac.given(names or there, namespace, account, {old: new for old, _, new in pairs})
    return "---\n".join(dump(one) for one in made)


@click.command()
@output_option
def schema(output: str) -> None:
    """Print the JSON Schema of the configuration, for editors.

    \b
    Example:
      jenkins-kaniko schema > jenkins-kaniko.schema.json
    and in the first line of the configuration:
      # yaml-language-server: $schema=jenkins-kaniko.schema.json
    """
    from jenkins_kaniko.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
