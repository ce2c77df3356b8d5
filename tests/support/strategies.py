"""What people write into a configuration, for property tests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from jenkins_kaniko.model import PodTemplate
from tests.support.fakes import fleet, wanted

WORDS = st.sampled_from(["a", "kaniko", "docker-24", "linux/amd64", "größe"])
STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0\u2028\ufffe\uffff")
"""What Jenkins' XML can hold."""
AWKWARD = st.sampled_from(
    ["'''", '"""', "${x}", "$x", "\\", "\n", "\r", "\r\n", "\t", "</yaml>", "<!-- ", "]]>", "&amp;", "\x01", "\x1b",
     "\x85", "\u2029", "é", "🐳", "\U0010ffff", " ", "{{ x }}", "^${x}"]
)  # fmt: skip
TEXTS = st.lists(AWKWARD | st.text(STORABLE, min_size=1, max_size=8), min_size=1, max_size=6).map("".join)
NAMED = st.sampled_from(["A", "DOCKER_CONFIG", "_x1", "z"])
SWITCH: st.SearchStrategy[bool | str] = st.booleans() | st.sampled_from(["true", "false"])

WORKSPACES = st.one_of(
    st.fixed_dictionaries({"class": st.just("volumes.workspace.EmptyDirWorkspaceVolume")}, optional={"memory": SWITCH}),
    st.fixed_dictionaries({"class": st.just("volumes.workspace.HostPathWorkspaceVolume"), "hostPath": TEXTS}),
    st.just("volumes.workspace.EmptyDirWorkspaceVolume"),
)
VARIABLES = st.fixed_dictionaries(
    {"class": st.just("model.KeyValueEnvVar"), "key": NAMED}, optional={"value": TEXTS | st.just("") | st.booleans()}
)
CONTAINERS = st.fixed_dictionaries(
    {"class": st.just("ContainerTemplate"), "name": WORDS, "image": WORDS},
    optional={"command": TEXTS, "privileged": SWITCH, "envVars": st.lists(VARIABLES, max_size=2)},
)
JENKINS = st.fixed_dictionaries(
    {},
    optional={
        "workspaceVolume": WORKSPACES,
        "envVars": st.lists(VARIABLES, max_size=3),
        "containers": st.lists(CONTAINERS, max_size=2),
        "volumes": st.just([{"class": "volumes.EmptyDirVolume", "mountPath": "/cache", "memory": True}]) | st.none(),
        "serviceAccount": TEXTS | st.just(""),
        "runAsUser": st.integers(0, 9) | st.just("1000"),
    },
)
QUANTITIES = st.fixed_dictionaries({}, optional={"cpu": st.sampled_from(["500m", 1, 0.5]), "memory": st.just("1Gi")})
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.lists(st.sampled_from(["x", "y", "z-1"]), min_size=1, max_size=3, unique=True),
        "idleMinutes": st.integers(0, 60),
        "instanceCap": st.integers(1, 2147483647),
        "connectTimeoutSeconds": st.sampled_from([100, 300, 1000]),
        "podRetention": st.sampled_from(["Never", "OnFailure", "Always", "Default"]),
        "nodeUsageMode": st.sampled_from(["NORMAL", "EXCLUSIVE"]),
        "namespace": TEXTS,
        "inheritFrom": TEXTS,
        "yamlMergeStrategy": st.sampled_from(["Merge", "Override"]),
        "inheritYamlMergeStrategy": st.booleans(),
        "showRawYaml": st.booleans(),
        "agentContainer": st.just("jnlp"),
        "resources": st.fixed_dictionaries({}, optional={"requests": QUANTITIES, "limits": QUANTITIES}),
        "env": st.dictionaries(NAMED, TEXTS, max_size=2),
        "annotations": st.dictionaries(NAMED, TEXTS, max_size=2),
        "jenkins": JENKINS,
        "pod": st.just({"spec": {"priority": 5}}),
    },
)


def fleets(names: st.SearchStrategy[str], **sizes: Any) -> st.SearchStrategy[list[PodTemplate]]:
    """Return what Jenkins shall hold for generated configurations of fleet acme."""
    return configurations(names, **sizes).map(lambda content: wanted(fleet(json.dumps(content))))


def configurations(names: st.SearchStrategy[str], **sizes: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return contents of a jenkins-kaniko.yaml of fleet acme; sizes are of the number of templates."""
    templates = st.dictionaries(names, SETTINGS, **({"max_size": 4} | sizes))
    return st.fixed_dictionaries({"fleet": st.just("acme"), "templates": templates})
