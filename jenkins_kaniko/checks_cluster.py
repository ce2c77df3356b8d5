"""What doctor looks at in a cluster: whether it lets an account build, and admits what a build makes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from shlex import quote
from typing import Any

from jenkins_kaniko import checks_quota, resources
from jenkins_kaniko.buildjob import MANAGED
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import DeniedError, UnreachableError
from jenkins_kaniko.findings import ERROR, INFO, WARNING, Check, Finding, HopelessError, Kind, Place
from jenkins_kaniko.templates import parsed

STREAMING_SINCE = (1, 30)
"""Sending a large build context needs a protocol of this version's exec (docs/build.md)."""

UNREACHABLE = Kind(
    "cluster-unreachable", ERROR,
    "no cluster is configured, it does not answer, or its token is not valid any more",
    "kubectl config get-contexts, then kubectl config use-context NAME; for an old token log in to the cluster again",
)  # fmt: skip
OLD = Kind(
    "cluster-old", WARNING,
    "build contexts of more than 700 KB cannot be sent to a cluster older than 1.30",
    "update the cluster; until then keep build contexts small with .dockerignore",
)  # fmt: skip
NO_NAMESPACE = Kind(
    "namespace-missing", ERROR, "the namespace is not there", "kubectl create namespace {namespace}"
)  # fmt: skip
TERMINATING = Kind(
    "namespace-terminating", ERROR,
    "somebody deleted the namespace; nothing can be made in it any more",
    "kubectl wait --for=delete namespace/{namespace} --timeout=10m && kubectl create namespace {namespace}",
)  # fmt: skip
NOT_ALLOWED = Kind(
    "rights-missing", ERROR,
    "the account may not do all that a build needs",
    "jenkins-kaniko render rbac build | kubectl apply -n {namespace} -f - && kubectl create rolebinding "
    "jenkins-kaniko-build -n {namespace} --role=jenkins-kaniko-build --user={user}",
)  # fmt: skip
POD_SECURITY = Kind(
    "pod-security", ERROR,
    "the namespace does not admit the builder's security context",
    "kubectl label namespace {namespace} pod-security.kubernetes.io/enforce=baseline --overwrite",
)  # fmt: skip
QUOTA = Kind(
    "quota", ERROR,
    "a quota of the namespace has no room for a build",
    "kubectl describe resourcequota -n {namespace}; raise it, or build with --profile small",
)  # fmt: skip
LIMIT_RANGE = Kind(
    "limit-range", ERROR,
    "a LimitRange of the namespace does not admit the builder's requests and limits",
    "kubectl describe limitrange -n {namespace}; change it, or build with another --profile",
)  # fmt: skip
REFUSED = Kind(
    "object-refused", ERROR,
    "a rule of the cluster does not admit what a build makes",
    "look at the rule that the message names: kubectl get validatingadmissionpolicies,validatingwebhookconfigurations",
)  # fmt: skip
NO_NODE = Kind(
    "no-node", ERROR,
    "no node takes builds: none is ready, has the labels of the node selector, and has only taints that are tolerated",
    "kubectl get nodes --show-labels, kubectl describe nodes for their taints; then correct --node-selector and "
    "--toleration, or kubectl uncordon a node",
)  # fmt: skip
NODE_DISK = Kind(
    "node-disk-full", WARNING,
    "the disk of a node is nearly full: pods are removed from it",
    "kubectl describe node {node}; remove images and logs there, or enlarge its disk",
)  # fmt: skip
NOT_CHECKED = Kind(
    "not-checked", INFO,
    "it could not be looked at, or this account may not; builds may work all the same",
    "run doctor as somebody who may",
)  # fmt: skip
KINDS = (
    UNREACHABLE, OLD, NO_NAMESPACE, TERMINATING, NOT_ALLOWED, POD_SECURITY, QUOTA, checks_quota.NEARLY_FULL,
    LIMIT_RANGE, REFUSED, NO_NODE, NODE_DISK, NOT_CHECKED,
)  # fmt: skip
REPELLING = ("NoSchedule", "NoExecute")
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""What a node that is cordoned has, also before the cluster gave it that taint."""
RULES = ((POD_SECURITY, "violates PodSecurity"), (QUOTA, "exceeded quota"), (LIMIT_RANGE, "(?:maximum|minimum) .* per"))
"""What the cluster says of what it does not admit."""


def reachable(place: Place) -> Iterator[Finding]:
    try:
        version = place.objects.version()
    except UnreachableError as error:
        raise HopelessError(unanswered(error)) from None
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < STREAMING_SINCE:
        yield OLD.found(f"the cluster is {version}")


def namespace(place: Place) -> Iterator[Finding]:
    found = place.objects.read("Namespace", place.namespace)
    if found is None:
        missing = NO_NAMESPACE.found(f"there is no namespace {place.namespace}", namespace=place.namespace)
        raise HopelessError(replace(missing, mends=partial(_make_namespace, place.namespace)))
    if found["status"]["phase"] == "Terminating":
        deleted = found["metadata"]["deletionTimestamp"]
        raise HopelessError(
            TERMINATING.found(f"namespace {place.namespace} is deleted since {deleted}", namespace=place.namespace)
        )
    yield from ()


def _make_namespace(name: str, objects: Objects, tell: Callable[[str], None]) -> None:
    """Make a namespace that admits builders, whatever the cluster's default is."""
    labels = {**MANAGED, "pod-security.kubernetes.io/enforce": "baseline"}
    outcome = objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    tell(f"{outcome}: namespace {name}")


def rights(place: Place) -> Iterator[Finding]:
    """Ask for each right of the role that the docs tell to give; what a template describes Jenkins makes."""
    if place.template:
        return
    lacking = []
    for rule in parsed(resources.text("rbac/build.yaml"))["rules"]:
        (group,) = rule["apiGroups"]
        for resource in rule["resources"]:
            verbs = [
                verb for verb in rule["verbs"] if not place.objects.may(verb, resource, place.namespace, group=group)
            ]
            lacking += [f"{' and '.join(verbs)} {resource}"] if verbs else []
    if lacking:
        user = _user(place)
        evidence = f"{user or 'this account'} may not in {place.namespace}: {', '.join(lacking)}"
        yield NOT_ALLOWED.found(evidence, namespace=place.namespace, user=quote(user) if user else "USER")


def _user(place: Place) -> str | None:
    """Return who the cluster takes us for; None where it does not tell, as clusters older than 1.28."""
    try:
        return place.objects.user()
    except UnreachableError:
        return None


def admitted(place: Place) -> Iterator[Finding]:
    """Let the cluster judge what is made for a build; only where it takes that, a quota can be nearly full."""
    found = list(_refused(place))
    yield from found
    if not any(one.severity == ERROR for one in found):
        yield from checks_quota.nearly_full(place)


def _refused(place: Place) -> Iterator[Finding]:
    """Yield what a dry run says."""
    for given in place.manifests:
        manifest = {**given, "metadata": {**given["metadata"], "namespace": place.namespace}}
        group, slash, _ = manifest["apiVersion"].partition("/")
        resource = f"{manifest['kind'].lower()}s"
        if not place.objects.may("create", resource, place.namespace, group=group if slash else ""):
            if resource == "pods":  # other rights are for `rights`
                yield NOT_CHECKED.found(f"whether {place.namespace} admits the pod: this account may not make pods")
            continue
        try:
            place.objects.create(manifest, dry_run=True)
        except DeniedError as error:
            yield denied(error, place)


def nodes(place: Place) -> Iterator[Finding]:
    found = place.objects.listed("Node")
    reasons = [_unfit(node, place.pod) for node in found]
    if all(reasons):
        told = ", ".join(f"{count} {reason}" for reason, count in Counter(reasons).most_common())
        yield NO_NODE.found(f"none of {len(found)} nodes takes builds: {told}" if told else "there is no node")
    for node in found:
        if _condition(node, "DiskPressure") == "True":
            name = node["metadata"]["name"]
            yield NODE_DISK.found(f"node {name} has DiskPressure", node=name)


CHECKS: tuple[Check, ...] = (reachable, namespace, rights, admitted, nodes)


def unanswered(error: UnreachableError) -> Finding:
    """Return the finding that a cluster does not answer."""
    return UNREACHABLE.found(str(error))


def denied(error: DeniedError, place: Place) -> Finding:
    """Return the finding that a rule of the cluster does not admit what was to be made in a place."""
    kind = next((kind for kind, words in RULES if re.search(words, str(error))), REFUSED)
    return kind.found(str(error), namespace=place.namespace)


def _unfit(node: Mapping[str, Any], pod: Mapping[str, Any]) -> str | None:
    """Return why a node does not take a pod, None where it does, as the scheduler judges labels and taints."""
    if _condition(node, "Ready") != "True":
        return "not ready"
    wanted, labels = pod["spec"].get("nodeSelector") or {}, node["metadata"].get("labels", {})
    if not wanted.items() <= labels.items():
        return f"without the labels {','.join(f'{key}={value}' for key, value in wanted.items())}"
    tolerations = pod["spec"].get("tolerations") or []
    for taint in [*([CORDONED] if node["spec"].get("unschedulable") else []), *node["spec"].get("taints", [])]:
        if taint["effect"] in REPELLING and not any(_tolerated(taint, one) for one in tolerations):
            named = f"{taint['key']}={taint['value']}" if taint.get("value") else taint["key"]
            return "cordoned" if taint["key"] == CORDONED["key"] else f"with the taint {named}:{taint['effect']}"
    return None


def _tolerated(taint: Mapping[str, str], toleration: Mapping[str, Any]) -> bool:
    """As the API says of tolerations: without a key all are meant, without an effect each."""
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def _condition(node: Mapping[str, Any], name: str) -> str:
    return next((one["status"] for one in node["status"].get("conditions", []) if one["type"] == name), "Unknown")
