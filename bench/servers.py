"""The servers that bench/sync.py measures against: what stands before a controller, and a Jenkins for the peer.

All of them count requests and add a latency to each, in the process of the benchmark.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.standin import StandIn


class Server(ThreadingHTTPServer):
    """Answers on a port of its own inside a `with` block of `running`.

    Attributes:
        latency: seconds added to each answer.
        requests: how many came since it was last set to 0.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.latency = 0.0
        self.requests = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def counted(self) -> None:
        with self._lock:
            self.requests += 1

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        raise NotImplementedError


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.counted()
        status, content = self.server.respond(self.command, self.path, dict(self.headers), body)
        time.sleep(self.server.latency)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "text/plain;charset=utf-8")  # without it a client guesses, which takes long
        self.send_header("X-Jenkins", "2.452.1")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(servers: list[Server]) -> Iterator[None]:
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class Recorder(Server):
    """Hands everything on to the stand-in and remembers its answers, and how long each took it."""

    def __init__(self, standin: StandIn) -> None:
        super().__init__()
        self.answers: dict[bytes, tuple[int, bytes, float]] = {}
        self._address = urlsplit(standin.url).netloc

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self._address, timeout=60)
        start = time.perf_counter()
        connection.request(method, path, body, {key: value for key, value in headers.items() if key != "Connection"})
        response = connection.getresponse()
        status, content = response.status, response.read()
        self.answers[body] = status, content, time.perf_counter() - start
        connection.close()
        return status, content


class Replay(Server):
    """One of many controllers: gives the recorded answer to the same request, after the time that it took then."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[bytes, tuple[int, bytes, float]] = {}

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        status, content, seconds = self.answers.get(body, (500, b"not a recorded request", 0.0))
        time.sleep(seconds)
        return status, content


class JobServer(Server):
    """The endpoints of jobs, in memory and at once: what a real controller needs for an item is not in it."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, bytes] = {}

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        address = urlsplit(path)
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        if address.path == "/createItem":
            self.jobs[parse_qs(address.query)["name"][0]] = body
            return 200, b""
        if parts[0] == "job":
            return self._job(method, parts[1], parts[2:], body)
        if address.path == "/pluginManager/api/json":
            return 200, json.dumps({"plugins": []}).encode()
        if address.path in ("/api/json", "/"):
            jobs = [{"_class": "hudson.model.FreeStyleProject", "name": name, "url": ""} for name in self.jobs]
            return 200, json.dumps({"jobs": jobs}).encode()
        return 404, b""

    def _job(self, method: str, name: str, rest: list[str], body: bytes) -> tuple[int, bytes]:
        if name not in self.jobs:
            return 404, b""
        if rest != ["config.xml"]:
            return 200, json.dumps({"name": name}).encode()
        if method == "POST":
            self.jobs[name] = body
        return 200, self.jobs[name]
