"""Who is told of the end of a build, and that they are told whatever is in the way, within a time; no URL is shown."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from jenkins_kaniko import errors, notify
from jenkins_kaniko.cli import cli
from jenkins_kaniko.notices import Notice
from jenkins_kaniko.notify import receivers
from tests.support.webhook import CLOSES, HANGS, Webhook

NOTICE = Notice('{"image": "…"}', "pushed")
SECRET = "S3CRET"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "FIRST_PAUSE_SECONDS", 0.01)
    for name in ("JENKINS_KANIKO_NOTIFY", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def told(*urls: str, seconds: float = 20) -> list[str]:
    """Return the warnings."""
    said: list[str] = []
    notify.deliver(receivers(urls, {}), NOTICE, seconds, said.append)
    return said


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "url"),
    [
        ("https://example.com/hook", "webhook", "https://example.com/hook"),
        ("https://hooks.slack.com/services/T0/B0/x", "slack", "https://hooks.slack.com/services/T0/B0/x"),
        ("https://acme.webhook.office.com/x", "teams", "https://acme.webhook.office.com/x"),
        ("https://prod-1.westus.logic.azure.com:443/x?sig=a+b", "teams",
         "https://prod-1.westus.logic.azure.com:443/x?sig=a+b"),
        ("https://d1.2.environment.api.powerplatform.com:443/x", "teams",
         "https://d1.2.environment.api.powerplatform.com:443/x"),
        ("https://hooks.slack.com.example.com/x", "webhook", "https://hooks.slack.com.example.com/x"),
        ("https://nothooks.slack.com/x", "webhook", "https://nothooks.slack.com/x"),
        ("slack+https://chat.example.com/x", "slack", "https://chat.example.com/x"),
        ("teams+https://example.com/x", "teams", "https://example.com/x"),
        ("webhook+https://prod-1.logic.azure.com/x", "webhook", "https://prod-1.logic.azure.com/x"),
        ("http://localhost:8080/x", "webhook", "http://localhost:8080/x"),
        ("env:HOOK", "slack", "https://example.com/from-the-environment"),
    ],
)  # fmt: skip
def test_the_form_is_told_by_the_prefix_or_the_host(text: str, form: str, url: str) -> None:
    (found,) = receivers([text], {"HOOK": "slack+https://example.com/from-the-environment\n"})
    assert (found.form, found.url) == (form, url)
    assert url not in repr(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SECRET, "is no URL that can be used; allowed: https://"),
        (f"ftp://example.com/{SECRET}", "is no URL"),
        (f"mail+https://example.com/{SECRET}", "is no URL"),
        (f"https:///{SECRET}", "is no URL"),
        (f"https://me:{SECRET}@example.com/", "is no URL"),
        (f"https://example.com:{SECRET}/", "is no URL"),
        (f"https://[{SECRET}/", "is no URL"),
        (f"https://example.com/{SECRET} x", "is no URL"),
        (f"https://example.com/{SECRET}\u00e9", "is no URL"),
        (f"env:https://{SECRET}", "is no URL"),
        (f"http://example.com/{SECRET}", "use https://"),
        ("env:NOWHERE", "--notify, no. 2: NOWHERE: is not in the environment"),
        ("env:BROKEN", "--notify, no. 2: BROKEN: is no URL"),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(errors.WrongInputError) as caught:
        receivers(["https://example.com/", text], {"BROKEN": SECRET})
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


# --- how -------------------------------------------------------------------------------------------------------------


def test_a_receiver_gets_the_body_of_its_form_and_an_id() -> None:
    with Webhook() as program, Webhook(202) as slack:
        assert told(f"{program.url}/a?b=c", f"slack+{slack.url}") == []
    (first,), (second,) = program.posts, slack.posts
    assert (first.path, first.body.decode()) == ("/a?b=c", NOTICE.data)
    assert second.data == {"text": "pushed", "mrkdwn": False}
    assert first.headers["Content-Type"] == "application/json"
    assert len(first.headers["Webhook-Id"]) == 36


@pytest.mark.parametrize("answers", [[500, 503, 200], [429, 200], [CLOSES, CLOSES, 204]], ids=str)
def test_what_can_pass_is_tried_again_under_the_same_id(answers: list[int]) -> None:
    with Webhook(*answers) as webhook:
        assert told(webhook.url) == []
    assert [post.body.decode() for post in webhook.posts] == [NOTICE.data] * len(answers)
    assert len({post.headers["Webhook-Id"] for post in webhook.posts}) == 1


def test_each_end_has_its_own_id() -> None:
    with Webhook() as webhook:
        told(webhook.url)
        told(webhook.url)
    assert len({post.headers["Webhook-Id"] for post in webhook.posts}) == 2


def test_a_receiver_that_hangs_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "TRY_SECONDS", 0.3)
    with Webhook(HANGS, 200) as webhook:
        assert told(webhook.url) == []
        assert len(webhook.posts) >= 2


@pytest.mark.parametrize("code", [301, 307, 400, 401, 404, 410])
def test_a_refusal_is_final(code: int) -> None:
    with Webhook(200) as other, Webhook(code, 200, Location=f"{other.url}/{SECRET}") as webhook:
        assert told(f"{webhook.url}/{SECRET}") == [f"warning: 127.0.0.1 was not told of the end: it answers {code}"]
    assert (len(webhook.posts), other.posts) == (1, [])


def test_a_receiver_says_when_to_come_again() -> None:
    begin = time.monotonic()
    with Webhook(429, 200, Retry_After="1") as webhook:
        assert told(webhook.url) == []
    assert 1 <= time.monotonic() - begin < 4
    with Webhook(429, 200, Retry_After="60") as webhook:
        assert told(webhook.url) == ["warning: 127.0.0.1 was not told of the end: it answers 429"]
    assert len(webhook.posts) == 1
    with Webhook(503, 200, Retry_After="Sat, 21 Nov 2026 23:00:00 GMT") as webhook:
        assert told(webhook.url) == []


def test_telling_has_its_time_whatever_the_receivers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "FIRST_PAUSE_SECONDS", 10)
    begin = time.monotonic()
    with Webhook(HANGS) as silent, Webhook(500) as failing, Webhook() as fine, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        urls = [silent.url, failing.url, f"http://127.0.0.1:{closed.getsockname()[1]}/{SECRET}", fine.url]
        said = told(*urls, seconds=2)
        assert len(fine.posts) == 1
    assert time.monotonic() - begin < 6
    start = "warning: 127.0.0.1 was not told of the end: "
    assert said[0] in (f"{start}no answer in time", f"{start}it does not answer")
    assert said[1:] == [f"{start}it answers 500", f"{start}[Errno 111] Connection refused"]


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Webhook() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert told("http://localhost:9/x") == []
    assert [post.path for post in proxy.posts] == ["http://localhost:9/x"]


@pytest.mark.parametrize(
    ("reason", "once", "why"),
    [
        (socket.EAI_NONAME, True, "there is no host of this name"),
        (socket.EAI_AGAIN, False, "[Errno -3] try again"),
    ],
)
def test_a_name_that_does_not_exist_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, reason: int, once: bool, why: str
) -> None:
    asked = []

    def look_up(host: str, *_: object) -> None:
        asked.append(host)
        raise socket.gaierror(reason, "try again")

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    assert told(f"https://example.com/{SECRET}", seconds=1) == [f"warning: example.com was not told of the end: {why}"]
    assert (asked.count("example.com") == 1) is once  # threads of other tests may ask too


def test_only_trusted_certificates_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Webhook(tls=context) as webhook:
        (said,) = told(webhook.url)
        assert "its certificate is not trusted: unable to get local issuer certificate" in said
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert told(webhook.url) == []
    assert len(webhook.posts) == 1


# --- of the command --------------------------------------------------------------------------------------------------


def test_a_failure_is_told_and_stays_the_failure_that_it_is(tmp_path: Path) -> None:
    with Webhook(500) as failing, Webhook() as webhook, pytest.MonkeyPatch.context() as patched:
        patched.setattr(notify, "FIRST_PAUSE_SECONDS", 61)
        arguments = ["build", str(tmp_path), "-t", "registry.example.com/app:1", "--notify", failing.url]
        done = CliRunner().invoke(cli, [*arguments, "--notify", f"{webhook.url}/{SECRET}"])
    assert isinstance(done.exception, errors.WrongInputError)  # there is no Dockerfile
    (post,) = webhook.posts
    error = {"message": str(done.exception), "exitCode": 1}
    assert (post.data["image"], post.data["error"]) == ("registry.example.com/app:1", error)
    assert "warning: 127.0.0.1 was not told of the end: it answers 500\n" in done.stderr
    assert SECRET not in done.output


def test_nobody_is_told_of_what_is_only_shown(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with Webhook() as webhook:
        arguments = ["build", str(tmp_path), "-t", "registry.example.com/app:1", "--render"]
        done = CliRunner().invoke(cli, arguments, env={"JENKINS_KANIKO_NOTIFY": f"{webhook.url}"})
    assert (done.exit_code, webhook.posts) == (0, [])


def test_the_help_and_mistakes_do_not_show_what_the_environment_holds() -> None:
    for arguments in (["build", "--help"], ["build"], ["build", ".", "-t", "example.com/app", "--nonsense"]):
        done = CliRunner().invoke(cli, arguments, env={"JENKINS_KANIKO_NOTIFY": f"https://example.com/{SECRET}"})
        assert SECRET not in done.output + str(done.exception)
