"""Debian packages that the lab's parts come from, installed when a program is missing.

Programs are looked for, not packages: a machine may have containerd or git from elsewhere, and replacing those
would disturb it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lablib.run import LabError, run_logged, stage
from lablib.settings import Settings

POLICY = Path("/usr/sbin/policy-rc.d")


def missing(settings: Settings) -> list[str]:
    """Packages of which the wanted program is not there."""
    programs: dict[str, str] = settings.pinned["hostPrograms"]
    return [package for program, package in programs.items() if not _there(program)]


def install(settings: Settings) -> None:
    """Install what is missing; the services of the packages are not started."""
    packages = missing(settings)
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"please install: {' '.join(packages)} (no apt-get on this machine)")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with stage("packages"), _services_stay_off():
        log = settings.logs / "apt.log"
        run_logged("packages", ["apt-get", "update"], log, env=env)
        run_logged("packages", ["apt-get", "install", "-y", "--no-install-recommends", *packages], log, env=env)


def _there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else bool(shutil.which(program))


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """Forbid package scripts to start services, unless the machine has a policy of its own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
