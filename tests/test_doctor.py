"""What doctor makes of findings, and of clusters that the lab has not; the rest is asked on the lab (tests/lab)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import (
    checks_agents,
    checks_cluster,
    checks_installed,
    checks_jenkins,
    checks_push,
    checks_quota,
    checks_registry,
    cli_doctor,
    doctor,
    doctorreport,
)
from jenkins_kaniko import registry as parts
from jenkins_kaniko.buildjob import Mounted, Spec
from jenkins_kaniko.certificates import new_authority
from jenkins_kaniko.checks_jenkins import Way
from jenkins_kaniko.cli import cli
from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.errors import DeniedError, JenkinsKanikoError, UnansweredError, UnreachableError
from jenkins_kaniko.findings import ERROR, INFO, WARNING, Finding, Place
from jenkins_kaniko.jenkins import Controller
from jenkins_kaniko.model import CloudState
from jenkins_kaniko.registry import Registry
from tests.support.fake_cluster import RUNNING, FakeCluster, ended
from tests.support.fake_objects import FakeObjects

NODE = {"metadata": {"name": "n1"}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


class Fake:
    """A cluster where all is well, but for what a test says; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        healthy = {"version": "v1.34.1", "Namespace": {"status": {"phase": "Active"}}, "Node": [NODE], "may": True}
        self.answers = {**healthy, **answers}

    def _answer(self, name: str) -> Any:
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def version(self) -> Any:
        return self._answer("version")

    def read(self, kind: str, _name: str, _namespace: str | None = None) -> Any:
        return self._answer(kind)

    def listed(self, kind: str, _namespace: str | None = None, **_query: str) -> Any:
        return self._answer(kind) or []

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Mapping[str, Any]:
        return manifest

    def may(self, *_arguments: str, **_options: str) -> bool:
        return bool(self.answers["may"])

    def user(self) -> Any:
        return self._answer("user")


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def place(image: str | None = None, **answers: Any) -> Place:
    spec = Spec("doctor", {"image": image or "x"}, "me", "abc", registry_secret=Mounted("docker-config", optional=True))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "doctor"}, "spec": {}}
    return Place(cast(Objects, Fake(**answers)), "builds", spec, image, [pod])


def names(where: Place) -> list[str]:
    return [one.name for one in doctor.examine(where, trial("error checking push permissions: 401"))]


def trial(said: str) -> FakeCluster:
    """Return a cluster where the builder of a trial ends with a word."""
    return FakeCluster([[RUNNING], [ended(1)]], [[f"2026-01-01T00:00:00Z {said}".encode()]])


def test_a_cluster_that_is_too_old_to_stream() -> None:
    assert names(place(version="v1.29.4+k3s1")) == ["cluster-old", "registry-secret-none"]


def test_rights_are_missing_in_a_cluster_that_cannot_tell_who_asks() -> None:
    """Before 1.28 there is no SelfSubjectReview."""
    (found,) = checks_cluster.rights(place(user=UnreachableError("404"), may=False))
    assert (found.name, found.severity) == ("rights-missing", ERROR)
    assert found.evidence.startswith("this account may not in builds: create and list and delete jobs, ")
    assert found.fix.endswith("--role=jenkins-kaniko-build --user=USER")


def test_a_cluster_that_is_lost_on_the_way_ends_it() -> None:
    assert names(place(Node=UnansweredError("gone"))) == ["cluster-unreachable"]


def test_what_may_not_be_seen_is_said_and_the_rest_is_seen() -> None:
    assert names(place(Namespace=UnreachableError("403"), Node=UnreachableError("403"))) == [
        "not-checked",
        "not-checked",
        "registry-secret-none",
    ]


def test_a_rule_that_does_not_admit_what_is_tried_is_a_finding_and_the_rest_is_seen() -> None:
    """Between a dry run and the real thing somebody can make a quota, and a rule can be for pods of one kind."""
    words = "pod builds/doctor-pull: failed quota: all: must specify requests.memory"
    found = doctor.examine(place(Node=DeniedError(words)), trial("error checking push permissions: 401"))
    assert [(one.name, one.evidence) for one in found] == [
        ("object-refused", words),
        ("registry-secret-none", "there is no secret builds/docker-config"),
    ]


def test_a_node_with_a_full_disk_and_none_that_is_ready() -> None:
    conditions = [{"type": "Ready", "status": "Unknown"}, {"type": "DiskPressure", "status": "True"}]
    node = {"metadata": {"name": "n1"}, "spec": {}, "status": {"conditions": conditions}}
    assert names(place(Node=[node])) == ["no-node", "node-disk-full", "registry-secret-none"]


DEDICATED = {"key": "dedicated", "value": "ci", "effect": "NoSchedule"}
AWAY = {"key": "away", "effect": "NoExecute"}
CORDON = "node.kubernetes.io/unschedulable"


@pytest.mark.parametrize(
    ("node", "pod", "why"),
    [
        ({"taints": [DEDICATED]}, [], "with the taint dedicated=ci:NoSchedule"),
        ({"taints": [DEDICATED]}, [{"key": "dedicated"}], "with the taint dedicated=ci:NoSchedule"),
        ({"taints": [DEDICATED]}, [{"key": "dedicated", "value": "ci", "effect": "NoExecute"}], "with the taint ded"),
        ({"taints": [DEDICATED]}, [{"key": "dedicated", "value": "ci"}], None),
        ({"taints": [DEDICATED]}, [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}], None),
        ({"taints": [DEDICATED, AWAY]}, [{"key": "dedicated", "value": "ci"}], "with the taint away:NoExecute"),
        ({"taints": [DEDICATED, AWAY]}, [{"operator": "Exists"}], None),
        ({"taints": [{**AWAY, "effect": "PreferNoSchedule"}]}, [], None),
        ({"unschedulable": True}, [], "cordoned"),
        ({"unschedulable": True, "taints": [{"key": CORDON, "effect": "NoSchedule"}]}, [], "cordoned"),
        ({"unschedulable": True}, [{"key": CORDON, "operator": "Exists"}], None),
    ],
)
def test_a_node_with_taints(node: dict[str, Any], pod: list[dict[str, str]], why: str | None) -> None:
    where = place(Node=[{**NODE, "spec": node}])
    given = {**where.pod, "spec": {"tolerations": pod}}
    found = [one.evidence for one in checks_cluster.nodes(replace(where, manifests=[given]))]
    assert [text.startswith(f"none of 1 nodes takes builds: 1 {why}") for text in found] == [True] * (why is not None)


def test_why_each_node_takes_no_build() -> None:
    nodes = [{**NODE, "spec": {"taints": [DEDICATED]}}, {**NODE, "spec": {"taints": [DEDICATED]}}]
    nodes.append({"metadata": {"name": "n3"}, "spec": {}, "status": {}})
    (found,) = checks_cluster.nodes(place(Node=nodes))
    assert (found.name, found.evidence) == (
        "no-node",
        "none of 3 nodes takes builds: 2 with the taint dedicated=ci:NoSchedule, 1 not ready",
    )


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"auth": base64.b64encode(b"me:word").decode()}, []),
        ({"auth": base64.encodebytes(b"me:" + b"word" * 30).decode()}, []),
        ({"auth": base64.b64encode("me:wört".encode("latin-1")).decode()}, []),
        ({"username": "me", "password": "word"}, []),
        ({"identitytoken": "word"}, []),
        ({"auth": ""}, ["registry-secret-account"]),
        ({"auth": "not base64!"}, ["registry-secret-account"]),
        ({"auth": 7}, ["registry-secret-account"]),
        ({"auth": "é"}, ["registry-secret-account"]),
    ],
)
@pytest.mark.parametrize("key", ["r.example.com", "https://r.example.com", "https://r.example.com/v2/"])
def test_the_forms_of_an_account(key: str, entry: Mapping[str, Any], found: list[str]) -> None:
    assert [one.name for one in checks_registry.secret(with_accounts({key: entry}))] == found


@pytest.mark.parametrize("key", ["r.example.com:5000", "https://r.example.com:443/v1/", "R.example.com"])
def test_a_key_that_is_nearly_right(key: str) -> None:
    (found,) = checks_registry.secret(with_accounts({key: {"auth": "eA=="}}))
    assert (found.name, found.evidence) == (
        "registry-secret-host",
        f"secret builds/docker-config has an account for {key}, not for r.example.com",
    )


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"auths": {"r.example.com": {"auth": "bWU6d29yZA=="}}, "credHelpers": None, "credsStore": None}, []),
        ({"auths": None, "credHelpers": None}, []),
        ({"auths": {"r.example.com": None}}, ["registry-secret-account"]),
        ({"credHelpers": {"r.example.com": "gcloud"}}, ["registry-secret-helper"]),
        ({"credHelpers": {"r.example.com": "ecr-login"}}, []),
        ({"auths": {"r.example.com": {"auth": "bWU6d29yZA=="}}, "credsStore": "desktop"}, ["registry-secret-helper"]),
        (
            {"auths": {"r.example.com": {}, "https://r.example.com/v2/": {"auth": "bWU6d29yZA=="}}},
            ["registry-secret-account"],
        ),
        ({"auths": {"https://r.example.com": {}, "https://r.example.com/v2/": {"auth": "bWU6d29yZA=="}}}, []),
        ({"auths": []}, ["registry-secret-broken"]),
        ({"auths": {}, "credHelpers": ["gcloud"]}, ["registry-secret-broken"]),
        ({"auths": {}, "credsStore": {"r.example.com": "gcloud"}}, ["registry-secret-broken"]),
    ],
    ids=str,
)
def test_parts_of_a_docker_config_that_are_null_or_of_another_kind(config: Any, found: list[str]) -> None:
    """As Go reads them: null is nothing, and what is of another kind makes the whole unreadable."""
    assert [one.name for one in checks_registry.secret(with_config(json.dumps(config).encode()))] == found


CREATE = "jenkins-kaniko secret create docker-config -n builds --registry r.example.com --username USER"
ADOPT = f"{CREATE} --adopt"
ANEW = f"kubectl delete secret docker-config -n builds && {CREATE}"


@pytest.mark.parametrize(
    ("config", "name", "fix"),
    [
        (b"null", "registry-secret-broken", ANEW),
        (b'{"auths": {"r.example.com": {"auth": "x"}}}', "registry-secret-account", ANEW),
        (b'{"auths": {"r.example.com": {}}, "credsStore": "desktop"}', "registry-secret-helper", ADOPT),
        (
            b'{"auths": {"r.example.com:443": {"auth": "bWU6d29yZA=="}}}',
            "registry-secret-host",
            f"the key must be r.example.com, which this writes: {ADOPT}",
        ),
    ],
    ids=["broken", "account", "helper", "host"],
)
def test_the_command_that_mends_a_secret(config: bytes, name: str, fix: str) -> None:
    """`secret create` keeps what it can read, so only what it cannot has to be deleted before."""
    (found,) = checks_registry.secret(with_config(config))
    assert (found.name, found.fix) == (name, fix)


def test_the_command_that_makes_a_secret_where_there_is_none() -> None:
    (found,) = checks_registry.secret(place("r.example.com/app"))
    assert (found.name, found.fix) == ("registry-secret-none", CREATE)


SERVING = Registry(namespace="shared-services", accounts=("ci", "other"), users=("others",))
IMAGE = f"{SERVING.address}/app"
TRUSTED = new_authority("test", datetime.now(UTC)).trusted


def registry_there() -> FakeObjects:
    objects = FakeObjects()
    content = {"ci": b"swordfish", "other": b"x"}
    for manifest in (
        parts.config_map(SERVING),
        parts.ca_config_map(SERVING, TRUSTED),
        parts.secret(SERVING, SERVING.passwords, content),
    ):
        objects.apply(manifest)
    return objects


def taking(objects: FakeObjects, bundle: str = SERVING.ca, login: str = SERVING.login) -> Place:
    """Return a place whose builds take both by name."""
    where = place(IMAGE)
    spec = replace(where.spec, ca_bundle=Mounted(bundle, "ca.crt"), registry_secret=Mounted(login))
    return replace(where, objects=cast(Objects, objects), spec=spec)


def missing(where: Place) -> list[Finding]:
    found = [*checks_registry.secret(where), *checks_registry.certificate(where)]
    return [checks_installed.mendable(where, one) for one in found]


def test_what_a_registry_of_ours_gives_namespaces_is_given_once() -> None:
    objects, told = registry_there(), list[str]()
    where = taking(objects)
    found = missing(where)
    assert [(one.name, one.fix) for one in found] == [
        (name, "jenkins-kaniko registry install -n shared-services --name registry --for builds")
        for name in ("registry-secret-missing", "ca-missing")
    ]
    for one in found:
        assert one.mends is not None
        one.mends(cast(Objects, objects), told.append)
    assert told == [
        "changed: configmap shared-services/registry-config",
        "created: configmap builds/registry-ca",
        "created: secret builds/registry-docker-config",
    ]
    assert missing(where) == []
    assert objects.kept["ConfigMap", "builds", "registry-ca"]["data"] == {"ca.crt": TRUSTED.decode()}
    login = objects.kept["Secret", "builds", "registry-docker-config"]["data"][".dockerconfigjson"]
    assert json.loads(base64.b64decode(login))["auths"][SERVING.address] == {
        "auth": base64.b64encode(b"ci:swordfish").decode()
    }
    settings = objects.kept["ConfigMap", "shared-services", "registry-config"]["metadata"]["annotations"]
    assert json.loads(settings["jenkins-kaniko/settings"])["users"] == ["others", "builds"]


def test_two_namespaces_that_are_given_it_are_both_remembered() -> None:
    objects = registry_there()
    objects.namespaces.add("more")
    here = taking(objects)
    there = replace(here, namespace="more")
    for one in [*missing(here), *missing(there)]:
        assert one.mends is not None
        one.mends(cast(Objects, objects), lambda _line: None)
    settings = objects.kept["ConfigMap", "shared-services", "registry-config"]["metadata"]["annotations"]
    assert json.loads(settings["jenkins-kaniko/settings"])["users"] == ["others", "builds", "more"]


def test_what_a_registry_of_ours_does_not_give_is_not_made() -> None:
    objects = registry_there()
    assert [one.mends for one in missing(taking(objects, "own-ca", "own-login"))] == [None, None]
    del objects.kept["ConfigMap", "shared-services", "registry-ca"]
    objects.apply(parts.config_map(replace(SERVING, accounts=())))
    assert [one.mends for one in missing(taking(objects))] == [None, None]
    assert [one.mends for one in missing(taking(FakeObjects()))] == [None, None]


def test_what_nodes_are_to_pull_is_built_as_the_place_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[Spec] = []

    def build(spec: Spec, *_others: object) -> None:
        specs.append(spec)
        raise JenkinsKanikoError("the build failed")

    monkeypatch.setattr("jenkins_kaniko.build.build", build)
    node = {**NODE, "status": {"nodeInfo": {"architecture": "arm64", "operatingSystem": "linux"}}}
    where = place(IMAGE, Node=[node])
    where = replace(where, spec=replace(where.spec, ca_bundle=Mounted("own-ca", "root.pem"), profile="small"))
    (found,) = checks_installed.pulling(where, SERVING, FakeCluster([]))
    assert (found.name, found.evidence) == ("not-checked", "the build failed")
    (spec,) = specs
    assert (spec.ca_bundle, spec.profile, spec.node_selector) == (
        Mounted("own-ca", "root.pem"),
        "small",
        {"kubernetes.io/arch": "arm64"},
    )


LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.just("bWU6d29yZA==")
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
FIELDS = st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken"])
ENTRIES = JSON | st.dictionaries(FIELDS, JSON)
KEYS = st.sampled_from(["r.example.com", "https://r.example.com/v1/", "R.example.com:443"]) | st.text()
CONFIGS = JSON | st.fixed_dictionaries(
    {}, optional={"auths": JSON | st.dictionaries(KEYS, ENTRIES), "credHelpers": JSON, "credsStore": JSON}
)


@given(CONFIGS)
def test_no_docker_config_is_too_odd_to_judge(config: Any) -> None:
    found = [one.name for one in checks_registry.secret(with_config(json.dumps(config).encode()))]
    assert found in ([], *([f"registry-secret-{what}"] for what in ("broken", "helper", "account", "host")))


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b"", b"null"], ids=["no text", "deep", "empty", "null"])
def test_what_is_no_docker_config(content: bytes) -> None:
    assert [one.name for one in checks_registry.secret(with_config(content))] == ["registry-secret-broken"]


BUILDER = {"app.kubernetes.io/managed-by": "jenkins-kaniko"}
TIMEOUT = 'Get "https://10.1.1.1/v2/": dial tcp 10.1.1.1:443: i/o timeout'
REFUSED = 'Get "https://10.1.1.1/v2/": dial tcp 10.1.1.1:443: connect: connection refused'
UNKNOWN = "dial tcp: lookup r.example.com on 10.0.0.10:53: no such host"


@pytest.mark.parametrize(
    ("said", "spec", "name"),
    [
        (TIMEOUT, {"podSelector": {}}, "network-policy"),
        (TIMEOUT, {"podSelector": {"matchLabels": BUILDER}, "egress": [{"to": []}]}, "network-policy"),
        (TIMEOUT, {"podSelector": {"matchLabels": {"app": "web"}}}, "network-timeout"),
        (TIMEOUT, {"podSelector": expression("app", "Exists")}, "network-timeout"),
        (TIMEOUT, {"podSelector": expression("app", "DoesNotExist")}, "network-policy"),
        (TIMEOUT, {"podSelector": expression(*BUILDER, "In", *BUILDER.values())}, "network-policy"),
        (TIMEOUT, {"podSelector": expression(*BUILDER, "NotIn", *BUILDER.values())}, "network-timeout"),
        (TIMEOUT, {"podSelector": {}, "egress": [{}]}, "network-timeout"),
        (TIMEOUT, {"podSelector": {}, "policyTypes": ["Ingress"]}, "network-timeout"),
        (REFUSED, {"podSelector": {}}, "connection-refused"),
        (UNKNOWN, {"podSelector": {}}, "unknown-host"),
    ],
)
def test_what_a_network_policy_is_blamed_for(said: str, spec: dict[str, Any], name: str) -> None:
    policy = {"metadata": {"name": "closed"}, "spec": {"policyTypes": ["Egress"], **spec}}
    where = place("r.example.com/app", NetworkPolicy=[policy])
    cluster = FakeCluster(
        [[RUNNING], [ended(1)]], [[f"2026-01-01T00:00:00Z error checking push permissions: {said}".encode()]]
    )
    assert [one.name for one in checks_push.pushing(where, "r.example.com/app", cluster, build=False)] == [name]


NXDOMAIN = "error checking push permissions: dial tcp: lookup kubernetes.default.svc on 10.0.0.10:53: no such host"
DEAD = "error checking push permissions: dial tcp: lookup kubernetes.default.svc on 10.0.0.10:53: i/o timeout"


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("error checking push permissions: x509: certificate signed by unknown authority", []),
        (NXDOMAIN, ["unknown-host"]),
        (DEAD, ["dns-failure"]),
        ("something else", ["unknown"]),
    ],
)
def test_a_trial_where_nobody_said_what_is_pushed(said: str, names: list[str]) -> None:
    assert [one.name for one in checks_push.starting(place(), trial(said))] == names


WAY = Way("main", "10.1.1.1:8080", "jenkinsUrl of the cloud, http://10.1.1.1:8080/", "jenkinsUrl")
PORT = Way("main", "10.1.1.1:50000", "the TCP port for inbound agents, 10.1.1.1:50000", "jenkinsTunnel")
NO_WAY = (
    'error checking push permissions: checking push permission for "10.1.1.1:8080/x": Get "https://10.1.1.1:8080/v2/": '
    "dial tcp 10.1.1.1:8080: {}"
)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (NO_WAY.format("connect: connection refused"), ["jenkins-unreachable-from-agents"]),
        (NO_WAY.format("i/o timeout"), ["jenkins-unreachable-from-agents"]),
        (NO_WAY.format("lookup jenkins on 10.0.0.10:53: no such host"), ["jenkins-unreachable-from-agents"]),
        ("checking push permission: http: server gave HTTP response to HTTPS client", []),
        ("checking push permission: unexpected status code 404 Not Found", []),
        ("checking push permission: net/http: TLS handshake timeout", []),
        ("error building image: jenkins-kaniko-doctor-ends-here: no such file", []),
        ("dial tcp 10.1.1.1:8080: i/o timeout", ["not-checked"]),
    ],
)
def test_whether_agents_reach_jenkins(said: str, names: list[str]) -> None:
    assert [one.name for one in checks_agents.reaching(place(), WAY, trial(said))] == names


def test_what_to_do_where_agents_do_not_reach_jenkins() -> None:
    said = NO_WAY.format("connect: connection refused")
    (found,) = checks_agents.reaching(place(), PORT, trial(said))
    assert found.name == "jenkins-agent-port-unreachable-from-agents"
    assert found.evidence.startswith(
        "controller main, from a pod in builds: the TCP port for inbound agents, 10.1.1.1:50000: "
    )
    assert "connection refused" in found.evidence
    assert found.cause == (
        "pods where the agents run do not reach the TCP port for inbound agents: agents start, and never connect"
    )
    assert found.fix == (
        "set controllers.main.ensureCloud.jenkinsTunnel to an address that pods reach, then jenkins-kaniko sync "
        "--controller main; where the address is right, see that network policies and firewalls allow pods in builds "
        "the way; or let agents need no port: controllers.main.ensureCloud.webSocket: true"
    )


def test_each_address_is_tried_once_from_each_namespace() -> None:
    """Each by a Job with a name of its own: what the one before made is removed a moment later."""
    here, there = place(), replace(place(), namespace="other")
    doors = {name: trial(NO_WAY.format("i/o timeout")) for name in ("builds", "other")}
    for door in doors.values():
        door.watches, door.logs = door.watches * 2, door.logs * 2
    ways = [WAY, replace(WAY, controller="second"), PORT]
    found = doctor.examine_ways([here, here, there], ways, doors.__getitem__)
    assert sorted((one.name, one.evidence.partition(": ")[0]) for one in found) == [
        ("jenkins-agent-port-unreachable-from-agents", "controller main, from a pod in builds"),
        ("jenkins-agent-port-unreachable-from-agents", "controller main, from a pod in other"),
        ("jenkins-unreachable-from-agents", "controller main, from a pod in builds"),
        ("jenkins-unreachable-from-agents", "controller main, from a pod in other"),
    ]
    jobs = [one["metadata"]["name"] for door in doors.values() for one in door.made if one["kind"] == "Job"]
    assert len(set(jobs)) == len(jobs) == 4


class Told:
    """A controller that tells where it is."""

    def own_url(self) -> str:
        return "https://jenkins.example.com/ci/"

    def agent_port(self) -> int | None:
        return 50000


@pytest.mark.parametrize(
    ("cloud", "addresses"),
    [
        ({}, ["jenkins.example.com:443", "jenkins.example.com:50000"]),
        ({"webSocket": True}, ["jenkins.example.com:443"]),
        ({"jenkinsUrl": "http://j.ci.svc:8080/"}, ["j.ci.svc:8080", "j.ci.svc:50000"]),
        ({"jenkinsUrl": "http://j.ci.svc", "jenkinsTunnel": "t.ci.svc:1"}, ["j.ci.svc:80", "t.ci.svc:1"]),
        ({"jenkinsTunnel": "t.ci.svc:"}, ["jenkins.example.com:443", "t.ci.svc:50000"]),
        ({"jenkinsTunnel": ":1"}, ["jenkins.example.com:443", "jenkins.example.com:1"]),
        ({"jenkinsUrl": "http://j:port/"}, []),
        ({"directConnection": True}, []),
    ],
    ids=str,
)
def test_where_agents_connect_to(cloud: dict[str, Any], addresses: list[str]) -> None:
    state = CloudState("kubernetes", "2.479", "4238", "hash", {}, (), cloud_fields=cloud)
    assert [one.address for one in checks_jenkins._ways(cast(Controller, Told()), "main", state)] == addresses


def with_accounts(accounts: Mapping[str, Any]) -> Place:
    return with_config(json.dumps({"auths": accounts}).encode())


def with_config(content: bytes) -> Place:
    config = base64.b64encode(content).decode()
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": config}}
    return place("r.example.com/app", Secret=secret)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("app", "index.docker.io"),
        ("team/app:1", "index.docker.io"),
        ("docker.io/team/app", "index.docker.io"),
        ("localhost/app", "localhost"),
        ("registry:5000/app", "registry:5000"),
        ("r.example.com/team/app", "r.example.com"),
    ],
)
def test_the_registry_that_a_name_means(image: str, registry: str) -> None:
    assert checks_registry.registry_of(image) == registry


@pytest.mark.parametrize(
    ("used", "hard", "full"),
    [("900m", "1", True), ("899m", "1", False), ("9500Mi", "10Gi", True), ("1k", "1Ki", True), ("0", "0", False)],
)
def test_how_full_a_quota_is(used: str, hard: str, full: bool) -> None:
    assert ("quota-nearly-full" in names(place(ResourceQuota=[quota("requests.memory", used, hard)]))) is full


def quota(name: str, used: str = "1", hard: str = "1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "spec": spec, "status": {"hard": {name: hard}, "used": {name: used}}}


@pytest.mark.parametrize("name", ["services.loadbalancers", "requests.storage", "requests.nvidia.com/gpu", "secrets"])
def test_a_full_quota_of_what_no_build_takes_is_nothing(name: str) -> None:
    assert list(checks_quota.nearly_full(place(ResourceQuota=[quota(name)]))) == []


@pytest.mark.parametrize("name", ["pods", "count/pods", "limits.cpu", "ephemeral-storage"])
def test_a_full_quota_of_what_each_build_takes(name: str) -> None:
    assert [one.name for one in checks_quota.nearly_full(place(ResourceQuota=[quota(name)]))] == ["quota-nearly-full"]


def test_jobs_are_counted_where_builds_are_jobs() -> None:
    where = place(ResourceQuota=[quota("count/jobs.batch")])
    assert list(checks_quota.nearly_full(where)) == []
    with_job = replace(where, manifests=[*where.manifests, {"kind": "Job"}])
    assert len(list(checks_quota.nearly_full(with_job))) == 1


HIGH = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}


@pytest.mark.parametrize(
    ("spec", "pod", "counts"),
    [
        ({"scopes": ["BestEffort"]}, {}, False),
        ({"scopes": ["NotBestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort", "Terminating"]}, {}, False),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 60}, True),
        ({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 60}, False),
        ({"scopeSelector": {"matchExpressions": [HIGH]}}, {}, False),
        ({"scopeSelector": {"matchExpressions": [HIGH]}}, {"priorityClassName": "high"}, True),
        (
            {"scopeSelector": {"matchExpressions": [{**HIGH, "operator": "NotIn"}]}},
            {"priorityClassName": "high"},
            False,
        ),
    ],
)
def test_a_quota_for_other_pods_is_nothing(spec: dict[str, Any], pod: dict[str, Any], counts: bool) -> None:
    where = place(ResourceQuota=[quota("pods", **spec)])
    where = replace(where, manifests=[{**where.pod, "spec": pod}])
    assert (len(list(checks_quota.nearly_full(where))) == 1) is counts


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("registry.shared:5000/app:1", ("registry", "shared")),
        ("our-own.shared.svc:5000/team/app", ("our-own", "shared")),
        ("registry.shared.svc.cluster.local:5000/app", ("registry", "shared")),
        ("registry.shared:5001/app", None),
        ("registry.shared.example.com:5000/app", None),
        ("registry:5000/app", None),
        ("team/app", None),
    ],
)
def test_the_registry_of_ours_that_a_name_means(image: str, found: tuple[str, str] | None) -> None:
    config = {"metadata": {"annotations": {"jenkins-kaniko/settings": '{"read_only": true}'}}}
    ours = checks_installed.registry(place(image, ConfigMap=config))
    assert (ours and (ours.name, ours.namespace, ours.read_only)) == (found and (*found, True))
    assert checks_installed.registry(place(image)) is None
    assert checks_installed.registry(place(image, ConfigMap={"metadata": {}})) is None


def test_the_worst_comes_first_and_nothing_twice() -> None:
    kinds = [Finding(level, level, "seen", "why", "what") for level in (INFO, ERROR, WARNING, ERROR)]
    found = doctor.ordered(kinds)
    assert [one.severity for one in found] == [ERROR, WARNING, INFO]
    assert doctor.has_errors(found)
    assert not doctor.has_errors(found[1:])


def test_the_text_of_findings_steers_no_terminal() -> None:
    found = Finding("pod-security", ERROR, "a \x1b[31mred\nword", "why", "do it")
    assert doctorreport.text([found]).splitlines() == [
        "error: pod-security",
        r"  found: a \u001b[31mred\nword",
        "  cause: why",
        "  fix:   do it",
        "1 error",
    ]
    assert doctorreport.text([]) == "nothing is wrong"


def test_no_kind_of_finding_has_the_name_of_another() -> None:
    listed = [kind.name for kind in doctor.KINDS]
    assert sorted(set(listed)) == sorted(listed)
    assert checks_cluster.QUOTA.name in listed


def test_a_cluster_that_nobody_configured_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    outcome = CliRunner().invoke(cli, ["doctor", "-n", "builds", "-t", "r.example.com/app", "-o", "json"])
    assert [one["name"] for one in json.loads(outcome.stdout)["findings"]] == ["cluster-unreachable"]
    assert outcome.exit_code == 8


def test_who_asks_is_quoted_for_a_shell() -> None:
    (found,) = checks_cluster.rights(place(user="oidc:Jane $USER", may=False))
    assert found.fix.endswith("--role=jenkins-kaniko-build --user='oidc:Jane $USER'")


def test_what_may_not_be_mended_is_said_and_stays_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_objects: Objects, _tell: Callable[[str], None]) -> None:
        raise UnreachableError("namespaces is forbidden")

    found = Finding("namespace-missing", ERROR, "there is none", "why", "what", forbidden)
    monkeypatch.setattr(cli_doctor, "_in_cluster", lambda *_arguments: [found])
    monkeypatch.setattr("jenkins_kaniko.cluster_objects.Objects", lambda: None)
    outcome = CliRunner().invoke(cli, ["doctor", "-n", "builds", "--fix", "-o", "json"])
    assert [one["name"] for one in json.loads(outcome.stdout)["findings"]] == ["namespace-missing"]
    assert outcome.exit_code == 8
    assert outcome.stderr.splitlines()[-1] == "not mended: namespaces is forbidden"


class Serving(Fake):
    """A registry of ours that serves, and what `registry trust` told on nodes."""

    def __init__(self, since: str, told: Mapping[str, str]) -> None:
        settings = {"metadata": {"annotations": {"jenkins-kaniko/settings": "{}"}}}
        ready = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}
        deployment = {"metadata": {"generation": 1}, "status": ready}
        runtime = {"containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": "v1.33.1"}
        nodes = [{"metadata": {"name": name}, "status": {"nodeInfo": runtime}} for name in [*told, "other"]]
        super().__init__(ConfigMap=settings, Deployment=deployment, Node=nodes)
        self.since, self.told = since, told

    def listed(self, kind: str, _namespace: str | None = None, **query: str) -> Any:
        if kind != "Pod":
            return super().listed(kind)
        if query == {"labelSelector": "jenkins-kaniko/registry=registry"}:
            running = {"containerStatuses": [{"name": "registry", "state": {"running": {"startedAt": self.since}}}]}
            return [{"metadata": {"name": "registry-x"}, "status": running}]
        assert query == {"labelSelector": "jenkins-kaniko/registry-trust=registry"}
        return [self._trust(name, message) for name, message in self.told.items()]

    def _trust(self, name: str, message: str) -> dict[str, Any]:
        state = {"terminated": {"exitCode": 0, "message": message}}
        status = {"initContainerStatuses": [{"name": "trust", "state": state}]}
        return {"metadata": {"name": f"trust-{name}"}, "spec": {"nodeName": name}, "status": status}

    def run(self, _pod: str, _namespace: str, _container: str, command: list[str]) -> bytes:
        return TRUSTED if command[0] == "cat" else b"Filesystem\n//server/a share 9 1 8 11% /var/lib/registry\n"


def serving(since: str = "2999-01-01T00:00:00Z", **told: str) -> list[tuple[str, str]]:
    where = replace(place(IMAGE), objects=cast(Objects, Serving(since, told)))
    return [(one.name, one.evidence) for one in checks_installed.serving(where)]


def test_what_nodes_told_when_they_were_to_trust_a_registry() -> None:
    assert serving() == serving(a="ready", b="written later") == []
    assert serving(a="ready", b="unset write it", c="absent write it") == [
        (
            "registry-trust-incomplete",
            "registry shared-services/registry: b: unset: write it; c: unset: containerd reads no certs.d: write it",
        )
    ]


def test_a_certificate_that_is_younger_than_the_pod_that_is_to_serve_it() -> None:
    ((name, evidence),) = serving(since="2020-01-02T03:04:05Z")
    assert name == "registry-certificate-not-served"
    assert evidence.endswith(" UTC, and it runs since 2020-01-02 03:04 UTC")
