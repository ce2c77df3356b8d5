"""kanikoCredentials: what is bound for which options, and the docker config that real shells write."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.pipeline import call_vectors, run_examples, run_pipeline

pytestmark = pytest.mark.jvm

ROOT = Path(__file__).parent.parent
CREDENTIALS = ROOT / "vars" / "kanikoCredentials.groovy"
JENKINSFILE = ROOT / "tests" / "fixtures" / "pipeline" / "credentials.jenkinsfile"
STORE = {
    "robot": {"type": "usernamePassword", "username": "robot", "password": "s3cret-word"},
    "other": {"type": "usernamePassword", "username": "other", "password": "0ther-word"},
    "token": {"type": "string", "secret": "t0ken-word"},
}
HUB = "https://index.docker.io/v1/"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
SHELLS = [[path] for name in ("dash", "bash") if (path := shutil.which(name))]
SHELLS += [[path, "sh"] for path in [shutil.which("busybox")] if path]
AWKWARD = ["", "'", '"', "\\", "\\n", "$HOME", "`id`", "$(id)", "a b", "%s", "-n", ":", "é🐳", "two\nlines", "x" * 500]


def call(number: int) -> str:
    return f'"$JENKINS_KANIKO_LOGIN_{number}_USER" "$JENKINS_KANIKO_LOGIN_{number}_PASSWORD"'


TRIED = "Could not find credentials entry with ID 'nope'"
TYPE = "Credentials '{}' is of type '{}' where '{}' was expected"
LOGIN_KINDS = "tried as username with password and as secret file"
SAID = {
    "nothing": "[] [:] []",
    "nothing returns": "of the body",
    "account": f"[DOCKER_CONFIG=/s/docker] [:] [account 'r.example.com:5000' {call(1)}]",
    "account returns": "of the body",
    "several": f"[DOCKER_CONFIG=/s/docker] [:] [account '{HUB}' {call(1)}, account 'r.example.com' {call(2)}]",
    "secrets": "[] [npm:env=JENKINS_KANIKO_SECRET_1, pip:env=JENKINS_KANIKO_SECRET_2] []",
    "unknown": f"AbortException: kanikoBuild: credentialsId 'nope': {LOGIN_KINDS}: {TRIED}",
    "wrong type": f"AbortException: kanikoBuild: credentialsId 'token': {LOGIN_KINDS}: "
    + TYPE.format("token", "string", "file"),
    "wrong type of several": "AbortException: kanikoBuild: credentialsId 'token': tried as username with password: "
    + TYPE.format("token", "string", "usernamePassword"),
    "wrong secret": "AbortException: kanikoBuild: secrets 'robot': tried as secret text and as secret file: "
    + TYPE.format("robot", "usernamePassword", "file"),
    "no registry": "AbortException: kanikoBuild: credentialsId: 'r.example.com/team' is not a registry; host or "
    "host:port is expected; 'a\"b' is not a registry; host or host:port is expected",
    "two access keys": "AbortException: kanikoBuild: credentialsId: registries of ECR need the same credential, "
    "as a build has one AWS access key",
    "not found inside": f"CredentialNotFoundException: {TRIED}",
    "runs": "1",
}


@pytest.mark.parametrize("trust", ["library", "untrusted-library"])
def test_what_is_bound(trust: str, tmp_path: Path) -> None:
    """Also in a folder's library, which runs in the sandbox."""
    (tmp_path / "credentials.json").write_text(json.dumps(STORE), encoding="utf-8")
    more = ["--credentials", str(tmp_path / "credentials.json")]
    more += ["--untrusted-library", f"jenkins-kaniko={ROOT}"] if trust == "untrusted-library" else []
    name = "unused" if trust == "untrusted-library" else "jenkins-kaniko"
    result = run_pipeline(JENKINSFILE, tmp_path / "home", ROOT, library_name=name, more=more)
    assert result.result == "SUCCESS", result.log
    lines = dict(re.findall(r"^([\w ]+): (.*)$", result.log, re.MULTILINE))
    assert {name: lines.get(name) for name in SAID} == SAID


@pytest.mark.parametrize(
    ("options", "registries"),
    [
        ({}, []),
        ({"credentialsId": "x", "image": "app"}, [HUB]),
        ({"credentialsId": "x", "image": "app:1.0"}, [HUB]),
        ({"credentialsId": "x", "image": "team/app"}, [HUB]),
        ({"credentialsId": "x", "image": "docker.io/team/app"}, [HUB]),
        ({"credentialsId": "x", "image": "index.docker.io/team/app"}, [HUB]),
        ({"credentialsId": "x", "image": "localhost/app"}, ["localhost"]),
        ({"credentialsId": "x", "image": "localhost:5000/app:1"}, ["localhost:5000"]),
        ({"credentialsId": "x", "image": "registry:5000/team/app"}, ["registry:5000"]),
        ({"credentialsId": "x", "image": "registry.example.com/team/app"}, ["registry.example.com"]),
        ({"credentialsId": {"docker.io": "x", "r:1": "y"}, "image": "r.example.com/app"}, [HUB, "r:1"]),
    ],
)
def test_the_registry_of_an_image_is_found_as_docker_does(options: dict[str, object], registries: list[str]) -> None:
    (answer,) = call_vectors(CREDENTIALS, "idsByRegistry", [[options]])
    assert list(answer["result"]) == registries  # type: ignore[call-overload]


def script(*logins: str, kind: str = "username with password") -> str:
    named = [
        {"name": name, "kind": kind, "variable": f"JENKINS_KANIKO_LOGIN_{number}"}
        for number, name in enumerate(logins, start=1)
    ]
    (answer,) = call_vectors(CREDENTIALS, "loginScript", [[named]])
    return str(answer["result"])


def run_shell(shell: list[str], text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_CONFIG": f"{folder}/scratch/docker", **variables}
    return subprocess.run([*shell, "-xes"], input=text.encode(), env=environment, capture_output=True, check=True)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
def test_any_password_arrives_and_is_seen_nowhere(shell: list[str], tmp_path: Path) -> None:
    text = script("r.example.com:5000")
    for number, password in enumerate(AWKWARD):
        folder = tmp_path / str(number)
        account = {"JENKINS_KANIKO_LOGIN_1_USER": "DOMAIN\\user", "JENKINS_KANIKO_LOGIN_1_PASSWORD": password}
        done = run_shell(shell, text, folder, **account)
        config = folder / "scratch" / "docker" / "config.json"
        auth = base64.b64encode(f"DOMAIN\\user:{password}".encode()).decode()
        want = {"auths": {"r.example.com:5000": {"auth": auth}}, "credHelpers": {}}
        assert json.loads(config.read_text(encoding="utf-8")) == want
        assert (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert (done.stdout, done.stderr) == (b"", b"+ set +x\n")


@pytest.mark.parametrize("shell", [["dash"], ["bash"]], ids=lambda shell: shell[0])
def test_no_process_gets_a_secret_as_argument(shell: list[str], tmp_path: Path) -> None:
    """Each program that the script may start is replaced by one that notes its arguments."""
    for name in ("printf", "base64", "tr", "mkdir", "cat"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/arguments\nexec /usr/bin/{name} "$@"\n')
        program.chmod(0o755)
    account = {"JENKINS_KANIKO_LOGIN_1_USER": "ann", "JENKINS_KANIKO_LOGIN_1_PASSWORD": "s3cret"}
    run_shell(shell, script("r.example.com"), tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin", **account)
    noted = (tmp_path / "arguments").read_text()
    auth = base64.b64encode(b"ann:s3cret").decode()
    assert auth in (tmp_path / "scratch" / "docker" / "config.json").read_text()
    assert "/base64 " in noted
    assert not re.search(f"printf|s3cret|{auth}", noted)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
def test_an_access_key_of_aws_goes_to_the_helper_and_a_token_does_not(shell: list[str], tmp_path: Path) -> None:
    text = script(ECR, HUB) + 'printf "%s %s" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"; umask\n'
    hub = {"JENKINS_KANIKO_LOGIN_2_USER": "ann", "JENKINS_KANIKO_LOGIN_2_PASSWORD": "word"}
    auths = {HUB: {"auth": base64.b64encode(b"ann:word").decode()}}
    key = {"JENKINS_KANIKO_LOGIN_1_USER": "AKIA1", "JENKINS_KANIKO_LOGIN_1_PASSWORD": "se/cr+et"}
    done = run_shell(shell, text, tmp_path / "key", **key, **hub)
    config = json.loads((tmp_path / "key" / "scratch" / "docker" / "config.json").read_text())
    assert config == {"auths": auths, "credHelpers": {ECR: "ecr-login"}}
    assert done.stdout.startswith(b"AKIA1 se/cr+et")
    token = {"JENKINS_KANIKO_LOGIN_1_USER": "AWS", "JENKINS_KANIKO_LOGIN_1_PASSWORD": "12-hours"}
    done = run_shell(shell, text, tmp_path / "token", **token, **hub)
    config = json.loads((tmp_path / "token" / "scratch" / "docker" / "config.json").read_text())
    auths = {ECR: {"auth": base64.b64encode(b"AWS:12-hours").decode()}, **auths}
    assert config == {"auths": auths, "credHelpers": {}}
    assert done.stdout.startswith(b" 0")  # the umask of the build is what it was


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
def test_a_whole_docker_config_is_copied_and_wins_over_the_variable(shell: list[str], tmp_path: Path) -> None:
    given = tmp_path / "my config.json"
    given.write_text('{"auths": {"é": {}},\n "credsStore": "%s\\\\"}\n', encoding="utf-8")
    text = script("r.example.com", kind="secret file") + 'echo "[$DOCKER_AUTH_CONFIG]"\n'
    done = run_shell(shell, text, tmp_path, JENKINS_KANIKO_LOGIN_1=str(given), DOCKER_AUTH_CONFIG="{}")
    assert (tmp_path / "scratch" / "docker" / "config.json").read_bytes() == given.read_bytes()
    assert done.stdout == b"[]\n"


def test_the_examples_of_the_page_bind_what_they_say(tmp_path: Path) -> None:
    accounts = dict.fromkeys(["registry", "mirror", "hub"], STORE["robot"])
    (tmp_path / "credentials.json").write_text(json.dumps({**accounts, "npm-token": STORE["token"]}), encoding="utf-8")
    played = """def call(Map options) {
        kanikoCredentials.bound(options, '/s') { Map login ->
            List accounts = login.script.readLines().findAll { it.startsWith('account ') }.collect { it.tokenize()[1] }
            echo "bound: ${accounts} ${login.secrets}"
        }
    }"""
    more = ["--credentials", str(tmp_path / "credentials.json")]
    result = run_examples(ROOT / "docs" / "credentials.md", played, tmp_path, more)
    assert re.findall("^bound: (.*)$", result.log, re.MULTILINE) == [
        "['registry.example.com'] [:]",
        f"['registry.example.com', 'mirror.example.com:5000', '{HUB}'] [:]",
        "[] [npm:env=JENKINS_KANIKO_SECRET_1]",
    ], result.log
