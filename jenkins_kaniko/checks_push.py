"""What doctor tries: a push from a real builder's pod, with the account, certificates and network that builds have.

The trial asks the registry for leave to push and then ends by a COPY that cannot be done: Kaniko asks before it builds
(measured with 1.25.6; its pkg/executor/push.go, CheckPushPermissions), and nothing is pushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jenkins_kaniko import checks_installed, checks_node, transport
from jenkins_kaniko.attempt import Attempt, Door, Listener
from jenkins_kaniko.buildjob import BUILD_LABEL, MANAGED, new_name
from jenkins_kaniko.checks_registry import ADOPT, CA_ANEW, registry_of
from jenkins_kaniko.contexts_stream import FILE, Context, Entry, Facts
from jenkins_kaniko.engines import split_tag
from jenkins_kaniko.errors import UnreachableError
from jenkins_kaniko.explain import Seen, diagnosis
from jenkins_kaniko.findings import ERROR, Finding, Kind, Place
from jenkins_kaniko.selectors import selects
from jenkins_kaniko.sightings import FailedError

TAG = "jenkins-kaniko-doctor"
ENDS_HERE = "jenkins-kaniko-doctor-ends-here"
TRIAL = f"FROM scratch\nCOPY {ENDS_HERE} /\n"
BUILD = "FROM scratch\nCOPY Dockerfile /\n"
API = "kubernetes.default.svc:443"
ASKED = "checking push permission"
"""What Kaniko says when it was not given leave (its pkg/executor/push.go)."""
NO_DNS = {"unknown-host", "dns-failure"}
NO_DNS_FIX = (
    "kubectl get pods,endpoints -n kube-system -l k8s-app=kube-dns; the cluster's DNS has to run, and network policies "
    "have to allow the way to it"
)
FIXES = {
    "registry-login": ADOPT,
    "unknown-authority": f"build with --ca-bundle {{config_map}}, made {CA_ANEW}",
    "plain-http": "give the registry a certificate, or build with --extra-arg=--insecure-registry={host}",
}
"""Commands for `build`, where diagnoses.json says what to do in Jenkins."""
NETWORK_POLICY = Kind(
    "network-policy", ERROR,
    "the builder's pod does not reach the registry, and network policies say what such pods may reach",
    "kubectl describe networkpolicy -n {namespace}; allow pods with the label app.kubernetes.io/managed-by: "
    "jenkins-kaniko the way to the registry and to the cluster's DNS",
)  # fmt: skip
NETWORK = {"dns-failure", "network-timeout", "no-route"}
"""Failures that a network policy can be the cause of: where an answer came, none was in the way."""
KINDS = (NETWORK_POLICY,)


def pushing(place: Place, image: str, door: Door, *, build: bool) -> Iterator[Finding]:
    """Yield why nothing can be pushed to a repository from a pod there.

    Args:
        build: make and push an image, with a tag of doctor's own, and let a node pull it.
    """
    target = f"{split_tag(image)[0]}:{TAG}"
    try:
        digest = _attempted(place, target, door, BUILD if build else TRIAL)
    except FailedError as failure:
        if ENDS_HERE not in failure.seen.log:
            yield _failure(place, target, failure.seen)
    else:
        yield from _pulled(place, f"{split_tag(image)[0]}@{digest}", door)


def _pulled(place: Place, image: str, door: Door) -> Iterator[Finding]:
    """A registry of ours is for all nodes; of another one, which pods may come to which node is not known here."""
    try:
        ours = checks_installed.registry(place)
    except UnreachableError:  # then it is not known to be ours
        ours = None
    yield from checks_installed.pulling(place, ours, door) if ours else checks_node.pulling(place, image, door)


def starting(place: Place, door: Door) -> Iterator[Finding]:
    """Yield why a builder's pod does not start there, or finds nobody by name; for where nobody said what is pushed.

    Kaniko asks the cluster's API for leave to push, which is everywhere, and no registry: what counts is an answer.
    """
    seen = asked(place, API, door)
    found = diagnosis(seen)
    if found.name in NO_DNS:
        yield replace(_failure(place, API, seen), fix=NO_DNS_FIX)
    elif ASKED not in seen.log:
        yield _failure(place, place.spec.image or place.spec.engine["image"], seen)


def asked(place: Place, address: str, door: Door) -> Seen:
    """Return what a builder's pod saw that asked HOST:PORT, which is no registry, for leave to push.

    Under a name of its own: what an earlier trial made may be there for a moment yet.
    """
    target = f"{address}/{TAG}"
    here = replace(place, spec=replace(place.spec, name=new_name(target)))
    try:
        _attempted(here, target, door, TRIAL)
    except FailedError as failure:
        return failure.seen
    raise AssertionError("a trial ends by a COPY that cannot be done")


def _attempted(place: Place, target: str, door: Door, dockerfile: str) -> str:
    """Build, and return the digest of what was pushed. Raises FailedError where nothing was, as a trial always does."""
    spec = replace(place.spec, options={**place.spec.options, "image": target})
    context = _context(dockerfile)
    quiet = Listener(note=_nobody, detail=_nobody, line=_nobody)
    archive = transport.packed(context.tar())
    return Attempt(spec, 1, context, archive, door, quiet, seconds=spec.timeout).digest()


def _failure(place: Place, image: str, seen: Seen) -> Finding:
    found = diagnosis(seen)
    evidence = f"{image}: {seen.exception or found.said or 'the builder said nothing'}"
    if found.name in NETWORK and (policies := _egress_policies(place)):
        evidence += f"; in {place.namespace} it is subject to the network policies {', '.join(policies)}"
        return NETWORK_POLICY.found(evidence, namespace=place.namespace)
    fix = FIXES[found.name].format(**_names(place, image)) if found.name in FIXES else found.fix
    return Finding(found.name, ERROR, evidence, found.cause, fix)


def _egress_policies(place: Place) -> list[str]:
    """Return the network policies that say what the pod may reach; none where it may reach all, or we may not know."""
    try:
        found = place.objects.listed("NetworkPolicy", place.namespace)
    except UnreachableError:
        return []
    labels = {**MANAGED, BUILD_LABEL: place.spec.name}
    egress = [one for one in found if "Egress" in one["spec"].get("policyTypes", [])]
    ours = [one for one in egress if selects(one["spec"].get("podSelector", {}), labels)]
    if any({} in one["spec"].get("egress", []) for one in ours):  # what one of them allows is allowed
        return []
    return [one["metadata"]["name"] for one in ours]


def _names(place: Place, image: str) -> dict[str, str]:
    secret, ca_bundle = place.spec.registry_secret, place.spec.ca_bundle
    return {
        "host": registry_of(image),
        "namespace": place.namespace,
        "secret": secret.name if secret else "docker-config",
        "config_map": ca_bundle.name if ca_bundle else "registry-ca",
        "key": ca_bundle.key if ca_bundle else "ca.crt",
    }


def _context(dockerfile: str) -> Context:
    content = dockerfile.encode()
    file = Entry("Dockerfile", FILE, 0o644, 0, len(content), content=lambda: [content])
    facts = Facts("directory", dockerfile_text=dockerfile)
    return Context(facts, lambda _tell: iter([file]), _nobody)


def _nobody(_text: str) -> None:
    """Tell nobody."""
