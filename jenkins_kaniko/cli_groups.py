"""Groups of commands that are imported when one of them is asked for: `--help` and completion stay fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows where its commands are.

    Args:
        modules: commands to the modules that hold them, in the order of the help.
        functions: commands that cannot be called in Python what they are called on the command line.
    """

    def __init__(
        self, *arguments: Any, modules: Mapping[str, str], functions: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._modules, self._functions = modules, functions

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        module = import_module(f"jenkins_kaniko.{self._modules[cmd_name]}")
        command: click.Command = getattr(module, self._functions.get(cmd_name, cmd_name))
        return command
