"""A registry that takes every layer and fails in the way that a repository's first name says.

It listens where pods can reach it, and forgets what it is sent.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.serving import Serving

IMMUTABLE = "The image tag '1' already exists and cannot be overwritten because the repository is immutable."
"""As Amazon's registry says it."""


class FaultyRegistry(Serving):
    """Plain HTTP, which builders use without being told for private addresses.

    `unavailable/…` answers 503, `cut/…` closes the connection during an upload, `immutable/…` refuses the tag,
    any other takes the image.

    Args:
        host: address of this machine that pods reach.
    """

    def __init__(self, host: str) -> None:
        self._server = ThreadingHTTPServer((host, 0), _Handler)
        self.address = f"{host}:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def _serve(self) -> None:
        self._read_body()
        fault = self.path.split("/")[2]
        if self.path == "/v2/":
            self._answer(200)
        elif fault == "unavailable":
            self._answer(503)
        elif fault == "cut" and self.command == "PATCH":
            self.close_connection = True
        elif fault == "immutable" and self.command == "PUT" and "/manifests/" in self.path:
            self._answer(400, json.dumps({"errors": [{"code": "TAG_INVALID", "message": IMMUTABLE}]}))
        elif self.command == "PUT":
            self._answer(201)
        elif self.command in ("POST", "PATCH"):
            self._answer(202, Location="/v2/" + fault + "/app/blobs/uploads/1")
        else:
            self._answer(404)

    def _read_body(self) -> None:
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(self.headers["Content-Length"] or 0))

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815 (names of the base class)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
