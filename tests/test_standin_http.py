"""The stand-in controllers answer HTTP as the recorded ones did: one test per row of what was recorded, on both."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jenkins
import pytest
import requests

from tests.support.standin import StandIn, User

CORE = {"4238": "2.452.1", "1.29": "2.277.3"}
KUBERNETES = {"4238": "4238.v41b_3ef14a_5d8", "1.29": "1.29.0"}
CASC = {"4238": "1810.v9b_c30a_249a_4c", "1.29": "1.47"}
ADMINISTER = "hudson.model.Hudson.Administer"
NO_CRUMB = "Error 403 No valid crumb was included in the request"

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module", params=["4238", "1.29"])
def controller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(tmp_path_factory.mktemp("home"), plugin=request.param)
    standin.add_user("dev", "Read")
    with standin:
        yield standin


@pytest.fixture
def dev(controller: StandIn) -> User:
    return controller.user("dev")


def get(standin: StandIn, path: str, user: User | None = None, **arguments: str) -> requests.Response:
    auth = (user.name, user.token) if user else None
    return requests.get(standin.url + path, params=arguments, auth=auth, timeout=10)


def with_password(user: User) -> requests.Session:
    session = requests.Session()
    session.auth = (user.name, user.password)
    return session


def crumb_of(standin: StandIn, session: requests.Session) -> dict[str, str]:
    answer = session.get(standin.url + "crumbIssuer/api/json", timeout=10).json()
    return {answer["crumbRequestField"]: answer["crumb"]}


def ask(standin: StandIn, session: requests.Session, crumb: dict[str, str] | None = None) -> requests.Response:
    return session.post(standin.url + "scriptText", data={"script": "1"}, headers=crumb, timeout=10)


def title(answer: requests.Response) -> str:
    assert answer.headers["Content-Type"].startswith("text/html")
    found = re.search("<title>(.*)</title>", answer.text)
    return found[1] if found else ""


# Who asks


def test_nobody_is_sent_to_the_login_page(controller: StandIn) -> None:
    answer = get(controller, "api/json")
    assert answer.status_code == 403
    assert "url=/login?from=%2Fapi%2Fjson" in answer.text
    assert answer.headers["X-Jenkins"] == CORE[controller.plugin]
    assert answer.headers["X-Jenkins-Session"] == (controller.home / "session").read_text()
    assert any(cookie.name.startswith("JSESSIONID") for cookie in answer.cookies)


@pytest.mark.parametrize("path", ["api/json", "scriptText", "crumbIssuer/api/json", "nope"])
@pytest.mark.parametrize("name", ["admin", "stranger"])
def test_a_wrong_password_is_401_everywhere(controller: StandIn, path: str, name: str) -> None:
    for answer in (
        requests.get(controller.url + path, auth=(name, "wrong"), timeout=10),
        requests.post(controller.url + path, auth=(name, "wrong"), timeout=10),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Jenkins"'
        assert "X-Jenkins" not in answer.headers
        assert title(answer)


def test_crumb(controller: StandIn) -> None:
    answer = get(controller, "crumbIssuer/api/json", controller.admin)
    assert answer.status_code == 200
    assert answer.json() == {
        "_class": "hudson.security.csrf.DefaultCrumbIssuer",
        "crumb": answer.json()["crumb"],
        "crumbRequestField": "Jenkins-Crumb",
    }
    assert answer.cookies


def test_a_password_needs_a_crumb_of_its_session(controller: StandIn) -> None:
    session, other = with_password(controller.admin), with_password(controller.admin)
    crumb = crumb_of(controller, session)
    crumb_of(controller, other)
    assert ask(controller, session, crumb).text == "Result: 1\n"
    for refused in (ask(controller, session), ask(controller, other, crumb)):
        assert (refused.status_code, title(refused)) == (403, NO_CRUMB)


def test_a_token_needs_no_crumb(controller: StandIn) -> None:
    assert controller.post("scriptText", data={"script": "1"}).status_code == 200


def test_a_script_needs_administer(controller: StandIn, dev: User) -> None:
    session = with_password(dev)
    by_token = controller.post("scriptText", dev, {"script": "1"})
    for answer in (by_token, ask(controller, session, crumb_of(controller, session))):
        assert answer.status_code == 403
        assert answer.headers["X-You-Are-Authenticated-As"] == "dev"
        assert answer.headers["X-Required-Permission"] == ADMINISTER
    plain = ask(controller, session)
    assert (plain.status_code, title(plain)) == (403, NO_CRUMB)
    assert "X-Required-Permission" not in plain.headers


def test_who_am_i(controller: StandIn) -> None:
    answer = get(controller, "whoAmI/api/json", controller.admin).json()
    assert answer["authorities"]
    expected = {"anonymous": False, "authenticated": True, "name": "admin"}
    assert {key: answer[key] for key in expected} == expected
    assert get(controller, "whoAmI/api/json").json()["anonymous"] is True


# The script console


def test_scripts_are_posted(controller: StandIn) -> None:
    answer = get(controller, "scriptText", controller.admin, script="1")
    assert answer.status_code == 405
    assert "Allow" not in answer.headers
    empty = get(controller, "scriptText", controller.admin)
    assert (empty.status_code, empty.text) == (200, "")


def test_output(controller: StandIn) -> None:
    answer = controller.post("scriptText", data={"script": "println 'é'; println Jenkins.get().version"})
    assert answer.status_code == 200
    assert answer.text == f"é\n{CORE[controller.plugin]}\n"
    assert answer.headers["Content-Type"] == "text/plain;charset=utf-8"
    assert "X-Jenkins" not in answer.headers


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("println 'out'; 1 + 1", "out\nResult: 2\n"),
        ("[Node.Mode.NORMAL]", "Result: [NORMAL]\n"),
        ("null", ""),
        ("println 'a'; null", "a\n"),
    ],
)
def test_value(controller: StandIn, script: str, output: str) -> None:
    assert controller.run(script) == output


def test_a_throw_is_a_trace_with_200(controller: StandIn) -> None:
    script = "println 'before'; throw new IllegalStateException('boom')"
    answer = controller.post("scriptText", data={"script": script})
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert lines[:2] == ["before", "java.lang.IllegalStateException: boom"]
    assert lines[2].startswith("\tat ")
    wrapped = controller.run("throw new RuntimeException('outer', new IOException('inner'))").splitlines()
    assert [line for line in wrapped if not line.startswith("\t")] == [
        "java.io.IOException: inner",
        "Caused: java.lang.RuntimeException: outer",
    ]


def test_a_compile_error_is_200(controller: StandIn) -> None:
    answer = controller.post("scriptText", data={"script": "def x = ("})
    assert answer.status_code == 200
    start = "org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed:\nScript1.groovy: 1: "
    assert answer.text.startswith(start)


def test_no_script_is_200_and_empty(controller: StandIn) -> None:
    answer = controller.post("scriptText")
    assert (answer.status_code, answer.text) == (200, "")


def test_a_long_literal_does_not_compile(controller: StandIn) -> None:
    said = controller.run(f"'{'a' * 65536}'.size()")
    length = "The given string is 65536 Unicode code units long, but only a maximum of 65535 is allowed."
    assert f"String too long. {length}" in said
    assert controller.run(f"'{'a' * 65535}'.size()") == "Result: 65535\n"


def test_a_form_of_2_mb(controller: StandIn) -> None:
    parts = ",".join(f"'{'a' * 60_000}'" for _ in range(35))
    assert controller.run(f"[{parts}].join('').size()") == "Result: 2100000\n"


def test_scripts_run_beside_each_other(controller: StandIn) -> None:
    waiting = "synchronized (Jenkins) { Jenkins.wait(5000) }; 'woken'"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(controller.run, waiting)
        while not first.done():
            controller.run("synchronized (Jenkins) { Jenkins.notifyAll() }")
        assert first.result() == "Result: woken\n"


def test_python_jenkins(controller: StandIn) -> None:
    admin = controller.admin
    by_token = jenkins.Jenkins(controller.url, admin.name, admin.token, timeout=10)
    by_password = jenkins.Jenkins(controller.url, admin.name, admin.password, timeout=10)
    assert by_token.get_info()["_class"] == "hudson.model.Hudson"
    assert [each.run_script("println 1") for each in (by_token, by_password)] == ["1", "1"]


# Other addresses


def test_api(controller: StandIn) -> None:
    answer = get(controller, "api/json", controller.admin)
    assert answer.json()["_class"] == "hudson.model.Hudson"
    assert answer.headers["X-Jenkins"] == CORE[controller.plugin]


def test_plugins(controller: StandIn) -> None:
    tree = "plugins[shortName,version,active]"
    answer = get(controller, "pluginManager/api/json", controller.admin, depth="1", tree=tree)
    plugins = {plugin.pop("shortName"): plugin for plugin in answer.json()["plugins"]}
    assert plugins["kubernetes"] == {"version": KUBERNETES[controller.plugin], "active": True}
    assert plugins["configuration-as-code"] == {"version": CASC[controller.plugin], "active": True}


def test_unknown_path(controller: StandIn) -> None:
    answer = get(controller, "nope", controller.admin)
    assert answer.status_code == 404
    assert title(answer)


def test_start_up(tmp_path: Path) -> None:
    with StandIn(tmp_path, starting_seconds=1) as standin:
        answer = get(standin, "api/json", standin.admin)
        assert answer.status_code == 503
        assert "Please wait while Jenkins is getting ready to work" in answer.text
        time.sleep(1)
        assert get(standin, "api/json", standin.admin).status_code == 200


def test_a_restart_ends_sessions_and_crumbs_but_not_tokens(tmp_path: Path) -> None:
    with StandIn(tmp_path) as standin:
        session = with_password(standin.admin)
        crumb = crumb_of(standin, session)
        before = (standin.home / "session").read_text()
        assert ask(standin, session, crumb).status_code == 200
        standin.restart()
        assert ask(standin, session, crumb).status_code == 403
        assert standin.run("1") == "Result: 1\n"
        after = (standin.home / "session").read_text()
        assert after != before
        assert get(standin, "api/json").headers["X-Jenkins-Session"] == after
        standin.kill()


def test_labels_with_operators_are_refused_by_name(controller: StandIn) -> None:
    said = controller.run("Jenkins.get().getLabel('a && b')")
    assert said.startswith(
        "java.lang.UnsupportedOperationException: the stand-in knows plain labels only, not 'a && b'"
    )
