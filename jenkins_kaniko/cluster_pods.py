"""The cluster's door for builds: Jobs, pods, their logs, and what is sent into a pod. All objects are plain data."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import kubernetes
import urllib3

from jenkins_kaniko.cluster import TIMEOUT_SECONDS, current_namespace, translated
from jenkins_kaniko.cluster_exec import fed
from jenkins_kaniko.cluster_http import Connection, denials, message
from jenkins_kaniko.errors import MissingError, UnansweredError, UnreachableError
from jenkins_kaniko.podstate import event_time

TAKEN = "there already; wait for its end, or give another --name"
RECOVERY_SECONDS = 30
"""How long an API server that was away may deny what it allowed: it answers before it has read its roles (measured)."""


class Pods:
    """What builds need of one namespace of a cluster."""

    def __init__(self, namespace: str | None = None) -> None:
        """Connect as the current context of KUBECONFIG says, or as the pod's own account.

        Args:
            namespace: without one, that of the context or the account.

        Raises:
            UnreachableError: no cluster is configured.
        """
        self._connection = Connection()
        self._away: float | None = None
        self.namespace = namespace or current_namespace()

    def create_job(self, manifest: Mapping[str, Any]) -> str:
        """Make a Job and return its uid.

        Raises:
            DeniedError: a rule of the namespace, or the manifest itself, is against it.
            RefusedError: there is one of this name.
            WrongInputError: there is no such namespace.
            UnreachableError: the cluster does not answer, or forbids it.
        """
        made = self._create("jobs", manifest)
        uid: str = made["metadata"]["uid"]
        return uid

    def create_config_map(self, manifest: Mapping[str, Any]) -> None:
        """Make a ConfigMap. Raises as create_job does."""
        self._create("configmaps", manifest)

    def create_secret(self, manifest: Mapping[str, Any]) -> None:
        """Make a Secret. Raises as create_job does."""
        self._create("secrets", manifest)

    def jobs(self, label: str) -> list[dict[str, Any]]:
        """Return the Jobs that a label selector finds."""
        return self._list("jobs", labelSelector=label)

    def delete_job(self, name: str, uid: str) -> None:
        """Delete a Job and, behind it, all that it owns; one that is gone already is no error."""
        self._delete("jobs", name, uid)

    def watch(self, label: str, seconds: float) -> Iterator[dict[str, Any] | None]:
        """Yield the pods that a label selector finds as they are and as they change; None where one was deleted.

        It begins with their state now and ends after some seconds, at the latest.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        query = {
            "labelSelector": label,
            "watch": "true",
            "timeoutSeconds": f"{max(1, round(seconds))}",
            "resourceVersion": "0",  # at once from the server's memory, instead of asking its store first
        }
        quiet = seconds + TIMEOUT_SECONDS
        with self._asking("watch pods"), closing(self._request("GET", "pods", query, quiet=quiet)) as answer:
            for line in answer:
                event = self._event(line)
                if event["type"] == "ERROR":
                    return
                yield None if event["type"] == "DELETED" else event["object"]

    def _event(self, line: bytes) -> dict[str, Any]:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            raise UnansweredError(f"namespace {self.namespace}: the cluster cut an answer off") from None
        return event

    def there(self, label: str) -> bool:
        """Return whether there is a pod that a label selector finds."""
        return bool(self._list("pods", labelSelector=label))

    def events(self, name: str, uid: str | None = None) -> list[dict[str, Any]]:
        """Return what the cluster tells of an object, oldest first.

        Args:
            uid: where its name may have been another's an hour ago: so long the cluster remembers.
        """
        of_uid = f",involvedObject.uid={uid}" if uid else ""
        found = self._list("events", fieldSelector=f"involvedObject.name={name}{of_uid}")
        return sorted(found, key=event_time)

    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
        """Yield the lines of a container's log, each with the time it was written at.

        Args:
            since: leave out what is older than so many seconds.
            follow: go on until the container ends.
            quiet: how many seconds may pass without a line.

        Raises:
            UnansweredError: the connection broke, or nothing came for too long.
            MissingError: the container is not there.
            UnreachableError: the cluster forbids it.
        """
        query = {"container": container, "timestamps": "true", "follow": str(follow).lower()}
        query |= {"sinceSeconds": str(since)} if since else {}
        with self._asking("get pods/log", 400, 404):
            try:
                answer = self._request("GET", f"pods/{pod}/log", query, quiet=quiet)
            except kubernetes.client.ApiException as error:  # the container, or its whole pod, is not there
                raise MissingError(f"log of pod {self.namespace}/{pod}: {message(error)}") from None
            with closing(answer):
                yield from answer

    def printed(self, pod: str, container: str, limit: int) -> bytes:
        """Return the begin of what a container printed, at most so many bytes.

        Raises:
            UnreachableError: the cluster does not answer, has no such log, or forbids it.
        """
        query = {"container": container, "limitBytes": str(limit)}
        with self._asking("get pods/log"):
            text: bytes = self._request("GET", f"pods/{pod}/log", query).data
        return text

    def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes:
        """Run a command in a container, feed it, and return what it printed.

        Args:
            until: when it must have ended, once it was fed; as time.monotonic() counts.

        Raises:
            CutError: the connection broke, is silent, or the time is over.
            JenkinsKanikoError: the command failed, or the cluster is too old for this.
            UnreachableError: the cluster forbids it.
        """
        query = {"container": container, "command": command, "stdin": "true", "stdout": "true", "stderr": "true"}
        with self._recovering():
            return fed(
                self._connection.configuration,
                self._connection.url(self._path(f"pods/{pod}/exec"), query),
                self._connection.headers(),
                f"pod {self.namespace}/{pod}",
                f"create pods/exec -n {self.namespace}",
                chunks,
                until,
            )

    def _create(self, kind: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        where = f"{manifest['kind'].lower()} {self.namespace}/{manifest['metadata']['name']}"
        with self._recovering(), denials(where, TAKEN), self._asking(f"create {kind}", 403, 404, 409, 422):
            made: dict[str, Any] = json.loads(self._request("POST", kind, body=manifest).data)
        return made

    def _delete(self, kind: str, name: str, uid: str) -> None:
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        with suppress(kubernetes.client.ApiException), self._asking(f"delete {kind}", 404, 409):
            self._request("DELETE", f"{kind}/{name}", body=body).read()

    def _list(self, kind: str, **query: str) -> list[dict[str, Any]]:
        with self._asking(f"list {kind}"):
            items: list[dict[str, Any]] = json.loads(self._request("GET", kind, query).data)["items"]
        return items

    def _request(self, method: str, path: str, query: Any = None, **more: Any) -> urllib3.BaseHTTPResponse:
        """Ask as the connection does; `path` is below the namespace, but for namespaces themselves."""
        return self._connection.request(method, self._path(path), query, **more)

    def _path(self, path: str) -> str:
        group = "apis/batch/v1" if path.startswith("jobs") else "api/v1"
        place = path if path.startswith("namespaces") else f"namespaces/{self.namespace}/{path}"
        return f"{group}/{place}"

    @contextmanager
    def _asking(self, right: str, *expected: int) -> Iterator[None]:
        where = f"namespace {self.namespace}"
        with self._recovering(), translated(where, f"{right} -n {self.namespace}", *expected):
            yield

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        """Take what is denied right after an API server was away as no answer."""
        try:
            yield
        except UnansweredError:
            self._away = time.monotonic()
            raise
        except UnreachableError as error:
            if self._away is None or time.monotonic() > self._away + RECOVERY_SECONDS:
                raise
            raise UnansweredError(str(error)) from None
