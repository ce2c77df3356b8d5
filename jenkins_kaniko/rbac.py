"""The packaged roles, given to a service account: roles with a namespace, and what binds them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jenkins_kaniko import resources
from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.templates import parsed

GROUP = "rbac.authorization.k8s.io"
ACCOUNT = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?):([a-z0-9]([-a-z0-9.]*[a-z0-9])?)")
CLUSTER_ROLE = "ClusterRole"


def given(names: Iterable[str], namespace: str, account: str, objects: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the roles of commands for a namespace, each with what gives it to a service account.

    Args:
        account: NAMESPACE:NAME of the service account.
        objects: the objects' names that roles have, and those to put in their place.

    Raises:
        WrongInputError: the account is none, or no role has an object of that name.
    """
    if not (found := ACCOUNT.fullmatch(account)):
        raise WrongInputError(f"--account: {account!r} cannot be used; allowed: NAMESPACE:NAME of a service account")
    subject = {"kind": "ServiceAccount", "namespace": found[1], "name": found[3]}
    roles = [parsed(text) for name in names for text in resources.text(f"rbac/{name}.yaml").split("\n---\n")]
    there = {name for role in roles for rule in role["rules"] for name in rule.get("resourceNames", [])}
    if unknown := sorted(set(objects) - there):
        named = f"they name {', '.join(sorted(there))}" if there else "they name none"
        raise WrongInputError(f"--object: the roles name no {', '.join(unknown)}; {named}")
    renamed = [role | {"rules": [_renamed(rule, objects) for rule in role["rules"]]} for role in roles]
    return [one for role in renamed for one in _bound(role, namespace, subject)]


def _renamed(rule: Mapping[str, Any], objects: Mapping[str, str]) -> dict[str, Any]:
    names = {"resourceNames": [objects.get(name, name) for name in rule.get("resourceNames", [])]}
    return {**rule, **(names if "resourceNames" in rule else {})}


def _bound(
    role: Mapping[str, Any], namespace: str, subject: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    kind, name = role["kind"], role["metadata"]["name"]
    metadata: dict[str, Any] = {"name": f"{name}-{subject['namespace']}-{subject['name']}"}
    place = {} if kind == CLUSTER_ROLE else {"namespace": namespace}
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata | place,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name},
        "subjects": [subject],
    }
    return {**role, "metadata": role["metadata"] | place}, binding
