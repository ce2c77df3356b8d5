"""A proxy between pods and a registry without TLS: it is away for a while, cuts connections, or is slow."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from types import TracebackType
from typing import Self

PIECE = 65536
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RegistryProxy:
    """Forwards TCP, at an address that pods reach.

    Args:
        target: host:port of the registry; the proxy listens at the same host.
        away: for how many seconds from the first connection on each request is answered with 503.
        cut_every: which connection, by its number, is cut; none if it is 0.
        pause: for how many seconds each piece waits.

    Attributes:
        refused, cut: how many connections that happened to.
    """

    def __init__(self, target: str, *, away: float = 0, cut_every: int = 0, pause: float = 0) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._away, self._cut_every, self._pause = away, cut_every, pause
        self._server = socket.create_server((host, 0))
        self._thread = threading.Thread(target=self._serve)
        self.address = f"{host}:{self._server.getsockname()[1]}"
        self.refused = self.cut = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        back = None
        for number in itertools.count(1):
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            back = back or time.monotonic() + self._away
            if time.monotonic() < back:
                self.refused += 1
                self._refuse(client)
            else:
                cut = self._cut_every > 0 and number % self._cut_every == 0
                self.cut += cut
                threading.Thread(target=self._forward, args=(client, cut), daemon=True).start()

    @staticmethod
    def _refuse(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(PIECE)
            client.sendall(UNAVAILABLE)

    def _forward(self, client: socket.socket, cut: bool) -> None:
        with client, socket.create_connection(self._target) as server:
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server, once=cut)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, *, once: bool = False) -> None:
        """Copy until a side closes, or just the first piece; then close both."""
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if once:
                    break
                time.sleep(self._pause)
                sink.sendall(piece)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
