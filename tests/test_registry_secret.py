"""Registry accounts in Secrets: what is kept, what is refused, and that a part may fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jenkins_kaniko.config import parse
from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.errors import DeniedError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.registry_secret import LABEL, create, namespaces_of, read, rotate
from tests.support.fake_secrets import FakeSecrets

GHCR = {"ghcr.io": Account("octocat", "one")}
OTHER = {"registry.example.com": Account("ci", "two")}
FOREIGN = {"auths": {"https://quay.io/v2/": {"username": "q", "password": "p"}}}


def test_a_second_account_leaves_the_first() -> None:
    door = FakeSecrets()
    assert [one.state for one in create(door, "docker-config", ["a", "b"], GHCR)] == ["created", "created"]
    assert [one.state for one in create(door, "docker-config", ["a"], OTHER)] == ["changed"]
    assert [one.state for one in create(door, "docker-config", ["a"], OTHER)] == ["unchanged"]
    assert door.auths("docker-config", "a") == {"ghcr.io": "octocat:one", "registry.example.com": "ci:two"}
    assert door.auths("docker-config", "b") == {"ghcr.io": "octocat:one"}
    labels = {"app.kubernetes.io/managed-by": "jenkins-kaniko", LABEL: "docker-config"}
    assert door.secrets["a", "docker-config"]["metadata"]["labels"] == labels


def test_what_somebody_else_made_is_taken_over_only_if_told_so() -> None:
    door = FakeSecrets()
    door.put("docker-config", FOREIGN)
    with pytest.raises(
        RefusedError, match="here/docker-config: is there already, and not made by this command; --adop"
    ):
        create(door, "docker-config", ["new", "here"], GHCR)
    assert list(door.secrets) == [("here", "docker-config")]
    create(door, "docker-config", ["here"], GHCR, adopt=True)
    assert door.auths("docker-config") == {"ghcr.io": "octocat:one", "quay.io": "q:p"}


def test_a_secret_of_another_type_stays_even_if_adopted() -> None:
    door = FakeSecrets()
    door.put("docker-config", FOREIGN, kind="Opaque")
    with pytest.raises(RefusedError, match="its type is Opaque, which cannot be changed"):
        create(door, "docker-config", ["here"], GHCR, adopt=True)
    with pytest.raises(WrongInputError, match="its type is Opaque, and builders and nodes take"):
        read(door, "docker-config", "here")


def test_what_cannot_be_read_is_not_overwritten() -> None:
    door = FakeSecrets()
    door.put("docker-config", "s3cret")
    with pytest.raises(WrongInputError, match="secret here/docker-config: not JSON") as error:
        create(door, "docker-config", ["here"], GHCR, adopt=True)
    assert "s3cret" not in str(error.value)
    del door.secrets["here", "docker-config"]["data"]
    with pytest.raises(WrongInputError, match=r"here/docker-config: has no text under the key \.dockerconfigjson"):
        create(door, "docker-config", ["here"], GHCR, adopt=True)


@pytest.mark.parametrize("name", ["Docker", "docker_config", "", "a" * 64, "-a"])
def test_a_name_is_judged_before_the_cluster_is_asked(name: str) -> None:
    with pytest.raises(WrongInputError, match="no name of a Secret"):
        create(FakeSecrets(), name, ["here"], GHCR)


def test_a_namespace_that_fails_does_not_keep_the_others() -> None:
    error = DeniedError("quota")
    door = FakeSecrets(broken={"b": error})
    written = create(door, "docker-config", ["a", "b", "c"], GHCR)
    assert [(one.namespace, one.state, one.error) for one in written] == [
        ("a", "created", None), ("b", None, error), ("c", "created", None),
    ]  # fmt: skip


def renewing(password: str) -> Callable[[str], Account]:
    return lambda user: Account(user, password)


def test_a_new_password_goes_wherever_the_old_one_was() -> None:
    door = FakeSecrets()
    create(door, "docker-config", ["a", "b"], GHCR | OTHER)
    create(door, "docker-config", ["other"], OTHER)
    create(door, "pull", ["a"], GHCR)
    proven: list[Account] = []
    written = rotate(door, "docker-config", "ghcr.io", [], renewing("new"), proven.append)
    assert [(one.namespace, one.state) for one in written] == [("a", "changed"), ("b", "changed")]
    assert proven == [Account("octocat", "new")]
    assert door.auths("docker-config", "a") == {"ghcr.io": "octocat:new", "registry.example.com": "ci:two"}
    assert door.auths("docker-config", "other") == {"registry.example.com": "ci:two"}
    assert door.auths("pull", "a") == {"ghcr.io": "octocat:one"}


def test_a_password_that_the_registry_does_not_take_changes_nothing() -> None:
    door = FakeSecrets()
    create(door, "docker-config", ["a"], GHCR)

    def prove(_account: Account) -> None:
        raise UnreachableError("ghcr.io: does not let octocat in")

    with pytest.raises(UnreachableError, match="does not let octocat in"):
        rotate(door, "docker-config", "ghcr.io", [], renewing("new"), prove)
    assert door.auths("docker-config", "a") == {"ghcr.io": "octocat:one"}


def test_a_rotation_needs_one_account_to_replace() -> None:
    door = FakeSecrets()
    create(door, "docker-config", ["a"], OTHER)
    with pytest.raises(WrongInputError, match="none of our copies has an account for ghcr"):
        rotate(door, "docker-config", "ghcr.io", [], renewing("new"), print)
    create(door, "docker-config", ["a"], GHCR)
    create(door, "docker-config", ["b"], {"ghcr.io": Account("hubot", "x")})
    with pytest.raises(WrongInputError, match=r"has several users of ghcr\.io: hubot, octocat; choose by -n"):
        rotate(door, "docker-config", "ghcr.io", [], renewing("new"), print)
    rotate(door, "docker-config", "ghcr.io", ["b"], renewing("new"), lambda _account: None)
    assert (door.auths("docker-config", "a")["ghcr.io"], door.auths("docker-config", "b")["ghcr.io"]) == (
        "octocat:one", "hubot:new",
    )  # fmt: skip


CONFIGURATION = """
fleet: acme
defaults: {registrySecret: docker-config}
templates:
  one: {namespace: builds}
  two: {namespace: team}
  three: {namespace: builds}
  other: {namespace: elsewhere, registrySecret: pull}
  four: {registrySecret: nowhere}
"""


def test_the_namespaces_of_a_configuration(tmp_path: Path) -> None:
    fleet = parse(CONFIGURATION, tmp_path / "jenkins-kaniko.yaml")
    assert namespaces_of(fleet, "docker-config") == ["builds", "team"]
    with pytest.raises(WrongInputError, match="x: no template of the configuration has `registrySecret: x`"):
        namespaces_of(fleet, "x")
    with pytest.raises(WrongInputError, match=r"templates.four.namespace: missing"):
        namespaces_of(fleet, "nowhere")
