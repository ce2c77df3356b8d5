"""`lab/status` and `lab/env`: what runs, and how to reach it. Works from every clone on the machine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from lablib import parts, record
from lablib.credentials import REGISTRY_USER
from lablib.record import Record
from lablib.run import LabError
from lablib.settings import Settings, load


def status() -> bool:
    """Print a line per part; whether all is well."""
    found = record.load()
    if not found:
        print("no lab is running")
        return False
    good = found.ready
    lines = [f"lab of {found.folder}: {'up' if found.ready else 'starting, or left over from a start'}"]
    for name, part in parts.every(load(Path(found.folder)), found.cached).items():
        alive = found.alive(name)
        healthy = alive and _healthy(part)
        good = good and healthy
        pid = found.processes.get(name, (0, 0))[0]
        lines.append(f"{name:<24} {'ready' if healthy else 'running' if alive else 'stopped':<8} {pid or '-'}")
    print("\n".join(lines))
    return good


def env() -> dict[str, str]:
    """The variables that tests and users of the lab need. Passwords are named by file, never shown."""
    found = record.load()
    if not found or not found.live():
        raise LabError("no lab is running: start one with lab/up")
    return variables(load(Path(found.folder)), found)


def variables(settings: Settings, found: Record) -> dict[str, str]:
    """The variables of a running lab."""
    return {
        "KUBECONFIG": f"{settings.state}/kubeconfig",
        "LAB_RESTRICTED_KUBECONFIG": f"{settings.state}/kubeconfig-restricted",
        "LAB_REGISTRY": settings.host_port("registry"),
        "LAB_REGISTRY_ADDRESS": f"{settings.address}:{settings.port('registry')}",
        "LAB_REGISTRY_CA": f"{settings.certs}/ca.crt",
        "LAB_REGISTRY_USER": REGISTRY_USER,
        "LAB_REGISTRY_PASSWORD_FILE": f"{settings.certs}/registry-password",
        "LAB_PLAIN_REGISTRY": settings.host_port("plain"),
        "LAB_PLAIN_REGISTRY_ADDRESS": f"{settings.address}:{settings.port('plain')}",
        "LAB_NAMESPACE": settings.pinned["namespace"],
        "LAB_KANIKO_IMAGE": settings.image("kaniko"),
        "LAB_AGENT_IMAGE": settings.image("agent"),
        "LAB_BUSYBOX_IMAGE": settings.image("busybox"),
        "LAB_REGISTRY_IMAGE": settings.image("registry"),
        "LAB_NEXT_REGISTRY_IMAGE": settings.image("nextRegistry"),
        "LAB_NODE_ROOT": str(settings.node_root),
        "LAB_BIN": found.cached["kubernetes"],
    }


def print_env(as_json: bool) -> None:
    """Print the variables for a shell, or as JSON."""
    values = env()
    if as_json:
        print(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def _healthy(part: parts.Part) -> bool:
    try:
        return part.ready()
    except OSError:
        return False
