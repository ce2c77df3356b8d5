"""Where everything is and what it is called, read once from versions.json.

Two kinds of places exist: the repository's `.lab/` folder, which holds one run, and the user's cache
folder, which holds what took long to make and outlives every run and every clone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAB = Path(__file__).resolve().parent.parent
RUN = Path("/run/jenkins-kaniko-lab")  # one lab per machine: its lock and its record
LOGS = "log"
MARK = "JENKINS_KANIKO_LAB_FOLDER"  # set in the environment of every process of a lab


@dataclass(frozen=True)
class Settings:
    """The pinned values and the folders of one clone."""

    folder: Path
    pinned: dict[str, Any]

    @property
    def state(self) -> Path:
        return self.folder / ".lab"

    @property
    def node_root(self) -> Path:
        """What the node sees at its own absolute paths (see node.py)."""
        return self.state / "node"

    @property
    def certs(self) -> Path:
        return self.state / "certs"

    @property
    def logs(self) -> Path:
        return self.state / LOGS

    @property
    def address(self) -> str:
        return str(self.pinned["address"])

    @property
    def api_url(self) -> str:
        return f"https://{self.address}:{self.port('api')}"

    def port(self, name: str) -> int:
        return int(self.pinned["ports"][name])

    def image(self, name: str) -> str:
        return str(self.pinned["images"][name])

    def host_port(self, name: str) -> str:
        """The name and port by which clients in the cluster know a service of the lab."""
        return f"{name}.{self.pinned['domain']}:{self.port(name)}"


def load(folder: Path = LAB.parent) -> Settings:
    """The settings of the clone at *folder*."""
    return Settings(folder, json.loads((folder / "lab" / "versions.json").read_text()))


def cache_root() -> Path:
    """The folder that all clones of one user share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jenkins-kaniko"
