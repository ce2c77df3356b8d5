"""What the commands of a registry share: options, the door to the cluster, asking before they destroy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from jenkins_kaniko import errors
from jenkins_kaniko.cli_build_options import DURATION

if TYPE_CHECKING:
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.registry import Registry
    from jenkins_kaniko.registry_settings import Dropped

name_option = click.option("--name", default="registry", show_default=True, help="Name of its Service and Deployment.")
namespace_option = click.option(
    "-n", "--namespace", default="shared-services", show_default=True, help="Where it runs."
)
timeout_option = click.option(
    "--timeout", type=DURATION, default="3m", show_default=True, help="How long the pod, or cert-manager, may take."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")


def settings_options(command: Any) -> Any:
    """Add the options that say what the registry is to be like."""
    for option in reversed(
        (
            name_option,
            namespace_option,
            click.option("--image", help="Image of the registry; else the packaged one."),
            click.option("--storage", metavar="SIZE", help="Keep images on a claim of this size, such as 20Gi."),
            click.option("--storage-class", metavar="NAME", help="Class of the claim; else the cluster's default."),
            click.option("--s3-bucket", metavar="NAME", help="Keep images in a bucket; needs --s3-region."),
            click.option("--s3-region", metavar="REGION", help="Its region, such as eu-central-1."),
            click.option("--s3-endpoint", metavar="URL", help="Its server; else that of AWS."),
            click.option("--s3-secret", metavar="NAME", help="Secret with the keys accesskey and secretkey."),
            click.option("--cluster-ip", metavar="ADDRESS", help="Address of the Service; else the cluster's choice."),
            click.option("--tls-secret", metavar="NAME", help="Secret with a certificate that you keep yourself."),
            click.option("--issuer", metavar="KIND/NAME", help="cert-manager's Issuer or ClusterIssuer to ask."),
            click.option("--account", "accounts", multiple=True, metavar="NAME",
                         help="Who may push and pull, by a password made up; may be repeated. Without: everybody."),
            click.option("--read-only/--read-write", default=None, help="Whether pushes are refused."),
            click.option("--mirror", metavar="REGISTRY", help="Fetch and keep images of this one, such as docker.io."),
            click.option("--cpu", metavar="AMOUNT", help="What its pod asks for; else 50m."),
            click.option("--memory", metavar="SIZE", help="What its pod asks for; else 128Mi."),
            click.option("--memory-limit", metavar="SIZE", help="What its pod may use; else 512Mi."),
            click.option("--for", "users", multiple=True, metavar="NAMESPACE",
                         help="Give this namespace the certificate and the login; may be repeated."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def drop_options(command: Any) -> Any:
    """Add the options that take back what an earlier call asked for."""
    for option in reversed(
        (
            click.option("--no-accounts", is_flag=True,
                         help="Forget the accounts there are; without --account, everybody may."),
            click.option("--own-ca", is_flag=True, help="Forget --tls-secret and --issuer: sign the certificate here."),
            click.option("--no-mirror", is_flag=True, help="Forget --mirror: take pushes."),
            click.option("--not-for", multiple=True, metavar="NAMESPACE",
                         help="Take back what --for gave this namespace, also where it is gone; may be repeated."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def confirm(yes: bool, question: str) -> None:
    """Go on only if the user agrees."""
    if not yes:
        if not sys.stdin.isatty():
            raise errors.RefusedError(f"{question} Nobody can be asked here: give --yes")
        if not click.confirm(question, err=True):
            raise errors.RefusedError("nothing was done")


def opened(
    name: str, namespace: str, given: dict[str, Any], dropped: Dropped | None = None
) -> tuple[Objects, dict[str, Any] | None, Registry]:
    """Return the door to the cluster, the settings that are there, and the registry as it is to be."""
    from jenkins_kaniko import registry_install
    from jenkins_kaniko.cluster_objects import Objects
    from jenkins_kaniko.registry_settings import Dropped, registry_of, remaining

    objects = Objects()
    kept = registry_install.found(objects, name, namespace)
    before = remaining(kept or {}, given, dropped or Dropped())
    return objects, kept, registry_of(name, namespace, given, before)


def must_be_there(wanted: Registry, there: bool) -> None:
    if not there:
        where = f"registry {wanted.namespace}/{wanted.name}"
        raise errors.WrongInputError(f"{where}: there is none; jenkins-kaniko registry install makes one")
