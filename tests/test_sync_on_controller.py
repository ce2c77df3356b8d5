"""`plan` and `sync` with the real program on the stand-in controller, from the command line's outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jenkins as python_jenkins
import pytest

from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.model import CloudState, PodTemplate
from tests.support.faults import Fault, FaultyProxy
from tests.support.standin import StandIn

pytestmark = pytest.mark.jvm

Run = Callable[..., subprocess.CompletedProcess[str]]
FOREIGN = """
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate
def template = new PodTemplate('hand-made')
template.name = 'maven'
template.label = ' maven jdk17 '
template.yaml = 'spec: {containers: [{name: maven}]}'
def cloud = Jenkins.get().clouds.getByName('kubernetes')
cloud.addTemplate(template)
Jenkins.get().save()
"""


@pytest.fixture(scope="module", params=["4238", "1.29"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(tmp_path_factory.mktemp("controller"), plugin=request.param, clouds=["kubernetes", "other"])
    standin.add_user("reader", "Read")
    with standin:
        yield standin


@pytest.fixture
def controller(running: StandIn) -> StandIn:
    """The running controller with empty clouds."""
    script(running, "Jenkins.get().clouds.each { it.templates = [] }; Jenkins.get().save()")
    return running


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command line in a folder of its own, with a configuration and a token."""

    def command(
        controller: StandIn, *arguments: str, token: str | None = None, templates: Any = None, **changes: Any
    ) -> subprocess.CompletedProcess[str]:
        main = {"url": controller.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}, **changes}
        content = {
            "fleet": "acme",
            "defaults": {"namespace": "builds", "registrySecret": "docker-config"},
            "controllers": {"main": main},
            "templates": {"kaniko": {"labels": ["kaniko"]}} if templates is None else templates,
        }
        (tmp_path / "jenkins-kaniko.yaml").write_text(json.dumps(content))
        environment = {**os.environ, "JENKINS_TOKEN": token or controller.admin.token}
        return subprocess.run(
            [Path(sys.executable).parent / "jenkins-kaniko", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return command


def script(controller: StandIn, text: str) -> str:
    client = python_jenkins.Jenkins(controller.url, controller.admin.name, controller.admin.token, timeout=30)
    client.crumb = False
    answer: str = client.run_script(f"{text}\nprintln()")
    return answer


def state(controller: StandIn, cloud: str = "kubernetes") -> CloudState:
    return door(controller, cloud).read()


def door(controller: StandIn, cloud: str = "kubernetes") -> Controller:
    return Controller("main", controller.url, controller.admin.name, controller.admin.token, cloud)


def test_sync_brings_a_template_and_the_next_plan_is_empty(controller: StandIn, run: Run) -> None:
    assert run(controller, "plan").returncode == 2
    synced = run(controller, "sync")
    assert (synced.returncode, synced.stderr) == (0, "fleet acme: 1 controller: main\n")
    again = run(controller, "plan")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged")
    (found,) = state(controller).templates
    assert (found.id, found.name, found.owner) == ("jenkins-kaniko-acme-kaniko", "kaniko", "acme")
    assert {name: value for name, value in found.fields.items() if name != "yaml"} == {
        "name": "kaniko",
        "label": "kaniko",
        "namespace": "builds",
        "showRawYaml": False,
        "annotations": [{"key": "jenkins-kaniko/owner", "value": "acme"}],
    }


def test_every_field_arrives_and_reads_back(controller: StandIn, run: Run) -> None:
    fields = {
        "labels": ["kaniko", "docker"],
        "idleMinutes": 5,
        "instanceCap": 3,
        "connectTimeoutSeconds": 300,
        "activeDeadlineSeconds": 3600,
        "podRetention": "OnFailure",
        "nodeUsageMode": "NORMAL",
        "inheritFrom": "base",
    }
    assert run(controller, "sync", templates={"kaniko": fields}).returncode == 0
    assert run(controller, "plan", templates={"kaniko": fields}).returncode == 0
    (found,) = state(controller).templates
    wanted = {"slaveConnectTimeout": 300, "podRetention": "OnFailure", "nodeUsageMode": "NORMAL", "instanceCap": 3}
    assert {name: found.fields[name] for name in wanted} == wanted
    assert run(controller, "sync").returncode == 0, "and all of them back to the plugin's defaults"
    assert "instanceCap" not in state(controller).templates[0].fields


def test_defaults_written_out_are_no_difference(controller: StandIn, run: Run) -> None:
    default = int(state(controller).defaults["slaveConnectTimeout"])
    templates = {"kaniko": {"connectTimeoutSeconds": default, "idleMinutes": 0, "podRetention": "Default"}}
    assert run(controller, "sync", templates=templates).returncode == 0
    assert run(controller, "plan", templates=templates).returncode == 0


def test_foreign_templates_and_clouds_stay_as_they_are(controller: StandIn, run: Run) -> None:
    script(controller, FOREIGN)
    xml = "println Jenkins.XSTREAM2.toXML(Jenkins.get().clouds.getByName('{}').templates[0])"
    before = script(controller, xml.format("kubernetes")), state(controller, "other")
    assert run(controller, "sync").returncode == 0
    assert (script(controller, xml.format("kubernetes")), state(controller, "other")) == before
    assert [template.name for template in state(controller).templates] == ["maven", "kaniko"]


def test_a_foreign_template_in_the_way_is_refused(controller: StandIn, run: Run) -> None:
    script(controller, FOREIGN)
    before = state(controller)
    refused = run(controller, "sync", templates={"maven": {}})
    assert (refused.returncode, state(controller)) == (4, before)
    assert "nobody's mark is on it" in refused.stdout


def test_what_somebody_changed_by_hand_is_shown_and_undone(controller: StandIn, run: Run) -> None:
    run(controller, "sync")
    script(controller, "def t = Jenkins.get().clouds.getByName('kubernetes').templates[0]; t.serviceAccount = 'root'")
    planned = run(controller, "plan")
    assert planned.returncode == 2
    assert '  ~   serviceAccount: "root" -> (default)' in planned.stdout
    assert run(controller, "sync").returncode == 0
    assert "serviceAccount" not in state(controller).templates[0].fields


def test_a_state_that_moved_since_the_plan_is_not_touched(controller: StandIn) -> None:
    planned = state(controller)
    script(controller, FOREIGN)
    moved = state(controller)
    with pytest.raises(Exception, match="changed since the plan; nothing was changed") as caught:
        door(controller).apply(planned.hash, [PodTemplate("x", "x", {"name": "x"})])
    assert type(caught.value).__name__ == "RefusedError"
    assert state(controller) == moved


def test_the_result_survives_a_restart(controller: StandIn, run: Run) -> None:
    run(controller, "sync")
    before = state(controller)
    controller.restart()
    assert state(controller) == before
    assert run(controller, "plan").returncode == 0


def test_a_configuration_never_becomes_code(controller: StandIn, run: Run) -> None:
    awkward = "'''\"\"\" + ${Jenkins.get().doSafeRestart()} \\ ' // \n */ é 🐳 \u0085"
    templates = {"kaniko": {"pod": {"metadata": {"annotations": {"note": awkward}}}, "inheritFrom": awkward}}
    assert run(controller, "sync", templates=templates).returncode == 0
    assert state(controller).templates[0].fields["inheritFrom"] == awkward
    assert run(controller, "plan", templates=templates).returncode == 0


def test_a_pod_too_long_for_one_literal_goes_in_several(controller: StandIn, run: Run) -> None:
    noise = {f"key-{n}": os.urandom(40).hex() for n in range(2000)}
    templates = {"kaniko": {"pod": {"metadata": {"annotations": noise}}}}
    assert run(controller, "sync", templates=templates).returncode == 0
    assert run(controller, "plan", templates=templates).returncode == 0


@pytest.mark.parametrize(
    ("changes", "token", "code", "said"),
    [
        pytest.param({}, "wrong", 5, "HTTP 401: wrong user or token for admin", id="wrong token"),
        pytest.param({"user": "nobody"}, None, 5, "HTTP 401: wrong user or token for nobody", id="unknown user"),
        pytest.param({}, "password", 5, "HTTP 403: no valid crumb", id="a password where a token belongs"),
        pytest.param({"user": "reader"}, "reader", 5, "reader lacks hudson.model.Hudson.Administer", id="no right"),
        pytest.param({"cloud": "k8s"}, None, 1, "no Kubernetes cloud is named 'k8s' there (its Kubernetes clouds: "
                     "kubernetes, other)", id="missing cloud"),
        pytest.param({"url": "http://127.0.0.1:1/"}, None, 5, "cannot be reached: [Errno 111] Connection refused",
                     id="unreachable"),
    ],
)  # fmt: skip
def test_each_way_to_be_kept_out_has_one_clear_sentence(
    controller: StandIn, run: Run, changes: dict[str, str], token: str | None, code: int, said: str
) -> None:
    known = {"password": controller.admin.password, "reader": controller.user("reader").token}
    for command in ("plan", "sync"):
        done = run(controller, command, token=known.get(token or "", token), **changes)
        assert done.returncode == code
        assert said in done.stdout
        assert len(done.stdout.splitlines()) == 3
        assert controller.admin.token not in done.stdout + done.stderr


def test_a_controller_that_is_starting_says_so(tmp_path: Path, run: Run) -> None:
    with StandIn(tmp_path / "home", starting_seconds=60) as starting:
        done = run(starting, "plan")
    assert (done.returncode, "HTTP 503: Jenkins is starting" in done.stdout) == (5, True)


def test_a_cloud_of_configuration_as_code_is_refused(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "casc.yaml"
    source.write_text("jenkins:\n  clouds:\n  - kubernetes:\n      name: kubernetes\n")
    with StandIn(tmp_path / "home", casc=[source]) as managed:
        before = state(managed)
        done = run(managed, "sync")
        assert (done.returncode, state(managed)) == (4, before)
    assert f"cloud kubernetes is defined by configuration-as-code ({source})" in done.stdout
    assert "render --format jcasc" in done.stdout


def test_one_controller_that_fails_hides_no_other(controller: StandIn, tmp_path: Path) -> None:
    content = {
        "fleet": "acme",
        "controllers": {
            "down": {"url": "http://127.0.0.1:1/", "user": "x", "token": {"env": "JENKINS_TOKEN"}},
            "up": {"url": controller.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}},
        },
        "templates": {"kaniko": {}},
    }
    config = tmp_path / "fleet.yaml"
    config.write_text(json.dumps(content))
    done = subprocess.run(
        [Path(sys.executable).parent / "jenkins-kaniko", "sync", "-c", config, "-o", "json"],
        env={**os.environ, "JENKINS_TOKEN": controller.admin.token},
        capture_output=True,
        text=True,
        check=False,
    )
    results = {one["name"]: one["status"] for one in json.loads(done.stdout)["controllers"]}
    assert (done.returncode, results) == (3, {"down": "failed", "up": "applied"})
    assert [template.name for template in state(controller).templates] == ["kaniko"]


@pytest.mark.parametrize(
    ("fault", "applied", "said"),
    [
        ("cut after receive", False, "it may have carried out the change all the same: plan tells"),
        ("cut before answer", True, "it may have carried out the change all the same: plan tells"),
        ("bad gateway", False, "HTTP 502: a proxy before Jenkins got no answer from it; it may have"),
    ],
)
def test_after_any_interruption_the_next_run_finds_a_whole_state(
    controller: StandIn, run: Run, fault: Fault, applied: bool, said: str
) -> None:
    with FaultyProxy(controller.url, ["none", fault]) as proxy:
        cut = run(controller, "sync", url=proxy.url)
        assert (cut.returncode, said in cut.stdout) == (5, True)
        assert bool(state(controller).templates) is applied
        again = run(controller, "sync", url=proxy.url)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged" if applied else "1 applied")
    assert [template.name for template in state(controller).templates] == ["kaniko"]


def test_a_proxy_that_takes_no_long_requests_is_named(controller: StandIn, run: Run) -> None:
    noise = {f"key-{n}": os.urandom(40).hex() for n in range(2000)}
    templates = {"kaniko": {"pod": {"metadata": {"annotations": noise}}}}
    with FaultyProxy(controller.url, max_bytes=100_000) as proxy:
        refused = run(controller, "sync", url=proxy.url, templates=templates)
        assert refused.returncode == 5
        assert "HTTP 413: a proxy before Jenkins takes no requests of this size; raise its limit" in refused.stdout
        assert state(controller).templates == ()
        assert run(controller, "sync", url=proxy.url).returncode == 0, "a short one passes"


def test_a_slow_answer_is_waited_for(controller: StandIn, run: Run) -> None:
    with FaultyProxy(controller.url, ["slow", "slow"], delay=3) as proxy:
        assert run(controller, "sync", url=proxy.url).returncode == 0
        assert proxy.faults == []
    assert [template.name for template in state(controller).templates] == ["kaniko"]


def test_a_restart_between_plan_and_apply_does_not_matter(controller: StandIn, run: Run) -> None:
    with FaultyProxy(controller.url, ["none", controller.restart]) as proxy:
        done = run(controller, "sync", url=proxy.url)
        assert (done.returncode, proxy.faults) == (0, [])
    assert [template.name for template in state(controller).templates] == ["kaniko"]
