"""Kubernetes, Kaniko, CoreDNS and a registry, compiled from their Go modules once per machine.

Each family has a go.mod of its own (their dependencies clash) that pins everything; its programs are the `tool`
lines of that file, or the main.go beside it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from lablib import cache
from lablib.run import LabError, run, run_logged
from lablib.settings import LAB, Settings

# Without these two the API server calls itself v0.0.0 and clients refuse to talk to it.
STAMPED = (
    "k8s.io/component-base/version.gitVersion",
    "k8s.io/client-go/pkg/version.gitVersion",
)


def family_flags(family: str) -> list[str]:
    """The build flags of one family."""
    linker = "-s -w"
    if family == "kubernetes":
        text = (LAB / "go" / family / "go.mod").read_text()
        found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\S*)", text)
        if not found:
            raise LabError("lab/go/kubernetes/go.mod does not require k8s.io/kubernetes")
        version, major, minor = found.groups()
        linker += "".join(f" -X {name}={version}" for name in STAMPED)
        linker += f" -X k8s.io/component-base/version.gitMajor={major}"
        linker += f" -X k8s.io/component-base/version.gitMinor={minor}"
    return ["-trimpath", "-ldflags", linker]


def folder(family: str, settings: Settings) -> Path:
    """The folder with a family's programs, compiled when this machine has not seen these inputs."""
    source = LAB / "go" / family
    if not shutil.which("go"):
        raise LabError("Go is missing: install Go 1.24.3 or newer (the packaged one of Debian 12 is too old)")
    flags = family_flags(family)
    version = run(["go", "env", "GOVERSION"], cwd=source).strip()
    programs = sorted(source.glob("*.go"))
    hashed = cache.key(source / "go.mod", source / "go.sum", *programs, flags, version)

    def build(target: Path) -> None:
        # the compiler collects its garbage less often: a quarter faster where there is memory for it
        env = {**os.environ, "CGO_ENABLED": "0", "GOGC": "400"}
        argv = ["go", "build", *flags, "-o", f"{target}/", "." if programs else "tool"]
        run_logged(f"compiling {family}", argv, settings.logs / f"go-{family}.log", env=env, cwd=source)

    return cache.entry(f"go-{family}", hashed, build)
