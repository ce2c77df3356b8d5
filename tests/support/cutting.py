"""A proxy between a client and a cluster that cuts connections, as a restarted API server or a bad network does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

PIECE = 65536


class CuttingProxy:
    """Forwards TCP; each connection ends when it is so old, or when so much was sent by the client.

    Args:
        target: host:port.
        seconds: how long a connection lives.
        sent: how many bytes the first connections take from the client, one number for each.

    Attributes:
        cut: how many connections it ended.
    """

    def __init__(self, target: str, *, seconds: float = 3600, sent: list[int] | None = None) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._seconds, self._sent = seconds, list(sent or [])
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._open: set[socket.socket] = set()
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.cut = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def leave(self) -> None:
        """Be gone, as a server that restarts: no connection lives on, and none is made."""
        self._stop()
        for one in self._open.copy():
            _shut(one)

    def come_back(self) -> None:
        """Be there again."""
        host, port = self.address.split(":")
        self._server = socket.create_server((host, int(port)))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            self._open |= {client, server}
            end = time.monotonic() + self._seconds
            back = threading.Thread(target=self._pump, args=(server, client, end, None), daemon=True)
            back.start()
            self._pump(client, server, end, self._sent)
            back.join()
            self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, end: float, limits: list[int] | None) -> None:
        """Copy until a side closes, or the connection's time or the client's share is used up; then close both."""
        count = 0
        with contextlib.suppress(OSError):
            while True:
                source.settimeout(max(end - time.monotonic(), 0.001))
                piece = source.recv(PIECE)
                if not piece:
                    break
                count += len(piece)
                if limits and count > limits[0]:
                    limits.pop(0)
                    self.cut += 1
                    break
                sink.sendall(piece)
        self.cut += time.monotonic() >= end
        for side in (source, sink):
            _shut(side)


def _shut(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
