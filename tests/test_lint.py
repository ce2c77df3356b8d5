"""Warnings: few, each at the line it is about, and none on what works."""

from __future__ import annotations

from pathlib import Path

import pytest

from jenkins_kaniko.config import load, parse
from jenkins_kaniko.lint import restricted_notes, warnings
from jenkins_kaniko.model import Fleet
from tests.test_render import CASES

MAVEN = "spec: {containers: [{name: maven, image: 'maven', volumeMounts: [{name: m2, mountPath: /home/maven/.m2}]}]}"
BUILDER = "spec: {containers: [{name: kaniko, image: 'a/osscontainertools/kaniko:v1.28.3', command: [/busybox/cat]}]}"
BARE = "spec: {terminationGracePeriodSeconds: 1, containers: [{name: kaniko, image: example.com:5000/kaniko}]}"


def fleet(folder: Path, text: str) -> Fleet:
    for name, pod in (("maven", MAVEN), ("builder", BUILDER), ("bare", BARE)):
        (folder / f"{name}.yaml").write_text(pod, encoding="utf-8")
    return parse(f"fleet: acme\n{text}", folder / "x.yaml")


def template(keys: str) -> str:
    return f"templates:\n  kaniko:\n    {keys}"


GOOD = [
    "templates: {kaniko: {}}",
    template("image: registry.example.com:5000/own/kaniko:1.2-shell"),
    template("image: gcr.io/kaniko-project/executor@sha256:" + 64 * "0"),
    template("image: gcr.io/kaniko-project/executor:v1.24.0-debug"),
    template(
        "containers: [{name: kaniko, volumeMounts: [{name: a, mountPath: /cache/x}, {name: b, mountPath: /tmp}]}]"
    ),
    template("containers: [{name: helper, image: 'busybox:latest', volumeMounts: [{name: a, mountPath: /srv}]}]"),
    template("{hostUsers: false, registrySecret: docker-config, caBundle: {configMap: ca}}"),
    template("{volumes: [{name: a, hostPath: {path: /a}}], hostNetwork: true}"),
    template("yamlFile: maven.yaml"),
    template("{engine: none, jenkins: {containers: [{class: ContainerTemplate, name: maven, image: maven}]}}"),
    "controllers: {main: {url: 'http://localhost:8080', user: a, token: {env: T}}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_works_has_no_warning(text: str, tmp_path: Path) -> None:
    assert warnings(fleet(tmp_path, text)) == []


UNMAPPED = (
    "secret docker-config is mounted as it is: the builder reads /kaniko/.docker/config.json, and a "
    "kubernetes.io/dockerconfigjson secret has no key config.json; use registrySecret, or map it by items"
)
OVER_ROOT = (
    "/home/maven/.m2 is mounted: what a Dockerfile writes below it does not get into the image; "
    "mount it below one of /kaniko, /busybox, /cache, /workspace, /tmp"
)
MOUNT = "containers: [{name: kaniko, volumeMounts: [{name: m2, mountPath: /home/maven/.m2}]}]"
SECRET = """containers: [{name: kaniko, volumeMounts: [{name: docker, mountPath: /kaniko/.docker}]}]
    volumes: [{name: docker, secret: {secretName: docker-config}}]"""
BAD = [
    (template(MOUNT), f"4: templates.kaniko.containers: {OVER_ROOT}"),
    (f"defaults:\n  {MOUNT}\ntemplates: {{kaniko: {{}}}}", f"3: defaults.containers: {OVER_ROOT}"),
    (template(f"pod: {{spec: {{{MOUNT}}}}}"), f"4: templates.kaniko.pod: {OVER_ROOT}"),
    (template(SECRET), f"4: templates.kaniko.containers: {UNMAPPED}"),
    (
        template("image: osscontainertools/kaniko:v1.28.3"),
        "4: templates.kaniko.image: osscontainertools/kaniko:v1.28.3 has no shell, which Jenkins needs; "
        "take its debug image",
    ),
    (
        template("image: osscontainertools/kaniko:debug"),
        "4: templates.kaniko.image: osscontainertools/kaniko:debug changes under your feet; name a version",
    ),
    (
        template("image: example.com:5000/kaniko"),
        "4: templates.kaniko.image: example.com:5000/kaniko changes under your feet; name a version",
    ),
    (
        template("pod: {spec: {containers: [{name: kaniko, command: null}]}}"),
        "4: templates.kaniko.pod: container kaniko has no command to keep it alive; it would end at once",
    ),
    (
        template("jenkins: {containers: [{class: ContainerTemplate, name: kaniko, image: x}]}"),
        "4: templates.kaniko.jenkins: container kaniko is in the pod's YAML too; the plugin takes this one",
    ),
    (
        template("jenkins: {volumes: [{class: volumes.EmptyDirVolume, mountPath: /cache, memory: 'false'}]}"),
        "4: templates.kaniko.jenkins: volumes do not reach container kaniko, which only stands in the pod's YAML",
    ),
    (
        template("{hostUsers: false, hostNetwork: true}"),
        "4: templates.kaniko.hostUsers: Kubernetes refuses a pod with hostNetwork and hostUsers: false",
    ),
    (
        template("{hostUsers: false, volumes: [{name: a, nfs: {server: b, path: /c}}]}"),
        "4: templates.kaniko.hostUsers: volume a: nfs with hostUsers: false needs a file system with id maps",
    ),
    (
        "controllers:\n  main:\n    url: http://jenkins.example.com\n    user: a\n    token: {env: T}",
        "4: controllers.main.url: the token goes over the network in clear text; use https://",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_what_will_not_work_is_said_where_it_stands(text: str, expected: str, tmp_path: Path) -> None:
    found = [str(one).removeprefix(f"{tmp_path}/x.yaml:") for one in warnings(fleet(tmp_path, text))]
    assert found == [expected]


def test_a_builder_in_a_pod_of_ones_own_is_looked_at_too(tmp_path: Path) -> None:
    text = "templates:\n  a: {yamlFile: builder.yaml}\n  b: {yamlFile: bare.yaml}"
    assert [str(one).removeprefix(f"{tmp_path}/x.yaml:") for one in warnings(fleet(tmp_path, text))] == [
        "3: templates.a.yamlFile: a/osscontainertools/kaniko:v1.28.3 has no shell, which Jenkins needs; "
        "take its debug image",
        "3: templates.a.yamlFile: no terminationGracePeriodSeconds: each agent pod takes 30 s to end, "
        "its keep-alive ignores SIGTERM",
        "4: templates.b.yamlFile: container kaniko has no command to keep it alive; it would end at once",
        "4: templates.b.yamlFile: example.com:5000/kaniko changes under your feet; name a version",
    ]


def test_only_a_builder_that_does_not_ask_for_root_breaks_on_a_restricted_cloud(tmp_path: Path) -> None:
    text = """
templates:
  generated: {}
  maven: {yamlFile: maven.yaml}
  base: {engine: none}
  builder: {yamlFile: builder.yaml}
  without: {pod: {spec: {containers: [{name: kaniko, securityContext: null}]}}}
"""
    assert [note.partition(":")[0] for note in restricted_notes(fleet(tmp_path, text), "main")] == [
        "template builder",
        "template without",
    ]


@pytest.mark.parametrize("case", [case for case in CASES if case.name == "smallest"], ids=lambda case: case.name)
def test_the_packaged_template_has_none(case: Path) -> None:
    assert warnings(load(case / "jenkins-kaniko.yaml")) == []
