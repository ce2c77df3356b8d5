"""The cluster's door for builds: Jobs, pods, their logs, and what is sent into a pod. All objects are plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import kubernetes
import kubernetes.stream
import urllib3
import websocket

from jenkins_kaniko.cluster import TIMEOUT_SECONDS, configure, translated
from jenkins_kaniko.errors import (
    DeniedError,
    JenkinsKanikoError,
    RefusedError,
    UnansweredError,
    UnreachableError,
    WrongInputError,
)

V5 = "v5.channel.k8s.io"
"""The protocol in which the end of what is sent can be told (Kubernetes 1.30)."""
STDIN, STDOUT, STDERR, OUTCOME = 0, 1, 2, 3
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
MESSAGE_LENGTH = 2000


class CutError(UnansweredError):
    """The connection broke while something was sent into a pod."""


class Pods:
    """What builds need of one namespace of a cluster."""

    def __init__(self, namespace: str | None = None) -> None:
        """Connect as the current context of KUBECONFIG says, or as the pod's own account.

        Args:
            namespace: without one, that of the context or the account.

        Raises:
            UnreachableError: no cluster is configured.
        """
        configure("the cluster")
        self.namespace = namespace or _own_namespace()
        self._core: Any = kubernetes.client.CoreV1Api()
        self._batch: Any = kubernetes.client.BatchV1Api()

    def create_job(self, manifest: Mapping[str, Any]) -> str:
        """Make a Job and return its uid.

        Raises:
            DeniedError: a rule of the namespace, or the manifest itself, is against it.
            RefusedError: there is one of this name.
            WrongInputError: there is no such namespace.
            UnreachableError: the cluster does not answer, or forbids it.
        """
        name = manifest["metadata"]["name"]
        with self._asking("create jobs", 403, 404, 409, 422), _denials(f"job {self.namespace}/{name}"):
            made = _data(self._batch.create_namespaced_job(self.namespace, manifest, **_raw()))
        uid: str = made["metadata"]["uid"]
        return uid

    def create_config_map(self, manifest: Mapping[str, Any]) -> None:
        """Make a ConfigMap. Raises as create_job does."""
        name = manifest["metadata"]["name"]
        with self._asking("create configmaps", 403, 404, 409, 422), _denials(f"configmap {self.namespace}/{name}"):
            _data(self._core.create_namespaced_config_map(self.namespace, manifest, **_raw()))

    def jobs(self, label: str) -> list[dict[str, Any]]:
        """Return the Jobs that a label selector finds."""
        with self._asking("list jobs"):
            found = _data(self._batch.list_namespaced_job(self.namespace, label_selector=label, **_raw()))
        items: list[dict[str, Any]] = found["items"]
        return items

    def delete_job(self, name: str, uid: str) -> None:
        """Delete a Job and, behind it, all that it owns; one that is gone already is no error."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            with self._asking("delete jobs", 404, 409):
                _data(self._batch.delete_namespaced_job(name, self.namespace, body=body, **_raw()))
        except kubernetes.client.ApiException:
            return

    def watch(self, label: str, seconds: float) -> Iterator[dict[str, Any] | None]:
        """Yield the pods that a label selector finds as they are and as they change; None where one was deleted.

        It begins with their state now and ends after some seconds, at the latest.

        Raises:
            UnreachableError: the cluster does not answer, or forbids it.
        """
        with self._asking("watch pods"):
            answer = self._core.list_namespaced_pod(
                self.namespace,
                label_selector=label,
                watch=True,
                resource_version="0",  # at once from the server's memory, instead of asking its store first
                timeout_seconds=max(1, round(seconds)),
                _preload_content=False,
                _request_timeout=(TIMEOUT_SECONDS, seconds + TIMEOUT_SECONDS),
            )
            with closing(answer):
                for line in answer:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    yield None if event["type"] == "DELETED" else event["object"]

    def there(self, label: str) -> bool:
        """Return whether there is a pod that a label selector finds."""
        with self._asking("list pods"):
            found = _data(self._core.list_namespaced_pod(self.namespace, label_selector=label, **_raw()))
        return bool(found["items"])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what the cluster tells of an object, oldest first."""
        with self._asking("list events"):
            found = _data(
                self._core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}", **_raw())
            )
        items: list[dict[str, Any]] = found["items"]
        return sorted(items, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")

    def log(self, pod: str, container: str, since: int | None, *, follow: bool, quiet: float) -> Iterator[bytes]:
        """Yield the lines of a container's log, each with the time it was written at.

        Args:
            since: leave out what is older than so many seconds.
            follow: go on until the container ends.
            quiet: how many seconds may pass without a line.

        Raises:
            UnansweredError: the connection broke, or nothing came for too long.
            UnreachableError: the cluster forbids it.
        """
        options = {"since_seconds": since} if since else {}
        with self._asking("get pods/log", 400, 404):
            try:
                answer = self._core.read_namespaced_pod_log(
                    pod,
                    self.namespace,
                    container=container,
                    timestamps=True,
                    follow=follow,
                    _preload_content=False,
                    _request_timeout=(TIMEOUT_SECONDS, quiet),
                    **options,
                )
            except kubernetes.client.ApiException as error:  # the container, or its whole pod, is not there
                raise UnansweredError(f"log of pod {self.namespace}/{pod}: {_message(error)}") from None
            with closing(answer):
                yield from answer

    def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes]) -> bytes:
        """Run a command in a container, feed it, and return what it printed.

        Raises:
            CutError: the connection broke.
            JenkinsKanikoError: the command failed, or the cluster is too old for this.
            UnreachableError: the cluster forbids it.
        """
        where = f"pod {self.namespace}/{pod}"
        try:
            run: Any = kubernetes.stream.stream(
                self._core.connect_get_namespaced_pod_exec, pod, self.namespace, container=container, command=command,
                stdin=True, stdout=True, stderr=True, tty=False, binary=True, _preload_content=False,
            )  # fmt: skip
        except kubernetes.client.ApiException as error:  # its status is always 0
            if " 403 " in str(error.reason):
                raise UnreachableError(
                    f"{where}: the cluster forbids it; try: kubectl auth can-i create pods/exec -n {self.namespace}"
                ) from None
            raise CutError(f"{where}: {error.reason}") from None
        try:
            with closing(run):
                return _fed(where, run, chunks)
        except (websocket.WebSocketException, OSError) as error:
            raise CutError(f"{where}: the connection broke: {error}") from None

    def _asking(self, right: str, *expected: int) -> Any:
        return translated(f"namespace {self.namespace}", f"{right} -n {self.namespace}", *expected)


def _fed(where: str, run: Any, chunks: Iterable[bytes]) -> bytes:
    if run.subprotocol != V5:
        raise JenkinsKanikoError(f"{where}: sending a build context needs Kubernetes 1.30 or later")
    run.sock.settimeout(TIMEOUT_SECONDS)
    for chunk in chunks:
        run.write_channel(STDIN, chunk)
        if run.peek_channel(OUTCOME) or not run.is_open():
            break
    else:
        run.close_channel(STDIN)
    run.run_forever()
    printed, said, outcome = (run.read_channel(channel) for channel in (STDOUT, STDERR, OUTCOME))
    if not outcome:
        raise CutError(f"{where}: the connection broke")
    if json.loads(outcome)["status"] != "Success":
        text = said.decode("utf-8", "replace").strip() or json.loads(outcome).get("message", "")
        raise JenkinsKanikoError(f"{where}: {text[:MESSAGE_LENGTH]}")
    result: bytes = printed
    return result


def _raw() -> dict[str, Any]:
    return {"_preload_content": False, "_request_timeout": TIMEOUT_SECONDS}


def _data(answer: urllib3.HTTPResponse) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(answer.data)
    return data


@contextmanager
def _denials(where: str) -> Iterator[None]:
    """Translate why an object cannot be made; the cluster's own words say it best."""
    try:
        yield
    except kubernetes.client.ApiException as error:
        said = _message(error)
        if error.status == 409:
            raise RefusedError(f"{where}: there already; wait for its end, or give another --name") from None
        if error.status == 404:
            raise WrongInputError(f"{where}: {said}") from None
        if " cannot create resource " in said:
            raise UnreachableError(said) from None
        raise DeniedError(said) from None


def _message(error: kubernetes.client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])[:MESSAGE_LENGTH]
    except (ValueError, KeyError, TypeError):
        return str(error.reason)


def _own_namespace() -> str:
    try:
        _, current = kubernetes.config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
        return str(current["context"].get("namespace", "default"))
    except kubernetes.config.ConfigException:
        return OWN_NAMESPACE.read_text(encoding="utf-8").strip() if OWN_NAMESPACE.exists() else "default"
