"""docs/security.md names the rights and the capabilities that there really are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jenkins_kaniko import registry_trust, resources
from jenkins_kaniko.buildjob import job
from jenkins_kaniko.contexts import Facts
from jenkins_kaniko.registry_trust import FOLDERS, TRUST, Trust, manifests
from tests.support.fake_cluster import spec

PAGE = (Path(__file__).parent.parent / "docs" / "security.md").read_text(encoding="utf-8")


def rules(name: str) -> list[dict[str, Any]]:
    roles = yaml.safe_load_all(resources.text(f"rbac/{name}.yaml"))
    return [{**rule, "kind": role["kind"]} for role in roles for rule in role["rules"]]


def allowed(name: str, resource: str) -> set[str]:
    """Return what a command may do with a kind of object."""
    return {verb for rule in rules(name) if resource in rule["resources"] for verb in rule["verbs"]}


def reason(who: str) -> str:
    """Return what the table says of those who may run a command."""
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| who may run `{who}` |")]
    return row


def test_the_page_names_every_role() -> None:
    [listed] = re.findall(r"rights of each command \(([^)]*)\)", PAGE)
    assert re.findall(r"`([a-z-]+)`", listed) == resources.roles()


def test_the_capabilities_are_those_of_the_builders_pod() -> None:
    [container] = job(spec(), Facts("directory"), streamed=False)["spec"]["template"]["spec"]["containers"]
    [named] = re.findall(r"the builder's capabilities \(([A-Z_,\s]*);", PAGE)
    context = container["securityContext"]
    assert set(re.split(r",\s+", named)) == set(context["capabilities"]["add"])
    assert context["capabilities"]["drop"] == ["ALL"]
    assert "no privileges, no way to more" in PAGE
    assert (context["allowPrivilegeEscalation"], context.get("privileged", False)) == (False, False)


def test_the_builders_pod_has_no_account_of_the_cluster() -> None:
    assert "to the API server it needs none, and has no account there" in PAGE
    assert (
        job(spec(), Facts("directory"), streamed=False)["spec"]["template"]["spec"]["automountServiceAccountToken"]
        is False
    )


def test_what_the_table_says_of_building_is_in_its_roles() -> None:
    assert "`pods/exec` and `create jobs`" in reason("build")
    assert "create" in allowed("build", "pods/exec") & allowed("build", "jobs")
    assert {rule["kind"] for rule in rules("build")} == {"Role"}
    assert "every namespace" in reason("build --isolate")
    everywhere = [rule for rule in rules("build-isolate") if rule["kind"] == "ClusterRole"]
    assert "jobs" in [one for rule in everywhere if "create" in rule["verbs"] for one in rule["resources"]]
    assert "`sync --via configmap` needs a Role in one namespace" in PAGE
    assert {(rule["kind"], *rule["resources"]) for rule in rules("sync")} == {("Role", "configmaps")}


def test_what_the_table_says_of_nodes_is_in_their_pods() -> None:
    assert "folders of the node are mounted there, and `daemonsets` may be made" in reason("registry trust")
    assert "create" in allowed("registry-trust", "daemonsets")
    assert "`registry-accounts`" in reason("registry verify")
    [readable] = [rule for rule in rules("registry-trust") if "secrets" in rule["resources"] and "get" in rule["verbs"]]
    assert "registry-accounts" in readable["resourceNames"]


@pytest.mark.parametrize("form", FOLDERS)
def test_what_runs_on_nodes_has_no_capability(form: str) -> None:
    wanted = Trust("registry", "shared", "10.96.0.7", "-----BEGIN CERTIFICATE-----\n")
    pod = manifests(wanted, {form: ["a"]}, TRUST)[1]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert [one["securityContext"] for one in [*pod["initContainers"], *pod["containers"]]] == [
        registry_trust.SECURITY
    ] * 2
    assert registry_trust.SECURITY["capabilities"] == {"drop": ["ALL"]}
