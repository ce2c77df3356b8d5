"""What doctor looks at in a registry that `registry install` made, where images are to be pushed to it.

The certificate and the disk are asked for in its pod, so that nobody needs a right to read Secrets for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from jenkins_kaniko import certificates, podstate, registry_install, registry_trust, registry_verify, registry_wait
from jenkins_kaniko.attempt import Door, Listener
from jenkins_kaniko.checks_cluster import NOT_CHECKED
from jenkins_kaniko.checks_registry import CA_MISSING, SECRET_MISSING, registry_of
from jenkins_kaniko.errors import DeniedError, JenkinsKanikoError, UnreachableError
from jenkins_kaniko.findings import ERROR, WARNING, Check, Finding, Kind, Place
from jenkins_kaniko.nodepods import name_of
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.registry import CONTAINER, PORT, STORAGE, TLS, Registry
from jenkins_kaniko.registry_install import trusted_by_clients
from jenkins_kaniko.registry_settings import registry_of as settled
from jenkins_kaniko.registry_verify import Pulls

HOST = re.compile(rf"([a-z][a-z0-9-]*)\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?:{PORT}")
"""As images of such a registry are named; others have such names too."""
NEARLY_FULL = 90
"""Percent of its disk."""

NOT_READY = Kind(
    "registry-not-ready", ERROR,
    "the registry in the cluster does not serve",
    "jenkins-kaniko registry status -n {namespace} --name {name}; kubectl describe pods -n {namespace} -l "
    "jenkins-kaniko/registry={name}",
)  # fmt: skip
RENEW = (
    "one of a Secret or of cert-manager is to be renewed there first; then, and for its own one: "
    "jenkins-kaniko registry install -n {namespace} --name {name}"
)
CERTIFICATE_OVER = Kind(
    "registry-certificate-over", ERROR, "the time of the certificate of the registry in the cluster is over", RENEW
)  # fmt: skip
CERTIFICATE_SOON = Kind(
    "registry-certificate-soon", WARNING,
    "the certificate of the registry in the cluster ends within 30 days",
    RENEW,
)  # fmt: skip
CERTIFICATE_BEFORE = Kind(
    "registry-certificate-not-served", WARNING,
    "the certificate of the registry was renewed, and its pod serves the one before it until it is replaced",
    "jenkins-kaniko registry install -n {namespace} --name {name}",
)  # fmt: skip
TRUST_INCOMPLETE = Kind(
    "registry-trust-incomplete", WARNING,
    "registry trust could not make a node trust the registry in the cluster",
    "move out of the way what it names, then: jenkins-kaniko registry trust -n {namespace} --name {name}",
)  # fmt: skip
FULL = Kind(
    "registry-nearly-full", WARNING,
    "the disk of the registry in the cluster is nearly full: pushes fail when it is",
    "jenkins-kaniko registry rm IMAGE -n {namespace} --name {name} && jenkins-kaniko registry gc -n {namespace} "
    "--name {name}; or enlarge its disk",
)  # fmt: skip
NOT_TRUSTING = Kind(
    "node-not-trusting", ERROR,
    "a node does not start an image of the registry in the cluster",
    "jenkins-kaniko registry trust -n {namespace} --name {name} && jenkins-kaniko registry verify -n {namespace} "
    "--name {name}",
)  # fmt: skip
KINDS = (NOT_READY, CERTIFICATE_OVER, CERTIFICATE_SOON, CERTIFICATE_BEFORE, FULL, TRUST_INCOMPLETE, NOT_TRUSTING)


def registry(place: Place) -> Registry | None:
    """Return the registry of ours that images are pushed to, None where it is none.

    Raises:
        UnreachableError: the cluster does not answer, or forbids to look.
    """
    named = HOST.fullmatch(registry_of(place.image)) if place.image else None
    if named is None:
        return None
    name, namespace = named.groups()
    settings = registry_install.found(place.objects, name, namespace)
    return None if settings is None else settled(name, namespace, {}, settings)


def mendable(place: Place, finding: Finding) -> Finding:
    """Return a finding with what mends it where a registry of ours gives namespaces what is missing."""
    if finding.name not in (CA_MISSING.name, SECRET_MISSING.name):
        return finding
    try:
        ours = registry(place)
        if ours is None:
            return finding
        if finding.name == CA_MISSING.name:
            given = trusted_by_clients(place.objects, ours) is not None
            named, wanted = place.spec.ca_bundle, ours.ca
        else:
            given, named, wanted = bool(ours.accounts), place.spec.registry_secret, ours.login
    except UnreachableError:
        return finding
    if not given or named is None or named.name != wanted:
        return finding
    fix = f"jenkins-kaniko registry install -n {ours.namespace} --name {ours.name} --for {place.namespace}"
    return replace(finding, fix=fix, mends=partial(registry_install.give, ours, place.namespace))


def serving(place: Place) -> Iterator[Finding]:
    """Look at a registry of ours: whether it serves, its certificate, its disk, and what `registry trust` told."""
    ours = registry(place)
    if ours is None:
        return
    names = {"name": ours.name, "namespace": ours.namespace}
    pods = registry_wait.pods(place.objects, ours)
    running = [pod for pod in pods if podstate.running(pod, CONTAINER)]
    if not running or not registry_wait.serves(place.objects.read("Deployment", ours.name, ours.namespace)):
        why = next((why for pod in pods if (why := podstate.waits_for(pod))), "the cluster does not say why")
        yield NOT_READY.found(f"registry {ours.namespace}/{ours.name}: {why}", **names)
        return
    try:
        yield from _certificate(place, ours, running[0])
        if not ours.s3_bucket:
            yield from _disk(place, ours, running[0]["metadata"]["name"])
    except UnreachableError:
        raise
    except JenkinsKanikoError as error:
        yield NOT_CHECKED.found(str(error))
    yield from _trusting(place, ours)


def _certificate(place: Place, ours: Registry, pod: Pod) -> Iterator[Finding]:
    """Look at the certificate that the pod has now; the registry serves the one that it had when it started."""
    names = {"name": ours.name, "namespace": ours.namespace}
    shown = place.objects.run(pod["metadata"]["name"], ours.namespace, CONTAINER, ["cat", f"{TLS}/tls.crt"])
    begin, end, now = certificates.begins(shown), certificates.ends(shown), datetime.now(UTC)
    its = f"registry {ours.namespace}/{ours.name}: its certificate is for a time"
    if end < now + certificates.RENEWAL:
        kind = CERTIFICATE_OVER if end < now else CERTIFICATE_SOON
        yield kind.found(f"{its} until {end:%Y-%m-%d %H:%M} UTC", **names)
    start = datetime.fromisoformat(podstate.started_at(pod, CONTAINER))
    if start < begin:
        told = f"since {begin:%Y-%m-%d %H:%M} UTC, and it runs since {start:%Y-%m-%d %H:%M} UTC"
        yield CERTIFICATE_BEFORE.found(f"{its} {told}", **names)


def _disk(place: Place, ours: Registry, pod: str) -> Iterator[Finding]:
    """Ask `df`; the last column but one of its last line is the percentage (POSIX, -P)."""
    shown = place.objects.run(pod, ours.namespace, CONTAINER, ["df", "-P", STORAGE]).decode()
    used = int(shown.splitlines()[-1].split()[-2].rstrip("%"))
    if used >= NEARLY_FULL:
        evidence = f"registry {ours.namespace}/{ours.name}: {used} % of {ours.place} are used"
        yield FULL.found(evidence, name=ours.name, namespace=ours.namespace)


def _trusting(place: Place, ours: Registry) -> Iterator[Finding]:
    """Read what `registry trust` told on each node where it ran; nodes may know the registry in other ways too."""
    ran = place.objects.listed("Pod", ours.namespace, labelSelector=f"{registry_trust.LABEL}={ours.name}")
    by_node = {pod["spec"].get("nodeName"): pod for pod in ran if "deletionTimestamp" not in pod["metadata"]}
    nodes = [one for one in place.objects.listed("Node") if name_of(one) in by_node] if by_node else []
    told = [registry_trust.told(node, by_node[name_of(node)]) for node in nodes]
    if bad := [f"{one.node}: {one.state}: {one.text}" for one in told if one and not one.good]:
        evidence = f"registry {ours.namespace}/{ours.name}: {'; '.join(bad)}"
        yield TRUST_INCOMPLETE.found(evidence, name=ours.name, namespace=ours.namespace)


def pulling(place: Place, ours: Registry, door: Door) -> Iterator[Finding]:
    """Yield which nodes cannot start an image of a registry of ours; one is built for that."""
    spec = place.spec
    given = {
        "name": None,
        "image": spec.image,
        "builder_distribution": spec.builder.distribution,
        "builder_version": spec.builder.version,
        "registry_secret": None,
        "ca_bundle": f"{spec.ca_bundle.name}:{spec.ca_bundle.key}" if spec.ca_bundle else None,
        "profile": spec.profile,
        "tolerations": tuple(_typed(one) for one in spec.tolerations if one.get("key")),
        "timeout": spec.pending_timeout,
        "pending_timeout": spec.pending_timeout,
        "probe": None,
        "probe_timeout": 0,
        "keep": False,
    }
    secret = spec.registry_secret.name if spec.registry_secret else ours.login
    pulls = Pulls(ours.address, place.namespace, secret)
    quiet = Listener(note=_nobody, detail=_nobody, line=_nobody)
    try:
        nodes = registry_verify.verify(place.objects, door, pulls, given, quiet)
    except (DeniedError, UnreachableError):
        raise
    except JenkinsKanikoError as error:
        yield NOT_CHECKED.found(str(error))
        return
    if bad := [f"{one.node}: {one.text.splitlines()[0]}" for one in nodes if not one.good]:
        evidence = f"{len(bad)} of {len(nodes)} nodes do not: {'; '.join(bad)}"
        yield NOT_TRUSTING.found(evidence, name=ours.name, namespace=ours.namespace)


def _typed(toleration: Mapping[str, str]) -> str:
    """Return a toleration as the option --toleration takes it."""
    value = "" if toleration.get("operator") == "Exists" else f"={toleration.get('value', '')}"
    return f"{toleration['key']}{value}" + (f":{toleration['effect']}" if toleration.get("effect") else "")


def _nobody(_text: str) -> None:
    """Tell nobody."""


CHECKS: tuple[Check, ...] = (serving,)
