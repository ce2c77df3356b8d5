"""Archives from https://: whole, of the right server and the right checksum, over connections that are cut."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import re
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from jenkins_kaniko import contexts_download
from jenkins_kaniko.contexts import Facts, opened
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError
from tests.test_contexts_archive import DOCKERFILE, TEXT, tar

CONTENT = tar(DOCKERFILE, ("data", 0o644, os.urandom(3 << 20), ""))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ACCOUNT = "ci-bot:s3cret"


@dataclass
class Server:
    """What the server does, and what it was asked for."""

    port: int = 0
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers ends."""
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with."""
    version: str | None = '"1"'
    sends_length: bool = True
    understands_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    accounts: list[str | None] = field(default_factory=list)

    def url(self, path: str = "context.tar", account: str = "") -> str:
        return f"https://{account}127.0.0.1:{self.port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        plan = self.server.plan
        plan.accounts.append(self.headers["Authorization"])
        plan.paths.append(self.path)
        plan.ranges.append(self.headers["Range"])
        if plan.statuses:
            self.send_error(plan.statuses.pop(0))
        elif self.path.startswith("/private") and self.headers["Authorization"] is None:
            self.send_error(401)
        elif self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path.startswith("/page"):
            self._send(b"<!DOCTYPE html><html></html>")
        elif self.path.startswith("/missing"):
            self.send_error(404)
        else:
            self._send(CONTENT)

    def _send(self, content: bytes) -> None:
        plan = self.server.plan
        given = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(given[1]) if given and plan.understands_ranges and self.headers["If-Range"] == plan.version else 0
        self.send_response(206 if start else 200)
        if plan.version:
            self.send_header("ETag", plan.version)
        if plan.sends_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: plan.cuts.pop(0) if plan.cuts else None])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Files(ThreadingHTTPServer):
    plan: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: some clients go away early, and are right."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr(contexts_download, "PAUSE_SECONDS", 0.01)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Files(("127.0.0.1", 0), Handler) as files:
        files.socket = context.wrap_socket(files.socket, server_side=True)
        files.plan = Server(files.server_port)
        threading.Thread(target=files.serve_forever, daemon=True).start()
        yield files.plan
        files.shutdown()


def received(url: str, tell: Callable[[str], None] = lambda _: None) -> Facts:
    """Return the facts of a context that came whole."""
    with opened(url, tell=tell) as context:
        assert context.estimate == len(TEXT) + (3 << 20)
        assert sum(len(piece) for piece in context.tar()) > 3 << 20
        return context.facts


def failure(url: str, kind: type[JenkinsKanikoError]) -> str:
    with pytest.raises(kind) as caught:
        received(url)
    assert type(caught.value) is kind
    return str(caught.value)


def test_an_archive_and_its_facts(server: Server) -> None:
    facts = received(f"{server.url(account='u:p@')}?X-Signature=s3cret")
    assert facts == Facts("url", source=server.url(), dockerfile_text=TEXT)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("ü b.tar", "/%C3%BC%20b.tar"),
        ("a%20b.tar", "/a%20b.tar"),
        ("a.tar?sig=x+y%2F&name=a b", "/a.tar?sig=x+y%2F&name=a%20b"),
    ],
)
def test_a_name_with_any_letters_is_asked_for(server: Server, path: str, asked: str) -> None:
    received(server.url(path))
    assert server.paths == [asked]


def test_a_wrong_address_is_not_tried_again(server: Server) -> None:
    notes: list[str] = []
    with pytest.raises(WrongInputError) as caught:
        received(server.url("to/https://[::1/x"), notes.append)
    said = f"{server.url('to/https://[::1/x')}: it, or where it leads to, is no URL that can be used"
    assert (str(caught.value), notes) == (said, [])


def test_the_checksum_of_the_source_is_compared(server: Server) -> None:
    assert received(f"{server.url()}#sha256={DIGEST}").kind == "url"
    wrong = "0" * 64
    said = f"{server.url()}: sha256 is {DIGEST}, and {wrong} is expected"
    assert failure(f"{server.url()}#sha256={wrong}", WrongInputError) == said
    said = f"{server.url()}: what follows # is not understood; allowed: #sha256= and 64 digits from 0 to f"
    assert failure(f"{server.url()}#sha256=abc", WrongInputError) == said
    assert failure(f"{server.url()}#main", WrongInputError) == said


# --- connections that are cut ----------------------------------------------------------------------------------------


def test_what_was_cut_goes_on_where_it_ended(server: Server) -> None:
    server.cuts = [1_000_000, 500_000]
    notes: list[str] = []
    assert received(server.url(), notes.append).dockerfile_text == TEXT
    assert server.ranges == [None, "bytes=1000000-", "bytes=1500000-"]
    assert notes == [f"{server.url()}: the connection was cut after {size} MiB; trying again" for size in (1.0, 1.4)]


@pytest.mark.parametrize(
    ("change", "asked"),
    [({"version": None}, None), ({"version": 'W/"1"'}, None), ({"understands_ranges": False}, "bytes=1000000-")],
)
def test_what_cannot_go_on_begins_anew(server: Server, change: dict[str, object], asked: str | None) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    server.cuts = [1_000_000]
    assert received(server.url()).dockerfile_text == TEXT
    assert server.ranges == [None, asked]


def test_it_is_not_given_up_while_something_comes(server: Server) -> None:
    server.cuts = [100_000] * 8
    assert received(f"{server.url()}#sha256={DIGEST}").dockerfile_text == TEXT
    assert len(server.ranges) == 9


def test_a_file_that_changed_meanwhile_begins_anew(server: Server) -> None:
    server.cuts = [1_000_000]

    def tell(_: str) -> None:
        server.version = '"2"'

    assert received(f"{server.url()}#sha256={DIGEST}", tell).dockerfile_text == TEXT


def test_a_file_without_a_length_is_complete_as_an_archive_or_refused(server: Server) -> None:
    server.sends_length = False
    assert received(server.url()).dockerfile_text == TEXT
    server.cuts = [1_000_000]
    assert "the archive is damaged or cut off" in failure(server.url(), WrongInputError)


def test_a_server_that_is_overloaded_is_asked_again(server: Server) -> None:
    server.statuses = [503, 429, 502, 500]
    notes: list[str] = []
    assert received(server.url(), notes.append).dockerfile_text == TEXT
    assert notes[0] == f"{server.url()}: the server answers 503 Service Unavailable after 0.0 MiB; trying again"
    server.statuses = [503] * 5
    said = f"{server.url()}: the server answers 503 Service Unavailable, 5 times in a row"
    assert failure(server.url(), UnreachableError) == said


def test_progress_is_told_now_and_then(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts_download, "PROGRESS_SECONDS", 0.0)
    notes: list[str] = []
    received(server.url(), notes.append)
    assert len(notes) >= 3
    assert re.fullmatch(rf"{server.url()}: 3\.0 MiB of 3\.0 MiB, \d+\.\d MiB per second", notes[-1])


# --- who is asked, and with what -------------------------------------------------------------------------------------


def test_an_account_of_the_url_is_for_its_host_only(server: Server) -> None:
    basic = f"Basic {base64.b64encode(ACCOUNT.encode()).decode()}"
    assert received(server.url("private.tar", f"{ACCOUNT}@")).source == server.url("private.tar")
    assert server.accounts == [basic]
    server.accounts.clear()
    received(server.url(f"to/{server.url()}", f"{ACCOUNT}@"))
    assert server.accounts == [basic, None]


def test_a_redirect_away_from_https_is_not_followed(server: Server) -> None:
    url = server.url("to/http://127.0.0.1:1/x")
    assert failure(f"{url}?token=s3cret", WrongInputError) == (
        f"{url}: it leads to http://127.0.0.1:1/x, which is not https"
    )


def test_what_the_server_refuses_is_said(server: Server) -> None:
    url = server.url("private.tar")
    assert failure(url, UnreachableError) == (
        f"{url}: the server answers 401 Unauthorized: an account is needed, or another one"
    )
    url = server.url("missing.tar")
    assert failure(url, WrongInputError) == f"{url}: the server answers 404 Not Found: there is no such file"
    server.statuses = [418]
    assert failure(server.url(), UnreachableError) == f"{server.url()}: the server answers 418 I'm a Teapot"
    assert server.statuses == []
    assert "it looks like a web page" in failure(server.url("page"), WrongInputError)


def test_hosts_that_do_not_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "https://host.invalid/x: there is no host of this name: "
    assert failure("https://u:s3cret@host.invalid/x?y=s3cret", UnreachableError).startswith(said)
    said = "https://127.0.0.1:1/x: cannot be read: [Errno 111] Connection refused, 5 times in a row"
    assert failure("https://127.0.0.1:1/x", UnreachableError) == said
    monkeypatch.delenv("SSL_CERT_FILE")
    said = f"{server.url()}: its certificate is not trusted: unable to get local issuer certificate; SSL_CERT_FILE "
    assert failure(server.url(), UnreachableError).startswith(said)


def test_plain_http_is_refused() -> None:
    said = "http://example.com/x.tar: what comes without encryption can be changed on its way; use https://"
    assert failure("http://example.com/x.tar", WrongInputError) == said


def test_a_full_disk_is_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    said = f"{server.url()}: no space is left in {tempfile.gettempdir()}; TMPDIR names another folder"
    assert failure(server.url(), JenkinsKanikoError) == said
    assert len(server.ranges) == 1


def test_s3_without_its_package_says_how_to_get_it() -> None:
    said = "s3://bucket/key: s3:// needs another package: pip install 'jenkins-kaniko[s3]'"
    assert failure("s3://bucket/key", WrongInputError) == said
