"""What is to be built -> the Job that builds it, and the ConfigMap with its context. Pure."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko import buildsecrets, memory, resources
from jenkins_kaniko.contexts import Facts
from jenkins_kaniko.engines import Place, argv, destinations, split_tag
from jenkins_kaniko.options import DEFAULT_ENGINE, Builder
from jenkins_kaniko.templates import PROFILES, parsed, text_template
from jenkins_kaniko.transport import ARCHIVE, FOLDER, UNPACKED, waiting

DIGEST_FILE = "/dev/termination-log"
"""Kubernetes puts what is written there into the pod's status."""
BUILD_LABEL = "jenkins-kaniko/build"
PROBE_LABEL = "jenkins-kaniko/probe"
"""On what belongs to a build and does not build."""
MANAGED = {"app.kubernetes.io/managed-by": "jenkins-kaniko"}
CLIENT_ANNOTATION = "jenkins-kaniko/client"
IMAGE_ANNOTATION = "jenkins-kaniko/image"
TAGS_ANNOTATION = "jenkins-kaniko/tags"
COMMIT_ANNOTATION = "jenkins-kaniko/commit"
TTL_SECONDS = 3600
MARGIN_SECONDS = 60
"""How much later than the client the cluster itself ends a build."""
NAME_LENGTH = 52
"""So that the names of pods and retries fit into 63 letters."""


@dataclass(frozen=True)
class Mounted:
    """A Secret or ConfigMap that the pod mounts; `key` is the file in it that counts."""

    name: str
    key: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Probe:
    """A command that runs once in the pushed image, as words of a shell, and the seconds that it may take."""

    command: str
    timeout: float


@dataclass(frozen=True)
class Spec:
    """A build.

    Attributes:
        name: of its Job, or what its Jobs' names begin with where it is tried again.
        options: as a pipeline author gives them to kanikoBuild(), but for the context.
        client: who started it.
        token: what no other run of the command has.
        image: of the builder; the packaged one where it is None.
        builder: what is known of that image.
        secrets: of RUN lines, by id.
        timeout, pending_timeout: seconds that the build, and its pod's start, may take.
        keep: whether its Jobs stay when they ended, until the cluster removes them.
    """

    name: str
    options: Mapping[str, Any]
    client: str
    token: str
    image: str | None = None
    builder: Builder = field(default_factory=Builder)
    registry_secret: Mounted | None = None
    ca_bundle: Mounted | None = None
    profile: str = "medium"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    timeout: float = 3600
    pending_timeout: float = 600
    keep: bool = False
    probe: Probe | None = None

    @property
    def engine(self) -> dict[str, Any]:
        """What engines.json says of the engine."""
        found: dict[str, Any] = resources.engines()[DEFAULT_ENGINE]
        return found

    @property
    def has_shell(self) -> bool:
        """Whether the builder's image has a shell for sure: the packaged one, and what is called debug."""
        return self.image is None or "debug" in (split_tag(self.image.partition("@")[0])[1] or "")

    @property
    def label(self) -> str:
        """Selects what belongs to the build."""
        return f"{BUILD_LABEL}={self.name}"


def job(spec: Spec, facts: Facts, attempt: int = 1, *, streamed: bool, less_memory: bool = False) -> dict[str, Any]:
    """Return the Job of one attempt.

    Args:
        streamed: whether the context is sent into a waiting container; else it is in the ConfigMap.

    Raises:
        WrongInputError: there are mistakes in the options; all of them are named.
    """
    place = Place(
        UNPACKED,
        DIGEST_FILE,
        labels=image_labels(facts),
        secrets=spec.options.get("secrets", {}),
        less_memory=less_memory,
        used_once=True,
    )
    context = "." if streamed else f"tar://{FOLDER}/{ARCHIVE}"
    command, *arguments = argv({**spec.options, "context": context}, place, spec.builder)
    measured = streamed or spec.has_shell
    text = text_template("build-job.yaml").render(
        name=job_name(spec, attempt),
        labels=_labels(spec),
        annotations=_annotations(spec, facts),
        config_map=config_map_name(spec, attempt),
        deadline=round(spec.timeout + spec.pending_timeout + MARGIN_SECONDS),
        ttl=TTL_SECONDS,
        engine=spec.engine,
        engine_name=DEFAULT_ENGINE,
        image=spec.image or spec.engine["image"],
        command=literal(memory.measuring(spec.engine["shell"], command) if measured else [command]),
        args=literal(arguments),
        env=[{"name": name, "value": literal([value])[0]} for name, value in spec.options.get("env", {}).items()],
        resources=PROFILES[spec.profile],
        node_selector=spec.node_selector,
        tolerations=list(spec.tolerations),
        registry_secret=spec.registry_secret,
        ca_bundle=spec.ca_bundle,
        secret=config_map_name(spec, attempt) if spec.secrets else None,
        secrets_folder=buildsecrets.FOLDER,
        folder=FOLDER,
        wait=waiting(spec.engine["shell"]) if streamed else None,
    )
    return parsed(text)


def config_map(spec: Spec, attempt: int, uid: str | None, archive: bytes) -> dict[str, Any]:
    """Return the ConfigMap that the pod of an attempt waits for.

    Args:
        uid: of the Job, which owns it; None where it is not made yet.
    """
    content = {ARCHIVE: base64.b64encode(archive).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _owned(spec, attempt, uid), "binaryData": content}


def secret(spec: Spec, attempt: int, uid: str) -> dict[str, Any]:
    """Return the Secret that the pod of an attempt waits for; it has the ConfigMap's name."""
    data = {name: base64.b64encode(content).decode() for name, content in spec.secrets.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _owned(spec, attempt, uid), "data": data}


def literal(texts: Iterable[str]) -> list[str]:
    """Return words of a command, or values of variables, in which the cluster replaces nothing.

    It makes `$` of `$$`, and a variable's value of `$(NAME)` (the Kubernetes API's `command`, `args` and `env`).
    """
    return [text.replace("$", "$$") for text in texts]


def job_name(spec: Spec, attempt: int) -> str:
    """Return the name of an attempt's Job: the build's own, then with numbers."""
    return spec.name if attempt == 1 else f"{spec.name}-{attempt}"


def client(spec: Spec) -> str:
    """Return what tells the Jobs of this run of the command from those of others."""
    return f"{spec.client} {spec.token}"


def config_map_name(spec: Spec, attempt: int) -> str:
    """Return a name of its own: the cluster removes that of an earlier build of the same name a little late."""
    return f"{job_name(spec, attempt)}-{spec.token}"


def new_name(image: str) -> str:
    """Return a name for a build that no other has."""
    words = re.sub("[^a-z0-9]+", "-", split_tag(image)[0].rpartition("/")[2]).strip("-")
    return f"build-{words[: NAME_LENGTH - 13]}".rstrip("-") + f"-{secrets.token_hex(3)}"


def _owned(spec: Spec, attempt: int, uid: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": config_map_name(spec, attempt), "labels": _labels(spec)}
    if uid:
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job_name(spec, attempt), "uid": uid}
        metadata["ownerReferences"] = [owner]
    return metadata


def _labels(spec: Spec) -> dict[str, str]:
    return {**MANAGED, BUILD_LABEL: spec.name}


def _annotations(spec: Spec, facts: Facts) -> dict[str, str]:
    """Return what tells of a build to those that did not start it."""
    image = spec.options["image"]
    tags = [split_tag(name)[1] or "" for name in destinations(image, spec.options.get("tags", []))]
    found = {CLIENT_ANNOTATION: client(spec), IMAGE_ANNOTATION: split_tag(image)[0], TAGS_ANNOTATION: " ".join(tags)}
    return found | ({COMMIT_ANNOTATION: facts.commit} if facts.commit else {})


def image_labels(facts: Facts) -> dict[str, str]:
    """Return what the context tells of itself, as labels of the OCI image specification."""
    known = {"revision": facts.commit, "created": facts.created, "source": facts.source}
    return {f"org.opencontainers.image.{name}": value for name, value in known.items() if value}
