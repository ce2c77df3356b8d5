"""How nodes are made to trust a registry of the cluster: what runs on them, and what it tells. Pure.

The kubelet's container runtime pulls images with the node's DNS and the node's certificates, which know neither the
names nor the certificate of a Service. Where each runtime looks is in resources/jenkins_kaniko/scripts/trust-node.sh.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jenkins_kaniko import podstate, resources
from jenkins_kaniko.buildjob import MANAGED
from jenkins_kaniko.nodepods import failed
from jenkins_kaniko.nodereport import NodeOutcome
from jenkins_kaniko.podstate import Pod
from jenkins_kaniko.templates import parsed, text_template

IMAGE = "docker.io/library/busybox:1.36.1"
PORT = 5000
LABEL = "jenkins-kaniko/registry-trust"
CONTENT = "jenkins-kaniko/content"
"""The annotation by which a pod is replaced when what it does has changed."""
CONTAINER = "trust"
CONTAINERD, K3S, RKE2, CRIO = "containerd", "k3s", "rke2", "cri-o"
SCRIPT = "trust-node.sh"
TRUST, REMOVE = "trust", "remove"
READY, WRITTEN, UNSET, REMOVED, UNKNOWN = "ready", "written", "unset", "removed", "unknown"
DONE = {READY, WRITTEN, REMOVED}
"""What the script tells where nothing is wrong; it also knows refused and failed."""
DEFAULT, ABSENT, LISTED = "default", "absent", "listed"
"""What it tells where containerd's version decides: no configuration is seen, it has no config_path, that is a list."""
TRANSFERS_SINCE = (2, 1)
"""The containerd that pulls by its transfer service, which takes a list of folders for the name of one folder
(https://github.com/containerd/containerd/issues/12415, /12808), unless some other option forbids the service."""
HAS_CONFIG_PATH_SINCE = (2, 2)
"""The containerd whose config_path is set where nobody sets it, to such a list
(internal/cri/config/config_unix.go of its source)."""
CERTS_D = "/etc/containerd/certs.d"
_UNSURE = "containerd since 2.1 does not look into lists where its transfer service pulls"
_ALONE = f'write config_path = "{CERTS_D}" alone'
SECURITY = {
    "runAsUser": 0,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""User 0 owns the folders of a container runtime; it needs no capability to write them."""


@dataclass(frozen=True)
class Folder:
    """A folder of the node that the pod sees."""

    path: str
    read_only: bool = False


FOLDERS = {
    CONTAINERD: [Folder("/etc/containerd", read_only=True), Folder(CERTS_D)],
    K3S: [Folder("/etc/rancher/k3s")],
    RKE2: [Folder("/etc/rancher/rke2")],
    CRIO: [Folder("/etc/containers/registries.conf.d"), Folder("/etc/containers/certs.d")],
}


@dataclass(frozen=True)
class Trust:
    """What nodes are to trust.

    Attributes:
        name, namespace: of the registry's Service.
        address: the Service's; nothing but the cluster knows its names.
        ca: what signed its certificate, as PEM.
        image: with a shell.
        restart: whether the container runtime's own configuration may be changed, and the runtime restarted.
    """

    name: str
    namespace: str
    address: str
    ca: str
    image: str = IMAGE
    restart: bool = False

    @property
    def server(self) -> str:
        """Where the registry is asked."""
        return f"[{self.address}]:{PORT}" if ":" in self.address else f"{self.address}:{PORT}"

    @property
    def hosts(self) -> list[str]:
        """What names of images begin with."""
        names = [f"{self.name}.{self.namespace}{end}:{PORT}" for end in ("", ".svc", ".svc.cluster.local")]
        return [*names, self.server]

    @property
    def title(self) -> str:
        """Of the registry, as part of other names."""
        return f"{self.name}-trust"

    @property
    def selector(self) -> str:
        """Selects what belongs to it."""
        return f"{LABEL}={self.name}"


def form_of(node: Mapping[str, Any]) -> str | None:
    """Return which container runtime a node has, None where it is not known here.

    `status.nodeInfo` of a Node: containerd://1.7.27 or cri-o://1.33.0; k3s and RKE2 have a containerd of their own and
    are told by the kubelet's version, v1.33.1+k3s1 or v1.33.1+rke2r1.
    """
    info = node["status"]["nodeInfo"]
    if found := re.search(r"\+(k3s|rke2)", info["kubeletVersion"]):
        return found[1]
    runtime: str = info["containerRuntimeVersion"].partition("://")[0]
    return runtime if runtime in FOLDERS else None


def by_form(nodes: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the names of the nodes by their container runtime."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if form := form_of(node):
            found.setdefault(form, []).append(node["metadata"]["name"])
    return found


def manifests(trust: Trust, forms: Mapping[str, Sequence[str]], mode: str) -> list[dict[str, Any]]:
    """Return what makes nodes trust the registry, or takes that back: for each runtime a script and a DaemonSet.

    Where all nodes have one runtime, a node that comes later is made to trust the registry too.

    Args:
        forms: names of the nodes by their container runtime.
        mode: TRUST or REMOVE.
    """
    found = []
    for form, nodes in forms.items():
        config_map = _config_map(trust, form)
        named = nodes if len(forms) > 1 else []
        found += [config_map, _daemon_set(trust, form, mode, named, config_map["data"])]
    return found


def object_name(trust: Trust, form: str) -> str:
    """Return what the DaemonSet of a container runtime is called, and its ConfigMap."""
    return f"{trust.title}-{form}"


def _config_map(trust: Trust, form: str) -> dict[str, Any]:
    metadata = {"name": object_name(trust, form), "namespace": trust.namespace, "labels": _labels(trust)}
    data = {SCRIPT: resources.text(f"scripts/{SCRIPT}"), "ca.crt": trust.ca}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _daemon_set(trust: Trust, form: str, mode: str, nodes: Sequence[str], data: Mapping[str, str]) -> dict[str, Any]:
    arguments = [form, mode, *(["restart"] if trust.restart else [])]
    env = environment(trust)
    content = hashlib.sha256(json.dumps([asdict(trust), arguments, env, data], sort_keys=True).encode()).hexdigest()
    role = {f"{LABEL}-form": form}
    text = text_template("registry-trust.yaml").render(
        trust=trust,
        name=object_name(trust, form),
        labels={**_labels(trust), **role},
        selector={LABEL: trust.name, **role},
        content_key=CONTENT,
        content=content,
        nodes=nodes,
        container=CONTAINER,
        arguments=arguments,
        env=[{"name": name, "value": value} for name, value in env.items()],
        privileged={"runAsUser": 0, "privileged": True},
        security=SECURITY,
        folders=[asdict(one) | {"read_only": one.read_only and not trust.restart} for one in FOLDERS[form]],
    )
    return parsed(text)


def environment(trust: Trust) -> dict[str, str]:
    """Return what the script is told, but for the container runtime and what to do."""
    return {
        "ROOT": "/node",
        "MARK": f"# jenkins-kaniko registry trust {trust.namespace}/{trust.name}",
        "TITLE": f"jenkins-kaniko-{trust.namespace}-{trust.name}",
        "SERVER": trust.server,
        "HOSTS": " ".join(trust.hosts),
        "CA_FILE": "/trust/ca.crt",
        "STATUS_FILE": "/dev/termination-log",
    }


def _labels(trust: Trust) -> dict[str, str]:
    return {**MANAGED, LABEL: trust.name}


def outcome(node: Mapping[str, Any], state: str, text: str = "") -> NodeOutcome:
    """Return what is known of a node."""
    return NodeOutcome(node["metadata"]["name"], state, text, state in DONE)


def unknown(node: Mapping[str, Any]) -> NodeOutcome:
    """Return what is to be said of a node whose container runtime is not known here."""
    runtime = node["status"]["nodeInfo"]["containerRuntimeVersion"]
    return outcome(node, UNKNOWN, f"{runtime}: this program does not know how it is told what to trust")


def told(node: Mapping[str, Any], pod: Pod) -> NodeOutcome | None:
    """Return what the script told on a node, None where it did not end yet."""
    end = podstate.ended(pod, CONTAINER)
    if end is None:
        return None
    if end.exit_code != 0:
        return failed(node, f"{end.reason}: {end.message or f'exit code {end.exit_code}'}")
    word, _, text = end.message.strip().partition(" ")
    if word in (DEFAULT, ABSENT, LISTED):
        return _by_version(node, word, text)
    return outcome(node, word, text)


def _by_version(node: Mapping[str, Any], word: str, text: str) -> NodeOutcome:
    """Say what containerd makes of its configuration; the pod does not know which containerd that is."""
    said = re.match(r"containerd://v?(\d+)\.(\d+)", node["status"]["nodeInfo"]["containerRuntimeVersion"])
    version = (int(said[1]), int(said[2])) if said else (0, 0)
    if word == LISTED:
        if version < TRANSFERS_SINCE:
            return outcome(node, READY)
        return outcome(node, WRITTEN, f"{text}: {_UNSURE}; if a pull fails, {_ALONE} there and restart containerd")
    if version >= HAS_CONFIG_PATH_SINCE:
        change = text if word == ABSENT else f"{_ALONE} in its configuration, wherever it is, and restart containerd"
        default = f"config_path of containerd is a list by default: {_UNSURE}"
        return outcome(node, WRITTEN, f"{default}; if a pull fails, {change}")
    if word == ABSENT:
        return outcome(node, UNSET, f"containerd reads no certs.d: {text}")
    change = f'containerd reads certs.d only where its registry section has config_path = "{CERTS_D}"'
    return outcome(node, WRITTEN, f"{text}: {change}; see that it has, wherever its configuration is")
