"""What doctor tries: a push from a real builder's pod, with the account, certificates and network that builds have.

The trial asks the registry for leave to push and then ends by a COPY that cannot be done: Kaniko asks before it builds
(measured with 1.25.6; its pkg/executor/push.go, CheckPushPermissions), and nothing is pushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jenkins_kaniko import transport
from jenkins_kaniko.attempt import Attempt, Door, FailedError, Listener
from jenkins_kaniko.checks_registry import ANEW, CA_ANEW, registry_of
from jenkins_kaniko.contexts_stream import FILE, Context, Entry, Facts
from jenkins_kaniko.engines import split_tag
from jenkins_kaniko.explain import diagnosis
from jenkins_kaniko.findings import ERROR, Finding, Place

TAG = "jenkins-kaniko-doctor"
ENDS_HERE = "jenkins-kaniko-doctor-ends-here"
TRIAL = f"FROM scratch\nCOPY {ENDS_HERE} /\n"
BUILD = "FROM scratch\nCOPY Dockerfile /\n"
FIXES = {
    "registry-login": ANEW,
    "unknown-authority": f"{CA_ANEW}; build with --ca-bundle {{config_map}}",
    "plain-http": "give the registry a certificate, or build with --extra-arg=--insecure-registry={host}",
}
"""Commands for `build`, where diagnoses.json says what to do in Jenkins."""


def pushing(place: Place, image: str, door: Door, *, build: bool) -> Iterator[Finding]:
    """Yield why nothing can be pushed to a repository from a pod there.

    Args:
        build: make and push an image, with a tag of doctor's own.
    """
    target = f"{split_tag(image)[0]}:{TAG}"
    spec = replace(place.spec, options={**place.spec.options, "image": target})
    context = _context(BUILD if build else TRIAL)
    quiet = Listener(note=_nobody, detail=_nobody, line=_nobody)
    try:
        Attempt(spec, 1, context, transport.packed(context.tar()), door, quiet).digest()
    except FailedError as failure:
        found = diagnosis(failure.seen)
        if ENDS_HERE not in (found.said or ""):
            evidence = failure.seen.exception or found.said or "the builder said nothing"
            fix = FIXES[found.name].format(**_names(place, image)) if found.name in FIXES else found.fix
            yield Finding(found.name, ERROR, f"{target}: {evidence}", found.cause, fix)


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
