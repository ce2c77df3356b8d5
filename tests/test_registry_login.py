"""What a registry lets an account do, asked of one that speaks HTTPS."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.errors import UnreachableError, WrongInputError
from jenkins_kaniko.registry_login import DENIED, OK, PULL, PUSH, UNKNOWN, Outcome, Registry, prove
from tests.support.registry_double import RegistryDouble
from tests.support.serving import Serving

ROBOT = Account("robot$ci", "s3cret")
RIGHTS = {"robot$ci": {"team/app": {"pull", "push"}, "team/base": {"pull"}, "team/new": {"push"}}}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(params=[False, True], ids=["Basic", "Bearer"])
def registry(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[RegistryDouble]:
    passwords = {"robot$ci": "s3cret"}
    with RegistryDouble(authority, bearer=request.param, passwords=passwords, rights=dict(RIGHTS)) as double:
        yield double


def test_who_gets_in(registry: RegistryDouble, ca: Path) -> None:
    assert Registry(registry.host, ROBOT, ca).login() == Outcome(OK)
    denied = Registry(registry.host, Account("robot$ci", "wrong"), ca).login()
    assert (denied.status, denied.said[:29]) == (DENIED, "401 Unauthorized: UNAUTHORIZE")


def test_a_registry_that_lets_everybody_in_proves_little(authority: trustme.CA, ca: Path) -> None:
    with RegistryDouble(authority, passwords={"robot$ci": "s3cret"}, open=True) as registry:
        proven = Registry(registry.host, ROBOT, ca).login()
        assert proven == Outcome(OK, "it lets everybody in, and may not have looked at the account")
        assert Registry(registry.host, Account("robot$ci", "wrong"), ca).login().status == DENIED


@pytest.mark.parametrize(
    ("repository", "pull", "push", "missing"),
    [
        ("team/app", OK, OK, False),
        ("team/base", OK, DENIED, False),
        ("team/new", UNKNOWN, OK, True),
        ("other/app", DENIED, DENIED, False),
    ],
)
def test_what_an_account_may(
    registry: RegistryDouble, ca: Path, repository: str, pull: str, push: str, missing: bool
) -> None:
    door = Registry(registry.host, ROBOT, ca)
    found = door.may(PULL, repository)
    assert (found.status, found.missing, door.may(PUSH, repository).status) == (pull, missing, push)
    assert registry.uploads == set()
    assert any(one.startswith("DELETE ") for one in registry.asked) == (push == OK)


def test_an_identity_token_is_exchanged(authority: trustme.CA, ca: Path) -> None:
    passwords = {"<token>": "refresh"}
    rights = {"<token>": {"team/app": {"push"}}}
    with RegistryDouble(authority, bearer=True, passwords=passwords, rights=rights) as registry:
        door = Registry(registry.host, Account("<token>", identity_token="refresh"), ca)
        assert door.may(PUSH, "team/app") == Outcome(OK)
        assert "POST /token" in registry.asked
        denied = Registry(registry.host, Account("<token>", identity_token="old"), ca).may(PUSH, "team/app")
        assert denied.status == DENIED


def test_a_failure_of_the_registry_is_no_refusal(registry: RegistryDouble, ca: Path) -> None:
    registry.status = 503
    with pytest.raises(UnreachableError, match="/v2/: answers 503, where a registry answers 200 or 401"):
        Registry(registry.host, ROBOT, ca).login()


def test_the_password_goes_nowhere_without_encryption(authority: trustme.CA, ca: Path) -> None:
    with RegistryDouble(authority, bearer=True, realm="http://127.0.0.1:1/token") as registry:
        with pytest.raises(UnreachableError, match=r"wants the password sent to http://127\.0\.0\.1:1/token"):
            Registry(registry.host, ROBOT, ca).login()
        assert registry.asked == ["GET /v2/"]


def test_certificates_are_verified(registry: RegistryDouble, ca: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"127.0.0.1:\d+: its certificate is not trusted: "):
        Registry(registry.host, ROBOT).login()
    with pytest.raises(WrongInputError, match="no PEM certificates"):
        Registry(registry.host, ROBOT, tmp_path / "none.pem")
    assert registry.asked == []


def test_a_registry_without_tls_is_sent_nothing() -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(UnreachableError, match="answers without TLS, and no password is sent so"):
            Registry(f"127.0.0.1:{server.server_port}", ROBOT).login()
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize(
    ("host", "says"),
    [("nowhere.invalid", "no host of this name is known here"), ("127.0.0.1:1", "cannot be reached: ")],
)
def test_who_does_not_answer_is_told_apart(host: str, says: str) -> None:
    with pytest.raises(UnreachableError, match=f"^{host}: {says}"):
        Registry(host, ROBOT).login()


def test_a_proof_names_who_but_no_password(registry: RegistryDouble, ca: Path) -> None:
    key = registry.host
    prove(key, ROBOT, ca)
    with pytest.raises(UnreachableError) as denied:
        prove(key, Account("robot$ci", "wr0ng"), ca)
    assert str(denied.value).startswith(f"{key}: does not let robot$ci in: 401 ")
    assert "wr0ng" not in str(denied.value) + repr(denied.value.__context__)


@pytest.mark.parametrize(
    "ways", ["Negotiate, {}", '{}, Digest realm="http://127.0.0.1:1/", nonce="basic"', "{}, Basic"]
)
def test_a_registry_that_knows_several_ways_to_say_who_one_is(registry: RegistryDouble, ca: Path, ways: str) -> None:
    """Builders take the first one of Basic and Bearer."""
    registry.ways = ways
    assert Registry(registry.host, ROBOT, ca).login() == Outcome(OK)


@pytest.mark.parametrize(("ways", "told"), [("Negotiate", "Negotiate"), ("", "nothing")])
def test_a_registry_that_wants_no_password_is_said_so(registry: RegistryDouble, ca: Path, ways: str, told: str) -> None:
    registry.ways = ways
    with pytest.raises(UnreachableError, match=f"/v2/: asks for {told}, where builders know Basic and Bearer"):
        Registry(registry.host, ROBOT, ca).login()


class Proxy(Serving):
    """Makes ways to hosts, and remembers to whom and for which account."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked.append((self.path, self.headers["Proxy-Authorization"]))
                host, _, port = self.path.partition(":")
                self.send_response(200)
                self.end_headers()
                with socket.create_connection((host, int(port))) as way:
                    back = threading.Thread(target=relay, args=(way, self.connection), daemon=True)
                    back.start()
                    relay(self.connection, way)
                    back.join()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"


def relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_the_way_goes_through_the_proxy_of_the_environment(
    registry: RegistryDouble, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:w%40rd@{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "example.com")
        assert Registry(registry.host, ROBOT, ca).login() == Outcome(OK)
        assert set(proxy.asked) == {(registry.host, f"Basic {b64encode(b'me:w@rd').decode()}")}
        proxy.asked.clear()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert Registry(registry.host, ROBOT, ca).login() == Outcome(OK)
        assert proxy.asked == []


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:1")
    with pytest.raises(
        UnreachableError, match=r"registry\.invalid: the proxy of HTTPS_PROXY makes no way there: .*refused"
    ):
        Registry("registry.invalid", ROBOT).login()
