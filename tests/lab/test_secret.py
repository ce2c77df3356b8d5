"""`jenkins-kaniko secret` on a real cluster, with a real registry that wants an account."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jenkins_kaniko.cluster_objects import Objects
from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.ecr_renewal import Renewal, manifests
from jenkins_kaniko.errors import RefusedError
from jenkins_kaniko.registry_secret import manifest
from tests.lab.building import COMMAND, SHELL, Builds, Run, build_namespace, write, write_kubeconfig
from tests.lab.conftest import Lab
from tests.support.aws_double import REGISTRY, AwsDouble
from tests.support.registry import Registry

pytestmark = pytest.mark.lab


@pytest.fixture
def second(lab: Lab, tmp_path: Path) -> Iterator[Builds]:
    """Another namespace of the same cluster."""
    (tmp_path / "second").mkdir()
    with build_namespace(lab, tmp_path / "second") as made:
        yield made


def secret(lab: Lab, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the lab's administrator."""
    return subprocess.run(
        [COMMAND, "secret", *arguments],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def account(registry: str, user: str) -> list[str]:
    return ["--registry", registry, "--username", user, "--password-stdin"]


def accounts_in(builds: Builds, name: str) -> dict[str, str]:
    """Return USER:PASSWORD by key, as a reader of the Secret finds them."""
    text = json.loads(builds.kubectl("get", "secret", name, "-o", "json"))["data"][".dockerconfigjson"]
    auths = json.loads(base64.b64decode(text))["auths"]
    return {key: base64.b64decode(entry["auth"]).decode() for key, entry in auths.items()}


def test_a_build_pushes_with_the_secret_that_was_made(
    builds: Builds, run: Run, registry: Registry, image: str, tmp_path: Path
) -> None:
    lab, name = builds.lab, "made"
    where = ["-n", builds.namespace, *account(lab.settings["LAB_REGISTRY"], registry.user)]
    made = secret(lab, "create", name, *where, stdin=registry.password)
    line = f"secret {builds.namespace}/made: %s ({lab.settings['LAB_REGISTRY']})\n"
    assert (made.returncode, made.stdout, made.stderr) == (0, line % "created", "")
    assert secret(lab, "create", name, *where, stdin=registry.password).stdout == line % "unchanged"
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(".", "-t", f"{image}:with-secret", "--registry-secret", name)
    assert done.returncode == 0, done.stderr
    assert registry.manifest("build/app", "with-secret")[0] in done.stdout


def test_a_node_pulls_with_the_secret_that_was_made(
    builds: Builds, run: Run, registry: Registry, image: str, tmp_path: Path
) -> None:
    lab, host = builds.lab, builds.lab.settings["LAB_REGISTRY"]
    for name, password in (("right", registry.password), ("wrong", "wrong")):
        secret(lab, "create", name, "-n", builds.namespace, *account(host, registry.user), stdin=password)
    write(tmp_path, f'{SHELL}CMD ["/bin/sh", "-c", "echo pulled"]\n')
    pushed = run(".", "-t", f"{image}:pulled", "--label", f"run={builds.namespace}", "--registry-secret", "right")
    assert pushed.returncode == 0, pushed.stderr
    for name in ("wrong", "right"):  # what a node has it may start for anybody
        container = {"name": "app", "image": pushed.stdout.strip()}
        spec = {"restartPolicy": "Never", "imagePullSecrets": [{"name": name}], "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        builds.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        state = "{.status.containerStatuses[0].state.waiting.reason}=ErrImagePull"
        ended = {"wrong": f"--for=jsonpath={state}", "right": "--for=jsonpath={.status.phase}=Succeeded"}[name]
        builds.kubectl("wait", f"pod/{name}", ended, "--timeout=60s")
    assert builds.kubectl("logs", "right") == "pulled\n"


@pytest.mark.parametrize("key", ["https://{}/v2/", "https://{}", "{}/"])
def test_kaniko_finds_keys_that_are_written_like_addresses(
    builds: Builds, run: Run, registry: Registry, image: str, tmp_path: Path, key: str
) -> None:
    auths = {
        key.format(builds.lab.settings["LAB_REGISTRY"]): {"username": registry.user, "password": registry.password}
    }
    given = {
        "metadata": {"name": "odd"},
        "type": "kubernetes.io/dockerconfigjson",
        "kind": "Secret",
        "apiVersion": "v1",
    }
    text = json.dumps({"auths": auths})
    builds.kubectl("apply", "-f", "-", stdin=json.dumps({**given, "stringData": {".dockerconfigjson": text}}))
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    done = run(".", "-t", f"{image}:odd-key", "--registry-secret", "odd")
    assert done.returncode == 0, done.stderr


def test_kaniko_asks_the_program_of_creds_store_and_not_the_text_beside_it(
    builds: Builds, run: Run, registry: Registry, image: str, tmp_path: Path
) -> None:
    lab, name, where = builds.lab, "stored", ["-n", builds.namespace]
    entry = {"username": registry.user, "password": registry.password}
    text = json.dumps({"auths": {lab.settings["LAB_REGISTRY"]: entry}, "credsStore": "desktop"})
    kind = {"type": "kubernetes.io/dockerconfigjson", "kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}}
    builds.kubectl("apply", "-f", "-", stdin=json.dumps({**kind, "stringData": {".dockerconfigjson": text}}))
    checked = secret(lab, "check", name, *where)
    assert (checked.returncode, "builders ask docker-credential-desktop for it" in checked.stdout) == (5, True)
    write(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    push = [".", "-t", f"{image}:stored", "--registry-secret", name, "--retries", "0"]
    assert run(*push).returncode == 6
    mended = [*account(lab.settings["LAB_REGISTRY"], registry.user), "--adopt"]
    assert secret(lab, "create", name, *where, *mended, stdin=registry.password).returncode == 0
    assert run(*push).returncode == 0


def test_a_check_proves_rights_and_leaves_no_upload(builds: Builds, registry: Registry) -> None:
    lab, where = builds.lab, ["checked", "-n", builds.namespace]
    secret(lab, "create", *where, *account(registry.address, registry.user), stdin=registry.password)
    what = [*where, "--ca-file", str(registry.ca), "--repository", f"{registry.address}/secret/never-pushed"]
    done = secret(lab, "check", *what, "-o", "json")
    findings = json.loads(done.stdout)["findings"]
    rights = [("key", "ok"), ("login", "ok"), ("pull", "ok"), ("push", "ok")]
    assert (done.returncode, [(one["what"], one["status"]) for one in findings]) == (0, rights)
    secret(lab, "create", *where, *account(registry.address, registry.user), stdin="wrong")
    denied = secret(lab, "check", *what)
    assert denied.returncode == 5
    assert f"denied  {registry.address}: login\n        cause: lab is not let in: 401 Unauthorized" in denied.stdout


def test_a_rotation_reaches_every_copy(builds: Builds, second: Builds, registry: Registry) -> None:
    lab, name = builds.lab, f"rotated-{second.namespace}"
    both = ["-n", builds.namespace, "-n", second.namespace]
    secret(lab, "create", name, *both, *account(registry.address, registry.user), stdin="old")
    secret(lab, "create", name, *both, *account("ghcr.io", "octocat"), stdin="other")
    before = second.kubectl("get", "secret", name, "-o", "yaml")
    what = ["rotate", name, "--registry", registry.address, "--password-stdin", "--ca-file", str(registry.ca)]
    wrong = secret(lab, *what, stdin="wrong")
    assert (wrong.returncode, second.kubectl("get", "secret", name, "-o", "yaml")) == (5, before)
    done = secret(lab, *what, stdin=registry.password)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    for made in (builds, second):
        checked = secret(lab, "check", name, "-n", made.namespace, "--ca-file", str(registry.ca))
        assert f"ok      {registry.address}: login\n" in checked.stdout
        assert "ghcr.io: key\n" in checked.stdout


def test_what_others_made_is_left_unless_adopted(builds: Builds) -> None:
    lab, where = builds.lab, ["foreign", "-n", builds.namespace]
    server = ["--docker-server=quay.io", "--docker-username=q", "--docker-password=p"]
    builds.kubectl("create", "secret", "docker-registry", "foreign", *server)
    refused = secret(lab, "create", *where, *account("ghcr.io", "octocat"), stdin="p")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "foreign: is there already, and not made by this command; --adopt takes it over" in refused.stderr
    taken = secret(lab, "create", *where, "--adopt", *account("ghcr.io", "octocat"), stdin="p")
    assert (taken.returncode, taken.stdout.count("changed (ghcr.io)")) == (0, 1), taken.stderr
    assert accounts_in(builds, "foreign") == {"ghcr.io": "octocat:p", "quay.io": "q:p"}


def test_two_writers_do_not_lose_an_account(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(builds.lab.kubeconfig))
    door, where = Objects(), ["raced", "-n", builds.namespace]
    assert secret(builds.lab, "create", *where, *account("ghcr.io", "octocat"), stdin="p").returncode == 0
    before = door.read("Secret", "raced", builds.namespace)
    assert secret(builds.lab, "create", *where, *account("quay.io", "q"), stdin="p").returncode == 0
    with pytest.raises(RefusedError, match="the object has been modified"):
        door.apply(manifest("raced", builds.namespace, {"ghcr.io": Account("octocat", "new")}, before), force=True)
    assert accounts_in(builds, "raced") == {"ghcr.io": "octocat:p", "quay.io": "q:p"}


def test_a_namespace_that_is_not_there_is_told_and_the_others_get_it(builds: Builds) -> None:
    places = ["-n", builds.namespace, "-n", "not-there"]
    done = secret(builds.lab, "create", "partly", *places, *account("ghcr.io", "octocat"), stdin="p")
    assert (done.returncode, done.stdout) == (3, f"secret {builds.namespace}/partly: created (ghcr.io)\n")
    assert done.stderr == 'failed: secret not-there/partly: namespaces "not-there" not found\n'


def test_who_may_not_write_secrets_is_told(builds: Builds) -> None:
    done = subprocess.run(
        [COMMAND, "secret", "create", "denied", "-n", builds.namespace, *account("ghcr.io", "octocat")],
        env=builds.environment(), input="s3cret", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "")
    assert f"try: kubectl auth can-i get secrets -n {builds.namespace}" in done.stderr


def test_the_role_in_the_docs_is_enough_and_not_too_much(
    builds: Builds, registry: Registry, aws: AwsDouble, tmp_path: Path
) -> None:
    builds.kubectl("create", "serviceaccount", "accounts")
    given = ["--namespace", builds.namespace, "--account", f"{builds.namespace}:accounts"]
    given += ["--object", "docker-config=by-role", "--object", "docker-config-renew=by-role-renew"]
    roles = subprocess.run([COMMAND, "render", "rbac", "secret", *given], capture_output=True, text=True, check=True)
    builds.lab.kubectl("apply", "-f", "-", stdin=roles.stdout)
    write_kubeconfig(builds, tmp_path / "config", account="accounts")

    def by_role(*arguments: str) -> subprocess.CompletedProcess[str]:
        config = {"KUBECONFIG": str(tmp_path / "config")}
        return secret(builds.lab, *arguments, stdin=registry.password, **config)

    where, ca = ["-n", builds.namespace], ["--ca-file", str(registry.ca)]
    assert by_role("create", "by-role", *where, *account(registry.address, "lab")).returncode == 0
    assert by_role("check", "by-role", *where, *ca).returncode == 0
    rotated = ["rotate", "by-role", "--registry", registry.address, "--password-stdin", *ca]
    assert by_role(*rotated, *where).returncode == 0
    everywhere = by_role(*rotated)
    assert everywhere.returncode == 5
    assert "try: kubectl auth can-i list secrets; or name the namespaces by -n" in everywhere.stderr

    of_aws = {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.key_id, "AWS_SECRET_ACCESS_KEY": aws.secret}
    renewed = ["--ecr", "eu-central-1", "--renew-image", "lab.test/none:1", "--aws-secret", "aws"]
    assert secret(builds.lab, "create", "by-role", *where, *renewed, **of_aws).returncode == 0
    removed = by_role("remove", "by-role", *where, "--yes")
    kinds = ("cronjob", "rolebinding", "role", "serviceaccount")
    names = [*(f"{kind} {builds.namespace}/by-role-renew" for kind in kinds), f"secret {builds.namespace}/by-role"]
    assert (removed.returncode, removed.stdout) == (0, "".join(f"removed: {one}\n" for one in names)), removed.stderr
    label = "jenkins-kaniko/registry-secret=by-role"
    assert builds.kubectl("get", f"{','.join(kinds)},secret", "-l", label, "-o", "name") == ""
    server = ["--docker-server=quay.io", "--docker-username=q", "--docker-password=p"]
    builds.kubectl("create", "secret", "docker-registry", "by-role", *server)
    foreign = by_role("remove", "by-role", *where, "--yes")
    assert (foreign.returncode, "not made by this command; nothing was removed" in foreign.stderr) == (4, True)
    other = by_role("check", "docker-config", *where)
    assert (other.returncode, "the cluster answers 403 Forbidden" in other.stderr) == (5, True)


def test_no_password_is_seen_by_who_looks(builds: Builds) -> None:
    password = "s3cret-that-nobody-sees"
    what = ["create", "unseen", "-n", builds.namespace, *account("ghcr.io", "octocat")]
    with subprocess.Popen(
        [COMMAND, "secret", *what],
        env={**os.environ, "KUBECONFIG": str(builds.lab.kubeconfig)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        assert started.stdin
        assert started.stdout
        started.stdin.write(password)
        started.stdin.close()
        seen = b""
        while started.poll() is None:
            seen += process_list()
            time.sleep(0.05)
        said = started.stdout.read()
    assert (started.returncode, b"unseen" in seen) == (0, True), said
    rest = builds.kubectl("get", "configmaps,events,jobs,pods", "-o", "yaml")
    assert password not in said + rest
    assert password.encode() not in seen


def process_list() -> bytes:
    """Return what everybody on this machine sees of its processes."""
    found = b""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += one.read_bytes()
    return found


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        yield double


def test_a_token_of_ecr_is_renewed_by_an_identity_that_may_nothing_else(
    builds: Builds, aws: AwsDouble, tmp_path: Path
) -> None:
    lab, where = builds.lab, ["-n", builds.namespace]
    of_aws = {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.key_id, "AWS_SECRET_ACCESS_KEY": aws.secret}
    what = ["create", "ecr", *where, "--ecr", "eu-central-1", "--renew-image", "lab.test/none:1", "--aws-secret", "aws"]
    made = secret(lab, *what, **of_aws)
    assert (made.returncode, made.stdout) == (0, f"secret {builds.namespace}/ecr: created ({REGISTRY})\n"), made.stderr
    kinds = ("serviceaccount", "role", "rolebinding", "cronjob")
    assert made.stderr == "".join(f"{kind} {builds.namespace}/ecr-renew: created\n" for kind in kinds)
    again = secret(lab, *what, **of_aws)
    assert (again.stdout + again.stderr).count(": unchanged") == 5

    cron_job = json.loads(builds.kubectl("get", "cronjob", "ecr-renew", "-o", "json"))
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "aws"}}]
    write_kubeconfig(builds, tmp_path / "renewing", account=pod["serviceAccountName"])
    aws.password = "second"
    environment = {**os.environ, **of_aws, "KUBECONFIG": str(tmp_path / "renewing")}
    program, *arguments = container["command"]
    assert program == COMMAND.name
    renewed = subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert (renewed.returncode, renewed.stdout) == (0, f"secret {builds.namespace}/ecr: changed ({REGISTRY})\n")
    assert accounts_in(builds, "ecr") == {REGISTRY: "AWS:second"}

    mine = ["auth", "can-i", "patch", "secrets/ecr", f"--as=system:serviceaccount:{builds.namespace}:ecr-renew"]
    assert lab.kubectl(*mine, *where, check=False) == "yes\n"
    for verb, one in (("list", "secrets"), ("create", "secrets"), ("delete", "secrets/ecr"), ("get", "secrets/lab")):
        may = ["auth", "can-i", verb, one, f"--as=system:serviceaccount:{builds.namespace}:ecr-renew"]
        assert lab.kubectl(*may, *where, check=False) == "no\n"


def test_the_pod_that_renews_is_admitted_where_only_restricted_ones_are(builds: Builds) -> None:
    renewal = Renewal("ecr", "eu-central-1", "lab.test/none:1", role="arn:aws:iam::123456789012:role/x")
    account, *_, cron_job = manifests(renewal, builds.namespace)
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x"}
    spec = {**cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"], "serviceAccountName": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "renew"}, "spec": spec}
    level = "pod-security.kubernetes.io/enforce"
    builds.lab.kubectl("label", "namespace", builds.namespace, f"{level}=restricted", "--overwrite")
    try:
        assert (
            builds.kubectl("create", "--dry-run=server", "-o", "name", "-f", "-", stdin=json.dumps(pod))
            == "pod/renew\n"
        )
    finally:
        builds.lab.kubectl("label", "namespace", builds.namespace, f"{level}=baseline", "--overwrite")
