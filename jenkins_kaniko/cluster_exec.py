"""What is sent into a pod: a command in a container, fed by a WebSocket as `kubectl exec -i` does it."""

from __future__ import annotations

import json
import select
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import websocket
from kubernetes.stream import ws_client

from jenkins_kaniko.cluster_http import MESSAGE_LENGTH, said_in
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError, UnreachableError

V5 = "v5.channel.k8s.io"
"""The protocol in which the end of what is sent can be told (Kubernetes 1.30)."""
STDIN, STDOUT, STDERR, OUTCOME = 0, 1, 2, 3
TIMEOUT_SECONDS = 30
"""How long the connection may take to be made, and then may take nothing."""
PING_SECONDS = 5
QUIET_SECONDS = 60
"""How long the other side may answer no ping, once all is sent; it answers late while what it unpacks is slow."""
TICK_SECONDS = 1
CLIENT: Any = ws_client.WSClient
BROKEN = (websocket.WebSocketException, OSError)
"""What a broken connection is told by."""


class _ZeroMasked(websocket.ABNF):
    """A frame whose mask is zeros, which change nothing.

    Python takes 8 ms to mask a megabyte, a third of all that sending it costs (measured). Masks keep web pages from
    writing what a proxy on the way takes for a request (RFC 6455, 10.3): within TLS there is none.
    """

    data: bytes

    def _get_masked(self, _: str | bytes) -> bytes:
        return bytes(4) + self.data


class _WebSocket(websocket.WebSocket):
    """One that does not wait for ever while it connects, for which the Kubernetes client has no setting."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.settimeout(TIMEOUT_SECONDS)

    def send(self, payload: bytes | str, opcode: int = websocket.ABNF.OPCODE_TEXT) -> int:
        if isinstance(self.sock, ssl.SSLSocket) and isinstance(payload, bytes):
            return self.send_frame(_ZeroMasked(1, 0, 0, 0, opcode, 1, payload))
        return super().send(payload, opcode)


vars(ws_client)["WebSocket"] = _WebSocket


class CutError(UnansweredError):
    """The connection broke while something was sent into a pod."""


def fed(
    configuration: Any,
    url: str,
    headers: Mapping[str, str],
    where: str,
    right: str,
    chunks: Iterable[bytes],
    until: float,
) -> bytes:
    """Run a command in a container, feed it, and return what it printed.

    Args:
        configuration: the Kubernetes client's, with the TLS settings.
        url: of the pod's exec subresource, with the command.
        headers: with the account.
        where: the pod, for errors.
        right: what the account needs, as `kubectl auth can-i` takes it.
        until: when the command must have ended, once it was fed; as time.monotonic() counts.

    Raises:
        CutError: the connection broke, is silent, or the time is over.
        JenkinsKanikoError: the command failed, or the cluster is too old for this.
        UnreachableError: the cluster forbids it.
    """
    try:
        run: Any = CLIENT(configuration, url.replace("http", "ws", 1), headers, capture_all=True, binary=True)
    except websocket.WebSocketBadStatusException as error:
        if error.status_code == 403:
            text = f"{where}: the cluster forbids it; try: kubectl auth can-i {right}"
            raise UnreachableError(text) from None
        said = said_in(error.resp_body)  # the whole answer would be a wall of headers
        raise CutError(f"{where}: the cluster answers {error.status_code}{f': {said}' if said else ''}") from None
    except BROKEN as error:
        raise CutError(f"{where}: {error}") from None
    try:
        return _fed(where, run, chunks, until)
    finally:
        with suppress(*BROKEN):  # it is closed already where it broke
            run.close(timeout=TICK_SECONDS)


def _fed(where: str, run: Any, chunks: Iterable[bytes], until: float) -> bytes:
    if run.subprotocol != V5:
        raise JenkinsKanikoError(f"{where}: sending a build context needs Kubernetes 1.30 or later")
    broken = ""
    try:
        for chunk in chunks:
            run.write_channel(STDIN, chunk)
            if run.peek_channel(OUTCOME) or not run.is_open():
                break
        else:
            run.close_channel(STDIN)
        _wait(run, until)
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


def _wait(run: Any, until: float) -> None:
    """Wait for the command's end; the other side is asked for a sign of life meanwhile, as kubectl does it.

    Raises:
        TimeoutError: there was none, or the time is over.
    """
    heard = pinged = time.monotonic()
    while run.is_open():
        if _comes(run.sock.sock):
            heard = time.monotonic()
        run.update()
        now = time.monotonic()
        if now > min(heard + QUIET_SECONDS, until):
            raise TimeoutError(f"no answer for {now - heard:.0f} s" if now <= until else "the time is over")
        if now > pinged + PING_SECONDS and run.is_open():
            run.sock.ping()
            pinged = now


def _comes(connection: Any) -> bool:
    """Wait a moment for something to come; TLS may have decrypted it already."""
    if getattr(connection, "pending", int)():
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(TICK_SECONDS * 1000))


def _received(run: Any, channel: int) -> bytes:
    """Return what came, also where the command ended before it took all it was fed, and broke the connection so."""
    with suppress(*BROKEN):
        received: bytes = run.read_channel(channel)
        return received
    return b""
