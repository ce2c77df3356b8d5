"""The stand-in controller answers as the recorded controllers did: one test per row of what was recorded."""

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

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
ADMINISTER = "hudson.model.Hudson.Administer"
PLUGIN = "org.csanchez.jenkins.plugins.kubernetes"

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(tmp_path_factory.mktemp("home"))
    standin.add_user("dev", "read")
    standin.add_user("auditor", "systemread")
    with standin:
        yield standin


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("older"), plugin="1.29") as standin:
        yield standin


@pytest.fixture
def dev(controller: StandIn) -> User:
    return controller.user("dev")


def get(standin: StandIn, path: str, user: User | None = None, **arguments: str) -> requests.Response:
    auth = (user.name, user.token) if user else None
    return requests.get(standin.url + path, params=arguments, auth=auth, timeout=10)


def run(standin: StandIn, script: str | Path, user: User | None = None) -> requests.Response:
    """POST /scriptText with an API token, as the project does."""
    text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
    who = user or standin.admin
    return requests.post(standin.url + "scriptText", data={"script": text}, auth=(who.name, who.token), timeout=30)


def with_password(user: User) -> requests.Session:
    session = requests.Session()
    session.auth = (user.name, user.password)
    return session


def crumb_of(standin: StandIn, session: requests.Session) -> dict[str, str]:
    answer = session.get(standin.url + "crumbIssuer/api/json", timeout=10).json()
    return {answer["crumbRequestField"]: answer["crumb"]}


def title(answer: requests.Response) -> str:
    assert answer.headers["Content-Type"].startswith("text/html")
    found = re.search("<title>(.*)</title>", answer.text)
    return found[1] if found else ""


# Who asks


def test_nobody_is_sent_to_the_login_page(controller: StandIn) -> None:
    answer = get(controller, "api/json")
    assert answer.status_code == 403
    assert "url=/login?from=%2Fapi%2Fjson" in answer.text
    assert answer.headers["X-Jenkins"] == "2.452.1"
    assert answer.headers["X-Jenkins-Session"]
    assert any(cookie.name.startswith("JSESSIONID") for cookie in answer.cookies)


@pytest.mark.parametrize("path", ["api/json", "scriptText", "crumbIssuer/api/json", "nope"])
def test_a_wrong_password_is_401_everywhere(controller: StandIn, path: str) -> None:
    answer = requests.get(controller.url + path, auth=("admin", "wrong"), timeout=10)
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


def test_a_password_needs_a_crumb(controller: StandIn) -> None:
    session = with_password(controller.admin)
    refused = session.post(controller.url + "scriptText", data={"script": "1"}, timeout=10)
    assert refused.status_code == 403
    assert title(refused) == "Error 403 No valid crumb was included in the request"
    crumb = crumb_of(controller, session)
    taken = session.post(controller.url + "scriptText", data={"script": "1"}, headers=crumb, timeout=10)
    assert taken.text == "Result: 1\n"


def test_a_crumb_of_another_session_is_refused(controller: StandIn) -> None:
    crumb = crumb_of(controller, with_password(controller.admin))
    other = with_password(controller.admin)
    crumb_of(controller, other)
    refused = other.post(controller.url + "scriptText", data={"script": "1"}, headers=crumb, timeout=10)
    assert refused.status_code == 403
    assert title(refused) == "Error 403 No valid crumb was included in the request"


def test_a_token_needs_no_crumb(controller: StandIn) -> None:
    assert run(controller, "1").status_code == 200


def test_a_script_needs_administer(controller: StandIn, dev: User) -> None:
    answer = run(controller, "1", dev)
    assert answer.status_code == 403
    assert answer.headers["X-You-Are-Authenticated-As"] == "dev"
    assert answer.headers["X-Required-Permission"] == ADMINISTER


def test_a_reader_without_a_crumb_gets_the_crumb_error(controller: StandIn, dev: User) -> None:
    session = with_password(dev)
    plain = session.post(controller.url + "scriptText", data={"script": "1"}, timeout=10)
    assert "X-Required-Permission" not in plain.headers
    crumb = crumb_of(controller, session)
    refused = session.post(controller.url + "scriptText", data={"script": "1"}, headers=crumb, timeout=10)
    assert (plain.status_code, refused.status_code) == (403, 403)
    assert refused.headers["X-Required-Permission"] == ADMINISTER


def test_who_am_i(controller: StandIn) -> None:
    answer = get(controller, "whoAmI/api/json", controller.admin).json()
    assert answer["anonymous"] is False
    assert answer["authenticated"] is True
    assert answer["name"] == "admin"
    assert "authenticated" in answer["authorities"]


def test_an_export_needs_system_read(controller: StandIn, dev: User) -> None:
    def export(user: User) -> int:
        url = controller.url + "configuration-as-code/export"
        return requests.post(url, auth=(user.name, user.token), timeout=10).status_code

    assert export(dev) == 403
    assert export(controller.user("auditor")) != 403


# The script console


def test_scripts_are_posted(controller: StandIn) -> None:
    answer = get(controller, "scriptText", controller.admin, script="1")
    assert answer.status_code == 405
    assert "Allow" not in answer.headers
    empty = get(controller, "scriptText", controller.admin)
    assert (empty.status_code, empty.text) == (200, "")


def test_output(controller: StandIn) -> None:
    answer = run(controller, "println 'é'; println Jenkins.get().version")
    assert answer.status_code == 200
    assert answer.text == "é\n2.452.1\n"
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
    assert run(controller, script).text == output


def test_a_throw_is_a_trace_with_200(controller: StandIn) -> None:
    answer = run(controller, "println 'before'; throw new IllegalStateException('boom')")
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert lines[:2] == ["before", "java.lang.IllegalStateException: boom"]
    assert lines[2].startswith("\tat ")


def test_a_compile_error_is_200(controller: StandIn) -> None:
    answer = run(controller, "def x = (")
    assert answer.status_code == 200
    start = "org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed:\nScript1.groovy: 1: "
    assert answer.text.startswith(start)


def test_no_script_is_200_and_empty(controller: StandIn) -> None:
    admin = controller.admin
    answer = requests.post(controller.url + "scriptText", auth=(admin.name, admin.token), timeout=10)
    assert (answer.status_code, answer.text) == (200, "")


def test_a_long_literal_does_not_compile(controller: StandIn) -> None:
    said = run(controller, f"'{'a' * 65536}'.size()").text
    length = "The given string is 65536 Unicode code units long, but only a maximum of 65535 is allowed."
    assert f"String too long. {length}" in said
    assert run(controller, f"'{'a' * 65535}'.size()").text == "Result: 65535\n"


def test_a_form_of_2_mb(controller: StandIn) -> None:
    parts = ",".join(f"'{'a' * 60_000}'" for _ in range(35))
    assert run(controller, f"[{parts}].join('').size()").text == "Result: 2100000\n"


def test_scripts_run_beside_each_other(controller: StandIn) -> None:
    waiting = "synchronized (Jenkins) { Jenkins.wait(5000) }; 'woken'"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, controller, waiting)
        while not first.done():
            run(controller, "synchronized (Jenkins) { Jenkins.notifyAll() }")
        assert first.result().text == "Result: woken\n"


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
    assert answer.headers["X-Jenkins"] == "2.452.1"


def test_plugins(controller: StandIn) -> None:
    tree = "plugins[shortName,version,active]"
    answer = get(controller, "pluginManager/api/json", controller.admin, depth="1", tree=tree)
    plugins = {plugin["shortName"]: plugin for plugin in answer.json()["plugins"]}
    assert plugins["kubernetes"] == {"shortName": "kubernetes", "version": "4238.v41b_3ef14a_5d8", "active": True}


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


def test_a_restart_ends_sessions_but_not_tokens_or_state(tmp_path: Path) -> None:
    with StandIn(tmp_path) as standin:
        session = with_password(standin.admin)
        crumb = crumb_of(standin, session)
        run(standin, CONTRACT / "clouds.groovy")
        standin.restart()
        refused = session.post(standin.url + "scriptText", data={"script": "1"}, headers=crumb, timeout=10)
        assert refused.status_code == 403
        assert run(standin, "Jenkins.get().clouds[0].templates*.name").text == "Result: [kaniko, min]\n"
        config = standin.home / "config.xml"
        before = config.read_bytes()
        run(standin, "Jenkins.get().save()")
        assert config.read_bytes() == before
        standin.kill()


# The plugin's classes


def clouds_of(standin: StandIn) -> str:
    config = (standin.home / "config.xml").read_text(encoding="utf-8")
    return config[config.index("<clouds>") : config.index("</clouds>")]


def test_config_of_4238(controller: StandIn) -> None:
    assert run(controller, CONTRACT / "clouds.groovy").text == "On Failure\n"
    recorded = (CONTRACT / "clouds-4238.config.xml").read_text(encoding="utf-8")
    assert clouds_of(controller) == recorded[: recorded.index("</clouds>")]


def test_config_of_1_29(older: StandIn) -> None:
    run(older, CONTRACT / "clouds.groovy")
    recorded = (CONTRACT / "clouds-1.29.0.config.xml").read_text(encoding="utf-8")
    assert clouds_of(older) == recorded[: recorded.index("</clouds>")]


# What every object of Jenkins has, and what belongs to the web interface.
NOT_PLAYED = {
    "descriptor", "ACL", "actions", "allActions", "icon", "iconAltText", "iconClassName", "jenkinsUrlOrDie",
    "jenkinsUrlOrNull", "podTemplateGroupUrl", "search", "searchIndex", "searchName", "searchUrl", "templateDescriptor",
}  # fmt: skip


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each `=== title`."""
    return {title: lines for title, *lines in (part.splitlines() for part in text.split("=== ")[1:])}


def test_defaults_of_4238(controller: StandIn) -> None:
    recorded = (CONTRACT / "defaults-4238.txt").read_text(encoding="utf-8")
    expected = sections(recorded)
    said = sections(run(controller, CONTRACT / "defaults.groovy").text)
    assert len(said) == 3
    for name, lines in said.items():
        assert lines == [line for line in expected[name] if line.partition("=")[0] not in NOT_PLAYED]


def test_xml_of_a_new_template(controller: StandIn) -> None:
    recorded = (CONTRACT / "defaults-4238.txt").read_text(encoding="utf-8")
    xml = recorded.partition("=== XStream of new PodTemplate('x')\n")[2].partition("===")[0]
    assert run(controller, f"println Jenkins.XSTREAM2.toXML(new {PLUGIN}.PodTemplate('x'))").text == xml


def test_what_only_one_version_has(controller: StandIn, older: StandIn) -> None:
    strategy = f"def t = new {PLUGIN}.PodTemplate('x'); t.inheritYamlMergeStrategy = true; t.inheritYamlMergeStrategy"
    assert run(controller, strategy).text == "Result: true\n"
    missing = "groovy.lang.MissingPropertyException: No such property: inheritYamlMergeStrategy for class: "
    assert run(older, strategy).text.startswith(missing)
    two = f"new {PLUGIN}.volumes.HostPathVolume('a', 'b').mountPath"
    three = f"new {PLUGIN}.volumes.HostPathVolume('a', 'b', true).mountPath"
    assert run(controller, three).text == run(older, two).text == "Result: b\n"
    assert "Could not find matching constructor" in run(controller, two).text
    assert "unable to resolve class" in run(older, f"new {PLUGIN}.volumes.DynamicPVCVolume()").text


def test_which_calls_save_and_trim(controller: StandIn) -> None:
    """A new label is seen after a trim only; replace() neither saves nor trims."""
    run(controller, CONTRACT / "clouds.groovy")
    assert run(controller, "Jenkins.get().getLabel('late').empty").text == "Result: true\n"
    late = f"""
    def cloud = Jenkins.get().getCloud('kubernetes')
    def template = new {PLUGIN}.PodTemplate('late')
    template.label = 'late'
    cloud.templates = cloud.templates + template
    Jenkins.get().clouds.replace(cloud, cloud)
    Jenkins.get().getLabel('late').empty"""
    assert run(controller, late).text == "Result: true\n"
    assert "<id>late</id>" not in clouds_of(controller)
    trimmed = "Jenkins.get().clouds.with { replaceBy(new ArrayList(it)) }; Jenkins.get().getLabel('late').clouds*.name"
    assert run(controller, trimmed).text == "Result: [kubernetes]\n"
    assert "<id>late</id>" in clouds_of(controller)


def test_agents_come_from_the_home_folder(controller: StandIn) -> None:
    run(controller, CONTRACT / "clouds.groovy")
    agent = f"""
    def template = Jenkins.get().getCloud('kubernetes').getTemplateById('min')
    Jenkins.get().addNode(new {PLUGIN}.KubernetesSlave('min-1', template, '', 'kubernetes', 'min'))"""
    assert run(controller, agent).text == ""
    tell = "Jenkins.get().computers.collect { [it.name, it.node.templateId, it.idle] }"
    assert run(controller, tell).text == "Result: [[min-1, min, true]]\n"
    (controller.home / "nodes" / "min-1" / "busy").touch()
    assert run(controller, tell).text == "Result: [[min-1, min, false]]\n"
    assert run(controller, "def j = Jenkins.get(); j.removeNode(j.getNode('min-1')); j.nodes").text == "Result: []\n"


def test_casc_sources(tmp_path: Path) -> None:
    with StandIn(tmp_path / "home", clouds=["a", "b"], casc=[tmp_path / "casc.yaml"]) as standin:
        tell = "import io.jenkins.plugins.casc.*; [ConfigurationAsCode.get().sources, Jenkins.get().clouds*.name]"
        assert run(standin, tell).text == f"Result: [[{tmp_path}/casc.yaml], [a, b]]\n"
