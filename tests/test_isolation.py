"""The namespace of a build's own, whatever happens in it; the cluster is a fake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from jenkins_kaniko import errors
from jenkins_kaniko.buildjob import Mounted, Spec
from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError
from jenkins_kaniko.isolation import isolated
from tests.support.fake_builds import FakeBuilds
from tests.support.fake_cluster import Told, spec
from tests.test_build import clock

__all__ = ["clock"]
pytestmark = pytest.mark.usefixtures("clock")

LOST = UnansweredError("the cluster cannot be reached: gone")
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/dockerconfigjson",
    "metadata": {"name": "docker-config", "uid": "1", "ownerReferences": []},
    "data": {".dockerconfigjson": "e30="},
}
CERTIFICATE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": "x"}}
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "app",
        "labels": {
            "app.kubernetes.io/managed-by": "jenkins-kaniko",
            "jenkins-kaniko/build": "app",
            "pod-security.kubernetes.io/enforce": "baseline",
        },
        "annotations": {"jenkins-kaniko/client": "me@here abc"},
    },
}
DELETED = ["namespaces/app uid-of-app"]


def source(**objects: Any) -> FakeBuilds:
    return FakeBuilds([[]], objects={"secrets": [SECRET], "configmaps": [CERTIFICATE], **objects})


def wanted(account: str = "docker-config", *, optional: bool = True) -> Spec:
    return spec(registry_secret=Mounted(account, optional=optional), ca_bundle=Mounted("ca", "ca.crt"))


def test_it_holds_what_the_pod_mounts_and_goes_at_the_end() -> None:
    door, own = source(), FakeBuilds([[]])
    with isolated(door, own, wanted(), Told().listener.note):
        assert door.made == [NAMESPACE]
        assert own.made == [
            {**SECRET, "metadata": {"name": "docker-config"}},
            {**CERTIFICATE, "metadata": {"name": "ca"}},
        ]
        assert door.deleted == []
    assert door.deleted == DELETED


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143), JenkinsKanikoError("failed")])
def test_it_goes_whatever_ends_the_build(stop: BaseException) -> None:
    door = source()
    with pytest.raises(type(stop)), isolated(door, FakeBuilds([[]]), wanted(), Told().listener.note):
        raise stop
    assert door.deleted == DELETED


def test_it_goes_where_a_copy_cannot_be_made_and_once_the_api_server_is_back() -> None:
    door, own = source(), FakeBuilds([[]], creating=errors.DeniedError("no"))
    door.deleting = [LOST, LOST]
    with pytest.raises(errors.DeniedError), isolated(door, own, wanted(), Told().listener.note):
        pytest.fail("there is no build without its account")
    assert door.deleted == DELETED


def test_it_goes_where_its_creation_is_interrupted() -> None:
    door = source()
    door.creating = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), isolated(door, FakeBuilds([[]]), wanted(), Told().listener.note):
        pytest.fail("it was interrupted")
    assert door.deleted == DELETED


def test_it_is_made_where_the_answer_to_that_is_lost() -> None:
    class Losing(FakeBuilds):
        def create(self, kind: str, manifest: Mapping[str, Any]) -> str:
            if any(one["metadata"]["name"] == manifest["metadata"]["name"] for one in self.made):
                raise errors.RefusedError("there already")
            super().create(kind, manifest)
            raise LOST

    told = Told()
    door, own = Losing([[]], objects=source().objects), Losing([[]])
    with isolated(door, own, wanted(), told.listener.note):
        assert (len(door.made), len(own.made)) == (1, 2)
    assert door.deleted == DELETED
    assert told.notes == [f"{LOST}; asking again for 120 s"] * 3


def test_a_namespace_of_somebody_else_stays() -> None:
    other = {"metadata": {**NAMESPACE["metadata"], "uid": "2", "annotations": {}}}  # type: ignore[dict-item]
    door = source(namespaces=[other])
    door.creating = errors.RefusedError("there already")
    with pytest.raises(errors.RefusedError), isolated(door, FakeBuilds([[]]), wanted(), Told().listener.note):
        pytest.fail("it is not ours")
    assert door.deleted == []


def test_who_cannot_delete_it_tells_what_does() -> None:
    told, door = Told(), source()
    door.deleting = [errors.UnreachableError("forbidden")]
    with isolated(door, FakeBuilds([[]]), wanted(), told.listener.note):
        pass
    assert told.notes == ["namespace app is left; remove it with: jenkins-kaniko gc: forbidden"]


def test_an_account_may_be_missing_where_none_was_named() -> None:
    own = FakeBuilds([[]])
    with isolated(source(secrets=[]), own, wanted(), Told().listener.note):
        assert [one["kind"] for one in own.made] == ["ConfigMap"]
    door = source()
    with (
        pytest.raises(errors.WrongInputError, match="secrets mine: not found"),
        isolated(door, own, wanted("mine", optional=False), Told().listener.note),
    ):
        pytest.fail("there is no such account")
    assert door.made == []
