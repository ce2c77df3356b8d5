"""What the doubles of servers in these tests share: they serve in a thread inside a `with` block."""

from __future__ import annotations

import threading
from http.server import HTTPServer
from types import TracebackType
from typing import Self

POLL_SECONDS = 0.01
"""How soon the end of the block is noticed."""


class Serving:
    """A server of `_server`, which is there when the block begins."""

    _server: HTTPServer

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
