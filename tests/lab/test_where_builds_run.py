"""Where kanikoBuild() runs and what it leaves there: outside a node, in one without a builder, several in one pod."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.git_server import serving
from tests.support.pipeline import PipelineResult, run_pipeline
from tests.support.registry import Registry
from tests.support.repository import committed, git

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

PIPELINES = ROOT / "tests" / "fixtures" / "pipeline" / "builds"
BASE = """\
FROM scratch
COPY busybox /bin/
SHELL ["/bin/busybox", "sh", "-c"]
RUN busybox --install -s /bin && mkdir -p /srv /etc /tmp /usr/local/bin
"""
APP = f"{BASE}COPY . /app\nRUN ls -A /srv > /listing\n"
SEEN = (
    "find / -xdev -name 'leak*'; ls -A /srv /tmp /dev/shm; "
    "for p in /proc/[0-9]*; do grep -q zombie $p/status || cat $p/comm; done"
)
SOURCE = {
    ".dockerignore": ".git\n*.txt\n!keep.txt\n**/Dockerfile\nleaky*\nslow/\n",
    "keep.txt": "",
    "drop.txt": "",
    "app/Dockerfile": APP,
    "app/hello.txt": "hello\n",
    "leaky/Dockerfile": f"{BASE}"
    "RUN for d in /srv /tmp /dev/shm /kaniko /etc /usr/local/bin; do echo x > $d/leak; done; (sleep 1000 &); exit 3\n",
    "leaky-user/Dockerfile": f"{BASE}RUN echo u:x:1000:1000::/:/bin/sh > /etc/passwd; echo u:x:1000: > /etc/group\n"
    "USER 1000\nRUN (sleep 1000 &); exit 3\n",
    "slow/Dockerfile": f"{BASE}RUN echo x > /srv/leak-slow; sleep 1000\n",
    "ignored/Dockerfile": f"{BASE}RUN mkdir /srv/ignored && echo x > /srv/ignored/leak-ignored\n",
    "env/Dockerfile": f"{BASE}RUN cat /proc/$PPID/environ > /environ\n",
    "look/Dockerfile": f"{BASE}RUN ({SEEN}) > /seen 2>/dev/null || true\n",
}
MAVEN = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - name: maven
    image: {image}
    command: [sleep, "100000"]
"""
SHARED = {
    "shareProcessNamespace": True,
    "containers": [{"name": "jnlp", "securityContext": {"runAsUser": 1000}}],
}
"""All containers see each other's processes, and those of the agent belong to the user of the leaky build."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCE:  # a base image that is unpacked at once
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy("/bin/busybox", (folder / name).parent)
    committed(folder, SOURCE)
    return folder


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A controller with synced templates: the demo's, small ones, one that fits on no node, one without a builder."""

    def more(config: dict[str, Any]) -> None:
        kaniko = config["templates"]["kaniko"]
        config["templates"] = {
            "kaniko": kaniko,
            "second": {**kaniko, "labels": ["second"]},
            "maven": {"labels": ["maven"], "yamlFile": "maven.yaml"},
            "warm": kaniko | {"labels": ["warm"], "idleMinutes": 1},
            "shared": kaniko | {"labels": ["shared"], "pod": {"spec": SHARED}},
        }

    folder = tmp_path_factory.mktemp("fleet")
    (folder / "maven.yaml").write_text(MAVEN.format(image=lab.settings["LAB_BUSYBOX_IMAGE"]), encoding="utf-8")
    return synced_home(folder, more)


def run(
    lab: Lab, name: str, home: Path, source: Path | None, more: Sequence[str] = (), job: str = "", **environment: str
) -> PipelineResult:
    jenkinsfile = PIPELINES / f"{name}.jenkinsfile"
    environment["REGISTRY"] = lab.settings["LAB_REGISTRY"]
    return run_pipeline(jenkinsfile, home, ROOT, source, environment, lab.kubeconfig, job=job or name, more=more)


def said(result: PipelineResult, name: str) -> str:
    (line,) = re.findall(rf"^{name}: (.*)$", result.log, re.MULTILINE)
    return str(line)


def pods(result: PipelineResult) -> list[str]:
    """Return the names of the agents' pods; others may run in the namespace."""
    found: list[str] = re.findall(r"^Created Pod: kubernetes \S+/(\S+)$", result.log, re.MULTILINE)
    assert found
    return found


def archived(home: Path, job: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((home / "jobs" / job / "builds/1/archive" / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def outside(lab: Lab, home: Path, source: Path) -> PipelineResult:
    result = run(lab, "outside", home, source)
    assert result.result == "SUCCESS", result.log
    return result


def test_outside_a_node_it_builds_the_source_of_the_job(
    lab: Lab, registry: Registry, home: Path, source: Path, outside: PipelineResult
) -> None:
    digest, _ = registry.manifest("where/outside", "1")
    image = f"{lab.settings['LAB_REGISTRY']}/where/outside"
    returned = json.loads(said(outside, "returned"))
    assert returned.pop("seconds").isdecimal()
    assert returned.pop("cacheHits") + returned.pop("cacheMisses")
    returned.pop("firstMiss", None)
    assert returned == {
        "image": image,
        "tags": ["1", "2"],
        "digest": digest,
        "ref": f"{image}@{digest}",
        "engine": "kaniko",
        "commit": git(source, "rev-parse", "HEAD"),
    }
    assert archived(home, "outside", "kaniko-build.json") == {
        "schemaVersion": 1,
        **json.loads(said(outside, "returned")),
    }
    assert archived(home, "outside", "kaniko-build-2.json")["digest"] == said(outside, "second")
    assert said(outside, "description") == f"[{image}:1, 2 {digest}, {image}:3 {said(outside, 'second')}]"


def test_labels_tell_where_an_image_comes_from(registry: Registry, source: Path, outside: PipelineResult) -> None:
    labels = registry.config("where/outside", "1")["config"]["Labels"]
    assert labels == {
        "org.opencontainers.image.source": str(source),  # what the job was told; test_step takes accounts out of URLs
        "org.opencontainers.image.revision": git(source, "rev-parse", "HEAD"),
        "org.opencontainers.image.created": git(source, "log", "-1", "--format=%cI"),
        "team": "a",
    }


def test_the_second_build_finds_the_cache_of_the_first(outside: PipelineResult) -> None:
    assert re.findall(r"; cache: (\d+) hits, (\d+) misses", outside.log)[1] == ("2", "0")


def test_no_agent_is_left(lab: Lab, outside: PipelineResult) -> None:
    assert not set(lab.living_pods("kaniko-")) & set(pods(outside))


def test_in_a_node_without_a_builder_the_context_is_what_that_node_made(
    lab: Lab, registry: Registry, home: Path, source: Path
) -> None:
    result = run(lab, "other-node", home, source)
    assert result.result == "SUCCESS", result.log
    files = registry.files("where/other", "1")
    context = {name for name in files if name.startswith("/app/")}
    assert context == {"/app/Dockerfile", "/app/busybox", "/app/hello.txt", "/app/made"}
    assert said(result, "other") == f"{registry.manifest('where/other', '1')[0]} true"
    name = f"{lab.settings['LAB_REGISTRY'].replace(':', '+')}+where+archived+1.tar"
    assert said(result, "archived") == f"{name} null true"
    assert f'"RepoTags":["{lab.settings["LAB_REGISTRY"]}/where/archived:1"]' in result.log
    assert registry.files("where/in-dir", "1").keys() == files.keys()
    assert files.keys() - registry.files("where/outside-context", "1").keys() == {"/app/hello.txt"}
    whole = {name for name in registry.files("where/whole", "1") if name.startswith("/app/")}
    kept = {".dockerignore", "busybox", "keep.txt", "app/busybox", "app/hello.txt", "app/made"} | {
        f"{folder}/busybox" for folder in ("look", "env", "ignored")
    }
    assert whole == {f"/app/{name}" for name in [*kept, "other/Dockerfile.two"]}
    # of the whole also drop.txt, as an exception follows its line; then what is sent in any case
    assert re.findall(r"^Stashed (\d+) file", result.log, re.MULTILINE)[:4] == ["4", "1", "11", "2"]
    assert not set(lab.living_pods("kaniko-", "maven-")) & set(pods(result))


def test_in_a_node_of_another_template_the_build_goes_to_the_agent_that_is_named(
    lab: Lab, home: Path, source: Path
) -> None:
    result = run(lab, "named-agent", home, source)
    assert result.result == "SUCCESS", result.log
    there = "kanikoBuild: this node is not of the agent 'second'; the build goes there\n"
    assert result.log.count(there) == 1
    names = [pod.rpartition("-")[0] for pod in pods(result)]
    assert names[:2] == ["kaniko", "second"]
    assert len(names) == 3  # that of podTemplate has a name of its own
    assert said(result, "own") == said(result, "inherited") == "built here"
    assert not set(lab.living_pods("kaniko-", "second-", "named-agent")) & set(pods(result))


def test_an_agent_that_served_before_has_the_files_of_this_node_only(
    registry: Registry, lab: Lab, home: Path, source: Path
) -> None:
    result = run(lab, "warm", home, source)
    assert result.result == "SUCCESS", result.log
    assert len(set(re.findall(r"^Agent (warm-\S+) is provisioned", result.log, re.MULTILINE))) == 1
    contexts = [set(registry.files("where/warm", tag)) for tag in ("1", "2")]
    assert contexts[0] - contexts[1] == {"/app/made/first"}
    assert contexts[1] - contexts[0] == {"/app/made/second"}


def test_archives_of_images_that_are_not_pushed_are_all_in_the_node_that_called(
    lab: Lab, home: Path, tmp_path: Path
) -> None:
    """Also where the builder fetched the context itself."""
    (tmp_path / "work").mkdir()
    committed(tmp_path / "work", {"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    git(tmp_path, "clone", "--quiet", "--bare", "work", "app.git")
    address = lab.settings["LAB_REGISTRY_ADDRESS"].partition(":")[0]
    with serving(tmp_path, address) as host:
        result = run(lab, "archives", home, None, URL=f"git://{address}:{host.port}/app.git")
    assert result.result == "SUCCESS", result.log
    place = f"{lab.settings['LAB_REGISTRY'].replace(':', '+')}+where+app"
    assert said(result, "archives").split() == [f"{place}+api.tar", f"{place}+web.tar"]
    assert f"\n  api  SUCCESS    {place}+api.tar\n  web  SUCCESS    {place}+web.tar\n" in result.log
    assert said(result, "url") == f"{place}+url.tar true"


def test_declarative_pipelines(registry: Registry, lab: Lab, home: Path, source: Path) -> None:
    result = run(lab, "declarative", home, source)
    assert result.result == "SUCCESS", result.log
    listings = [registry.files(f"where/{name}", "1")["/listing"] for name in ("label", "inherited", "none")]
    assert listings == [b""] * 3
    # only the pod that has no label of a template must be asked whether it has a builder
    assert "no builder container on this agent" not in result.log


@pytest.fixture(scope="module")
def one_pod(lab: Lab, home: Path, source: Path) -> PipelineResult:
    result = run(lab, "one-pod", home, source)
    assert result.result == "SUCCESS", result.log
    return result


def test_a_failed_build_leaves_the_container_clean(registry: Registry, one_pod: PipelineResult) -> None:
    assert said(one_pod, "leaky").startswith("refused")
    assert said(one_pod, "after a failure").startswith("built")
    seen = registry.files("where/after-failure", "1")["/seen"].decode()
    assert "leak" not in seen
    assert seen.splitlines().count("sleep") == 1  # what keeps the builder alive; no other is left


def test_what_another_user_left_running_neither_keeps_the_build_nor_outlives_it(one_pod: PipelineResult) -> None:
    assert "build failed (exit code 3)" in said(one_pod, "leaky user")
    assert said(one_pod, "left by a user") == "0"


def test_no_process_of_another_container_is_ended(
    lab: Lab, registry: Registry, home: Path, source: Path, tmp_path: Path
) -> None:
    account = {"type": "usernamePassword", "username": registry.user, "password": registry.password}
    (tmp_path / "credentials.json").write_text(json.dumps({"account": account}), encoding="utf-8")
    result = run(lab, "shared", home, source, ["--credentials", str(tmp_path / "credentials.json")])
    assert result.result == "SUCCESS", result.log
    assert "build failed (exit code 3)" in said(result, "leaky user")
    assert said(result, "left by a user") == "0"
    assert said(result, "the agent is") == "1000"
    assert "another kanikoBuild runs in this container" in said(result, "refused")
    # the agent cannot remove what the builder made in a folder of its own
    assert said(result, "in the temporary folder") == "[]"


def test_a_timeout_says_so_and_leaves_the_container_clean(
    lab: Lab, registry: Registry, one_pod: PipelineResult
) -> None:
    image = f"{lab.settings['LAB_REGISTRY']}/where/slow:1"
    assert f"{image}: timed out after 0.25 minutes" in said(one_pod, "slow")
    assert said(one_pod, "left running") == "0"
    assert "leak" not in registry.files("where/after-timeout", "1")["/seen"].decode()


def test_what_the_engine_was_told_to_ignore_is_removed_too(registry: Registry, one_pod: PipelineResult) -> None:
    assert said(one_pod, "ignored").startswith("built")
    assert "leak" not in registry.files("where/after-ignored", "1")["/seen"].decode()


def test_variables_reach_the_engine_as_they_are(registry: Registry, one_pod: PipelineResult) -> None:
    environment = registry.files("where/env", "1")["/environ"].decode().split("\0")
    note = "a$HOME $$ ${PATH} \"q\" 's' \\ `id`\né"
    assert [line for line in environment if line.startswith("NOTE=")] == [f"NOTE={note}"], one_pod.log


def test_the_shell_of_the_builder_is_as_before(one_pod: PipelineResult) -> None:
    assert "the builder runs: " in one_pod.log
    assert re.search(r"^/root\n(\+ id -un\n)?root$", one_pod.log, re.MULTILINE)


def test_two_builds_at_once_in_one_container_are_refused(one_pod: PipelineResult) -> None:
    outcomes = sorted([said(one_pod, "one"), said(one_pod, "two")])
    assert outcomes[0].startswith("built")
    assert "another kanikoBuild runs in this container" in outcomes[1]
    assert "kanikoBuildAll" in outcomes[1]


def test_a_container_that_cannot_be_cleaned_is_refused(one_pod: PipelineResult) -> None:
    assert said(one_pod, "not cleaned").startswith("refused")
    assert "could not be removed from this container" in said(one_pod, "dirty")


def test_nothing_is_left_in_the_workspace(one_pod: PipelineResult) -> None:
    assert said(one_pod, "in the temporary folder") == "[]"
    assert not re.search(r"^\?\? ", one_pod.log, re.MULTILINE)


def test_names_that_shells_and_patterns_take_apart(lab: Lab, registry: Registry, home: Path) -> None:
    result = run(lab, "awkward", home, None, job="it's $HOME, é")
    assert result.result == "SUCCESS", result.log
    digest, _ = registry.manifest("where/awkward", "1")
    assert said(result, "pushed") == f"{lab.settings['LAB_REGISTRY']}/where/awkward@{digest}"
    assert set(registry.files("where/awkward", "1")) == {"/app/Docker $file"}
    assert said(result, "archived") == "true"
    assert said(result, "in the temporary folder") == "[]"
