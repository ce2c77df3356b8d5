"""`plan` and `sync` with the real program on the stand-in controller, from the command line's outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jenkins as python_jenkins
import pytest

from jenkins_kaniko.errors import JenkinsKanikoError, WrongInputError
from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.model import CloudState, PodTemplate
from tests.support.faults import Fault, FaultyProxy
from tests.support.standin import StandIn

pytestmark = pytest.mark.jvm

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

AWKWARD_BY_HAND = r"""
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate
def template = new PodTemplate('awkward')
template.name = 'awkward'
template.yaml = 'a: "\u0001\u0085 ${x} \ud83d\udc33 </yaml>"\r\n'
template.remoteFs = '/x'
template.capOnlyOnAlivePods = true
Jenkins.get().clouds.getByName('kubernetes').addTemplate(template)
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


class Command:
    """The command line in a folder of its own, with a configuration and a token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, controller: StandIn, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        with self.started(controller, *arguments, **settings) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def started(
        self, controller: StandIn, *arguments: str, token: str | None = None, templates: Any = None, **changes: Any
    ) -> subprocess.Popen[str]:
        main = {"url": controller.url, "user": "admin", "token": {"env": "JENKINS_TOKEN"}, **changes}
        content = {
            "fleet": "acme",
            "defaults": {"namespace": "builds", "registrySecret": "docker-config"},
            "controllers": {"main": main},
            "templates": {"kaniko": {"labels": ["kaniko"]}} if templates is None else templates,
        }
        (self.folder / "jenkins-kaniko.yaml").write_text(json.dumps(content))
        return subprocess.Popen(
            [Path(sys.executable).parent / "jenkins-kaniko", *arguments],
            cwd=self.folder,
            env={**os.environ, "JENKINS_TOKEN": token or controller.admin.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return Command(tmp_path)


def script(controller: StandIn, text: str) -> str:
    client = python_jenkins.Jenkins(controller.url, controller.admin.name, controller.admin.token, timeout=30)
    client.crumb = False
    answer: str = client.run_script(f"{text}\nprintln()")
    return answer


def state(controller: StandIn, cloud: str = "kubernetes") -> CloudState:
    return door(controller, cloud).read()


def xml_of(controller: StandIn, cloud: str = "kubernetes") -> str:
    """Return all that the controller keeps of a cloud."""
    return script(controller, f"println Jenkins.XSTREAM2.toXML(Jenkins.get().clouds.getByName('{cloud}'))")


def door(controller: StandIn, cloud: str = "kubernetes") -> Controller:
    return Controller("main", controller.url, controller.admin.name, controller.admin.token, cloud)


def test_sync_brings_a_template_and_the_next_plan_is_empty(controller: StandIn, run: Command) -> None:
    assert run(controller, "plan").returncode == 2
    synced = run(controller, "sync")
    assert (synced.returncode, synced.stderr) == (0, "fleet acme: 1 controller: main\nmain: applied\n")
    again = run(controller, "plan")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged")
    (found,) = state(controller).templates
    assert (found.id, found.name, found.owner) == ("jenkins-kaniko-acme-kaniko", "kaniko", "acme")
    assert {name: value for name, value in found.fields.items() if name not in ("yaml", "annotations")} == {
        "name": "kaniko",
        "label": "kaniko",
        "namespace": "builds",
        "showRawYaml": False,
    }
    assert [mark["key"] for mark in found.fields["annotations"]] == ["jenkins-kaniko/owner", "jenkins-kaniko/applied"]
    assert run(controller, "drift").returncode == 0


def test_every_field_arrives_and_reads_back(controller: StandIn, run: Command) -> None:
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
    wanted = {
        "slaveConnectTimeout": 300,
        "podRetention": "pod.retention.OnFailure",
        "nodeUsageMode": "NORMAL",
        "instanceCap": 3,
    }
    assert {name: found.fields[name] for name in wanted} == wanted
    assert run(controller, "sync").returncode == 0, "and all of them back to the plugin's defaults"
    assert "instanceCap" not in state(controller).templates[0].fields


def test_defaults_written_out_are_no_difference(controller: StandIn, run: Command) -> None:
    default = int(state(controller).defaults["slaveConnectTimeout"])
    templates = {"kaniko": {"connectTimeoutSeconds": default, "idleMinutes": 0, "podRetention": "Default"}}
    assert run(controller, "sync", templates=templates).returncode == 0
    assert run(controller, "plan", templates=templates).returncode == 0


def test_foreign_templates_and_clouds_stay_as_they_are(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    xml = "println Jenkins.XSTREAM2.toXML(Jenkins.get().clouds.getByName('kubernetes').templates[0])"
    before = script(controller, xml), xml_of(controller, "other")
    assert run(controller, "sync").returncode == 0
    assert run(controller, "sync", "--prune", "--adopt", templates={"b": {}}).returncode == 0
    assert run(controller, "sync", templates={"b": {"idleMinutes": 5}, "kaniko": {}}).returncode == 0
    assert (script(controller, xml), xml_of(controller, "other")) == before
    assert [template.name for template in state(controller).templates] == ["maven", "b", "kaniko"]


def test_a_foreign_template_in_the_way_is_refused(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    before = state(controller)
    refused = run(controller, "sync", templates={"maven": {}})
    assert (refused.returncode, state(controller)) == (4, before)
    assert "nobody's mark is on it" in refused.stdout


BY_HAND = """
import org.csanchez.jenkins.plugins.kubernetes.volumes.EmptyDirVolume
def t = Jenkins.get().clouds.getByName('kubernetes').templates[0]
t.idleMinutes = 17
t.volumes = [new EmptyDirVolume('/cache', true)]
t.yaml = t.yaml.replace('cpu: 500m', 'cpu: 7')
Jenkins.get().save()
"""


def test_what_somebody_changed_by_hand_is_shown_and_undone(controller: StandIn, run: Command) -> None:
    run(controller, "sync")
    applied = xml_of(controller)
    script(controller, BY_HAND)
    drifted = run(controller, "drift")
    assert (drifted.returncode, drifted.stdout.splitlines()[1:]) == (
        2,
        ["  ~ template kaniko: changed by hand: idleMinutes, volumes, yaml", "1 drifted"],
    )
    planned = run(controller, "plan", "-o", "json")
    [change] = json.loads(planned.stdout)["controllers"][0]["changes"]
    volume = {"class": "volumes.EmptyDirVolume", "mountPath": "/cache", "memory": "true"}
    shown = {one["field"]: (one["old"], one["new"]) for one in change["fields"] if one["field"] != "yaml"}
    assert shown == {"idleMinutes": (17, 0), "volumes": ([volume], [])}
    assert len(change["fields"]) == 3
    assert run(controller, "sync").returncode == 0
    assert xml_of(controller) == applied
    assert run(controller, "drift").returncode == 0


def test_another_configuration_is_a_plan_and_no_drift(controller: StandIn, run: Command) -> None:
    run(controller, "sync")
    newer = {"kaniko": {"idleMinutes": 5}}
    assert run(controller, "drift", templates=newer).returncode == 0
    assert run(controller, "plan", templates=newer).returncode == 2


def test_a_template_that_nobody_owns_is_taken_over_with_consent_only(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    templates = {"maven": {"idleMinutes": 5}}
    assert run(controller, "sync", templates=templates).returncode == 4
    assert run(controller, "sync", "--adopt", templates=templates).returncode == 0
    (found,) = state(controller).templates
    assert (found.id, found.owner, found.fields["idleMinutes"]) == ("jenkins-kaniko-acme-maven", "acme", 5)
    assert run(controller, "plan", templates=templates).returncode == 0
    assert run(controller, "drift", templates=templates).returncode == 0


def test_a_template_is_taken_over_by_its_id(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    templates = {"maven": {"id": "hand-made"}}
    assert run(controller, "sync", templates=templates).returncode == 0
    (found,) = state(controller).templates
    assert (found.id, found.owner, found.fields["label"]) == ("hand-made", "acme", "maven")
    assert run(controller, "plan", templates=templates).returncode == 0


def test_what_is_no_longer_declared_goes_with_consent_only(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    run(controller, "sync", templates={name: {} for name in "abcde"})
    assert run(controller, "sync", templates={"e": {}}).returncode == 0
    assert len(state(controller).templates) == 6
    assert run(controller, "sync", "--prune", templates={"e": {}}).returncode == 4
    assert len(state(controller).templates) == 6
    assert run(controller, "sync", "--prune", "--allow-deletes", templates={"e": {}}).returncode == 0
    assert [template.name for template in state(controller).templates] == ["maven", "e"]


def test_a_rollback_restores_each_byte(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    script(controller, AWKWARD_BY_HAND)
    templates = {"a": {"idleMinutes": 5}, "b": {}}
    run(controller, "sync", templates=templates)
    before = xml_of(controller)
    after_change = {"b": {"idleMinutes": 7}, "c": {}, "maven": {"id": "hand-made"}, "awkward": {"id": "awkward"}}
    synced = run(controller, "sync", "--prune", "-o", "json", templates=after_change)
    assert synced.returncode == 0, synced.stdout
    assert [one.name for one in state(controller).templates] == ["maven", "awkward", "b", "c"]
    after = xml_of(controller)
    saved = json.loads(synced.stdout)["controllers"][0]["backup"]
    back = run(controller, "rollback", saved, "-o", "json", templates=after_change)
    assert (back.returncode, xml_of(controller)) == (0, before)
    controller.restart()
    assert xml_of(controller) == before
    saved = json.loads(back.stdout)["controllers"][0]["backup"]
    assert (run(controller, "rollback", saved, templates=after_change).returncode, xml_of(controller)) == (0, after)


def test_idle_agents_that_hold_the_old_pod_are_told(controller: StandIn, run: Command) -> None:
    run(controller, "sync", templates={"a": {}, "b": {}})
    for name, template in (("a-1", "a"), ("b-1", "b")):
        script(
            controller,
            f"""
            def template = Jenkins.get().getCloud('kubernetes').templates.find {{ it.name == '{template}' }}
            def kind = org.csanchez.jenkins.plugins.kubernetes.KubernetesSlave
            Jenkins.get().addNode(kind.newInstance('{name}', template, '', 'kubernetes', '{template}'))""",
        )
    try:
        for command, code in (("plan", 2), ("sync", 0)):
            done = run(controller, command, templates={"a": {"idleMinutes": 5}, "b": {}})
            assert done.returncode == code
            assert "    agents that keep the old pod until they end: a-1\n" in done.stdout
        assert {(one.name, one.idle) for one in state(controller).agents} == {("a-1", True), ("b-1", True)}
    finally:
        script(controller, "def j = Jenkins.get(); j.nodes.each { j.removeNode(it) }")


# --- the cloud itself --------------------------------------------------------------------------------------------

ENSURED = {
    "serverUrl": "https://kubernetes.default",
    "namespace": "builds",
    "jenkinsUrl": "http://jenkins:8080",
    "containerCap": 10,
    "waitForPodSeconds": 300,
    "podRetention": "OnFailure",
    "podLabels": {"team": "a", "note": "<&> '\" é"},
    "webSocket": True,
    "restrictedPodSecurity": True,
}


def test_a_cloud_is_created_and_then_is_as_wanted(controller: StandIn, run: Command) -> None:
    other = xml_of(controller, "other")
    created = {"cloud": "new", "ensureCloud": ENSURED}
    try:
        planned = run(controller, "plan", **created)
        assert (planned.returncode, "  + cloud new\n" in planned.stdout) == (2, True)
        assert script(controller, "println Jenkins.get().clouds*.name") == "[kubernetes, other]\n"
        assert run(controller, "sync", **created).returncode == 0
        controller.restart()
        for command in ("plan", "drift", "sync"):
            done = run(controller, command, **created)
            assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 unchanged")
        new = door(controller, "new").read()
        labels = [{"class": "PodLabel", "key": key, "value": value} for key, value in ENSURED["podLabels"].items()]  # type: ignore[attr-defined]
        assert {**new.cloud_fields, "restrictedPssSecurityContext": True} == {
            "serverUrl": "https://kubernetes.default",
            "namespace": "builds",
            "jenkinsUrl": "http://jenkins:8080",
            "containerCapStr": "10",
            "waitForPodSec": 300,
            "podRetention": "pod.retention.OnFailure",
            "podLabels": labels,
            "webSocket": True,
            "restrictedPssSecurityContext": True,
        }
        lacks = "restrictedPssSecurityContext" not in new.cloud_defaults
        assert ("has no field restrictedPssSecurityContext; left out" in planned.stdout) is lacks
        assert xml_of(controller, "other") == other
    finally:
        script(controller, "def c = Jenkins.get().clouds; c.remove(c.getByName('new'))")


BY_HAND_CLOUD = """
def cloud = Jenkins.get().clouds.getByName('kubernetes')
cloud.serverUrl = 'https://old'
cloud.credentialsId = 'kept'
cloud.capOnlyOnAlivePods = true
cloud.defaultsProviderTemplate = 'maven'
if (cloud.hasProperty('garbageCollection')) {
    def kind = cloud.class.classLoader.loadClass(cloud.class.name.replace('KubernetesCloud', 'GarbageCollection'))
    cloud.garbageCollection = kind.newInstance()
}
Jenkins.get().save()
"""


def test_a_cloud_is_changed_in_place_and_keeps_all_else(controller: StandIn, run: Command) -> None:
    script(controller, FOREIGN)
    script(controller, BY_HAND_CLOUD)
    try:
        before, other = xml_of(controller), xml_of(controller, "other")
        changed = {"ensureCloud": {"serverUrl": "https://new"}}
        done = run(controller, "sync", templates={}, **changed)
        assert done.returncode == 0
        assert '  ~ cloud kubernetes: serverUrl: "https://old" -> "https://new"\n' in done.stdout
        assert xml_of(controller) == before.replace("https://old", "https://new")
        assert xml_of(controller, "other") == other
        assert script(controller, "println Jenkins.get().clouds*.name") == "[kubernetes, other]\n"
        assert run(controller, "plan", templates={}, **changed).returncode == 0
    finally:
        script(
            controller,
            """
            def clouds = Jenkins.get().clouds
            def fresh = clouds[0].class.newInstance('kubernetes')
            clouds.replaceBy(clouds.collect { it.name == 'kubernetes' ? fresh : it })""",
        )


def test_two_clouds_of_one_name_are_refused(tmp_path: Path, run: Command) -> None:
    with StandIn(tmp_path / "home", clouds=["kubernetes", "kubernetes"]) as twice:
        for command in ("plan", "sync"):
            done = run(twice, command)
            assert (done.returncode, "2 clouds are named 'kubernetes'" in done.stdout) == (4, True)
        assert "<templates/>" in xml_of(twice)


# --- what does not fit -------------------------------------------------------------------------------------------

UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "class that is not there": (
        {"podRetention": "pod.retention.Evicted"},
        'podRetention cannot be "pod.retention.Evicted": this plugin version has no pod.retention.Evicted',
    ),
    "class that is nobody's": (
        {"workspaceVolume": {"class": "../java.lang.Runtime"}},
        """workspaceVolume cannot be {"class":"../java.lang.Runtime"}: '../java.lang.Runtime' is not the name of""",
    ),
    "class within a list": (
        {"volumes": ["volumes.EmptyDirVolume", {"class": "volumes.NoSuchVolume"}]},
        'volumes cannot be ["volumes.EmptyDirVolume",{"class":"volumes.NoSuchVolume"}]: this plugin version has no ',
    ),
    "class of another kind": (
        {"podRetention": {"class": "ContainerTemplate"}},
        'podRetention cannot be {"class":"ContainerTemplate"}: ',
    ),
    "abstract class": (
        {"volumes": ["volumes.PodVolume"]},
        'volumes cannot be ["volumes.PodVolume"]: this plugin version has no volumes.PodVolume',
    ),
    "text for a number": ({"idleMinutes": "many"}, 'idleMinutes cannot be "many": '),
    "list for a text": ({"label": ["a", "b"]}, 'label cannot be ["a","b"]: '),
    "unknown mode": ({"nodeUsageMode": "SOMETIMES"}, 'nodeUsageMode cannot be "SOMETIMES": '),
    "name that is no name": ({"volumes": [{"class": "volumes.EmptyDirVolume", "a b><c": "d"}]}, "volumes cannot be ["),
}


@pytest.mark.parametrize(("fields", "said"), UNFIT.values(), ids=UNFIT)
def test_a_value_that_does_not_fit_is_named_and_changes_nothing(
    controller: StandIn, fields: dict[str, Any], said: str
) -> None:
    before = state(controller)
    wanted = [PodTemplate("x", "fits", {"name": "fits"}), PodTemplate("y", "unfit", {"name": "unfit", **fields})]
    with pytest.raises(WrongInputError) as caught:
        door(controller).apply(before.hash, wanted)
    assert f": template unfit: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert state(controller) == before


def test_a_kind_of_value_that_the_plugin_does_not_have_is_in_the_plan(controller: StandIn, run: Command) -> None:
    done = run(controller, "plan", templates={"kaniko": {"podRetention": "Evicted"}})
    assert "  ! would be refused: template kaniko: podRetention: kubernetes plugin " in done.stdout
    assert run(controller, "sync", templates={"kaniko": {"podRetention": "Evicted"}}).returncode == 4
    assert state(controller).templates == ()


def test_what_only_one_version_has_is_left_out_and_noted(controller: StandIn, run: Command) -> None:
    templates = {
        "kaniko": {
            "inheritYamlMergeStrategy": True,
            "agentContainer": "kaniko",
            "agentInjection": True,
            "jenkins": {
                "schedulerName": "own",
                "volumes": [
                    {"class": "volumes.HostPathVolume", "hostPath": "/a", "mountPath": "/b", "readOnly": True},
                    {"class": "volumes.ConfigMapVolume", "configMapName": "a", "mountPath": "/c", "subPath": "d"},
                ],
            },
        }
    }
    synced = run(controller, "sync", templates=templates)
    lines = {line.strip() for line in synced.stdout.splitlines() if line.endswith("; left out")}
    older = state(controller).plugin_version.startswith("1.29")
    version = state(controller).plugin_version
    lacking = {"field agentContainer", "field agentInjection"}
    objects = {"readOnly of volumes.HostPathVolume", "subPath of volumes.ConfigMapVolume"} if older else set()
    lacking |= {"field inheritYamlMergeStrategy", "field schedulerName"} if older else set()
    assert lines == {
        *(f"template kaniko: kubernetes plugin {version} has no {name}; left out" for name in lacking),
        *(f"template kaniko: volumes: kubernetes plugin {version} has no {name}; left out" for name in objects),
    }
    assert synced.returncode == 0
    assert run(controller, "plan", templates=templates).returncode == 0
    assert run(controller, "drift", templates=templates).returncode == 0


@pytest.mark.parametrize("text", ["", "<a", "<string>x</string>", "<a.b.C/>", "<java.lang.Runtime/>"])
def test_a_backup_whose_text_is_no_template_is_refused(controller: StandIn, text: str) -> None:
    before = state(controller)
    with pytest.raises(WrongInputError, match="the backup's text of template x is not one of a pod template"):
        door(controller).apply(before.hash, [PodTemplate("x", "x", xml=text)])
    assert state(controller) == before


def test_a_change_that_jenkins_cannot_save_is_undone_in_memory(controller: StandIn) -> None:
    """As on a full disk: else the change would look applied until the next restart."""
    before = state(controller)
    config = controller.home / "config.xml"
    content = config.read_bytes()
    config.unlink()
    (config / "in-the-way").mkdir(parents=True)
    try:
        with pytest.raises(JenkinsKanikoError, match="Jenkins could not save the change: ") as caught:
            door(controller).apply(before.hash, [PodTemplate("x", "x", {"name": "x"})], {"namespace": "x"})
        assert caught.value.exit_code == 7
        assert state(controller) == before
    finally:
        (config / "in-the-way").rmdir()
        config.rmdir()
        config.write_bytes(content)


# --- interruptions -----------------------------------------------------------------------------------------------


def test_a_state_that_moved_since_the_plan_is_not_touched(controller: StandIn) -> None:
    planned = state(controller)
    script(controller, FOREIGN)
    moved = state(controller)
    with pytest.raises(Exception, match="changed since the plan; nothing was changed") as caught:
        door(controller).apply(planned.hash, [PodTemplate("x", "x", {"name": "x"})])
    assert type(caught.value).__name__ == "RefusedError"
    assert state(controller) == moved


def test_the_result_survives_a_restart(controller: StandIn, run: Command) -> None:
    run(controller, "sync")
    before = state(controller)
    controller.restart()
    assert state(controller) == before
    assert run(controller, "plan").returncode == 0


def test_a_configuration_never_becomes_code(controller: StandIn, run: Command) -> None:
    awkward = "'''\"\"\" + ${Jenkins.get().doSafeRestart()} \\ ' // \n */ é 🐳 \u0085"
    templates = {"kaniko": {"pod": {"metadata": {"annotations": {"note": awkward}}}, "inheritFrom": awkward}}
    assert run(controller, "sync", templates=templates).returncode == 0
    assert state(controller).templates[0].fields["inheritFrom"] == awkward
    assert run(controller, "plan", templates=templates).returncode == 0


def test_a_pod_too_long_for_one_literal_goes_in_several(controller: StandIn, run: Command) -> None:
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
    controller: StandIn, run: Command, changes: dict[str, str], token: str | None, code: int, said: str
) -> None:
    known = {"password": controller.admin.password, "reader": controller.user("reader").token}
    for command in ("plan", "sync"):
        done = run(controller, command, token=known.get(token or "", token), **changes)
        assert done.returncode == code
        assert said in done.stdout
        assert len(done.stdout.splitlines()) == 3
        assert controller.admin.token not in done.stdout + done.stderr


def test_a_controller_that_is_starting_says_so(tmp_path: Path, run: Command) -> None:
    with StandIn(tmp_path / "home", starting_seconds=60) as starting:
        done = run(starting, "plan")
    assert (done.returncode, "HTTP 503: Jenkins is starting" in done.stdout) == (5, True)


def test_a_cloud_of_configuration_as_code_is_refused(tmp_path: Path, run: Command) -> None:
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
    controller: StandIn, run: Command, fault: Fault, applied: bool, said: str
) -> None:
    with FaultyProxy(controller.url, ["none", fault]) as proxy:
        cut = run(controller, "sync", url=proxy.url)
        assert (cut.returncode, said in cut.stdout) == (5, True)
        assert bool(state(controller).templates) is applied
        again = run(controller, "sync", url=proxy.url)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged" if applied else "1 applied")
    assert [template.name for template in state(controller).templates] == ["kaniko"]


def test_a_proxy_that_takes_no_long_requests_is_named(controller: StandIn, run: Command) -> None:
    noise = {f"key-{n}": os.urandom(40).hex() for n in range(2000)}
    templates = {"kaniko": {"pod": {"metadata": {"annotations": noise}}}}
    with FaultyProxy(controller.url, max_bytes=100_000) as proxy:
        refused = run(controller, "sync", url=proxy.url, templates=templates)
        assert refused.returncode == 5
        assert "HTTP 413: a proxy before Jenkins takes no requests of this size; raise its limit" in refused.stdout
        assert state(controller).templates == ()
        assert run(controller, "sync", url=proxy.url).returncode == 0, "a short one passes"


def test_a_slow_answer_is_waited_for(controller: StandIn, run: Command) -> None:
    with FaultyProxy(controller.url, ["slow", "slow"], delay=3) as proxy:
        assert run(controller, "sync", url=proxy.url).returncode == 0
        assert proxy.faults == []
    assert [template.name for template in state(controller).templates] == ["kaniko"]


def test_a_restart_between_plan_and_apply_does_not_matter(controller: StandIn, run: Command) -> None:
    with FaultyProxy(controller.url, ["none", controller.restart]) as proxy:
        done = run(controller, "sync", url=proxy.url)
        assert (done.returncode, proxy.faults) == (0, [])
    assert [template.name for template in state(controller).templates] == ["kaniko"]


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_client_that_is_killed_leaves_a_whole_state_and_a_backup(
    controller: StandIn, run: Command, tmp_path: Path, carried_out: bool
) -> None:
    run(controller, "sync", templates={"a": {}})
    templates = {"a": {"idleMinutes": 5}, "b": {}}
    with FaultyProxy(controller.url, ["none", "hold"]) as proxy:
        with run.started(controller, "sync", templates=templates, url=proxy.url) as client:
            assert proxy.holding.wait(30)
            client.kill()
        if carried_out:
            proxy.release.set()
            assert proxy.forwarded.wait(30)
        backups = sorted(tmp_path.glob(".jenkins-kaniko/backups/main/*.json"))
        assert [len(json.loads(path.read_text())["templates"]) for path in backups] == [0, 1]
        assert [one.name for one in state(controller).templates] == (["a", "b"] if carried_out else ["a"])
        again = run(controller, "sync", templates=templates)
        assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 unchanged" if carried_out else "1 applied")
        assert [one.name for one in state(controller).templates] == ["a", "b"]
        if not carried_out:  # what the dead client had sent arrives late: the state has moved, nothing happens
            before = state(controller)
            proxy.release.set()
            assert proxy.forwarded.wait(30)
            assert state(controller) == before
