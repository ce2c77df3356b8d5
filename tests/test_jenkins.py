"""The door to a controller: one request each, data that cannot become code, and one clear sentence when it fails."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import resources
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.jenkins import Controller, script
from jenkins_kaniko.model import Agent, PodTemplate
from tests.support.fakes import (
    cloud,
    envelope,
    found,
    handed_over,
    literals_of,
    printed,
    request_of,
    script_of,
    with_xml,
)

URL = "https://jenkins.example.com/ci"
CONSOLE = f"{URL}/scriptText"
TOKEN = "11f0c3e5a7b9d1"
STATE = cloud(found("8d3c", "maven", label="maven"), found("jenkins-kaniko-acme-kaniko", "kaniko", owner="acme"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def controller(url: str = URL, ca: Path | None = None, timeout: float = 60) -> Controller:
    return Controller("main", url, "ci-bot", TOKEN, "kubernetes", ca, timeout)


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    """The controller's HTTP; what is not registered cannot be reached, what is registered must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock


# --- the program -------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_data_comes_out_of_the_program_as_it_went_in(data: dict[str, Any]) -> None:
    assert handed_over(script(data)) == data


def test_the_program_is_constant_and_called_once_with_literals() -> None:
    program = resources.text("scripts/sync.groovy")
    call = script({"verb": "read", "cloud": "x'); System.exit(1); ('${y}"}).removeprefix(program)
    assert re.fullmatch(r"\nanswer\(\[\n'[A-Za-z0-9+/=]+'\n\]\)", call)


def test_long_data_is_split_into_literals_that_compile() -> None:
    noise = random.Random(1).randbytes(150_000).hex()
    program = script({"noise": noise})
    lengths = [len(literal) for literal in literals_of(program)]
    assert lengths[:-1] == [60_000] * (len(lengths) - 1)
    assert len(lengths) > 3
    assert 0 < lengths[-1] <= 60_000
    assert handed_over(program) == {"noise": noise}


def test_nothing_of_the_data_is_readable_in_the_program() -> None:
    text = script({"verb": "apply", "cloud": "a-very-special-cloud", "templates": ["a-very-special-label"]})
    assert "very-special" not in text


def test_the_same_data_gives_the_same_program() -> None:
    assert script({"a": 1}) == script({"a": 1})
    packed = base64.b64decode(literals_of(script({"a": 1}))[0])
    assert json.loads(gzip.decompress(packed)) == {"a": 1}


# --- the exchange ------------------------------------------------------------------------------------------------


def test_reading_is_one_request_that_answers_the_state(http: responses.RequestsMock) -> None:
    http.post(CONSOLE, body=printed(envelope(STATE)))
    assert controller().read() == STATE
    [call] = http.calls
    assert request_of(call.request.body) == {
        "verb": "read",
        "cloud": "kubernetes",
        "backup": False,
        "mayCreate": False,
    }


def test_reading_for_a_backup_answers_the_texts_too(http: responses.RequestsMock) -> None:
    whole = with_xml(replace(STATE, agents=(Agent("kaniko-1", "8d3c", idle=True), Agent("old", None, idle=False))))
    http.post(CONSOLE, body=printed(envelope(whole)))
    assert controller().read(backup=True) == whole
    assert request_of(http.calls[0].request.body)["backup"] is True


def test_a_cloud_that_may_be_created_need_not_be_there(http: responses.RequestsMock) -> None:
    missing = cloud(exists=False)
    http.post(CONSOLE, body=printed(envelope(missing)))
    door = Controller("main", URL, "ci-bot", TOKEN, "kubernetes", may_create=True)
    assert door.read() == missing
    door.apply("abc", [], {"namespace": "builds"})
    requests_sent = [request_of(call.request.body) for call in http.calls]
    assert [one["mayCreate"] for one in requests_sent] == [True, True]
    assert requests_sent[1]["cloudFields"] == {"namespace": "builds"}


def test_applying_is_one_request_that_answers_the_new_state(http: responses.RequestsMock) -> None:
    http.post(CONSOLE, body=printed(envelope(STATE)))
    put = found("jenkins-kaniko-acme-kaniko", "kaniko", owner="acme", yaml="kind: Pod\n", idleMinutes=5)
    restored = PodTemplate("8d3c", "maven", xml="<old/>")
    assert controller().apply("abc123", [2, put, 0, restored]) == STATE
    [call] = http.calls
    assert request_of(call.request.body) == {
        "verb": "apply",
        "cloud": "kubernetes",
        "hash": "abc123",
        "templates": [
            {"keep": 2},
            {
                "put": {
                    "id": "jenkins-kaniko-acme-kaniko",
                    "fields": {
                        "name": "kaniko",
                        "annotations": [{"key": "jenkins-kaniko/owner", "value": "acme"}],
                        "yaml": "kind: Pod\n",
                        "idleMinutes": 5,
                    },
                }
            },
            {"keep": 0},
            {"put": {"id": "8d3c", "xml": "<old/>"}},
        ],
        "mayCreate": False,
    }


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
def test_a_request_carries_the_token_and_asks_for_no_crumb(http: responses.RequestsMock, url: str) -> None:
    http.post(CONSOLE, body=printed(envelope(STATE)))
    controller(url).read()
    [call] = http.calls
    assert call.request.headers["Authorization"] == "Basic " + base64.b64encode(f"ci-bot:{TOKEN}".encode()).decode()
    assert not [name for name in call.request.headers if "crumb" in name.lower()]
    assert TOKEN not in script_of(call.request.body)


@pytest.mark.parametrize("ca", [None, Path("/fleet/ca.pem")])
def test_certificates_are_checked_whatever_the_environment_says(
    http: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, ca: Path | None
) -> None:
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    http.post(CONSOLE, body=printed(envelope(STATE)))
    controller(ca=ca).read()
    assert http.calls[0].request.req_kwargs["verify"] == (str(ca) if ca else True)  # type: ignore[attr-defined]


def test_the_ca_of_the_configuration_is_used_before_that_of_the_environment(
    http: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/other.pem")
    http.post(CONSOLE, body=printed(envelope(STATE)))
    controller(ca=Path("/fleet/ca.pem")).read()
    assert http.calls[0].request.req_kwargs["verify"] == "/fleet/ca.pem"  # type: ignore[attr-defined]


def test_a_template_without_a_name_or_marks_is_nobodys(http: responses.RequestsMock) -> None:
    nameless = {"id": "8d3c", "name": None, "fields": {"annotations": None}}
    http.post(CONSOLE, body=printed(envelope(STATE) | {"templates": [nameless]}))
    [template] = controller().read().templates
    assert (template.name, template.owner) == ("", None)


def test_what_a_plugin_prints_besides_does_not_matter(http: responses.RequestsMock) -> None:
    http.post(CONSOLE, body="warning: something\n" + printed(envelope(STATE)))
    assert controller().read() == STATE


# --- failures ----------------------------------------------------------------------------------------------------

LOGIN = "<!DOCTYPE html>\n<html>\n<head><title>Log in</title></head></html>"
NO_CRUMB = "<html><head><title>Error 403 No valid crumb was included in the request</title></head></html>"
STACK = (
    "java.lang.IllegalStateException: boom\n\tat Script1.run(Script1.groovy:1)\n\tat groovy.lang.X\n" + "\tat y\n" * 99
)
COMPILE = "org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed:\nScript1.groovy: 1: oops"

REPLIES: dict[str, tuple[dict[str, Any], type[JenkinsKanikoError], str]] = {
    "401": (
        {"status": 401, "body": LOGIN},
        UnreachableError,
        "HTTP 401: wrong user or token for ci-bot; make an API token on the user's Security page",
    ),
    "403 crumb": (
        {"status": 403, "body": NO_CRUMB},
        UnreachableError,
        "HTTP 403: no valid crumb. Jenkins asks for one when it is given a password: "
        "set controllers.main.token to an API token of ci-bot",
    ),
    "403 permission": (
        {"status": 403, "body": LOGIN, "headers": {"X-Required-Permission": "hudson.model.Hudson.Administer"}},
        UnreachableError,
        "HTTP 403: ci-bot lacks hudson.model.Hudson.Administer; the script console needs Overall/Administer",
    ),
    "403": (
        {"status": 403, "body": LOGIN},
        UnreachableError,
        "HTTP 403: ci-bot may not do this; the script console needs Overall/Administer",
    ),
    "404": (
        {"status": 404, "body": LOGIN},
        UnreachableError,
        "HTTP 404: no Jenkins at this address; check url, its path included",
    ),
    "405": (
        {"status": 405},
        UnreachableError,
        "HTTP 405: the address leads on to another one; set url to the one it ends at, https:// most often",
    ),
    "500": ({"status": 500, "body": LOGIN}, UnreachableError, "HTTP 500 Internal Server Error"),
    "503": (
        {"status": 503, "body": "<html>Please wait while Jenkins is getting ready to work"},
        UnreachableError,
        "HTTP 503: Jenkins is starting; try again in a minute",
    ),
    "stack trace": (
        {"body": STACK},
        JenkinsKanikoError,
        "the program failed there: java.lang.IllegalStateException: boom / at Script1.run(Script1.groovy:1) / "
        "at groovy.lang.X",
    ),
    "compile error": (
        {"body": COMPILE},
        JenkinsKanikoError,
        "the program failed there: org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed: / "
        "Script1.groovy: 1: oops",
    ),
    "long line": ({"body": "x" * 999}, JenkinsKanikoError, f"the program failed there: {'x' * 300}…"),
    "web page": (
        {"body": LOGIN},
        UnreachableError,
        "a web page came back instead of an answer; check url, and what stands before it",
    ),
    "empty": (
        {"body": ""},
        UnreachableError,
        "nothing came back instead of an answer; check url, and what stands before it",
    ),
    "no sentinels": ({"body": "hello\n)]}."}, JenkinsKanikoError, "unexpected answer: hello"),
    "no JSON": (
        {"body": "<<<jenkins-kaniko\n{oops\njenkins-kaniko>>>\n)]}."},
        JenkinsKanikoError,
        "unexpected answer: <<<jenkins-kaniko / {oops / jenkins-kaniko>>>",
    ),
}


@pytest.mark.parametrize(("reply", "kind", "sentence"), REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("request_", ["read", "apply"])
def test_a_failure_is_one_clear_sentence(
    http: responses.RequestsMock, reply: dict[str, Any], kind: type[JenkinsKanikoError], sentence: str, request_: str
) -> None:
    http.post(CONSOLE, **reply)
    with pytest.raises(JenkinsKanikoError) as caught:
        controller().read() if request_ == "read" else controller().apply("abc", [])
    assert (type(caught.value), str(caught.value)) == (kind, f"controller main ({URL}): {sentence}")
    assert len(http.calls) == 1


def test_a_redirect_to_a_login_page_is_no_answer(http: responses.RequestsMock) -> None:
    http.post(CONSOLE, status=302, headers={"Location": f"{URL}/login"})
    http.get(f"{URL}/login", body=LOGIN)
    with pytest.raises(UnreachableError, match="a web page came back instead of an answer"):
        controller().read()


REFUSALS: dict[str, tuple[dict[str, Any], type[JenkinsKanikoError], str]] = {
    "cloud-missing": (
        {"message": "no Kubernetes cloud is named 'kubernetes'", "clouds": ["k8s", "gke"]},
        WrongInputError,
        "no Kubernetes cloud is named 'kubernetes' there (its Kubernetes clouds: k8s, gke). "
        "Set controllers.main.cloud, or add the cloud in Manage Jenkins > Clouds.",
    ),
    "state-moved": (
        {"message": "cloud 'kubernetes' changed since the plan"},
        RefusedError,
        "cloud 'kubernetes' changed since the plan; nothing was changed. Run plan again and look at what moved.",
    ),
    "cloud-ambiguous": (
        {"message": "2 clouds are named 'kubernetes'"},
        RefusedError,
        "2 clouds are named 'kubernetes'",
    ),
    "plugin-missing": (
        {"message": "the kubernetes plugin is not installed or not active"},
        WrongInputError,
        "the kubernetes plugin is not installed or not active",
    ),
    "field-unknown": (
        {"message": "this plugin version has no field 'x'", "field": "x"},
        WrongInputError,
        "this plugin version has no field 'x'",
    ),
    "field-invalid": (
        {"message": 'template a: podRetention cannot be "pod.retention.Evicted": this plugin version has no such'},
        WrongInputError,
        'template a: podRetention cannot be "pod.retention.Evicted": this plugin version has no such',
    ),
    "backup-invalid": (
        {"message": "the backup's text of template a is not one of a pod template"},
        WrongInputError,
        "the backup's text of template a is not one of a pod template",
    ),
    "not-saved": (
        {"message": "Jenkins could not save the change: No space left on device"},
        JenkinsKanikoError,
        "Jenkins could not save the change: No space left on device",
    ),
}


@pytest.mark.parametrize(("code", "answer", "kind", "sentence"), [(code, *rest) for code, rest in REFUSALS.items()])
def test_what_the_program_refuses_says_what_to_do(
    http: responses.RequestsMock, code: str, answer: dict[str, Any], kind: type[JenkinsKanikoError], sentence: str
) -> None:
    http.post(CONSOLE, body=printed({"ok": False, "code": code, **answer}))
    with pytest.raises(JenkinsKanikoError) as caught:
        controller().read()
    assert (type(caught.value), str(caught.value)) == (kind, f"controller main ({URL}): {sentence}")


def test_a_controller_without_any_kubernetes_cloud_says_none(http: responses.RequestsMock) -> None:
    http.post(CONSOLE, body=printed({"ok": False, "code": "cloud-missing", "message": "no", "clouds": []}))
    with pytest.raises(WrongInputError, match=re.escape("(its Kubernetes clouds: none)")):
        controller().read()


def test_the_program_refuses_with_no_other_codes() -> None:
    thrown = re.findall(r"new Refusal\('([a-z-]+)'", resources.text("scripts/sync.groovy"))
    assert set(thrown) == set(REFUSALS)


def test_nobody_listening_is_named() -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError) as caught:
            controller(f"http://127.0.0.1:{bound.getsockname()[1]}").read()
    assert str(caught.value).endswith(": cannot be reached: [Errno 111] Connection refused")


def test_no_answer_in_time_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnreachableError) as caught:
            controller(url, timeout=0.05).read()
    assert str(caught.value) == f"controller main ({url}): no answer within 0.05 s"


@pytest.mark.parametrize("url", ["https://jenkins.example.com:99999", "https://["])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(WrongInputError, match=re.escape(f"controller main ({url}): not a URL: ")):
        controller(url)


def test_no_failure_shows_the_token(http: responses.RequestsMock) -> None:
    for reply, *_ in REPLIES.values():
        http.post(CONSOLE, **reply)
        with pytest.raises(JenkinsKanikoError) as caught:
            controller().read()
        error: BaseException | None = caught.value
        assert TOKEN not in str(error)
        assert base64.b64encode(f"ci-bot:{TOKEN}".encode()).decode() not in str(error)


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (requests.exceptions.ConnectionError("closed without response"), "cannot be reached: closed without response"),
        (requests.exceptions.ChunkedEncodingError("broken off"), "cannot be reached: broken off"),
        (requests.exceptions.ReadTimeout("slow"), "no answer within 60 s"),
    ],
)
def test_a_change_whose_answer_is_lost_is_not_called_undone(
    http: responses.RequestsMock, cut: Exception, said: str
) -> None:
    http.post(CONSOLE, body=cut)
    with pytest.raises(UnreachableError) as caught:
        controller().apply("abc", [])
    ending = "; it may have carried out the change all the same: plan tells"
    assert str(caught.value) == f"controller main ({URL}): {said}{ending}"
    with pytest.raises(UnreachableError) as caught:
        controller().read()
    assert str(caught.value) == f"controller main ({URL}): {said}"
