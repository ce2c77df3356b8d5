"""A cloud by way of a ConfigMap: what is refused, waited for and told, with HTTP answers as a controller gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import requests
import responses

from jenkins_kaniko import casc, cluster, forms, jenkins, render
from jenkins_kaniko.apply import apply
from jenkins_kaniko.cluster import ConfigMap
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.export import Export
from jenkins_kaniko.fleetfile import Sidecar
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.model import PodTemplate
from jenkins_kaniko.plan import Plan, make
from jenkins_kaniko.sidecar import SidecarDoor
from tests.test_casc import RECORDED

URL = "https://jenkins.example.com/"
EXPORT, RELOAD = f"{URL}configuration-as-code/export", f"{URL}reload-configuration-as-code/"
PLUGINS = f"{URL}pluginManager/api/json"
TOKEN = "a reload&token"
SETTINGS = Sidecar(namespace="jenkins", label="jenkins-jenkins-config")
NO_CLOUDS = "jenkins:\n  numExecutors: 0\n"


def controller(name: str = "kubernetes", may_create: bool = True) -> jenkins.Controller:
    return jenkins.Controller("main", URL, "reader", "api-token", name, timeout=5, may_create=may_create)


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        content = {"plugins": [{"shortName": "kubernetes", "version": "4238.v4", "active": True}]}
        mock.get(PLUGINS, json=content, headers={"X-Jenkins": "2.452.1"})
        yield mock


class Release:
    """ConfigMaps, and a controller that loads what they define `after` so many reloads or looks."""

    def __init__(self, http: responses.RequestsMock, *maps: ConfigMap) -> None:
        self.maps = {one.name: one for one in maps}
        self.exported = NO_CLOUDS
        self.after = 0
        self.asked = 0
        self.written: list[ConfigMap] = []
        self.told: list[str] = []
        http.add_callback("POST", EXPORT, lambda _request: (200, {}, self.exported))
        http.add_callback("POST", RELOAD, self.reload)

    def list(self, namespace: str, label: str) -> tuple[ConfigMap, ...]:
        assert (namespace, label) == ("jenkins", "jenkins-jenkins-config")
        return tuple(self.maps.values())

    def write(self, wanted: ConfigMap) -> None:
        known = self.maps.get(wanted.name)
        if (known.version if known else None) != wanted.version:
            raise RefusedError(f"configmap {wanted.name}: somebody else changed it")
        self.written.append(wanted)
        self.maps[wanted.name] = replace(wanted, version=str(len(self.written)))

    def reload(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert f"{RELOAD}?casc-reload-token=a+reload%26token" == request.url
        self.asked += 1
        if self.asked > self.after:
            self.exported = "".join(self.maps["jenkins-kaniko"].data.values())
        return 200, {}, ""

    def door(self, token: str | None = TOKEN, *, adopt: bool = False, timeout: float = 0) -> SidecarDoor:
        return SidecarDoor(
            controller(), SETTINGS, "acme", token, adopt=adopt, timeout=timeout, tell=self.told.append
        )  # fmt: skip


@pytest.fixture
def release(http: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> Release:
    made = Release(http)
    monkeypatch.setattr(cluster, "list_config_maps", made.list)
    monkeypatch.setattr(cluster, "write_config_map", made.write)
    monkeypatch.setattr("jenkins_kaniko.sidecar.FIRST_PAUSE_SECONDS", 0.01)
    return made


MARK = {"key": "jenkins-kaniko/owner", "value": "acme"}
WANTED = PodTemplate("jenkins-kaniko-acme-kaniko", "kaniko", {"name": "kaniko", "annotations": [MARK]}, "acme")


def plan(door: Export, *wanted: PodTemplate, fields: Mapping[str, Any] | None = None) -> Plan:
    return make(
        door.read(), wanted or [WANTED], "acme", cloud=fields if fields is not None else {"namespace": "builds"}
    )


def source(*names: str, kind: str = "kubernetes") -> str:
    return render.dump({"jenkins": {"clouds": [{kind: {"name": name}} for name in names]}})


def other(name: str, text: str, **labels: str) -> ConfigMap:
    return ConfigMap("jenkins", name, {f"{name}.yaml": text}, {"jenkins-jenkins-config": "true", **labels}, version="9")


def mine(text: str) -> ConfigMap:
    return replace(other("jenkins-kaniko", text), labels=forms.labels(SETTINGS, "acme"))


# ways that must not be gone


@pytest.mark.parametrize(
    ("maps", "exported", "said"),
    [
        ([other("casc", source("a"))], NO_CLOUDS, "ConfigMap jenkins/casc defines clouds too (a)"),
        ([other("casc", source("a", kind="amazonEC2"))], NO_CLOUDS, "ConfigMap jenkins/casc defines clouds too (a)"),
        ([other("casc", "a: [")], NO_CLOUDS, "ConfigMap jenkins/casc defines clouds too (casc.yaml is not YAML"),
        (
            [other("old", source("kubernetes"), **{"jenkins-kaniko/owner": "acme"})],
            NO_CLOUDS,
            "ConfigMap jenkins/old defines clouds too (kubernetes)",
        ),
        (
            [other("jenkins-kaniko", NO_CLOUDS, **{"jenkins-kaniko/owner": "beta"})],
            NO_CLOUDS,
            "ConfigMap jenkins/jenkins-kaniko is of fleet beta",
        ),
        ([other("jenkins-kaniko", NO_CLOUDS)], NO_CLOUDS, "ConfigMap jenkins/jenkins-kaniko is not of this fleet"),
        ([], source("mine", kind="amazonEC2"), "no ConfigMap of this fleet defines mine, which the controller has"),
        ([], source("kubernetes"), "cloud kubernetes is there and no ConfigMap defines it"),
    ],
)
def test_nothing_is_written_where_it_could_harm(
    release: Release, maps: list[ConfigMap], exported: str, said: str
) -> None:
    release.maps, release.exported = {one.name: one for one in maps}, exported
    door = release.door()
    planned = plan(door)
    [refusal] = planned.refusals
    assert said in refusal
    with pytest.raises(RefusedError, match=re.escape(said)):
        apply(planned, door)
    assert (release.written, release.asked) == ([], 0)


@pytest.mark.parametrize(
    ("maps", "exported"),
    [
        ([], NO_CLOUDS),
        ([mine(source("kubernetes"))], source("kubernetes")),
        ([other("casc", NO_CLOUDS), other("words", "not: casc")], NO_CLOUDS),
        ([replace(other("casc", ""), data={"notes.txt": source("a")})], NO_CLOUDS),
        ([other("second", source("mine"), **{"jenkins-kaniko/owner": "acme"})], source("mine")),
    ],
)
def test_the_way_is_free(release: Release, maps: list[ConfigMap], exported: str) -> None:
    release.maps, release.exported = {one.name: one for one in maps}, exported
    assert plan(release.door()).refusals == ()


def test_an_obstacle_before_nothing_to_do_is_none(release: Release) -> None:
    release.exported = source("kubernetes")
    assert make(release.door().read(), [], "acme", cloud={}).empty


# what is written


def test_a_cloud_is_written_loaded_and_read_back(release: Release) -> None:
    door = release.door()
    state = apply(plan(door), door)
    [written] = release.written
    assert (written.namespace, written.name, written.labels, written.version) == (
        "jenkins",
        "jenkins-kaniko",
        forms.labels(SETTINGS, "acme"),
        None,
    )
    assert [one.name for one in state.templates] == ["kaniko"]
    assert (state.plugin_version, state.core_version) == ("4238.v4", "2.452.1")
    assert release.asked == 1
    assert make(release.door().read(), [WANTED], "acme", cloud={"namespace": "builds"}).empty


def test_templates_of_others_are_written_as_they_were_exported(release: Release) -> None:
    release.exported = RECORDED["4238.v41b_3ef14a_5d8"]
    door = release.door(adopt=True)
    ours = replace(WANTED, name="ours", fields={**WANTED.fields, "name": "ours"})
    apply(plan(door, ours, fields={}), door)
    before = casc.defined_clouds(RECORDED["4238.v41b_3ef14a_5d8"])[0]["kubernetes"]
    after = casc.defined_clouds(release.exported)[0]["kubernetes"]
    assert after["templates"][:2] == before["templates"]
    assert {**after, "templates": 0} == {**before, "templates": 0}


def test_labels_notes_and_version_of_the_config_map_go_along(release: Release) -> None:
    present = replace(mine(source("kubernetes")), annotations={"note": "kept"})
    release.maps = {present.name: replace(present, labels={**present.labels, "team": "a"})}
    release.exported = source("kubernetes")
    release.written.append(present)
    with pytest.raises(RefusedError, match="somebody else"):
        release.write(replace(present, version="8"))
    door = release.door()
    apply(plan(door), door)
    written = release.written[-1]
    assert (written.annotations, written.labels["team"], written.version) == ({"note": "kept"}, "a", "9")


def test_a_file_that_comes_late_is_waited_for(release: Release) -> None:
    release.after = 3
    door = release.door(timeout=30)
    apply(plan(door), door)
    assert (release.asked, len(release.written)) == (4, 1)
    assert set(release.told) == {"main: waits for ConfigMap jenkins/jenkins-kaniko to be loaded"}


def test_a_run_that_was_cut_off_is_gone_on_with(release: Release) -> None:
    release.after = 1
    door = release.door()
    with pytest.raises(JenkinsKanikoError, match=r"differs in kubernetes\.namespace, kaniko; .* The next run goes on"):
        apply(plan(door), door)
    again = release.door()
    apply(plan(again), again)
    assert (release.asked, len(release.written)) == (2, 1)


def test_what_another_one_did_meanwhile_is_not_overwritten(release: Release) -> None:
    door = release.door()
    planned = plan(door)
    release.exported = source("kubernetes")
    with pytest.raises(RefusedError, match="changed since the plan; nothing was changed"):
        apply(planned, door)
    release.exported = NO_CLOUDS
    release.maps = {"jenkins-kaniko": mine(NO_CLOUDS)}
    with pytest.raises(RefusedError, match="somebody else changed it"):
        apply(planned, door)
    assert (release.written, release.asked) == ([], 0)


def test_two_clouds_of_one_name_after_the_reload_are_told(release: Release, http: responses.RequestsMock) -> None:
    door = release.door(timeout=30)
    planned = plan(door)
    http.remove("POST", EXPORT)
    http.add("POST", EXPORT, body=NO_CLOUDS)
    http.add("POST", EXPORT, body=source("kubernetes", "kubernetes"))
    with pytest.raises(JenkinsKanikoError, match="2 clouds are named 'kubernetes', since ConfigMap jenkins/") as caught:
        apply(planned, door)
    assert caught.value.exit_code == 7


def test_more_than_a_config_map_holds_is_told_before(release: Release) -> None:
    door = release.door()
    large = PodTemplate("i", "n", {"name": "n", "annotations": [], "yaml": "x" * 1_000_000}, "acme")
    with pytest.raises(WrongInputError, match="a ConfigMap holds 1000000"):
        apply(plan(door, large), door)
    assert release.written == []


def test_without_a_token_only_the_sidecar_reloads(release: Release) -> None:
    door = release.door(token=None)
    with pytest.raises(JenkinsKanikoError, match="look at the sidecar's log and label, or give reloadToken"):
        apply(plan(door), door)
    assert (release.asked, len(release.written)) == (0, 1)


# what a controller answers


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ({"status": 401}, UnreachableError, "HTTP 401: the reload token is wrong"),
        ({"status": 404}, UnreachableError, "HTTP 404: reloading with a token is not enabled there"),
        ({"status": 200, "json": {"status": "error", "message": "no such field"}}, JenkinsKanikoError,
         "the reload failed there: HTTP 200: no such field"),
        ({"status": 500, "body": "<html><h1>Oops</h1> at line 3"}, JenkinsKanikoError, "HTTP 500: Oops"),
        ({"status": 500, "json": {"status": "error", "message": "x"}}, JenkinsKanikoError, "HTTP 500: x"),
        ({"status": 200, "body": "<html>please log in"}, JenkinsKanikoError, "HTTP 200: please log in"),
        ({"status": 302, "headers": {"Location": "/login"}}, JenkinsKanikoError, "HTTP 302"),
        ({"body": requests.ConnectionError(f"no route to {RELOAD}?casc-reload-token={TOKEN}")}, UnreachableError,
         "cannot be reached: no route to"),
        ({"body": requests.ConnectionError("no: ?casc-reload-token=a+reload%26token")}, UnreachableError, "token=…"),
        ({"body": requests.ReadTimeout(f"{TOKEN}")}, UnreachableError, "no answer to the reload within 5 s"),
    ],
)  # fmt: skip
def test_a_reload_that_did_not_happen_is_told_without_the_token(
    http: responses.RequestsMock, answer: dict[str, Any], kind: type[Exception], said: str
) -> None:
    http.post(RELOAD, **answer)
    with pytest.raises(kind, match=re.escape(said)) as caught:
        controller().reload(TOKEN)
    assert type(caught.value) is kind
    assert TOKEN not in str(caught.value)
    assert "a+reload" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("body", ["", "\n", '{"status": "success"}', "{}"])
def test_a_reload_that_happened_is_none_of_these(http: responses.RequestsMock, body: str) -> None:
    http.post(RELOAD, body=body)
    controller().reload(TOKEN)
    assert http.calls[0].request.url == f"{RELOAD}?casc-reload-token=a+reload%26token"


def test_a_wrong_token_ends_the_wait(release: Release, http: responses.RequestsMock) -> None:
    http.remove("POST", RELOAD)
    http.post(RELOAD, status=401)
    door = release.door(timeout=600)
    with pytest.raises(UnreachableError, match="the reload token is wrong"):
        apply(plan(door), door)


def test_a_reload_that_goes_on_failing_is_the_reason_given(release: Release, http: responses.RequestsMock) -> None:
    http.remove("POST", RELOAD)
    http.post(RELOAD, json={"status": "error", "message": "Failed to reload configuration: nope"})
    door = release.door()
    with pytest.raises(JenkinsKanikoError, match="Failed to reload configuration: nope"):
        apply(plan(door), door)
    assert "nope" in release.told[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 403, "headers": {"X-Required-Permission": "hudson.model.Hudson.SystemRead"}},
         "HTTP 403: reader lacks hudson.model.Hudson.SystemRead; reading what configuration-as-code exports needs "
         "Overall/SystemRead"),
        ({"status": 404}, "HTTP 404: no Jenkins at this address; check url, its path included, and that the "
         "configuration-as-code plugin is installed"),
        ({"status": 401}, "HTTP 401: wrong user or token for reader"),
        ({"body": "jenkins: FAILED TO EXPORT"}, "controller main: its export: not configuration-as-code"),
        ({"body": source("a")}, "its export shows no cloud named 'kubernetes' (its clouds: a)"),
    ],
)  # fmt: skip
def test_an_export_that_cannot_be_had_is_told(http: responses.RequestsMock, answer: dict[str, Any], said: str) -> None:
    http.post(EXPORT, **answer)
    with pytest.raises(JenkinsKanikoError, match=re.escape(said)):
        Export(controller(may_create=False)).read()


def test_a_plugin_list_that_may_not_be_read_does_not_matter(http: responses.RequestsMock) -> None:
    http.remove("GET", PLUGINS)
    http.get(PLUGINS, status=403)
    http.post(EXPORT, body=RECORDED["4238.v41b_3ef14a_5d8"])
    state = Export(controller()).read()
    assert (state.plugin_version, state.core_version, len(state.templates)) == ("unknown", "unknown", 2)


def test_an_export_changes_nothing(http: responses.RequestsMock) -> None:
    http.post(EXPORT, body=source("kubernetes"))
    door = Export(controller())
    with pytest.raises(RefusedError, match="an export can only be read"):
        apply(plan(door), door)


def test_a_backup_is_put_back_as_it_was_exported(release: Release) -> None:
    release.exported = RECORDED["4238.v41b_3ef14a_5d8"]
    release.maps = {"jenkins-kaniko": mine(source("kubernetes"))}
    kept = release.door().read(backup=True).templates[0]
    door = release.door()
    door.read()
    restored: PodTemplate = PodTemplate(kept.id, kept.name, xml=kept.xml)
    state = door.apply(door.read().hash, (1, restored))
    assert [one.id for one in state.templates] == ["min", "jenkins-kaniko-kaniko"]
    [cloud] = casc.defined_clouds(RECORDED["4238.v41b_3ef14a_5d8"])
    after: list[Json] = casc.defined_clouds(release.exported)
    assert after[0]["kubernetes"]["templates"] == list(reversed(cloud["kubernetes"]["templates"]))


def test_a_backup_of_the_script_console_is_not_put_into_a_config_map(release: Release) -> None:
    door = release.door()
    with pytest.raises(WrongInputError, match="not made by --via configmap"):
        door.apply(door.read().hash, (PodTemplate("i", "n", xml="<a><id>i</id></a>"),))
    assert release.written == []
