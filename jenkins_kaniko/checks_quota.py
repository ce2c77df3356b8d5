"""How full the quotas of a namespace are, those that count what a build makes there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jenkins_kaniko.findings import WARNING, Finding, Kind, Place
from jenkins_kaniko.selectors import all_match

NEARLY = 0.9
"""The part of a quota that counts as nearly all."""
NEARLY_FULL = Kind(
    "quota-nearly-full", WARNING,
    "a quota of the namespace has room for this build, and hardly for another one beside it",
    "kubectl describe resourcequota -n {namespace}; raise it, or let fewer builds run at a time",
)  # fmt: skip
COMPUTE = re.compile(r"((requests|limits)\.)?(cpu|memory|ephemeral-storage)")
"""What pods take of a quota by their size; claims, load balancers and GPUs are nothing to a build."""
UNITS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
"""Of the API's quantities (apimachinery, resource.Quantity)."""


def nearly_full(place: Place) -> Iterator[Finding]:
    """Yield the quotas that have hardly room for another build."""
    made = {f"{one['kind'].lower()}s" for one in place.manifests}
    for quota in place.objects.listed("ResourceQuota", place.namespace):
        if not _counts(quota, place.pod):
            continue
        hard, used = quota["status"].get("hard", {}), quota["status"].get("used", {})
        taken = [name for name in hard if COMPUTE.fullmatch(name) or _counted(name) in made]
        if full := [name for name in taken if _amount(used.get(name, "0")) >= NEARLY * _amount(hard[name]) > 0]:
            told = ", ".join(f"{used[name]} of {hard[name]} {name}" for name in full)
            yield NEARLY_FULL.found(f"quota {quota['metadata']['name']}: {told} used", namespace=place.namespace)


def _counted(name: str) -> str:
    """Return the resource whose objects are counted: pods, count/pods, count/jobs.batch."""
    return name.removeprefix("count/").removesuffix(".batch")


def _counts(quota: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Return whether the scopes of a quota choose a builder's pod, which always asks for something."""
    spec = pod["spec"]
    ends = "NotTerminating" if spec.get("activeDeadlineSeconds") is None else "Terminating"
    its = {"NotBestEffort": "", ends: ""}
    if spec.get("priorityClassName"):
        its["PriorityClass"] = spec["priorityClassName"]
    scopes = [{"key": name, "operator": "Exists"} for name in quota["spec"].get("scopes", [])]
    chosen = quota["spec"].get("scopeSelector", {}).get("matchExpressions", [])
    return all_match([*scopes, *({**one, "key": one["scopeName"]} for one in chosen)], its)


def _amount(quantity: str) -> float:
    """Return the number that a quantity of Kubernetes is."""
    number = quantity.rstrip("".join(UNITS))
    unit = quantity[len(number) :]
    return float(number) * UNITS[unit]
