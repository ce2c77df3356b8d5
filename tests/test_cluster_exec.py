"""A connection into a pod whose other side falls silent, as where a node or a load balancer is lost."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import trustme

from jenkins_kaniko import cluster_exec
from jenkins_kaniko.cluster_exec import CutError, fed

PING, PONG, BINARY = 0x9, 0xA, 0x2
SUCCESS = b'\x03{"status": "Success"}'
LONG = 3600


class Peer:
    """One WebSocket connection, as its server sees it.

    Attributes:
        said: what came in frames, without their mask.
        mask: that of the last frame.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.said, self.mask = b"", b""

    def shake_hands(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._connection.recv(4096)
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        magic = key.partition(b":")[2].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic, usedforsecurity=False).digest()).decode()
        lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: v5.channel.k8s.io", "", "")  # fmt: skip
        self._connection.sendall("\r\n".join(lines).encode())

    def frame(self) -> int | None:
        """Take a frame of the client, and return what it is for; None where the client is gone."""
        head = self._taken(2)
        if len(head) < 2:
            return None
        assert head[1] & 0x7F < 126, "a short frame"
        assert head[1] & 0x80, "a frame of a client is masked"
        rest = self._taken(4 + (head[1] & 0x7F))
        self.mask = rest[:4]
        self.said += bytes(byte ^ self.mask[i % 4] for i, byte in enumerate(rest[4:]))
        return head[0] & 0xF

    def _taken(self, count: int) -> bytes:
        """Take so many bytes; TLS gives fewer at a time, and has no flag against that."""
        taken = b""
        while len(taken) < count and (more := self._connection.recv(count - len(taken))):
            taken += more
        return taken

    def send(self, kind: int, content: bytes = b"") -> None:
        self._connection.sendall(struct.pack("BB", 0x80 | kind, len(content)) + content)

    def drain(self) -> None:
        while self._connection.recv(4096):
            pass


@contextmanager
def served(answer: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve one connection on this machine, and give its address."""

    def serve() -> None:
        connection, _ = server.accept()
        with tls.wrap_socket(connection, server_side=True) if tls else connection as spoken:
            answer(Peer(spoken))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.getsockname()[1]}/exec"
        thread.join()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TIMEOUT", 0.3), ("QUIET", 0.5), ("PING", 0.1), ("TICK", 0.05)):
        monkeypatch.setattr(cluster_exec, f"{name}_SECONDS", seconds)


def send(url: str, seconds: float = LONG, ca: Path | None = None) -> bytes:
    configuration: Any = kubernetes.client.Configuration()
    configuration.ssl_ca_cert = ca and str(ca)
    return fed(configuration, url, {}, "pod builds/app-x1", "create pods/exec", [b"data"], time.monotonic() + seconds)


def silent_at_once(peer: Peer) -> None:
    peer.drain()


def silent_once_all_is_sent(peer: Peer) -> None:
    peer.shake_hands()
    peer.drain()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (silent_at_once, "pod builds/app-x1: Connection timed out"),
        (silent_once_all_is_sent, "pod builds/app-x1: the connection broke: no answer for 1 s"),
    ],
)
def test_a_silent_connection_is_given_up(answer: Callable[[Peer], None], text: str) -> None:
    with served(answer) as url, pytest.raises(CutError) as caught:
        send(url)
    assert str(caught.value).replace("timed out waiting for data", "timed out") == text


def test_a_command_that_takes_long_is_waited_for_as_long_as_its_side_lives() -> None:
    def slow(peer: Peer) -> None:
        peer.shake_hands()
        end = time.monotonic() + 3 * cluster_exec.QUIET_SECONDS
        while time.monotonic() < end:
            if peer.frame() == PING:
                peer.send(PONG)
        peer.send(BINARY, b"\x01printed")
        peer.send(BINARY, SUCCESS)

    with served(slow) as url:
        assert send(url) == b"printed"


def test_a_command_that_does_not_end_in_time_is_given_up() -> None:
    def endless(peer: Peer) -> None:
        peer.shake_hands()
        while (kind := peer.frame()) is not None:
            if kind == PING:
                peer.send(PONG)

    with served(endless) as url, pytest.raises(CutError) as caught:
        send(url, seconds=2 * cluster_exec.QUIET_SECONDS)
    assert str(caught.value) == "pod builds/app-x1: the connection broke: the time is over"


@pytest.mark.parametrize("within_tls", [True, False], ids=["TLS", "plain"])
def test_what_is_sent_arrives_with_a_mask_that_costs_nothing_within_tls(within_tls: bool, tmp_path: Path) -> None:
    authority, peers = trustme.CA(), []
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    def taking(peer: Peer) -> None:
        peer.shake_hands()
        assert (peer.frame(), peer.frame()) == (BINARY, BINARY)
        peers.append(peer)
        peer.send(BINARY, SUCCESS)

    with served(taking, tls if within_tls else None) as url:
        send(url, ca=tmp_path / "ca.crt")
    (peer,) = peers
    assert peer.said == b"\x00data" + b"\xff\x00", "the data, then that channel 0 is closed"
    assert (peer.mask == bytes(4)) == within_tls
