"""A receiver of notifications that answers as it is told, and remembers what came."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

CLOSES, HANGS = 0, -1
"""Instead of an answer."""


@dataclass(frozen=True)
class Post:
    """What came once."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


class Webhook:
    """A server on this machine.

    Attributes:
        url: of this server.
        posts: what came, in order.
    """

    def __init__(self, *answers: int, tls: ssl.SSLContext | None = None, **headers: str) -> None:
        """Answer with these codes in turn, the last one again and again.

        Args:
            headers: of each answer, with _ for -.
        """
        self.posts: list[Post] = []
        self._gone = threading.Event()
        self._answers, self._headers = list(answers or [200]), headers
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.posts.append(Post(self.path, dict(self.headers), body))
                webhook._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        code = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if code == HANGS:
            self._gone.wait()
        if code in (CLOSES, HANGS):
            return
        request.send_response(code)
        for name, value in self._headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
