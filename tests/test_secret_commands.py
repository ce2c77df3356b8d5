"""What `secret create`, `check` and `rotate` print and end with; the cluster is a fake, the registry speaks HTTPS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from jenkins_kaniko import cli_secret_write, cluster_objects, errors
from jenkins_kaniko.cli import cli
from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.errors import DeniedError
from jenkins_kaniko.registry_secret import create
from tests.support.fake_secrets import FakeSecrets
from tests.support.registry_double import RegistryDouble

PASSWORD = "s3cret-of-the-robot"  # made up
Run = Callable[..., Result]
GHCR = ("--registry", "https://ghcr.io/", "--username", "octocat")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> FakeSecrets:
    door = FakeSecrets()
    monkeypatch.setattr(cluster_objects, "Objects", lambda: door)
    return door


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: FakeSecrets) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)

    def command(*arguments: str, stdin: str = "", **environment: str) -> Result:
        done = CliRunner().invoke(cli, ["secret", *arguments], input=stdin, env=environment)
        assert PASSWORD not in done.output + str(done.exception)
        return done

    return command


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryDouble]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with RegistryDouble(authority, passwords={"ci": PASSWORD}, rights={"ci": {"app": {"pull", "push"}}}) as double:
        yield double


@pytest.mark.parametrize(
    ("how", "stdin", "environment"),
    [
        (["--password-stdin"], f"{PASSWORD}\n", {}),
        (["--password-env", "TOKEN"], "", {"TOKEN": PASSWORD}),
    ],
    ids=["stdin", "environment"],
)
def test_a_password_comes_in_without_being_seen(
    run: Run, door: FakeSecrets, how: list[str], stdin: str, environment: dict[str, str]
) -> None:
    done = run("create", "docker-config", *GHCR, *how, "-n", "a", "-n", "b", stdin=stdin, **environment)
    assert (done.exit_code, done.stdout) == (
        0, "secret a/docker-config: created (ghcr.io)\nsecret b/docker-config: created (ghcr.io)\n",
    )  # fmt: skip
    assert door.auths("docker-config", "b") == {"ghcr.io": f"octocat:{PASSWORD}"}


def test_a_password_is_asked_for_on_a_terminal(run: Run, door: FakeSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_secret_write, "_at_a_terminal", lambda: True)
    done = run("create", "docker-config", *GHCR, stdin=f"{PASSWORD}\n")
    assert (done.exit_code, done.stdout) == (0, "secret here/docker-config: created (ghcr.io)\n")
    assert done.stderr == "Password of octocat at ghcr.io: \n"
    assert door.auths("docker-config") == {"ghcr.io": f"octocat:{PASSWORD}"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "which account? Give --registry and --username, --from-docker-config FILE or --ecr"),
        (["--ecr", "eu-central-1"], "no AWS account in the environment"),
        (["--aws-role", "arn"], "--aws-role and --aws-secret: are for --renew-image, which is missing"),
        ([*GHCR, "--password-env", "HOME", "--renew-image", "i"], "--renew-image: is for --ecr, which is missing"),
        (["--ecr", "eu-central-1", "--renew-image", "i"], "--renew-image: give --aws-role ARN or --aws-secret NAME"),
        (["--registry", "ghcr.io"], "--registry and --username: one needs the other"),
        (["--username", "octocat"], "--registry and --username: one needs the other"),
        (GHCR, "where is the password? Give --password-stdin or --password-env VARIABLE"),
        ([*GHCR, "--password-env", "NOWHERE"], "--password-env: NOWHERE is not in the environment"),
        ([*GHCR, "--password-env", "X", "--password-stdin"], "--password-stdin and --password-env: give one of them"),
        ([*GHCR, "--password-stdin"], "the password of octocat is empty"),
        (["--from-docker-config", "none.json"], "none.json: cannot be read: No such file or directory"),
        (
            ["--registry", "x.azurecr.io/team", "--username", "x", "--password-stdin"],
            "has a path; builders take an account for a whole registry, so give x.azurecr.io",
        ),
        (
            ["--registry", "harbor.example.com", "--username", "robot", "--password-env", "HOME"],
            "a robot's name has lost what follows robot$: write it in single quotes",
        ),
    ],
)
def test_what_cannot_be_meant(run: Run, door: FakeSecrets, arguments: list[str], says: str) -> None:
    done = run("create", "docker-config", *arguments)
    assert isinstance(done.exception, errors.WrongInputError)
    assert says in str(done.exception)
    assert door.secrets == {}


def test_a_docker_config_that_names_no_registry(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"credsStore": "osxkeychain"}')
    done = run("create", "docker-config", "--from-docker-config", "none.json")
    assert str(done.exception) == "none.json: no account in it; docker login HOST writes one"


HELPER = """#!/bin/sh
[ "$*" = get ] || exit 9
read -r key
case "$key" in
ghcr.io) echo '{"ServerURL": "ghcr.io", "Username": "octocat", "Secret": "s3cret-of-the-robot"}' ;;
acme.azurecr.io) echo '{"Username": "<token>", "Secret": "s3cret-of-the-robot"}' ;;
lost.example.com) echo 'credentials not found in native keychain'; exit 1 ;;
odd.example.com) echo 's3cret-of-the-robot' ;;
*) echo 's3cret-of-the-robot'; exit 7 ;;
esac
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker-credential-double"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.mark.usefixtures("helper")
def test_docker_configs_are_put_together_and_programs_asked(run: Run, door: FakeSecrets, tmp_path: Path) -> None:
    entry = {"username": "ci", "password": PASSWORD}
    (tmp_path / "one.json").write_text(json.dumps({"auths": {"https://quay.io/v2/": entry}}))
    held = {"auths": {"ghcr.io": {}}, "credsStore": "double", "credHelpers": {"acme.azurecr.io": "double"}}
    (tmp_path / "two.json").write_text(json.dumps(held))
    files = ["--from-docker-config", "one.json", "--from-docker-config", "two.json"]
    own = ["--registry", "docker.io", "--username", "me", "--password-stdin"]
    done = run("create", "docker-config", *files, *own, "-o", "json", stdin=PASSWORD)
    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {
            "schemaVersion": 1,
            "command": "secret create",
            "name": "docker-config",
            "registries": ["acme.azurecr.io", "ghcr.io", "https://index.docker.io/v1/", "quay.io"],
            "namespaces": [{"namespace": "here", "state": "created"}],
        },
    )
    assert door.auths("docker-config") == {
        "acme.azurecr.io": "<token>:",
        "ghcr.io": f"octocat:{PASSWORD}",
        "https://index.docker.io/v1/": f"me:{PASSWORD}",
        "quay.io": f"ci:{PASSWORD}",
    }


@pytest.mark.usefixtures("helper")
@pytest.mark.parametrize(
    ("key", "program", "says"),
    [
        ("ghcr.io", "nowhere", "ghcr.io: docker-credential-nowhere is not on the PATH"),
        (
            "lost.example.com",
            "double",
            "lost.example.com: docker-credential-double has no account for it; log in again",
        ),
        (
            "odd.example.com",
            "double",
            "odd.example.com: docker-credential-double answers no JSON with Username and Sec",
        ),
        ("bad.example.com", "double", "bad.example.com: docker-credential-double failed with exit code 7"),
    ],
)
def test_a_program_that_fails_is_named(run: Run, tmp_path: Path, key: str, program: str, says: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {key: program}}))
    done = run("create", "docker-config", "--from-docker-config", "config.json")
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception).startswith(says)


def test_the_namespaces_of_a_configuration_get_it(run: Run, door: FakeSecrets, tmp_path: Path) -> None:
    text = "fleet: acme\ntemplates: {a: {namespace: builds, registrySecret: docker-config}}\n"
    (tmp_path / "jenkins-kaniko.yaml").write_text(text)
    done = run("create", "docker-config", *GHCR, "--password-stdin", "--all-namespaces-of-config", stdin="p")
    assert (done.exit_code, list(door.secrets)) == (0, [("builds", "docker-config")])


def test_a_broken_configuration_is_told_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "jenkins-kaniko.yaml").write_text("fleets: acme\n")
    done = run("create", "docker-config", *GHCR, "--password-stdin", "--all-namespaces-of-config", "-o", "json")
    assert [one["key"] for one in json.loads(done.stdout)["problems"]] == ["fleet", "fleets"]


@pytest.mark.parametrize(
    ("broken", "code"), [({}, 0), ({"b": "quota"}, 3), ({"a": "quota", "b": "quota"}, 7)], ids=["none", "one", "all"]
)
def test_a_part_that_fails_is_told(run: Run, door: FakeSecrets, broken: dict[str, str], code: int) -> None:
    door.broken = {namespace: DeniedError(f"{namespace}: {text}") for namespace, text in broken.items()}
    done = run("create", "docker-config", *GHCR, "--password-stdin", "-n", "a", "-n", "b", stdin="p")
    assert done.exit_code == code
    assert done.stderr == "".join(f"failed: {namespace}: quota\n" for namespace in broken)
    assert len(done.stdout.splitlines()) == 2 - len(broken)


def test_a_check_ends_as_it_found(run: Run, door: FakeSecrets, registry: RegistryDouble) -> None:
    create(door, "docker-config", ["here"], {registry.host: Account("ci", PASSWORD)})
    what = ["check", "docker-config", "--ca-file", "ca.pem", "--repository", f"{registry.host}/app"]
    done = run(*what)
    rows = ["key", "login", "pull app", "push app"]
    assert (done.exit_code, done.stdout) == (0, "".join(f"ok      {registry.host}: {row}\n" for row in rows))
    registry.rights = {"ci": {"app": {"pull"}}}
    denied = run(*what, "-o", "json")
    assert denied.exit_code == 5
    data = json.loads(denied.stdout)
    assert [one["status"] for one in data["findings"]] == ["ok", "ok", "ok", "denied"]
    assert data["findings"][3] == {
        "registry": registry.host,
        "what": "push",
        "status": "denied",
        "repository": "app",
        "cause": "403 Forbidden: DENIED requested access to the resource is denied",
        "fix": "give the account the right to push at the registry, or take another account",
    }
    assert registry.uploads == set()


def test_a_check_of_nothing_says_how_to_make_it(run: Run) -> None:
    done = run("check", "docker-config", "-n", "builds", "-o", "json")
    assert json.loads(done.stdout)["error"] == {
        "message": "secret builds/docker-config: not found; "
                   "make it with: jenkins-kaniko secret create docker-config -n builds …",
        "exitCode": 1,
    }  # fmt: skip


def test_a_rotation_asks_the_registry_first(run: Run, door: FakeSecrets, registry: RegistryDouble) -> None:
    create(door, "docker-config", ["a", "b"], {registry.host: Account("ci", "old")})
    what = ["rotate", "docker-config", "--registry", registry.host, "--password-stdin", "--ca-file", "ca.pem"]
    refused = run(*what, stdin="wrong")
    assert isinstance(refused.exception, errors.UnreachableError)
    assert "does not let ci in: 401 " in str(refused.exception)
    assert door.auths("docker-config", "a") == {registry.host: "ci:old"}
    done = run(*what, stdin=PASSWORD)
    places = "".join(f"secret {one}/docker-config: changed ({registry.host})\n" for one in "ab")
    assert (done.exit_code, done.stdout) == (0, places)
    assert door.auths("docker-config", "b") == {registry.host: f"ci:{PASSWORD}"}


def test_a_rotation_needs_a_registry(run: Run) -> None:
    done = run("rotate", "docker-config", "--password-stdin", stdin="p")
    assert "--registry: missing" in str(done.exception)


@pytest.mark.parametrize("length", [46, 47])
def test_the_name_of_what_renews_is_one_that_the_cluster_takes(
    run: Run, door: FakeSecrets, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(cli_secret_write, "ecr_accounts", lambda _region: {"ecr.example.com": Account("AWS", PASSWORD)})
    name = "a" * length
    done = run("create", name, "--ecr", "eu-central-1", "--renew-image", "i", "--aws-role", "arn")
    if length == 46:
        assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, f"cronjob here/{name}-renew: created")
        return
    assert isinstance(done.exception, errors.WrongInputError)
    assert str(done.exception) == (
        f"{name}: with --renew-image the name of a Secret has at most 46 characters, not 47: "
        f"the CronJob is called {name}-renew"
    )
    assert door.secrets == {}


def made_for_ecr(run: Run, monkeypatch: pytest.MonkeyPatch, *namespaces: str) -> None:
    monkeypatch.setattr(cli_secret_write, "ecr_accounts", lambda _region: {"ecr.example.com": Account("AWS", PASSWORD)})
    where = [word for one in namespaces for word in ("-n", one)]
    done = run("create", "ecr", *where, "--ecr", "eu-central-1", "--renew-image", "i", "--aws-role", "arn")
    assert done.exit_code == 0, done.output


RENEWAL = [f"{kind} {{0}}/ecr-renew" for kind in ("cronjob", "rolebinding", "role", "serviceaccount")]


def test_what_create_made_is_removed_in_every_namespace(
    run: Run, door: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_for_ecr(run, monkeypatch, "a", "b")
    run("create", "other", *GHCR, "--password-stdin", stdin=PASSWORD)
    asked = run("remove", "ecr")
    assert isinstance(asked.exception, errors.RefusedError)
    every = [text.format(one) for one in ("a", "b") for text in [*RENEWAL, "secret {0}/ecr"]]
    assert str(asked.exception) == f"Remove {', '.join(every)}? Nobody can be asked here: give --yes"
    assert len(door.others) == 8
    done = run("remove", "ecr", "--yes")
    assert (done.exit_code, done.stdout) == (0, "".join(f"removed: {one}\n" for one in every))
    assert (list(door.secrets), door.others) == ([("here", "other")], {})
    again = run("remove", "ecr", "--yes")
    assert isinstance(again.exception, errors.WrongInputError)
    assert str(again.exception) == "secret ecr: none that this command made; nothing to remove"


def test_only_the_copies_that_are_named_are_removed(
    run: Run, door: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_for_ecr(run, monkeypatch, "a", "b")
    done = run("remove", "ecr", "-n", "b", "-y", "-o", "json")
    assert json.loads(done.stdout)["removed"] == [text.format("b") for text in [*RENEWAL, "secret {0}/ecr"]]
    assert list(door.secrets) == [("a", "ecr")]
    assert {namespace for _, namespace, _ in door.others} == {"a"}


def test_what_somebody_else_made_stays(run: Run, door: FakeSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    made_for_ecr(run, monkeypatch, "a", "b")
    door.others["CronJob", "a", "ecr-renew"]["metadata"] = {"name": "ecr-renew", "namespace": "a"}
    door.put("ecr", {"auths": {}}, "c")
    refused = run("remove", "ecr", "-n", "a", "-n", "c", "--yes")
    assert isinstance(refused.exception, errors.RefusedError)
    assert str(refused.exception) == "secret c/ecr: not made by this command; nothing was removed"
    assert (len(door.secrets), len(door.others)) == (3, 8)
    assert run("remove", "ecr", "-n", "a", "--yes").exit_code == 0
    assert [one for one in door.others if one[1] == "a"] == [("CronJob", "a", "ecr-renew")]
