"""Commands that write registry accounts into Secrets: create, rotate."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_secret_ecr import ecr_accounts, ecr_options, install, renewal_of
from jenkins_kaniko.cli_shared import ca_option, config_option, load, output_option, print_json, told_as

if TYPE_CHECKING:
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.dockerconfig import Account
    from jenkins_kaniko.registry_secret import Written


def account_options(command: Any) -> Any:
    """Add the options that say whose account it is; the password itself is never typed as one."""
    for option in (
        click.option("--password-env", metavar="VARIABLE", help="The password is in this environment variable."),
        click.option("--password-stdin", is_flag=True, help="The password comes on standard input."),
        click.option("--username", metavar="USER", help="The user, robot account or token name."),
        click.option("--registry", metavar="HOST", help="Such as registry.example.com:5000, ghcr.io, docker.io."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@account_options
@click.option(
    "--from-docker-config", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Take the accounts of this docker config, those of its credential helpers too; may be repeated.",
)  # fmt: skip
@ecr_options
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, metavar="NAMESPACE", envvar="KUBE_NAMESPACE", show_envvar=True,
    help="Where; may be repeated. Else that of the current context.",
)  # fmt: skip
@click.option(
    "--all-namespaces-of-config", is_flag=True, help="In those of the configuration's templates whose secret NAME is."
)
@config_option
@click.option("--adopt", is_flag=True, help="Take over a Secret of this name that somebody else made.")
@output_option
def create(
    name: str,
    registry: str | None,
    username: str | None,
    password_stdin: bool,
    password_env: str | None,
    files: tuple[Path, ...],
    namespaces: tuple[str, ...],
    all_namespaces_of_config: bool,
    config: Path,
    adopt: bool,
    output: str,
    **of_ecr: str | None,
) -> None:
    """Put registry accounts into the Secret NAME, where builders and nodes take them from.

    The accounts of other registries that are in it stay.

    \b
    Examples:
      jenkins-kaniko secret create docker-config --registry ghcr.io --username octocat
      pass ci/harbor | jenkins-kaniko secret create docker-config -n builds --registry harbor.example.com \\
        --username 'robot$ci' --password-stdin
      jenkins-kaniko secret create docker-config --from-docker-config ~/.docker/config.json --all-namespaces-of-config
      jenkins-kaniko secret create docker-config -n builds --ecr eu-central-1 \\
        --renew-image registry.example.com/jenkins-kaniko:1 --aws-role arn:aws:iam::123456789012:role/ecr
    """
    from jenkins_kaniko import dockerconfig, registry_secret

    fleet = load(config, output, "secret create") if all_namespaces_of_config else None
    with told_as("secret create", output):
        renewal = renewal_of(name, of_ecr)
        parts: list[tuple[str, Mapping[str, Account]]] = [(str(file), _accounts_in(file)) for file in files]
        if registry and username:
            key = dockerconfig.key_of(registry)
            parts.append(("--registry", {key: _typed_account(key, username, password_stdin, password_env)}))
        elif registry or username:
            raise errors.WrongInputError("--registry and --username: one needs the other")
        if region := of_ecr["ecr"]:
            parts.append(("--ecr", ecr_accounts(region)))
        accounts = dockerconfig.merge(parts)
        if not accounts:
            raise errors.WrongInputError(
                f"{', '.join(map(str, files))}: no account in it; docker login HOST writes one"
                if files
                else "which account? Give --registry and --username, --from-docker-config FILE or --ecr"
            )
        door = _door()
        places = [*namespaces, *(registry_secret.namespaces_of(fleet, name) if fleet else ())]
        written = registry_secret.create(door, name, places or [door.namespace], accounts, adopt=adopt)
    _tell("secret create", name, sorted(accounts), written, output)
    if renewal:
        install(door, renewal, [one.namespace for one in written if not one.error])
    sys.exit(_exit_code(written))


@click.command()
@click.argument("name")
@account_options
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, metavar="NAMESPACE",
    help="Only there; may be repeated. Else wherever create put it.",
)  # fmt: skip
@ca_option
@output_option
def rotate(
    name: str,
    registry: str | None,
    username: str | None,
    password_stdin: bool,
    password_env: str | None,
    namespaces: tuple[str, ...],
    ca_file: Path | None,
    output: str,
) -> None:
    """Replace the password of one registry in the Secret NAME, wherever this command made it.

    The registry must let the new one in; else nothing changes. The accounts of other registries stay. Without
    --username the user stays too.

    \b
    Example:
      pass ci/harbor | jenkins-kaniko secret rotate docker-config --registry harbor.example.com --password-stdin
    """
    from jenkins_kaniko import dockerconfig, registry_secret
    from jenkins_kaniko.registry_login import prove

    with told_as("secret rotate", output):
        if not registry:
            raise errors.WrongInputError("--registry: missing; whose password is it?")
        key = dockerconfig.key_of(registry)
        written = registry_secret.rotate(
            _door(),
            name,
            key,
            namespaces,
            lambda user: _typed_account(key, username or user, password_stdin, password_env),
            lambda account: prove(key, account, ca_file),
        )
    _tell("secret rotate", name, [key], written, output)
    sys.exit(_exit_code(written))


def _typed_account(key: str, username: str, stdin: bool, variable: str | None) -> Account:
    """Return the account of a user, with a password from where the options say it is."""
    from jenkins_kaniko import dockerconfig, registry_kinds

    account = dockerconfig.account_of(username, _password(key, username, stdin, variable))
    registry_kinds.refuse_mistakes(key, account)
    return account


def _password(key: str, username: str, stdin: bool, variable: str | None) -> str:
    if stdin and variable:
        raise errors.WrongInputError("--password-stdin and --password-env: give one of them")
    if variable:
        if variable not in os.environ:
            raise errors.WrongInputError(f"--password-env: {variable} is not in the environment")
        return os.environ[variable]
    if stdin:
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape").rstrip("\r\n")
    if not _at_a_terminal():
        raise errors.WrongInputError("where is the password? Give --password-stdin or --password-env VARIABLE")
    return str(click.prompt(f"Password of {username} at {key}", hide_input=True, err=True))


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _accounts_in(file: Path) -> dict[str, Account]:
    from jenkins_kaniko import credential_helpers, dockerconfig

    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise errors.WrongInputError(f"--from-docker-config: {file}: cannot be read: {reason}") from None
    config = dockerconfig.parse(text, str(file))
    held = {key: credential_helpers.account(helper, key) for key, helper in config.helpers.items()}
    return {**config.accounts, **held}


def _door() -> Objects:
    from jenkins_kaniko.cluster_objects import Objects

    return Objects()


def _tell(command: str, name: str, registries: Sequence[str], written: Sequence[Written], output: str) -> None:
    """Say what was made where, never values."""
    from jenkins_kaniko.report import error_data

    if output == "json":
        places = [
            {"namespace": one.namespace, "state": one.state, **({"error": error_data(one.error)} if one.error else {})}
            for one in written
        ]
        print_json(command, {"name": name, "registries": list(registries), "namespaces": places})
    for one in written:
        if one.error:
            click.echo(f"failed: {one.error}", err=True)
        elif output == "text":
            click.echo(f"secret {one.namespace}/{name}: {one.state} ({', '.join(registries)})")


def _exit_code(written: Sequence[Written]) -> int:
    codes = {one.error.exit_code if one.error else errors.OK for one in written}
    return codes.pop() if len(codes) == 1 else errors.MIXED_OUTCOMES
