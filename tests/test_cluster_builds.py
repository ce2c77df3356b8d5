"""How the door asks for builds of others; tests/lab/test_builds_by_name.py asks a real cluster."""

from __future__ import annotations

import json

import pytest

from jenkins_kaniko.cluster_builds import Builds
from jenkins_kaniko.errors import RefusedError, UnreachableError, WrongInputError
from tests.test_cluster_pods import Api, api, failure

__all__ = ["api"]


def test_namespaces_are_in_no_namespace(api: Api) -> None:
    api.body = json.dumps({"metadata": {"uid": "1f"}, "items": []}).encode()
    manifest = {"kind": "Namespace", "metadata": {"name": "app"}}
    door = Builds("builds")
    assert door.create("namespaces", manifest) == "1f"
    assert door.listed("namespaces", "a=b") == []
    door.delete("namespaces", "app", "1f")
    deletion = {"propagationPolicy": "Background", "preconditions": {"uid": "1f"}}
    assert api.asked == [
        ("POST", "/api/v1/namespaces?", manifest),
        ("GET", "/api/v1/namespaces?labelSelector=a%3Db", None),
        ("DELETE", "/api/v1/namespaces/app?", deletion),
    ]


def test_other_objects_are_in_the_namespace_of_the_door(api: Api) -> None:
    api.body = b'{"items": [{"kind": "Job"}]}'
    assert Builds("builds").at("app").listed("jobs", "a") == [{"kind": "Job"}]
    assert api.asked == [("GET", "/apis/batch/v1/namespaces/app/jobs?labelSelector=a", None)]


def test_all_namespaces_are_looked_into(api: Api) -> None:
    items = [{"metadata": {"namespace": name}} for name in ("web", "app", "web")]
    api.body = json.dumps({"items": items}).encode()
    assert Builds("builds").namespaces("jobs", "a") == Builds("builds").namespaces("secrets", "a") == ["app", "web"]
    assert api.asked == [
        ("GET", "/apis/batch/v1/jobs?labelSelector=a", None),
        ("GET", "/api/v1/secrets?labelSelector=a", None),
    ]
    api.status = 403
    assert str(failure(lambda: Builds("builds").namespaces("jobs", "a"))) == (
        "all namespaces: the cluster answers 403 Forbidden; try: kubectl auth can-i list jobs -A"
    )


def test_an_object_is_read(api: Api) -> None:
    api.body = b'{"kind": "Secret"}'
    assert Builds("builds").read("secrets", "docker-config") == {"kind": "Secret"}
    assert api.asked == [("GET", "/api/v1/namespaces/builds/secrets/docker-config?", None)]


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (404, WrongInputError, "secret builds/mine: not found"),
        (403, UnreachableError, "namespace builds: the cluster answers 403 Forbidden; try: kubectl auth can-i get "
                                "secrets/mine -n builds"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(api: Api, status: int, kind: type[Exception], text: str) -> None:
    api.status = status
    error = failure(lambda: Builds("builds").read("secrets", "mine"))
    assert (type(error), str(error)) == (kind, text)


def test_a_namespace_that_is_there_is_not_taken(api: Api) -> None:
    api.status = 409
    error = failure(lambda: Builds("ci").create("namespaces", {"kind": "Namespace", "metadata": {"name": "app"}}))
    assert (type(error), str(error)) == (
        RefusedError, "namespace ci/app: there already; wait for its end, or give another --name",
    )  # fmt: skip
