"""A composite action, run as GitHub's runner does: expressions into the environment, scripts by its bash."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail")
"""What `shell: bash` means (GitHub's workflow syntax, jobs.<id>.steps[*].shell)."""
EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")


@dataclass(frozen=True)
class Ran:
    """How it ended; `outputs` are those of the action."""

    returncode: int
    stdout: str
    stderr: str
    outputs: Mapping[str, str]


class Action:
    """An action in its checkout, on a runner whose temporary folder is `temp`."""

    def __init__(self, checkout: Path, temp: Path) -> None:
        self.text: dict[str, Any] = yaml.safe_load((checkout / "action.yml").read_text(encoding="utf-8"))
        self._checkout, self._temp = checkout, temp
        self._path: list[str] = []

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.text["runs"]["steps"]
        return steps

    def run(
        self,
        inputs: Mapping[str, str],
        workspace: Path,
        environment: Mapping[str, str],
        *,
        first: int = 0,
        last: int | None = None,
    ) -> Ran:
        """Run the steps in order, as many as are asked for, until one fails."""
        given = {name: inputs.get(name, each.get("default", "")) for name, each in self.text["inputs"].items()}
        context = {f"inputs.{name}": value for name, value in given.items()}
        context["github.action_path"] = str(self._checkout)
        done = subprocess.CompletedProcess[str]([], 0, "", "")
        for step in self.steps[first:last]:
            done = self._run(step, context, workspace, environment)
            if done.returncode:
                break
        outputs = {name: _evaluated(each["value"], context) for name, each in self.text.get("outputs", {}).items()}
        return Ran(done.returncode, done.stdout, done.stderr, outputs)

    def _run(
        self, step: Mapping[str, Any], context: dict[str, str], workspace: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        assert step["shell"] == "bash"
        script, path, output = (self._temp / name for name in ("script.sh", "path", "output"))
        script.write_text(_evaluated(step["run"], context), encoding="utf-8")
        path.write_text("")
        output.write_text("")
        env = {
            **environment,
            "PATH": os.pathsep.join([*self._path, environment["PATH"]]),
            "RUNNER_TEMP": str(self._temp),
            "GITHUB_PATH": str(path),
            "GITHUB_OUTPUT": str(output),
            **{name: _evaluated(value, context) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*BASH, str(script)], cwd=workspace, env=env, capture_output=True, text=True, timeout=500, check=False
        )
        self._path = [*path.read_text().splitlines(), *self._path]
        for name, _, value in (line.partition("=") for line in output.read_text().splitlines()):
            context[f"steps.{step.get('id')}.outputs.{name}"] = value
        return done


def _evaluated(text: str, context: Mapping[str, str]) -> str:
    """Return a text with its expressions replaced; what a context does not know is empty."""
    return EXPRESSION.sub(lambda found: context.get(found[1], ""), text)
