"""Agents that outlive a build, on real pods: who takes them, how long they last, what a controller's restart does."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.lab.conftest import Lab
from tests.support.pipeline import PipelineResult, run_pipeline

PLUGIN = "org.csanchez.jenkins.plugins.kubernetes"
POD = """
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
  - name: jnlp
    env: [{{name: SPEC, value: {spec}}}]
    resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
"""
USE = "node('kaniko') { echo \"on ${env.NODE_NAME}\"; sh 'echo spec $SPEC; sleep 2' }"
TWICE = f"parallel(a: {{ {USE} }}, b: {{ {USE} }})"
MINUTE = 60_000

pytestmark = [pytest.mark.jvm, pytest.mark.lab]


class Home:
    """A controller's home with one template, which `template` replaces as a sync does."""

    def __init__(self, lab: Lab, path: Path) -> None:
        self.lab, self.path = lab, path
        self.name = f"agents-{uuid.uuid4().hex[:6]}"
        self.restart()

    def template(self, spec: str = "old", *, id: str = "one", cloud: str = "Never", **fields: object) -> None:
        xml = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if name != "podRetention")
        if "podRetention" in fields:
            xml += f'<podRetention class="{PLUGIN}.pod.retention.{fields["podRetention"]}"/>'
        (self.path / "config.xml").write_text(
            f"<hudson><clouds><{PLUGIN}.KubernetesCloud><name>kubernetes</name><templates><{PLUGIN}.PodTemplate>"
            f"<id>{id}</id><name>{self.name}</name><namespace>{self.lab.settings['LAB_NAMESPACE']}</namespace>"
            f"<label>kaniko</label><showRawYaml>false</showRawYaml><yaml>{escape(POD.format(spec=spec))}</yaml>{xml}"
            f"</{PLUGIN}.PodTemplate></templates><podRetention class='{PLUGIN}.pod.retention.{cloud}'/>"
            f"</{PLUGIN}.KubernetesCloud></clouds></hudson>",
            encoding="utf-8",
        )

    def restart(self) -> None:
        """Do what a controller that starts does with its home."""
        (self.path / "session").write_text(uuid.uuid4().hex, encoding="utf-8")

    def run(self, pipeline: str = USE) -> PipelineResult:
        jenkinsfile = self.path / f"{uuid.uuid4().hex}.jenkinsfile"
        jenkinsfile.write_text(pipeline, encoding="utf-8")
        return run_pipeline(jenkinsfile, self.path, self.path, kubeconfig=self.lab.kubeconfig)

    def use(self) -> tuple[str, str]:
        """Run a build and return the agent's name and the spec it had."""
        result = self.run()
        assert result.result == "SUCCESS", result.log
        (agent,) = agents(result.log)
        (spec,) = re.findall(r"^spec (\w+)$", result.log, re.MULTILINE)
        return agent, spec

    @property
    def nodes(self) -> list[str]:
        return sorted(path.name for path in (self.path / "nodes").iterdir())

    @property
    def pods(self) -> list[str]:
        return sorted(self.lab.living_pods(self.name))


def agents(log: str) -> list[str]:
    return re.findall(r"^on (\S+)$", log, re.MULTILINE)


@pytest.fixture
def home(lab: Lab, tmp_path: Path) -> Iterator[Home]:
    home = Home(lab, tmp_path)
    yield home
    if home.pods:
        lab.kubectl("delete", "pod", "--wait=false", "-n", lab.settings["LAB_NAMESPACE"], *home.pods)


def test_an_idle_agent_is_used_again_as_it_was(home: Home) -> None:
    """Also after its template was changed, by another runner; when it has expired it is replaced."""
    home.template("old", idleMinutes=1)
    agent, _ = home.use()
    assert home.pods == home.nodes == [agent]
    assert not (home.path / "nodes" / agent / "busy").exists()
    home.template("new", idleMinutes=1)
    assert home.use() == (agent, "old")

    record = home.path / "nodes" / agent / "agent.json"
    state = json.loads(record.read_text(encoding="utf-8"))
    state["lastUse"] -= 2 * MINUTE
    record.write_text(json.dumps(state), encoding="utf-8")
    other, spec = home.use()
    assert other != agent
    assert spec == "new"
    assert home.pods == home.nodes == [other]


def test_builds_at_once_do_not_share_an_agent(home: Home) -> None:
    home.template(idleMinutes=1)
    idle, _ = home.use()
    with ThreadPoolExecutor() as pool:
        used = sorted(agent for agent, _ in pool.map(lambda _: home.use(), range(2)))
    assert len(set(used)) == 2
    assert idle in used
    assert home.nodes == used


def test_a_dead_idle_agent_is_replaced(home: Home) -> None:
    home.template(idleMinutes=1)
    dead, _ = home.use()
    home.lab.kubectl("delete", "pod", "-n", home.lab.settings["LAB_NAMESPACE"], dead)
    agent, _ = home.use()
    assert agent != dead
    assert home.pods == home.nodes == [agent]


def test_after_a_restart_an_agent_is_found_by_the_id_of_its_template(home: Home) -> None:
    home.template(idleMinutes=1)
    agent, _ = home.use()
    home.template("new", idleMinutes=1)
    home.restart()
    assert home.use() == (agent, "old")

    home.template("new", id="two", idleMinutes=1)
    assert home.use() == (agent, "old"), "without a restart the agent keeps the template it was made of"
    home.restart()
    result = home.run()
    assert result.log.startswith(
        "[Pipeline] Start of Pipeline\n[Pipeline] node\njava.lang.IllegalStateException: Unable to"
    )
    (other,) = agents(result.log)
    assert other != agent
    assert home.pods == home.nodes == [other]


def test_without_its_template_the_retention_is_the_clouds(home: Home) -> None:
    home.template(idleMinutes=1, podRetention="Always", cloud="Never")
    home.use()
    home.template(id="two", cloud="Never")
    home.restart()
    home.use()
    assert home.pods == home.nodes == []


def test_the_cap_of_a_template_makes_builds_wait(home: Home) -> None:
    home.template(instanceCap=1)
    result = home.run(TWICE)
    first, second = agents(result.log)
    assert first != second
    order = re.findall(r"^Created Pod: .*/(\S+)$|^on (\S+)$", result.log, re.MULTILINE)
    assert ["".join(pair) for pair in order] == [first, first, second, second]
    assert result.result == "SUCCESS"


@pytest.mark.parametrize(
    ("template", "cloud", "kept"), [("Always", "Never", 1), ("Default", "Always", 1), ("Never", "Always", 0)]
)
def test_retention(home: Home, template: str, cloud: str, kept: int) -> None:
    """The node goes, the pod stays or not."""
    home.template(podRetention=template, cloud=cloud)
    agent, _ = home.use()
    assert home.nodes == []
    assert home.pods == [agent][:kept]


def test_on_failure_keeps_a_failed_pod(home: Home) -> None:
    home.template(podRetention="OnFailure")
    home.use()
    assert home.pods == []
    home.template(podRetention="OnFailure", activeDeadlineSeconds=12)
    result = home.run("node('kaniko') { sh 'sleep 4321' }")
    assert result.result == "ABORTED"
    assert len(home.pods) == 1
    assert home.nodes == []
