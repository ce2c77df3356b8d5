"""A proxy before a controller that fails on purpose, once for each fault it was told.

What goes wrong between a client and Jenkins goes wrong here: before the controller has the request, after it has
carried it out, or in the proxy itself.
"""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Fault = Literal["cut after receive", "cut before answer", "bad gateway", "too large", "none"]
STATUS = {"bad gateway": (502, "Bad Gateway"), "too large": (413, "Request Entity Too Large")}


class FaultyProxy:
    """Forwards POSTs to `target`; the next ones meet `faults` in their order, all later ones none."""

    def __init__(self, target: str, faults: list[Fault]) -> None:
        self.target = urlsplit(target).netloc
        self.faults = list(faults)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy.handle(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        fault = self.faults.pop(0) if self.faults else "none"
        if fault in STATUS:
            request.send_error(*STATUS[fault])
        elif fault != "cut after receive":
            connection = HTTPConnection(self.target, timeout=30)
            connection.request("POST", request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault == "none":
                request.send_response(answer.status)
                request.send_header("Content-Type", str(answer.headers["Content-Type"]))
                request.send_header("Content-Length", str(len(content)))
                request.end_headers()
                request.wfile.write(content)
        request.close_connection = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
