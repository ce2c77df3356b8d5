"""A proxy before a controller that fails on purpose, once for each fault it was told.

What goes wrong between a client and Jenkins goes wrong here: before the controller has the request, after it has
carried it out, or in the proxy itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from tests.support.serving import Serving

Fault = Literal["cut after receive", "cut before answer", "bad gateway", "slow", "hold", "none"]


class FaultyProxy(Serving):
    """Forwards POSTs to `target`; the next ones meet `faults` in their order, all later ones none.

    Args:
        faults: a callable stands for what happens to the controller before it gets the request, a restart for one.
        delay: seconds that an answer comes late when the fault is slow.
        max_bytes: a longer body is answered 413, whatever the fault.

    Attributes:
        holding: a request is here, whole; it is forwarded when `release` is set, whoever still waits for the answer.
        forwarded: what was held has been carried out.
    """

    def __init__(
        self,
        target: str,
        faults: Sequence[Fault | Callable[[], None]] = (),
        *,
        delay: float = 0,
        max_bytes: int | None = None,
    ) -> None:
        self.holding, self.release, self.forwarded = threading.Event(), threading.Event(), threading.Event()
        self.target = urlsplit(target).netloc
        self.faults = list(faults)
        self._delay = delay
        self._max_bytes = max_bytes
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy.handle(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        body = request.rfile.read(int(request.headers["Content-Length"]))
        fault = self.faults.pop(0) if self.faults else "none"
        if callable(fault):
            fault()
        if fault == "hold":
            self.holding.set()
            self.release.wait(30)
        if self._max_bytes is not None and len(body) > self._max_bytes:
            request.send_error(413, "Request Entity Too Large")
        elif fault == "bad gateway":
            request.send_error(502, "Bad Gateway")
        elif fault != "cut after receive":
            self._forward(request, body, fault)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes, fault: Fault | Callable[[], None]) -> None:
        connection = HTTPConnection(self.target, timeout=30)
        connection.request("POST", request.path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "hold":
            self.forwarded.set()
        if fault == "slow":
            time.sleep(self._delay)
        if fault not in ("cut before answer", "hold"):
            request.send_response(answer.status)
            request.send_header("Content-Type", str(answer.headers["Content-Type"]))
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
