"""The lab for tests: started once per run if it does not run yet, and stopped only by who started it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Lab:
    """How to reach the running lab; `settings` is what `lab/env --json` prints."""

    settings: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        return Path(self.settings["KUBECONFIG"])

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as the lab's administrator and return what it prints on stdout."""
        command = [f"{self.settings['LAB_BIN']}/kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=check).stdout

    def living_pods(self, *prefixes: str) -> list[str]:
        """Return the names of the build namespace's pods that begin so and that nobody has deleted."""
        form = "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}"
        names = self.kubectl("get", "pods", "-n", self.settings["LAB_NAMESPACE"], "-o", f"go-template={form}").split()
        return [name for name in names if name.startswith(prefixes)]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab."""
    running = subprocess.run([ROOT / "lab" / "status"], capture_output=True, check=False).returncode == 0
    if not running:
        subprocess.run([ROOT / "lab" / "up"], check=True)
    printed = subprocess.run([ROOT / "lab" / "env", "--json"], capture_output=True, check=True).stdout
    try:
        yield Lab(json.loads(printed))
    finally:
        if not running:
            subprocess.run([ROOT / "lab" / "down"], check=True)
