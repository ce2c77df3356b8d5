"""Configuration-as-code on the stand-in: export, apply and reload as recorded, for clouds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.standin import StandIn
from tests.test_standin_plugin import CONTRACT, IMPORTS, RECORDED_CLOUDS, saved

RECORDED_YAML = {"4238": "clouds-4238.casc.yaml", "1.29": "clouds-1.29.0.casc.yaml"}
TOKEN = "correct horse"

pytestmark = pytest.mark.jvm


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the controllers are configured by."""
    return tmp_path_factory.mktemp("casc") / "jenkins.yaml"


@pytest.fixture(scope="module", params=["4238", "1.29"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, source: Path
) -> Iterator[StandIn]:
    source.write_text("")
    standin = StandIn(tmp_path_factory.mktemp("home"), plugin=request.param, casc=[source], reload_token=TOKEN)
    for name in ("Read", "SystemRead", "Manage"):
        standin.add_user(name, name)
    with standin:
        yield standin


@pytest.fixture
def controller(running: StandIn, source: Path) -> StandIn:
    """The running controller without clouds, and its source without any."""
    source.write_text("")
    running.run("Jenkins.get().clouds.replaceBy([])")
    return running


def clouds(*names: str) -> str:
    return "jenkins:\n  clouds:\n" + "".join(f"  - kubernetes:\n      name: {name}\n" for name in names)


def names(standin: StandIn) -> str:
    return standin.run("Jenkins.get().clouds*.name").removeprefix("Result: ").strip()


def apply(standin: StandIn, text: str) -> requests.Response:
    return standin.post("configuration-as-code/apply", data=text)


def export(standin: StandIn) -> str:
    return standin.post("configuration-as-code/export").text


def reload_by_token(standin: StandIn, token: str = TOKEN) -> requests.Response:
    url = standin.url + "reload-configuration-as-code/"
    return requests.post(url, params={"casc-reload-token": token}, timeout=30)


@pytest.mark.parametrize(
    ("path", "permission"), [("export", "SystemRead"), ("apply", "Administer"), ("reload", "Manage")]
)
def test_who_may_what(controller: StandIn, path: str, permission: str) -> None:
    if (controller.plugin, path) == ("1.29", "reload"):
        permission = "Administer"
    answers = {
        user: controller.post(f"configuration-as-code/{path}", controller.user(user))
        for user in ("Read", "SystemRead", "Manage")
    }
    for user, answer in answers.items():
        if user == permission:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.headers["X-You-Are-Authenticated-As"]) == (403, user)
            assert answer.headers["X-Required-Permission"] == f"hudson.model.Hudson.{permission}"
    assert controller.post(f"configuration-as-code/{path}").status_code == 200
    admin = controller.admin
    got = requests.get(f"{controller.url}configuration-as-code/{path}", auth=(admin.name, admin.token), timeout=10)
    assert got.status_code == 405


def test_export_of_the_recorded_cloud(controller: StandIn) -> None:
    controller.run(CONTRACT / "clouds.groovy")
    assert export(controller) == (CONTRACT / RECORDED_YAML[controller.plugin]).read_text(encoding="utf-8")


def test_apply_of_the_recorded_export(controller: StandIn) -> None:
    """All comes back but `hostNetwork: false`, which no export tells: it is what a new template has."""
    yaml = (CONTRACT / RECORDED_YAML[controller.plugin]).read_text(encoding="utf-8")
    answer = apply(controller, yaml)
    assert (answer.status_code, answer.text) == (200, "")
    recorded = (CONTRACT / RECORDED_CLOUDS[controller.plugin]).read_text(encoding="utf-8")
    assert saved(controller) == recorded.replace("          <hostNetwork>false</hostNetwork>\n", "")
    assert export(controller) == yaml


EVERYTHING = """jenkins:
  clouds:
  - kubernetes:
      containerCap: 7
      containerCapStr: "7"
      maxRequestsPerHost: 64
      maxRequestsPerHostStr: "64"
      name: "all"
      podLabels:
      - key: "team"
        value: "a"
      podRetention: "always"
      templates:
      - containers:
        - envVars:
          - secretEnvVar:
              key: "K"
              secretKey: "k"
              secretName: "s"
          image: "i"
          livenessProbe:
            execArgs: "true"
            failureThreshold: 1
            initialDelaySeconds: 2
            periodSeconds: 3
            successThreshold: 4
            timeoutSeconds: 5
          name: "c"
          ports:
          - containerPort: 80
            name: "http"
          runAsUser: "010"
          shell: "^${HOME} is ${UNKNOWN_TO_ALL}empty"
        hostNetwork: true
        id: "x"
        nodeUsageMode: "NORMAL"
        runAsUser: "0"
        terminationGracePeriodSeconds: 9
        volumes:
        - persistentVolumeClaim:
            claimName: "v"
            mountPath: "/v"
            readOnly: true
        - nfsVolume:
            mountPath: "/n"
            readOnly: false
            serverAddress: "a"
            serverPath: "/p"
        workspaceVolume:
          dynamicPVC:
            requestsSize: "1Gi"
"""


def test_apply_and_export_know_every_kind_of_value(controller: StandIn) -> None:
    assert apply(controller, EVERYTHING).text == ""
    # A number is told as a number, an unknown variable is empty, and what was escaped is escaped again.
    default = '        yamlMergeStrategy: "override"\n' if controller.plugin == "1.29" else ""
    expected = EVERYTHING.replace('"010"', '"10"').replace("${UNKNOWN_TO_ALL}", "")
    assert export(controller) == expected + default
    assert controller.run("Jenkins.get().clouds[0].templates[0].containers[0].shell") == "Result: ${HOME} is empty\n"


def test_variables_come_from_the_environment(controller: StandIn) -> None:
    apply(controller, clouds('"${HOME}-^${HOME}"'))
    assert (
        controller.run("def n = Jenkins.get().clouds[0].name; n == System.getenv('HOME') + '-${HOME}'")
        == "Result: true\n"
    )


def test_what_is_configurable_is_what_was_recorded(controller: StandIn) -> None:
    """The plugin's @DataBoundSetter, less those for the first container, and two that need no annotation."""
    recorded = (CONTRACT / "defaults-4238.txt").read_text(encoding="utf-8")
    line = recorded.partition("=== PodTemplate @DataBoundSetter names\n")[2].splitlines()[0]
    setters = {word.partition("(")[0].removeprefix("set") for word in line.split()}
    deprecated = {"AlwaysPullImage", "Args", "Command", "Privileged", "RemoteFs"}
    deprecated |= {f"Resource{kind}{what}" for kind in ("Request", "Limit") for what in ("Cpu", "Memory")}
    newer = {"SchedulerName", "InheritYamlMergeStrategy"} if controller.plugin == "1.29" else set()
    expected = setters - deprecated - newer - {"NodeProperties"} | {"Id", "TerminationGracePeriodSeconds", "Yamls"}
    answer = apply(controller, clouds("a") + "      templates:\n      - nope: 1\n")
    available = answer.text.splitlines()[1].removeprefix("Available attributes : ").split(", ")
    assert {name[0].upper() + name[1:] for name in available} == expected


def test_lists_are_put_together_and_replace_what_is_there(controller: StandIn, source: Path) -> None:
    controller.run(IMPORTS + "Jenkins.get().clouds.add(new KubernetesCloud('scripted'))")
    source.write_text(clouds("a"))
    assert apply(controller, clouds("b", "a")).text == ""
    assert names(controller) == "[a, b, a]"
    objects = controller.run("Jenkins.get().clouds[0].templates << null; 'kept'")
    assert objects == "Result: kept\n"
    assert controller.post("configuration-as-code/reload").status_code == 200
    assert names(controller) == "[a]", "what was applied is no source"
    assert controller.run("Jenkins.get().clouds[0].templates") == "Result: []\n"
    source.write_text("")
    controller.post("configuration-as-code/reload")
    assert names(controller) == "[a]", "who defines no clouds leaves them"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (clouds("a") + "      nope: 1\n", "class org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud : nope.\n"
         "Available attributes : addMasterProxyEnvVars, capOnlyOnAlivePods, "),
        ("jenkins:\n  numExecutors: 5\n", "class jenkins.model.Jenkins : numExecutors.\nAvailable attributes : clouds"),
        ("unclassified: {}\n", "No configurator for the following root elements : unclassified."),
        (clouds("a").replace("kubernetes", "ec2"), "No Cloud is called : ec2.\nAvailable attributes : kubernetes"),
        (clouds("a").replace("clouds", "systemMessage: x\n  clouds"), "systemMessage"),
        (clouds("'${readFile:x}'"), "the stand-in looks up variables of the environment, not 'readFile:x'"),
        ("jenkins: []\n", "Found conflicting configuration at /jenkins"),
        ("jenkins: [", "expected"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_and_changes_nothing(
    controller: StandIn, source: Path, text: str, said: str
) -> None:
    source.write_text(clouds("there"))
    reload_by_token(controller)
    answer = apply(controller, text)
    assert (answer.status_code, said in answer.text) == (500, True), answer.text
    assert names(controller) == "[there]"


def test_reload_by_token(controller: StandIn, source: Path) -> None:
    source.write_text(clouds("a"))
    answer = reload_by_token(controller)
    assert (answer.status_code, answer.text, names(controller)) == (200, "", "[a]")
    assert reload_by_token(controller, "wrong").status_code == 401
    source.write_text("nope: 1\n")
    failed = reload_by_token(controller)
    assert (failed.status_code, "nope" in failed.text, names(controller)) == (500, True, "[a]")


def test_a_failed_reload_says_200_since_2099(tmp_path: Path) -> None:
    folder = tmp_path / "casc"
    folder.mkdir()
    (folder / "a.yaml").write_text(clouds("a"))
    (folder / "b.yaml").write_text(clouds("b"))
    (folder / "notes.txt").write_text("not read")
    with StandIn(tmp_path / "home", plugins={"configuration-as-code": "2117.v1"}, casc=[folder]) as standin:
        assert names(standin) == "[a, b]", "sources are loaded at the start, over the clouds there were"
        assert reload_by_token(standin).status_code == 404, "no token was configured"
    with StandIn(
        tmp_path / "home", plugins={"configuration-as-code": "2117.v1"}, casc=[folder], reload_token=TOKEN
    ) as standin:
        (folder / "b.yaml").write_text("nope: 1\n")
        answer = reload_by_token(standin)
        assert (answer.status_code, answer.json()["status"], "nope" in answer.text) == (200, "error", True)
        assert (
            standin.run("Jenkins.get().pluginManager.getPlugin('configuration-as-code').version").strip()
            == "Result: 2117.v1"
        )
        tell = "io.jenkins.plugins.casc.ConfigurationAsCode.get().sources"
        assert standin.run(tell) == f"Result: [{folder}]\n"
