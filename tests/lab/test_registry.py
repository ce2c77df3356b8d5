"""`jenkins-kaniko registry` from the command line's outside, by an identity that has no right but those of
resources/jenkins_kaniko/rbac/registry.yaml, in a namespace of the level restricted."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jenkins_kaniko import certificates
from jenkins_kaniko.certificates import Authority
from tests.lab.building import ROOT
from tests.lab.registries import BOTH, IMAGES, Place, volume

pytestmark = pytest.mark.lab


def test_a_build_pushes_to_it_and_a_second_install_changes_nothing(place: Place, tmp_path: Path) -> None:
    said = place.installed("--for", place.builds.namespace)
    assert f"created: service {place.namespace}/registry\n" in said
    pushed = place.pushes(tmp_path, "1")
    assert pushed.returncode == 0, pushed.stderr
    digest, _ = place.client(tmp_path).manifest("app", "1")
    assert pushed.stdout == f"registry.{place.namespace}:5000/app@{digest}\n"
    address = place.address()
    again = place.run("install", "--for", place.builds.namespace)
    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        f"registry.{place.namespace}:5000 serves; nothing to change\n",
        "",
    )
    assert place.address() == address
    assert place.client(tmp_path).manifest("app", "1")[0] == digest


@BOTH
def test_accounts_come_later_and_images_stay(place: Place, tmp_path: Path) -> None:
    with volume(place, tmp_path / "images") as storage:
        place.installed(*storage, "--for", place.builds.namespace)
        assert place.pushes(tmp_path, "1").returncode == 0
        address = place.address()
        said = place.installed("--account", "ci")
        assert "changed: deployment" in said
        assert place.address() == address
        denied = place.pushes(tmp_path, "2")
        assert (denied.returncode, "UNAUTHORIZED" in denied.stderr) == (6, True), denied.stderr
        pushed = place.pushes(tmp_path, "3", "--registry-secret", "registry-docker-config")
        assert pushed.returncode == 0, pushed.stderr
        password = place.secret("registry-accounts")["ci"].decode()
        assert password not in said
        client = place.client(tmp_path, "ci", password)
        assert client.manifest("app", "1") != client.manifest("app", "3")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            place.client(tmp_path, "ci", "wrong").manifest("app", "1")
        place.installed("--password-stdin", stdin="a new one\n")
        assert place.client(tmp_path, "ci", "a new one").manifest("app", "1")
        assert place.status()["accounts"] == ["ci"]
        removed = place.run("remove", "--yes")
        assert removed.returncode == 0
        assert place.names() == ["persistentvolumeclaim/registry-images"]
        place.installed(*storage)
        assert place.client(tmp_path).manifest("app", "1")


def test_an_upgrade_keeps_images_and_the_next_install_changes_nothing(place: Place, tmp_path: Path) -> None:
    later = place.lab.settings[IMAGES["3"]]
    with volume(place, tmp_path / "images") as storage:
        place.installed(*storage)
        digest = place.client(tmp_path).push("app", "1", {"/file": b"kept"})
        said = place.installed("--image", later)
        assert said.splitlines()[0] == f"changed: configmap {place.namespace}/registry-config"
        image = "jsonpath={.items[*].spec.containers[*].image}"
        assert place.kubectl("get", "pods", "--field-selector=status.phase=Running", "-o", image) == later
        client = place.client(tmp_path)
        assert client.manifest("app", "1")[0] == digest
        assert client.files("app", "1") == {"/file": b"kept"}
        before = place.versions()
        again = place.run("install", "--image", later)
        assert (again.stdout, again.stderr) == (f"registry.{place.namespace}:5000 serves; nothing to change\n", "")
        assert place.versions() == before


def test_the_certificate_is_renewed_and_the_authority_changes_under_running_clients(
    place: Place, tmp_path: Path
) -> None:
    place.installed()
    before = place.client(tmp_path)
    first = place.secret("registry-ca-key")
    authority = Authority(first["tls.key"], first["tls.crt"])
    names = ["registry", place.address().partition(":")[0]]
    old, key = certificates.server_certificate(authority, names, datetime.now(UTC) - timedelta(days=701))
    place.set_secret("registry-tls", {"tls.crt": old, "tls.key": key})
    assert place.status()["certificate"]["outdated"] is True
    said = place.installed()
    assert place.status()["certificate"]["outdated"] is False
    assert f"changed: secret {place.namespace}/registry-tls\n" in said
    assert f"changed: configmap {place.namespace}/registry-ca\n" not in said
    assert place.status()["certificate"]["daysLeft"] == 729
    place.installed("--new-ca")
    place.wait_for_routes()
    both = place.secret("registry-ca-key")["tls.crt"]
    assert both.endswith(first["tls.crt"])
    assert before.ca
    for trusted in (first["tls.crt"], both, both.removesuffix(first["tls.crt"])):
        before.ca.write_bytes(trusted)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            before.manifest("app", "none")
    before.ca.write_bytes(certificates.new_authority("other", datetime.now(UTC)).trusted)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        before.manifest("app", "none")


@BOTH
def test_images_are_listed_removed_and_collected(place: Place, tmp_path: Path) -> None:
    with volume(place, tmp_path / "images") as storage:
        place.installed(*storage, "--account", "ci", "--for", place.builds.namespace)
        for tag in ("1", "2"):
            assert place.pushes(tmp_path, tag, "--registry-secret", "registry-docker-config").returncode == 0
        listed = json.loads(place.run("ls", "-o", "json").stdout)["images"]
        assert [(one["repository"], one["tag"]) for one in listed] == [("app", "1"), ("app", "2")]
        unknown = place.run("rm", "app:3", "--yes")
        assert (unknown.returncode, "tags of app: 1, 2" in unknown.stderr) == (1, True)
        other = place.run("rm", "ghcr.io:443/app:1", "--yes")
        assert (other.returncode, "is of another registry than" in other.stderr) == (1, True)
        printed = f"registry.{place.namespace}:5000/app"
        assert json.loads(place.run("ls", printed, "-o", "json").stdout)["images"] == listed
        removed = place.run("rm", f"{printed}:1@{listed[0]['digest']}", "--yes", "-o", "json")
        assert (removed.returncode, json.loads(removed.stdout)["images"]) == (0, listed[:1])
        assert removed.stderr.endswith(f"removed: app@{listed[0]['digest']}\n")
        blobs = list((tmp_path / "images").rglob("data"))
        assert place.run("gc", "--dry-run").stdout == "3 blobs would be removed\n"
        collected = place.run("gc")
        assert (collected.returncode, collected.stdout) == (0, "3 blobs removed\n"), collected.stderr
        assert len(blobs) - len(list((tmp_path / "images").rglob("data"))) == 3
        assert place.status()["readOnly"] is False
        client = place.client(tmp_path, "ci", place.secret("registry-accounts")["ci"].decode())
        assert client.files("app", "2") == {"/Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n"}
        assert place.pushes(tmp_path, "3", "--registry-secret", "registry-docker-config").returncode == 0
        place.installed("--read-only")
        refused = place.pushes(tmp_path, "4", "--registry-secret", "registry-docker-config")
        assert refused.returncode == 6, refused.stderr
        assert place.run("rm", "app:2", "--yes").returncode == 4


@BOTH
def test_a_collection_loses_nothing_of_what_is_pushed_meanwhile(place: Place, tmp_path: Path) -> None:
    with volume(place, tmp_path / "images") as storage:
        place.installed(*storage)
        client = place.client(tmp_path)
        client.push("app", "removed", {"/file": b"removed"})
        assert place.run("rm", "app:removed", "--yes").returncode == 0
        pushed: dict[str, str] = {}
        refused: set[int] = set()
        with ThreadPoolExecutor() as threads:
            collecting = threads.submit(place.run, "gc")
            while not collecting.done():
                tag = f"{time.monotonic_ns()}"
                try:
                    pushed[tag] = client.push("app", tag, {"/file": tag.encode()})
                except urllib.error.HTTPError as error:
                    refused.add(error.code)
                except OSError:
                    pass  # its pod is being replaced
                time.sleep(0.1)
        collected = collecting.result()
        count, _, what = collected.stdout.partition(" ")
        assert (collected.returncode, what) == (0, "blobs removed\n"), collected.stderr
        assert int(count) >= 3, "those of the image, and of a push that the begin cut short"
        assert refused <= {405}
        place.wait_for_routes()
        # What was removed is not said to be there still.
        pushed["removed"] = client.push("app", "removed", {"/file": b"removed"})
        assert len(pushed) > 1
        assert {tag: client.manifest("app", tag)[0] for tag in pushed} == pushed
        assert [client.files("app", tag) for tag in pushed] == [{"/file": tag.encode()} for tag in pushed]
        assert all(client.config("app", tag)["os"] == "linux" for tag in pushed)


def test_a_service_of_somebody_else_is_left_alone(place: Place) -> None:
    place.kubectl("create", "service", "clusterip", "registry", "--tcp=5000")
    done = place.run("install")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"service {place.namespace}/registry: there already, and not ours" in done.stderr
    removed = place.run("remove", "--yes")
    assert (removed.returncode, "there is none" in removed.stderr) == (1, True)
    assert place.kubectl("get", "services", "-o", "name") == "service/registry\n"


def test_an_install_that_stops_goes_on_where_it_was(place: Place) -> None:
    place.kubectl("create", "quota", "none", "--hard=count/deployments.apps=0")
    done = place.run("install")
    assert (done.returncode, done.stdout) == (7, "")
    assert "exceeded quota: none" in done.stderr
    there = done.stderr.partition("there by now: ")[2]
    assert there.startswith(f"service {place.namespace}/registry, secret {place.namespace}/registry-ca-key, ")
    assert "deployment" not in there
    place.kubectl("delete", "quota", "none")
    said = place.installed()
    rest = [("configmap", "registry-config"), ("networkpolicy", "registry"), ("deployment", "registry")]
    made = [line for line in said.splitlines() if line.startswith("created: ")]
    assert made == [f"created: {kind} {place.namespace}/{name}" for kind, name in rest]


def test_a_mistyped_namespace_is_not_kept_and_one_that_is_gone_can_be_forgotten(place: Place) -> None:
    mistyped = place.run("install", "--for", "no-such-namespace")
    assert (mistyped.returncode, mistyped.stdout) == (5, "")  # this account may not see that it is not there
    assert "there by now: nothing" in mistyped.stderr
    assert place.names() == []
    with other_namespace(place) as gone:
        place.installed("--for", gone, "--for", place.builds.namespace)
    place.builds.kubectl("delete", "configmap", "registry-ca")
    done = place.run("install")
    assert done.returncode == 5
    assert f"; --not-for {gone} forgets the namespace\n" in done.stderr
    assert f"created: configmap {place.builds.namespace}/registry-ca\n" in done.stderr
    assert f"warning: namespace {gone}: left as it is: " in place.installed("--not-for", gone)
    assert place.run("install").stderr == ""
    assert place.status()["users"] == [place.builds.namespace]


@contextmanager
def other_namespace(place: Place) -> Iterator[str]:
    """A namespace that the registry can be introduced to, until it is gone."""
    name = f"{place.namespace}-for"
    place.lab.kubectl("create", "namespace", name)
    try:
        roles = str(ROOT / "resources" / "jenkins_kaniko" / "rbac" / "registry.yaml")
        place.lab.kubectl("apply", "-n", name, "-f", roles)
        account = f"--serviceaccount={place.namespace}:builder"
        place.lab.kubectl("create", "rolebinding", "for", "-n", name, "--role=jenkins-kaniko-registry-for", account)
        yield name
    finally:
        place.lab.kubectl("delete", "namespace", name)


def test_a_claim_that_nothing_serves_is_explained(place: Place) -> None:
    done = place.run("install", "--storage", "1Gi", "--timeout", "5s")
    assert (done.returncode, done.stdout) == (124, "")
    assert "not ready in 5 s: Unschedulable: " in done.stderr
    assert "unbound immediate PersistentVolumeClaims" in done.stderr
    told = place.status()
    assert (told["ready"], told["storage"]["phase"], told["storage"]["size"]) == (False, "Pending", "1Gi")
    moved = place.run("remove")
    assert (moved.returncode, "--yes" in moved.stderr) == (4, True)


def test_what_is_rendered_is_what_the_cluster_takes(place: Place, tmp_path: Path) -> None:
    options = ["--storage", "1Gi", "--account", "ci"]
    printed = place.run("render", *options).stdout
    assert "# needs a Secret that is not here: registry-tls (tls.crt, tls.key)\n" in printed
    assert place.run("render", *options, "--kustomize", str(tmp_path / "k")).returncode == 0
    kinds = ["namespace", "configmap", "service", "persistentvolumeclaim", "deployment", "networkpolicy"]
    taken = [
        place.kubectl("apply", "--dry-run=server", "-o", "name", flag, where, stdin=printed).split()
        for flag, where in (("-f", "-"), ("-k", str(tmp_path / "k")))
    ]
    assert sorted(taken[0]) == sorted(taken[1])
    assert sorted(one.partition(".")[0].partition("/")[0] for one in taken[0]) == sorted(kinds)
