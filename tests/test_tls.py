"""Certificates of controllers: checked by default, by a CA of one's own where one is given."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from jenkins_kaniko.errors import UnreachableError
from jenkins_kaniko.jenkins import Controller


class Unauthorized(BaseHTTPRequestHandler):
    """Answers whoever gets through the handshake."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def port(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HTTPServer(("127.0.0.1", 0), Unauthorized) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def failure(url: str, ca: Path | None = None) -> str:
    with pytest.raises(UnreachableError) as caught:
        Controller("main", url, "ci-bot", "token", "kubernetes", ca, timeout=10).read()
    return str(caught.value)


def test_a_certificate_of_an_unknown_authority_is_refused(port: int) -> None:
    url = f"https://127.0.0.1:{port}"
    said = f"controller main ({url}): cannot be reached: its certificate is not trusted "
    assert failure(url) == f"{said}(unable to get local issuer certificate); give the CA with `ca:`"


def test_it_stays_refused_where_the_environment_turns_checks_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    assert "its certificate is not trusted" in failure(f"https://127.0.0.1:{port}")


def test_the_given_authority_is_trusted(port: int, ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert "HTTP 401: wrong user or token for ci-bot" in failure(f"https://127.0.0.1:{port}", ca)


def test_a_certificate_for_another_name_is_refused(port: int, ca: Path) -> None:
    assert failure(f"https://localhost:{port}", ca).endswith("; use a name that it is for")
