"""A build: attempts until one succeeds, and its result. What went wrong is explained, what can pass is tried again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from jenkins_kaniko import cachemiss, probe, transport
from jenkins_kaniko.attempt import Attempt, Door, Listener
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.contexts import Context
from jenkins_kaniko.engines import destinations, split_tag
from jenkins_kaniko.errors import TimedOutError
from jenkins_kaniko.explain import diagnosis, explanation
from jenkins_kaniko.options import DEFAULT_ENGINE, complete
from jenkins_kaniko.sightings import FailedError

PAUSE_SECONDS = 5


@dataclass(frozen=True)
class Result:
    """A pushed image, and what building it was like."""

    image: str
    tags: list[str]
    digest: str
    engine: str
    seconds: int
    cache_hits: int
    cache_misses: int
    first_miss: str | None
    commit: str | None
    peak_memory: int | None = None
    first_miss_reason: str | None = None
    probed: probe.Probed | None = None

    @property
    def ref(self) -> str:
        """Repository and digest."""
        return f"{self.image}@{self.digest}"


def build(spec: Spec, context: Context, door: Door, listener: Listener) -> Result:
    """Build and push an image; nothing is left of it in the cluster.

    Raises:
        WrongInputError: there are mistakes in the options, or no such namespace.
        RefusedError: there is a build of this name.
        UnreachableError: the cluster does not answer, or forbids what a build needs.
        TimedOutError: it took longer than it may.
        BuildFailedError: the builder says so.
        JenkinsKanikoError: the cluster could not do it.
    """
    start = time.monotonic()
    archive = transport.packed(context.tar())
    size = f"{len(archive)} bytes as tar.gz, in a ConfigMap" if archive else "large; it is sent into the pod"
    listener.detail(f"build context: {size}")
    retries, number, less_memory, left = complete(spec.options)["retries"], 1, False, spec.timeout
    while True:
        attempt = Attempt(spec, number, context, archive, door, listener, seconds=left, less_memory=less_memory)
        try:
            digest = attempt.digest()
            result = _result(spec, context, digest, attempt, time.monotonic() - start)
            if spec.probe:
                result = replace(result, probed=probe.run(spec.probe, spec, result.ref, door, listener))
            return result
        except FailedError as failure:
            found = diagnosis(failure.seen)
            once_more = found.retry == "less memory" and not less_memory and retries > 0
            again = found.retry == "again" and number <= retries and failure.kind is not TimedOutError
            pause = PAUSE_SECONDS * number * number
            left -= attempt.took + pause
            if not (once_more or again) or left <= 0:
                raise failure.kind(f"{spec.options['image']}: {explanation(failure.seen)}") from None
            listener.note(f"{found.cause}; attempt {number + 1} in {pause} s")
            time.sleep(pause)
            number, less_memory = number + 1, less_memory or once_more


def _result(spec: Spec, context: Context, digest: str, attempt: Attempt, seconds: float) -> Result:
    image, tags, log = spec.options["image"], spec.options.get("tags", []), attempt.log
    return Result(
        image=split_tag(image)[0],
        tags=[split_tag(name)[1] or "" for name in destinations(image, tags)],
        digest=digest,
        engine=DEFAULT_ENGINE,
        seconds=round(seconds),
        cache_hits=log.hits,
        cache_misses=log.misses,
        first_miss=log.first_miss,
        commit=context.facts.commit,
        peak_memory=attempt.peak_memory,
        first_miss_reason=cachemiss.reason(
            log.lookups, context.facts.dockerfile_text, spec.options.get("buildArgs", {})
        ),
    )
