"""How the cluster's answers to a build's requests are taken; tests/lab/test_build.py asks a real one."""

from __future__ import annotations

import base64
import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko.cluster_builds import Builds
from jenkins_kaniko.cluster_pods import Pods
from jenkins_kaniko.errors import (
    DeniedError,
    JenkinsKanikoError,
    MissingError,
    RefusedError,
    UnansweredError,
    UnreachableError,
    WrongInputError,
)
from tests.test_cluster import kubeconfig

JOB = {"kind": "Job", "metadata": {"name": "app"}}


class Api:
    """A Kubernetes API on this machine: one answer to everything."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, Any]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.asked.append((self.command, self.path, json.loads(content or "null")))
                assert self.headers["Authorization"] == "Bearer cluster-token"
                self.send_response(api.status)
                self.send_header("Content-Length", str(len(api.body)))
                self.end_headers()
                self.wfile.write(api.body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the server's names

            def log_message(self, *_: Any) -> None:
                """Say nothing: a test's output is its own."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Api()
    file = tmp_path / "kubeconfig"
    content = kubeconfig(f"http://127.0.0.1:{made.server.server_port}")
    content["contexts"][0]["context"]["namespace"] = "ci"
    file.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(file))
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def failure(act: Callable[[], Any]) -> JenkinsKanikoError:
    with pytest.raises(JenkinsKanikoError) as caught:
        act()
    return caught.value


def test_a_job_is_made_in_the_namespace_of_the_context_and_deleted_as_itself(api: Api) -> None:
    api.body = json.dumps({"metadata": {"uid": "1f"}}).encode()
    pods = Pods()
    assert pods.create_job(JOB) == "1f"
    pods.delete_job("app", "1f")
    jobs = "/apis/batch/v1/namespaces/ci/jobs"
    deletion = {"propagationPolicy": "Background", "preconditions": {"uid": "1f"}}
    assert api.asked == [("POST", f"{jobs}?", JOB), ("DELETE", f"{jobs}/app?", deletion)]


@pytest.mark.parametrize("status", [404, 409])
def test_a_job_that_is_gone_is_no_error(api: Api, status: int) -> None:
    api.status = status
    Pods("builds").delete_job("app", "1f")


@pytest.mark.parametrize(
    ("status", "said", "kind", "text"),
    [
        (409, "exists", RefusedError, "job builds/app: there already; wait for its end, or give another --name"),
        (404, 'namespaces "builds" not found', WrongInputError, 'job builds/app: namespaces "builds" not found'),
        (403, 'jobs "app" is forbidden: exceeded quota: b', DeniedError, 'jobs "app" is forbidden: exceeded quota: b'),
        (403, 'jobs "app" is forbidden: not yet ready to handle request', UnansweredError,
         'job builds/app: jobs "app" is forbidden: not yet ready to handle request'),
        (422, "Job is invalid: x", DeniedError, "Job is invalid: x"),
        (403, 'User "me" cannot create resource "jobs"', UnreachableError, 'User "me" cannot create resource "jobs"'),
        (401, "", UnreachableError, "namespace builds: the cluster answers 401 Unauthorized; log in to it again"),
        (503, "", UnansweredError, "namespace builds: the cluster answers 503 Service Unavailable; try: kubectl auth "
                                   "can-i create jobs -n builds"),
    ],
)  # fmt: skip
def test_why_a_job_cannot_be_made_is_told(
    api: Api, status: int, said: str, kind: type[JenkinsKanikoError], text: str
) -> None:
    api.status, api.body = status, json.dumps({"message": said}).encode()
    error = failure(lambda: Pods("builds").create_job(JOB))
    assert (type(error), str(error)) == (kind, text)


def test_an_api_server_that_was_away_may_deny_for_a_while(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers before it has read who may what."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pods, seen = Pods("builds"), []
    for passed, status in ((0, 403), (0, 503), (29, 403), (2, 403), (0, 503), (29, 503), (29, 401), (2, 403)):
        now[0], api.status = now[0] + passed, status
        seen.append(type(failure(lambda: pods.events("app"))))
    denied, unanswered = UnreachableError, UnansweredError
    assert seen == [denied, unanswered, unanswered, denied, unanswered, unanswered, unanswered, denied]


@pytest.mark.parametrize(
    "ask",
    [lambda pods: pods.create_job(JOB), lambda pods: pods.send("app-x1", "context", ["true"], [], math.inf)],
    ids=["make", "send"],
)
def test_it_may_deny_for_a_while_what_is_made_and_sent(api: Api, ask: Callable[[Pods], Any]) -> None:
    pods, seen = Pods("builds"), []
    for status in (403, 503, 403):
        api.status, api.body = status, b'{"message": "User \\"me\\" cannot create resource \\"x\\""}'
        seen.append(isinstance(failure(lambda: ask(pods)), UnansweredError))
    assert seen == [False, True, True]


@pytest.mark.parametrize(
    ("body", "says"),
    [(b'{"message": "container x is not valid"}', ": container x is not valid"), (b"<html>", ""), (b"", "")],
)
def test_why_nothing_can_be_sent_is_told_in_few_words(api: Api, body: bytes, says: str) -> None:
    api.status, api.body = 500, body
    error = failure(lambda: Pods("builds").send("app-x1", "x", ["true"], [], math.inf))
    assert str(error) == f"pod builds/app-x1: the cluster answers 500{says}"
    assert isinstance(error, UnansweredError)


def test_an_answer_of_a_proxy_is_no_json(api: Api) -> None:
    api.status, api.body = 403, b"<html>"
    assert str(failure(lambda: Pods("builds").create_job(JOB))) == "Forbidden"


@pytest.mark.parametrize(
    "ask",
    [
        lambda pods: pods.create_job(JOB),
        lambda pods: pods.jobs("a=b"),
        lambda pods: pods.read("configmaps", "ca"),
        lambda pods: pods.namespaces("jobs", "a=b"),
    ],
    ids=["make", "list", "read", "everywhere"],
)
def test_a_server_that_is_no_kubernetes_api_is_said(api: Api, ask: Callable[[Builds], Any]) -> None:
    """As the web page of a console whose address stands in the kubeconfig."""
    api.body = b"<html>"
    error = failure(lambda: ask(Builds("builds")))
    assert type(error) is UnreachableError
    assert "what answers is no Kubernetes API: look at the server's address in the kubeconfig" in str(error)


def test_a_watch_that_is_cut_within_a_line_may_come_later(api: Api) -> None:
    api.body = b'{"type": "ADDED", "obj'
    error = failure(lambda: list(Pods("builds").watch("a=b", 3)))
    assert (type(error), str(error)) == (UnansweredError, "namespace builds: the cluster cut an answer off")


@pytest.mark.parametrize("namespace", [None, ""])
def test_a_context_may_name_no_namespace(api: Api, tmp_path: Path, namespace: str | None) -> None:
    content = json.loads((tmp_path / "kubeconfig").read_text(encoding="utf-8"))
    content["contexts"][0]["context"]["namespace"] = namespace
    (tmp_path / "kubeconfig").write_text(json.dumps(content), encoding="utf-8")
    assert Pods().namespace == "default"


def test_an_account_without_a_namespace_needs_one(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume with a token of one's own choice may lack the file."""
    monkeypatch.setattr("jenkins_kaniko.cluster_http.configure", lambda _where: None)
    monkeypatch.setattr("jenkins_kaniko.cluster._config_file", lambda: None)
    monkeypatch.setattr("jenkins_kaniko.cluster.OWN_NAMESPACE", tmp_path / "namespace")
    error = failure(Pods)
    said = f"no namespace is known: {tmp_path}/namespace: No such file or directory; --namespace names one"
    assert (type(error), str(error)) == (UnreachableError, said)


def test_a_proxy_gets_the_account_of_its_url(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is asked, and for what is sent into a pod."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:s%40cret@127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        seen: list[bytes] = []

        def refuse() -> None:
            while len(seen) < 2:
                connection, _ = proxy.accept()
                with connection:
                    seen.append(connection.recv(10_000))
                    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        pods = Pods("builds")
        errors = [failure(lambda: pods.jobs("a=b")), failure(lambda: pods.send("x", "y", ["true"], [], math.inf))]
        thread.join()
    account = base64.b64encode(b"me:s@cret")
    assert [b"proxy-authorization: basic " + account.lower() in one.lower() for one in seen] == [True, True]
    assert "s@cret" not in str(errors)
    assert "s%40cret" not in str(errors)


def test_a_watch_ends_where_the_cluster_forgot_what_was(api: Api) -> None:
    pod = {"metadata": {"name": "app-x1"}}
    events = [("ADDED", pod), ("DELETED", pod), ("ERROR", {"code": 410}), ("ADDED", pod)]
    api.body = b"".join(json.dumps({"type": kind, "object": one}).encode() + b"\n" for kind, one in events)
    assert list(Pods("builds").watch("a=b", 3)) == [pod, None]
    ((_, path, _),) = api.asked
    assert path == "/api/v1/namespaces/builds/pods?labelSelector=a%3Db&watch=true&timeoutSeconds=3&resourceVersion=0"


def test_a_log_of_a_container_that_is_not_there_may_come_later(api: Api) -> None:
    api.status, api.body = 400, b'{"message": "container kaniko is waiting to start"}'
    error = failure(lambda: list(Pods("builds").log("app-x1", "kaniko", 70, follow=True, quiet=5)))
    assert (type(error), str(error)) == (
        MissingError, "log of pod builds/app-x1: container kaniko is waiting to start",
    )  # fmt: skip
    ((_, path, _),) = api.asked
    assert path.endswith("/pods/app-x1/log?container=kaniko&timestamps=true&follow=true&sinceSeconds=70")


def test_events_come_in_their_order(api: Api) -> None:
    late, early = {"lastTimestamp": "2026-11-21T20:54:26Z"}, {"eventTime": "2026-11-21T20:54:25.1Z"}
    api.body = json.dumps({"items": [late, early]}).encode()
    assert Pods("builds").events("app") == [early, late]


def test_events_of_an_earlier_object_of_the_name_are_another_ones(api: Api) -> None:
    api.body = b'{"items": []}'
    Pods("builds").events("app", "1f")
    ((_, path, _),) = api.asked
    assert path.endswith("/events?fieldSelector=involvedObject.name%3Dapp%2CinvolvedObject.uid%3D1f")


def test_the_begin_of_what_a_container_printed_is_asked_for(api: Api) -> None:
    api.body = b"as it\nis\xff"
    assert Pods().printed("app-x1", "probe", 100) == api.body
    assert api.asked == [("GET", "/api/v1/namespaces/ci/pods/app-x1/log?container=probe&limitBytes=100", None)]
    api.status = 503
    assert type(failure(lambda: Pods().printed("app-x1", "probe", 100))) is UnansweredError
