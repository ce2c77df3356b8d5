"""The lab's bridge and its packet filter rules, and taking both away again.

Pods get an address on the bridge and a route to services, but no default route: there is nowhere else to go.
kube-proxy and kubelet write rules into chains named KUBE-*, ours carry a comment; both are recognised by that.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from lablib.run import LabError, run
from lablib.settings import Settings

FAMILIES = ("iptables", "ip6tables")
COMMENT = "jenkins-kaniko-lab"
NETFILTER = Path("/proc/sys/net/bridge")
OURS = re.compile(rf"KUBE-|{COMMENT}")


def empty_tables(saved: str) -> list[str]:
    """The tables of an `iptables-save` in which nothing is but built-in chains that accept."""
    found = []
    for block in re.split(r"^\*", saved, flags=re.MULTILINE)[1:]:
        name, *rows = block.splitlines()
        chains = [row for row in rows if row.startswith(("-", ":"))]
        if all(re.match(r":[A-Z]+ ACCEPT ", row) for row in chains):
            found.append(name)
    return found


def removal(saved: str) -> str:
    """The `iptables-restore --noflush` input that takes the lab's rules out of what `iptables-save` printed."""
    lines: list[str] = []
    for block in re.split(r"^\*", saved, flags=re.MULTILINE)[1:]:
        rows = block.splitlines()
        chains = [match[1] for row in rows if (match := re.match(r":(KUBE-\S+)", row))]
        # Rules inside our chains go with the chains.
        rules = [row for row in rows if row.startswith("-A ") and OURS.search(row)]
        jumps = [row.replace("-A", "-D", 1) for row in rules if row.split()[1] not in chains]
        if chains or jumps:
            lines += [f"*{rows[0]}", *jumps, *(f"-F {c}" for c in chains), *(f"-X {c}" for c in chains)]
            lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


def refuse_other_nodes() -> None:
    """Two kube-proxies would tear down each other's rules."""
    for family in FAMILIES:
        if ":KUBE-" in run([f"{family}-save"]):
            raise LabError(f"{family} has KUBE- chains: another Kubernetes node runs on this machine")


def create(settings: Settings) -> None:
    """Make the bridge and fence it."""
    bridge: str = settings.pinned["bridge"]
    if not NETFILTER.exists():
        run(["modprobe", "br_netfilter"])
    # Rules must see what one pod sends another, or the answers of services come from the wrong address; and what
    # goes to a service is forwarded. Both are switched on for this bridge alone.
    # A bridge without an address of its own takes the lowest of its ports': it changes when that pod goes, and the
    # others send to the old one until their neighbour entry expires, half a minute in which nothing answers them.
    link = ["ip", "link", "add", bridge, "address", "02:00:00:00:00:01"]
    run([*link, "type", "bridge", "nf_call_iptables", "1", "nf_call_ip6tables", "1"])
    Path(f"/proc/sys/net/ipv4/conf/{bridge}/forwarding").write_text("1")
    run(["ip", "address", "add", f"{settings.address}/24", "dev", bridge])
    run(["ip", "link", "set", bridge, "up"])
    # So that the machine's own connections to services leave with the bridge's address.
    run(["ip", "route", "add", settings.pinned["serviceRange"], "dev", bridge, "src", settings.address])
    comment = ["-m", "comment", "--comment", COMMENT]
    beyond = ["-i", bridge, "!", "-o", bridge, "-j", "REJECT"]
    for family in FAMILIES:
        run([family, "-w", "-I", "FORWARD", *beyond, *comment])
        # Some machines drop by default what is forwarded, which a bridge's own traffic counts as.
        run([family, "-w", "-I", "FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT", *comment])


def remove(settings: Settings) -> None:
    """Delete the bridge, the pods' ends of it, and all rules."""
    links = json.loads(run(["ip", "-json", "-details", "link", "show"]))
    bridge = settings.pinned["bridge"]
    for link in links:
        if link.get("master") == bridge:
            # Its other end may just be vanishing with its namespace, and takes it along.
            subprocess.run(["ip", "link", "delete", link["ifname"]], stderr=subprocess.DEVNULL)
    if any(link["ifname"] == bridge for link in links):
        run(["ip", "link", "delete", bridge])
    for family in FAMILIES:
        script = removal(run([f"{family}-save"]))
        if script:
            run([f"{family}-restore", "--noflush", "-w"], stdin=script.encode())
        for table in empty_tables(run([f"{family}-save"])):
            run([family, "-w", "-t", table, "-X"])  # with nftables this removes the built-in chains, too
