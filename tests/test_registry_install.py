"""`registry install` and `registry remove` on a cluster in memory: what is kept, taken back and left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jenkins_kaniko import cli_registry, cluster_objects, registry_secrets, registry_wait
from jenkins_kaniko import registry as parts
from jenkins_kaniko.certificates import new_authority, server_certificate
from jenkins_kaniko.cli import cli
from jenkins_kaniko.errors import DeniedError, RefusedError
from jenkins_kaniko.registry import Registry
from tests.support.fake_objects import RUNNING, FakeObjects

Run = Callable[..., Result]
NAMES = ["registry.shared-services", "10.96.0.10"]
SETTINGS = "jenkins-kaniko/settings"
PLAIN = [
    "configmap shared-services/registry-ca",
    "configmap shared-services/registry-config",
    "deployment shared-services/registry",
    "networkpolicy shared-services/registry",
    "secret shared-services/registry-ca-key",
    "secret shared-services/registry-tls",
    "service shared-services/registry",
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeObjects:
    cluster = FakeObjects()
    monkeypatch.setattr(cluster_objects, "Objects", lambda: cluster)
    monkeypatch.setattr(registry_secrets, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(registry_wait, "POLL_SECONDS", 0.01)
    return cluster


@pytest.fixture
def run(cluster: FakeObjects) -> Run:
    def command(name: str, *arguments: str, code: int = 0, stdin: str = "") -> Result:
        patience = ["--timeout", "2s"] if name == "install" else []
        done = CliRunner().invoke(cli, ["registry", name, *patience, *arguments], input=stdin)
        ended = getattr(done.exception, "exit_code", done.exit_code)
        assert ended == code, (done.output, done.exception, cluster.names())
        return done

    return command


def settings(cluster: FakeObjects) -> str:
    there: dict[str, Any] = cluster.kept["ConfigMap", "shared-services", "registry-config"]
    kept: str = there["metadata"]["annotations"][SETTINGS]
    return kept


def error(done: Result) -> str:
    """Return what the command's last word is."""
    return str(done.exception)


def test_a_mistyped_namespace_is_refused_before_anything_is_kept(run: Run, cluster: FakeObjects) -> None:
    done = run("install", "--for", "bulids", code=1)
    assert 'configmap bulids/registry-ca: namespaces "bulids" not found\n' in error(done)
    assert "there by now: nothing" in error(done)
    run("install", "--for", "builds")
    assert settings(cluster) == '{"users": ["builds"]}'
    run("install", "--for", "bulids", code=1)
    assert settings(cluster) == '{"users": ["builds"]}'
    assert run("install").stdout == "registry.shared-services:5000 serves; nothing to change\n"


def test_a_namespace_that_is_gone_holds_up_no_other_and_can_be_forgotten(run: Run, cluster: FakeObjects) -> None:
    cluster.namespaces.add("tests")
    run("install", "--for", "builds", "--for", "tests", "--account", "ci")
    cluster.namespaces.remove("builds")
    cluster.delete("Secret", "registry-docker-config", "tests")
    done = run("install", code=1)
    assert 'namespaces "builds" not found; --not-for builds forgets the namespace\n' in error(done)
    assert "secret tests/registry-docker-config" in cluster.names()
    run("install", "--not-for", "builds")
    assert '"users": ["tests"]' in settings(cluster)
    assert "nothing to change" in run("install").stdout


def test_what_a_namespace_was_given_is_taken_back(run: Run, cluster: FakeObjects) -> None:
    run("install", "--for", "builds", "--account", "ci")
    done = run("install", "--not-for", "builds", "-o", "json")
    assert '"object": "secret builds/registry-docker-config",\n' in done.stdout
    assert '"outcome": "removed"' in done.stdout
    assert done.stderr.endswith(
        "removed: secret builds/registry-docker-config\nremoved: configmap builds/registry-ca\n"
    )
    assert [name for name in cluster.names() if " builds/" in name] == []


def test_an_issuer_that_issues_nothing_is_not_kept(run: Run, cluster: FakeObjects) -> None:
    run("install")
    before = cluster.content("registry-tls")
    done = run("install", "--issuer", "Issuer/broken", "--timeout", "0.05s", code=124)
    assert "certificate shared-services/registry: cert-manager issued none in 0.05 s: no reason given" in error(done)
    assert settings(cluster) == "{}"
    assert run("install").stderr.startswith("removed: certificate shared-services/registry\nimages are in a folder")
    assert cluster.content("registry-tls") == before
    assert cluster.names() == PLAIN


def issued(cluster: FakeObjects, status: str = "True", seen: int = 1) -> None:
    """Let cert-manager say of each Certificate at once what became of it."""

    def tell(manifest: Any) -> None:
        if manifest["kind"] == "Certificate":
            ready = {"type": "Ready", "status": status, "observedGeneration": seen, "reason": "Failed", "message": "no"}
            cluster.kept["Certificate", "shared-services", "registry"] = {"status": {"conditions": [ready]}}

    cluster.applied = tell


def test_the_certificate_of_an_earlier_authority_is_not_taken_for_the_issuers(run: Run, cluster: FakeObjects) -> None:
    run("install")
    asked = ("install", "--issuer", "Issuer/internal", "--timeout", "0.05s")
    issued(cluster, seen=0)
    assert "no reason given" in error(run(*asked, code=124))
    cluster.delete("Certificate", "registry", "shared-services")
    issued(cluster, status="False")
    assert "cert-manager issued none in 0.05 s: Failed: no" in error(run(*asked, code=124))
    cluster.delete("Certificate", "registry", "shared-services")
    issued(cluster)
    run(*asked)
    assert settings(cluster) == '{"issuer": "Issuer/internal"}'


def test_back_from_an_issuer_to_the_own_authority(run: Run, cluster: FakeObjects) -> None:
    run("install", "--for", "builds")
    authority = cluster.content("registry-ca-key")
    issued(cluster)
    run("install", "--issuer", "Issuer/internal")
    there = cluster.kept["Secret", "shared-services", "registry-tls"]
    there["metadata"]["annotations"] = {"cert-manager.io/certificate-name": "registry"}
    done = run("install", "--own-ca")
    assert done.stderr.startswith(
        "removed: certificate shared-services/registry\n"
        "removed: secret shared-services/registry-tls\n"
        "created: secret shared-services/registry-tls\n"
    )
    assert cluster.content("registry-ca-key") == authority
    assert settings(cluster) == '{"users": ["builds"]}'


def test_a_given_certificate_takes_the_place_of_another_one_and_leaves_nothing_of_ours(
    run: Run, cluster: FakeObjects
) -> None:
    run("install", "--for", "builds")
    own = cluster.kept["Secret", "shared-services", "registry-tls"]
    cluster.kept["Secret", "shared-services", "given"] = {**own, "metadata": {"name": "given"}}
    issued(cluster)
    run("install", "--issuer", "Issuer/internal")
    done = run("install", "--tls-secret", "given")
    assert "removed: certificate shared-services/registry\n" in done.stderr
    assert settings(cluster) == '{"tls_secret": "given", "users": ["builds"]}'
    assert [name for name in cluster.names() if "registry-ca" in name] == ["secret shared-services/registry-ca-key"]
    run("remove", "--yes")
    assert cluster.names() == ["secret shared-services/given"]


def test_a_new_authority_is_made_once_until_it_is_served(run: Run, cluster: FakeObjects) -> None:
    run("install")
    first = cluster.content("registry-ca-key")["tls.crt"]

    def full(manifest: Any) -> None:
        if manifest["kind"] == "Deployment":
            raise DeniedError("exceeded quota: none")

    cluster.applied = full
    run("install", "--new-ca", code=7)
    second = cluster.content("registry-ca-key")["tls.crt"]
    assert (second.count(b"BEGIN"), second.endswith(first)) == (2, True)
    cluster.applied = lambda _manifest: None
    done = run("install", "--new-ca")
    assert done.stderr.startswith(
        "the authority of an earlier call is not served yet, and stays: once it is, --new-ca makes another\n"
        "changed: deployment shared-services/registry\n"
    )
    assert cluster.content("registry-ca-key")["tls.crt"] == second
    run("install", "--new-ca")
    assert cluster.content("registry-ca-key")["tls.crt"].count(b"BEGIN") == 3


def test_a_renewed_certificate_is_served_by_the_next_install(run: Run, cluster: FakeObjects) -> None:
    made(cluster, "given", NAMES, datetime.now(UTC))
    run("install", "--tls-secret", "given")
    told = "certificate  729 days left, from secret given"
    assert told in run("status").stdout.splitlines()
    made(cluster, "given", NAMES, datetime.now(UTC))
    earlier = f"{told}; the pod serves an earlier one: registry install replaces it"
    assert earlier in run("status").stdout.splitlines()
    there = cluster.kept["Secret", "shared-services", "given"]
    there["metadata"]["managedFields"] = [{"time": "2026-01-01T00:00:00Z"}, {"time": "2026-01-02T00:00:00Z"}]
    for since, said in (("2026-01-01T12:00:00Z", earlier), ("2026-01-02T00:00:01Z", told)):
        state = {"containerStatuses": [{"name": "registry", "state": {"running": {"startedAt": since}}}]}
        cluster.pods = [{**RUNNING, "status": state}]
        assert said in run("status").stdout.splitlines()
    assert run("install").stderr.startswith("changed: deployment shared-services/registry\n")
    assert told in run("status").stdout.splitlines()


def made(cluster: FakeObjects, name: str, names: list[str], begin: datetime) -> None:
    """Make a Secret with a certificate of others."""
    certificate, key = server_certificate(new_authority("other", begin), names, begin)
    manifest = parts.secret(Registry(), name, {"tls.crt": certificate, "tls.key": key})
    cluster.kept["Secret", "shared-services", name] = {**manifest, "metadata": {"name": name}}


@pytest.mark.parametrize(
    ("names", "age", "warns"),
    [
        (NAMES, 0, []),
        (["registry.example.com"], 0, [
            " has none of the names registry.shared-services, registry.shared-services.svc, "
            "registry.shared-services.svc.cluster.local",
            " has not the Service's address 10.96.0.10: nodes, which call it by that, cannot pull",
        ]),
        (NAMES, 701, [" ends at 2025-12-30 00:00 UTC; renew it"]),
        (NAMES, 731, [" ended at 2025-11-30 00:00 UTC; renew it"]),
    ],
)  # fmt: skip
def test_a_given_certificate_that_will_not_do_is_warned_of(
    run: Run, cluster: FakeObjects, monkeypatch: pytest.MonkeyPatch, names: list[str], age: int, warns: list[str]
) -> None:
    now = datetime(2025, 12, 1, tzinfo=UTC)
    monkeypatch.setattr(cli_registry, "datetime", SimpleNamespace(now=lambda _zone: now))
    made(cluster, "given", names, now - timedelta(days=age))
    said = run("install", "--tls-secret", "given").stderr.splitlines()
    assert [line for line in said if "warning" in line] == [
        f"warning: the certificate in secret given{one}" for one in warns
    ]


def test_what_is_no_certificate_is_said_to_be_none(run: Run, cluster: FakeObjects) -> None:
    cluster.kept["Secret", "shared-services", "given"] = {
        "metadata": {},
        "data": {"tls.crt": "eA==", "tls.key": "eA=="},
    }
    done = run("install", "--tls-secret", "given", code=1)
    assert error(done).startswith("secret shared-services/given: tls.crt is no certificate in PEM form; make it anew\n")


def test_a_password_longer_than_its_hash_takes_is_refused(run: Run, cluster: FakeObjects) -> None:
    password = "\u00e4" * 36
    arguments = ("install", "--account", "ci", "--password-stdin")
    done = run(*arguments, stdin=f"{password}+\n", code=1)
    assert error(done) == "--password-stdin: longer than 72 bytes; choose a shorter one"
    assert cluster.kept == {}
    run(*arguments, stdin=f"{password}\n")
    assert cluster.content("registry-accounts")["ci"] == password.encode()


def test_a_mirror_becomes_a_registry_again(run: Run, cluster: FakeObjects) -> None:
    run("install", "--mirror", "docker.io")
    run("install", "--no-mirror")
    assert settings(cluster) == "{}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--own-ca", "--issuer", "Issuer/internal"),
        ("--own-ca", "--tls-secret", "given"),
        ("--no-mirror", "--mirror", "docker.io"),
        ("--not-for", "--for", "builds"),
    ],
)
def test_what_is_given_and_taken_back_at_once_is_a_mistake(
    run: Run, cluster: FakeObjects, arguments: tuple[str, ...]
) -> None:
    flag, option, value = arguments
    given = (flag, value) if flag == "--not-for" else (flag,)
    done = run("install", *given, option, value, code=1)
    assert "one is against the other; give one of them" in error(done)
    assert cluster.kept == {}


def test_what_the_pod_asks_for_is_as_it_was_asked(run: Run, cluster: FakeObjects) -> None:
    run("install", "--cpu", "1", "--memory", "1Gi", "--memory-limit", "2Gi")
    run("install")
    [container] = cluster.kept["Deployment", "shared-services", "registry"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}


def refuses(cluster: FakeObjects, kind: str, why: Exception) -> None:
    """Let the cluster refuse what is of this kind."""

    def deny(manifest: Any) -> None:
        if manifest["kind"] == kind:
            raise why

    cluster.applied = deny


@pytest.mark.parametrize(
    ("asked", "kind"),
    [(("--storage", "1Gi"), "PersistentVolumeClaim"), (("--memory", "1Gi"), "Deployment")],
    ids=["a claim cannot shrink", "more than the limit"],
)
def test_what_the_cluster_refuses_is_not_kept(
    run: Run, cluster: FakeObjects, asked: tuple[str, ...], kind: str
) -> None:
    run("install", "--storage", "2Gi")
    refuses(cluster, kind, DeniedError("spec: Forbidden"))
    assert "spec: Forbidden\n" in error(run("install", *asked, code=7))
    cluster.applied = lambda _manifest: None
    assert settings(cluster) == '{"storage": "2Gi"}'
    assert "nothing to change" in run("install").stdout


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("Deployment", "install makes it anew after: kubectl delete deployment registry -n shared-services"),
        ("Service", "take that change back"),
    ],
)
def test_what_somebody_else_changed_is_not_overwritten(run: Run, cluster: FakeObjects, kind: str, advice: str) -> None:
    run("install")
    refuses(cluster, kind, RefusedError('conflict with "kubectl-edit"'))
    said = error(run("install", "--memory", "256Mi", code=4))
    assert said.startswith(f'conflict with "kubectl-edit"; {advice}\n')
    assert settings(cluster) == "{}"


@pytest.mark.parametrize("spec", [{"type": "ExternalName", "externalName": "x.example.com"}, {"clusterIP": "None"}])
def test_a_service_that_lost_its_address_is_told(run: Run, cluster: FakeObjects, spec: dict[str, str]) -> None:
    run("install")
    there = cluster.kept["Service", "shared-services", "registry"]
    there["spec"] = spec

    def stays(manifest: Any) -> None:
        if manifest["kind"] == "Service":
            manifest["spec"].clear()
            manifest["spec"].update(spec)

    cluster.applied = stays
    assert "service shared-services/registry: has no clusterIP, which nodes would reach it by; delete it" in error(
        run("install", code=4)
    )
    assert "registry.shared-services:5000 (" in run("status").stdout


def test_two_installs_at_once_make_one_authority(run: Run, cluster: FakeObjects) -> None:
    """The second one begins when the first one saw that there is no authority, and made none yet."""
    ahead: list[Result] = []

    def begins(manifest: Any) -> None:
        if manifest["metadata"]["name"] == "registry-ca-key":
            cluster.applied = lambda _manifest: None
            ahead.append(run("install"))

    cluster.applied = begins
    said = error(run("install", code=4))
    assert "secret shared-services/registry-ca-key: another install made it just now; call this one again\n" in said
    assert ahead[0].stdout == "registry.shared-services:5000 serves\n"
    assert "nothing to change" in run("install").stdout
