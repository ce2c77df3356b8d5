"""How the JVM test tools of tests/groovy are built and started."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "groovy" / "build"
# groovy-cps, XStream and Groovy 2.4 reach into the JDK's own classes; the rest shortens the start.
FLAGS = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
)


@cache
def class_path(plugin: str = "4238") -> str:
    """Compile what changed for this version of the kubernetes plugin and return the class path."""
    return subprocess.run([BUILD, plugin], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout.strip()


def java(program: str, plugin: str = "4238") -> list[str]:
    """Return the command that starts one of the tools, ready for its arguments."""
    return [shutil.which("java") or "java", *FLAGS, f"-Dstandin.plugin={plugin}", "-cp", class_path(plugin), program]
