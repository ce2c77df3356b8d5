"""What is sent into a pod: a command in a container, fed by a WebSocket as `kubectl exec -i` does it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import websocket
from kubernetes.stream.ws_client import WSClient

from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError, UnreachableError

V5 = "v5.channel.k8s.io"
"""The protocol in which the end of what is sent can be told (Kubernetes 1.30)."""
STDIN, STDOUT, STDERR, OUTCOME = 0, 1, 2, 3
TIMEOUT_SECONDS = 30
"""How long the connection may take nothing."""
MESSAGE_LENGTH = 2000
CLIENT: Any = WSClient
BROKEN = (websocket.WebSocketException, OSError)
"""What a broken connection is told by."""


class CutError(UnansweredError):
    """The connection broke while something was sent into a pod."""


def fed(
    configuration: Any, url: str, headers: Mapping[str, str], where: str, right: str, chunks: Iterable[bytes]
) -> bytes:
    """Run a command in a container, feed it, and return what it printed.

    Args:
        configuration: the Kubernetes client's, with the TLS settings.
        url: of the pod's exec subresource, with the command.
        headers: with the account.
        where: the pod, for errors.
        right: what the account needs, as `kubectl auth can-i` takes it.

    Raises:
        CutError: the connection broke.
        JenkinsKanikoError: the command failed, or the cluster is too old for this.
        UnreachableError: the cluster forbids it.
    """
    try:
        run: Any = CLIENT(configuration, url.replace("http", "ws", 1), headers, capture_all=True, binary=True)
    except websocket.WebSocketBadStatusException as error:
        if error.status_code == 403:
            text = f"{where}: the cluster forbids it; try: kubectl auth can-i {right}"
            raise UnreachableError(text) from None
        raise CutError(f"{where}: {error}") from None
    except BROKEN as error:
        raise CutError(f"{where}: {error}") from None
    try:
        return _fed(where, run, chunks)
    finally:
        with suppress(*BROKEN):  # it is closed already where it broke
            run.close()


def _fed(where: str, run: Any, chunks: Iterable[bytes]) -> bytes:
    if run.subprotocol != V5:
        raise JenkinsKanikoError(f"{where}: sending a build context needs Kubernetes 1.30 or later")
    run.sock.settimeout(TIMEOUT_SECONDS)
    broken = ""
    try:
        for chunk in chunks:
            run.write_channel(STDIN, chunk)
            if run.peek_channel(OUTCOME) or not run.is_open():
                break
        else:
            run.close_channel(STDIN)
        run.run_forever()
    except BROKEN as error:
        broken = f": {error}"
    printed, said, outcome = (_received(run, channel) for channel in (STDOUT, STDERR, OUTCOME))
    if not outcome:
        raise CutError(f"{where}: the connection broke{broken}")
    status = json.loads(outcome)
    if status.get("reason") == "NonZeroExitCode":
        text = said.decode("utf-8", "replace").strip() or status["message"]
        raise JenkinsKanikoError(f"{where}: {text[:MESSAGE_LENGTH]}")
    if status["status"] != "Success":  # the command did not even run
        raise CutError(f"{where}: {status.get('message', '')[:MESSAGE_LENGTH]}")
    return printed


def _received(run: Any, channel: int) -> bytes:
    """Return what came, also where the command ended before it took all it was fed, and broke the connection so."""
    with suppress(*BROKEN):
        received: bytes = run.read_channel(channel)
        return received
    return b""
