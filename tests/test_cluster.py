"""A token can stand in a Secret; every way of not getting it is named, and nothing is printed besides."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko.cluster import read_secret
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError, UnreachableError, WrongInputError


class Api:
    """A Kubernetes API on this machine that gives one answer to everything."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {}
        self.asked: list[tuple[str, str]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.asked.append((self.path, self.headers["Authorization"]))
                content = json.dumps(api.body).encode()
                self.send_response(api.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing: a test's output is its own."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": {"server": url}}],
        "users": [{"name": "lab", "user": {"token": "cluster-token"}}],
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person without a cluster."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def api(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A cluster that KUBECONFIG points at."""
    made = Api()
    (home / "kubeconfig").write_text(json.dumps(kubeconfig(made.url)), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def secret(**data: bytes) -> dict[str, Any]:
    return {"kind": "Secret", "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def failure() -> JenkinsKanikoError:
    with pytest.raises(JenkinsKanikoError) as caught:
        read_secret("ci", "jenkins", "token", timeout=5)
    return caught.value


def test_a_value_is_read_without_the_line_end_that_editors_add(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.body = secret(token=b"11f0c3\n", other=b"x")
    assert read_secret("ci", "jenkins", "token") == "11f0c3"
    assert api.asked == [("/api/v1/namespaces/ci/secrets/jenkins", "Bearer cluster-token")]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (secret(user=b"x", password=b"y"), "has no key token; it has password, user"),
        ({"kind": "Secret"}, "has no key token; it has none"),
        (secret(token=b"\xff\xfe"), "the value of token is not text"),
    ],
)
def test_a_value_that_is_not_there_is_named(api: Api, body: Any, message: str) -> None:
    api.body = body
    error = failure()
    assert (type(error), str(error)) == (WrongInputError, f"secret ci/jenkins: {message}")


def test_a_secret_that_is_not_there_is_wrong_input(api: Api) -> None:
    api.status = 404
    error = failure()
    assert (type(error), str(error)) == (WrongInputError, "secret ci/jenkins: not found")


@pytest.mark.parametrize(
    ("status", "reason", "advice", "kind"),
    [
        (401, "Unauthorized", "log in to it again", UnreachableError),
        (403, "Forbidden", "try: kubectl auth can-i get secrets/jenkins -n ci", UnreachableError),
        (500, "Internal Server Error", "try: kubectl auth can-i get secrets/jenkins -n ci", UnansweredError),
    ],
)
def test_a_cluster_that_does_not_let_us_in_says_what_to_do(
    api: Api, status: int, reason: str, advice: str, kind: type[UnreachableError]
) -> None:
    api.status = status
    error = failure()
    assert (type(error), str(error)) == (
        kind,
        f"secret ci/jenkins: the cluster answers {status} {reason}; {advice}",
    )


def test_a_cluster_that_does_not_listen_is_named(home: Path) -> None:
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text(json.dumps(kubeconfig("http://127.0.0.1:9")), encoding="utf-8")
    error = failure()
    assert type(error) is UnansweredError
    assert str(error).startswith("secret ci/jenkins: the cluster cannot be reached: ")


def test_a_person_without_a_cluster_is_told_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failure()
    assert (type(error), str(error)) == (
        UnreachableError,
        "secret ci/jenkins: no cluster configured: Service host/port is not set.",
    )
    assert capsys.readouterr() == ("", "")


def test_a_user_without_a_home_may_have_a_cluster(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as any user: the file is named, or the account of the pod is taken."""

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    api.body = secret(token=b"11f0c3")
    assert read_secret("ci", "jenkins", "token") == "11f0c3"
    monkeypatch.delenv("KUBECONFIG")
    assert str(failure()).endswith("no cluster configured: Service host/port is not set.")


@pytest.mark.parametrize("content", ["a: [", "only text", "{}", ""])
def test_a_configuration_that_is_none_is_named(home: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (home / "kubeconfig").write_text(content, encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
    error = failure()
    assert type(error) is UnreachableError
    assert str(error).startswith("secret ci/jenkins: no cluster configured: ")
    assert "\n" not in str(error)
