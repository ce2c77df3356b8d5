"""The option that takes SOURCE and options from the ConfigMap of a build job."""

from __future__ import annotations

from pathlib import Path

import click


def _take(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make what the file says the default of what is not typed."""
    if path is None:
        return
    from jenkins_kaniko.buildconfig import load

    config = load(path)
    for name in config.scripts:
        click.echo(f"{path}: {name} is not run: the command fetches the repository itself", err=True)
    found = {
        "sources": [config.source] if config.source else None,
        "dockerfile": config.settings.get("DOCKER_FILE"),
        "target": config.settings.get("DOCKER_TARGET"),
        "tags": config.tags,  # called only where there is no -t: then the file must name the image in full
    }
    ctx.default_map = {name: value for name, value in found.items() if value is not None}


from_config_option = click.option(
    "--from-config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_take,
    help="ConfigMap of a build job (GIT_URL, GIT_REVISION, DOCKER_FILE, DOCKER_TARGET, REPO_NAME): SOURCE and "
    "options that are not given.",
)
