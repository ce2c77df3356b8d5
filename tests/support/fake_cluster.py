"""A cluster for builds that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.attempt import Listener
from jenkins_kaniko.buildjob import Spec
from jenkins_kaniko.contexts import Context, Facts
from jenkins_kaniko.contexts_stream import FILE, Entry
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError

DIGEST = "sha256:" + "0" * 64
IMAGE = "registry.example.com/team/app:1"


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "app-x1"}, "status": {"phase": "Pending", **status}}


def state(container: str, **state: Any) -> dict[str, Any]:
    """Return a pod with one container in a state such as waiting={"reason": …}."""
    kind = "initContainerStatuses" if container == "context" else "containerStatuses"
    return pod(**{kind: [{"name": container, "state": state}]})


RUNNING = state("kaniko", running={})


def ended(exit_code: int = 0, message: str = DIGEST, reason: str = "Completed") -> dict[str, Any]:
    return state("kaniko", terminated={"exitCode": exit_code, "message": message, "reason": reason})


def _name(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["name"])


Answer = Mapping[str, Any] | None | Exception


@dataclass
class FakeCluster:
    """Each request for a watch or a log takes the next of `watches` and `logs`, the last one again and again.

    Attributes:
        watches: pods, None for a deleted one; an exception ends the request.
        logs: lines with their times.
        creating: raised by making a Job; a stop from outside comes when it is made already.
        made: the manifests of what was made.
        deleted: names of Jobs.
        sent: what each command in the pod was fed.
        cut: raised once they were fed: the connection breaks.
        unmade: raised before that: the connection is not made.
        lost: raised by what makes an object of a kind, and whether it is made nevertheless.
        output: what the container of a probe printed.
        failed: conditions of Jobs by their names; each look at a Job takes the next, the last one again and again.
    """

    watches: list[Sequence[Answer]]
    logs: list[Sequence[bytes | Exception]] = field(default_factory=lambda: [[]])
    told: list[dict[str, Any]] = field(default_factory=list)
    creating: BaseException | None = None
    deleting: list[Exception] = field(default_factory=list)
    there_is_one: bool = True
    cut: list[Exception] = field(default_factory=list)
    unmade: list[Exception] = field(default_factory=list)
    lost: dict[str, list[tuple[Exception, bool]]] = field(default_factory=dict)
    output: bytes = b""
    namespace: str = "builds"
    made: list[Mapping[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, list[Sequence[dict[str, str]]]] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)

    def create_job(self, manifest: Mapping[str, Any]) -> str:
        if isinstance(self.creating, JenkinsKanikoError):
            raise self.creating
        self._make(manifest)
        if self.creating:
            raise self.creating
        return f"uid-of-{manifest['metadata']['name']}"

    def create_config_map(self, manifest: Mapping[str, Any]) -> None:
        self._make(manifest)

    def create_secret(self, manifest: Mapping[str, Any]) -> None:
        self._make(manifest)

    def jobs(self, label: str) -> list[dict[str, Any]]:
        key, _, value = label.partition("=")
        jobs = [one for one in self.made if one["kind"] == "Job"]
        found = [one for one in jobs if one["metadata"]["labels"].get(key) == value]
        return [{**one, "metadata": {**one["metadata"], "uid": "found"}, "status": self._status(one)} for one in found]

    def delete_job(self, name: str, uid: str) -> None:
        if self.deleting:
            raise self.deleting.pop(0)
        self.deleted.append(name)

    def watch(self, label: str, seconds: float) -> Iterator[Mapping[str, Any] | None]:
        for answer in self._next(self.watches):
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def there(self, label: str) -> bool:
        return self.there_is_one

    def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]:
        return [event for event in self.told if not uid or event.get("involvedObject", {}).get("uid", uid) == uid]

    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
        for line in self._next(self.logs):
            if isinstance(line, Exception):
                raise line
            yield line

    def printed(self, pod: str, container: str, limit: int) -> bytes:
        return self.output[:limit]

    def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
        if self.unmade:
            raise self.unmade.pop(0)
        content = b"".join(chunks)
        if self.cut:
            raise self.cut.pop(0)
        self.sent.append(content)
        return hashlib.md5(content, usedforsecurity=False).hexdigest().encode() + b"  -\n"

    def _make(self, manifest: Mapping[str, Any]) -> None:
        answers = self.lost.get(manifest["kind"])
        error, is_made = answers.pop(0) if answers else (None, True)
        if any(one["kind"] == manifest["kind"] and _name(one) == _name(manifest) for one in self.made):
            error, is_made = error or RefusedError(f"{_name(manifest)}: there already"), False
        if is_made:
            self.made.append(manifest)
        if error:
            raise error

    def _status(self, job: Mapping[str, Any]) -> dict[str, Any]:
        name = job["metadata"]["name"]
        return {"conditions": self._next(self.failed[name])} if name in self.failed else {}

    @staticmethod
    def _next(answers: list[Sequence[Any]]) -> Sequence[Any]:
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class Told:
    """What a listener was told."""

    notes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def listener(self) -> Listener:
        return Listener(self.notes.append, lambda _text: None, self.lines.append)


def spec(**changes: Any) -> Spec:
    given: dict[str, Any] = {"options": {"image": IMAGE}, "name": "app", "client": "me@here", "token": "abc", **changes}
    return Spec(**given)


def context(content: bytes = b"", dockerfile: str = "FROM scratch\nRUN exit 3\n") -> Context:
    file = Entry("data", FILE, 0o644, 0, len(content), content=lambda: [content])
    facts = Facts("directory", commit="c0ffee", dockerfile_text=dockerfile)
    return Context(facts, lambda _tell: iter([file]), lambda _text: None)
