"""The script that runs on nodes, on a folder that stands for a node's /: what it writes for each container runtime,
what it leaves alone, and that it takes back exactly what it wrote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jenkins_kaniko.registry_trust import FOLDERS, Trust, environment

SCRIPT = Path(__file__).parent.parent / "resources" / "jenkins_kaniko" / "scripts" / "trust-node.sh"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
WANTED = Trust("registry", "shared", "10.96.0.7", CA)
MARK = "# jenkins-kaniko registry trust shared/registry\n"
OTHER = replace(WANTED, name="other", address="10.96.0.9")
HOSTS = WANTED.hosts
CERTS = "etc/containerd/certs.d"
CONFIG = "etc/containerd/config.toml"
SECTION = '[plugins."io.containerd.grpc.v1.cri".registry]\n'
PATH_LINE = 'config_path = "/etc/containerd/certs.d"\n'
REGISTRIES = {"k3s": "etc/rancher/k3s/registries.yaml", "rke2": "etc/rancher/rke2/registries.yaml"}
CONF = "etc/containers/registries.conf.d/jenkins-kaniko-shared-registry.conf"
FORMS = list(FOLDERS)


class Node:
    """A folder that stands for a node's /, beside what the pod has of its own."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "node", folder
        self.root.mkdir()
        (folder / "ca.crt").write_text(CA)
        (folder / "bin").mkdir()

    def run(self, *arguments: str, wanted: Trust = WANTED) -> str:
        """Run the script, and return what it tells the cluster."""
        status = self.folder / "status"
        own = {"ROOT": str(self.root), "CA_FILE": str(self.folder / "ca.crt"), "STATUS_FILE": str(status)}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        subprocess.run(["sh", SCRIPT, *arguments], env={**environment(wanted), **own, "PATH": path}, check=True)
        return status.read_text().strip()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    @property
    def files(self) -> dict[str, str]:
        return {str(one.relative_to(self.root)): one.read_text() for one in self.root.rglob("*") if one.is_file()}

    def program(self, name: str) -> Path:
        """Put a program there that only writes down what it is called with, and return that file."""
        called = self.folder / f"{name}.called"
        (self.folder / "bin" / name).write_text(f'#!/bin/sh\necho "$*" >>{called}\n')
        (self.folder / "bin" / name).chmod(0o755)
        return called


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def hosts_toml(host: str, server: str = "10.96.0.7:5000") -> str:
    return (
        f'{MARK}server = "https://{server}"\n\n[host."https://{server}"]\n  capabilities = ["pull", "resolve"]\n'
        f'  ca = "/etc/containerd/certs.d/{host}/ca.crt"\n'
    )


def test_containerd(node: Node) -> None:
    node.write(CONFIG, f"version = 2\n{SECTION}  {PATH_LINE}")
    before = node.files
    assert node.run("containerd", "trust") == "ready"
    written = {f"{CERTS}/{host}/hosts.toml": hosts_toml(host) for host in HOSTS}
    assert node.files == before | written | {f"{CERTS}/{host}/ca.crt": MARK + CA for host in HOSTS}
    assert HOSTS == [
        "registry.shared:5000", "registry.shared.svc:5000", "registry.shared.svc.cluster.local:5000", "10.96.0.7:5000",
    ]  # fmt: skip


def test_containerd_after_the_address_changed(node: Node) -> None:
    node.write(f"{CERTS}/10.96.0.7:5000/client.cert", "of somebody else")
    node.run("containerd", "trust")
    node.run("containerd", "trust", wanted=replace(WANTED, address="10.96.0.8"))
    assert node.files[f"{CERTS}/{HOSTS[0]}/hosts.toml"] == hosts_toml(HOSTS[0], "10.96.0.8:5000")
    assert [path for path in node.files if "10.96.0.7" in path] == [f"{CERTS}/10.96.0.7:5000/client.cert"]


def test_k3s_and_rke2_make_their_file(node: Node) -> None:
    assert node.run("k3s", "trust").startswith("written k3s reads registries.yaml when it starts; ")
    mark, added = f"  {MARK}", "# added by jenkins-kaniko registry trust"
    names = "".join(f'  "{host}":\n    endpoint:\n    - "https://10.96.0.7:5000"\n' for host in HOSTS)
    own_ca = "/etc/rancher/k3s/jenkins-kaniko-shared-registry.crt"
    trusted = "".join(f'  "{host}":\n    tls:\n      ca_file: {own_ca}\n' for host in HOSTS)
    assert node.files == {
        REGISTRIES["k3s"]: f"mirrors: {added}\n{mark}{names}{mark}configs: {added}\n{mark}{trusted}{mark}",
        own_ca[1:]: MARK + CA,
    }


THEIRS = """\
mirrors:

    # the office
    docker.io:
        endpoint: ["https://mirror.example.com"]
configs:
  "mirror.example.com":
    auth: {username: a, password: b}
"""


@pytest.mark.parametrize("form", REGISTRIES)
def test_k3s_and_rke2_keep_what_others_wrote(node: Node, form: str) -> None:
    node.write(REGISTRIES[form], THEIRS)
    node.run(form, "trust")
    text = node.files[REGISTRIES[form]]
    assert f'mirrors:\n    {MARK}    "{HOSTS[0]}":\n      endpoint:\n' in text
    assert f'configs:\n  {MARK}  "{HOSTS[0]}":\n    tls:\n' in text
    assert [line for line in text.splitlines() if line in THEIRS.splitlines()] == THEIRS.splitlines()
    node.run(form, "remove")
    assert node.files == {REGISTRIES[form]: THEIRS}


def test_cri_o(node: Node) -> None:
    assert node.run("cri-o", "trust").startswith("written crio reads registries.conf.d when it is reloaded; ")
    tables = "".join(f'[[registry]]\nprefix = "{host}"\nlocation = "10.96.0.7:5000"\n' for host in HOSTS)
    files = {f"etc/containers/certs.d/{host}/ca.crt": MARK + CA for host in HOSTS}
    assert node.files == {CONF: MARK + tables, **files}


@pytest.mark.parametrize("form", FORMS)
def test_twice_is_once(node: Node, form: str) -> None:
    told = node.run(form, "trust")
    before = {path: (self_stat.st_mtime_ns, self_stat.st_ino) for path, self_stat in stats(node)}
    assert node.run(form, "trust") == told
    assert {path: (self_stat.st_mtime_ns, self_stat.st_ino) for path, self_stat in stats(node)} == before


def stats(node: Node) -> Iterator[tuple[Path, os.stat_result]]:
    return ((one, one.stat()) for one in node.root.rglob("*") if one.is_file())


@pytest.mark.parametrize("form", FORMS)
def test_removing_leaves_other_registries(node: Node, form: str) -> None:
    node.write(f"{CERTS}/example.com/hosts.toml", 'server = "https://example.com"\n')
    node.write("etc/containers/certs.d/example.com/ca.crt", CA)
    others = node.files
    node.run(form, "trust", wanted=OTHER)
    before = node.files
    node.run(form, "trust")
    assert node.files != before
    assert node.run(form, "remove") == "removed"
    assert node.files == before
    assert node.run(form, "remove") == "removed"
    node.run(form, "trust")
    node.run(form, "remove", wanted=OTHER)
    node.run(form, "remove")
    assert node.files == others
    folders = {str(one.relative_to(node.root)) for one in node.root.rglob("*") if one.is_dir()}
    assert [folder for folder in folders if "registry.shared" in folder] == []


FOREIGN = [
    ("containerd", f"{CERTS}/{HOSTS[0]}/hosts.toml", 'server = "https://example.com"\n'),
    ("k3s", REGISTRIES["k3s"], f"mirrors:\n  '{HOSTS[1]}':\n    endpoint: []\n"),
    ("rke2", REGISTRIES["rke2"], "mirrors: {docker.io: {endpoint: []}}\n"),
    ("k3s", REGISTRIES["k3s"], '"configs":\n  example.com:\n    tls: {}\n'),
    ("cri-o", "etc/containers/registries.conf.d/1.conf", f'[[registry]]\nprefix = "{HOSTS[2]}"\n'),
]


@pytest.mark.parametrize(("form", "path", "text"), FOREIGN)
def test_what_is_not_ours_is_refused_by_its_name(node: Node, form: str, path: str, text: str) -> None:
    node.write(path, text)
    told = node.run(form, "trust")
    assert told.startswith("refused ")
    assert f"/{path}" in told
    assert node.files[path] == text
    node.run(form, "remove")
    assert node.files == {path: text}


V3 = "[plugins.'io.containerd.cri.v1.images'.registry]\n"
ELSEWHERE = '[plugins."io.containerd.transfer.v1.local"]\nconfig_path = ""\n'
CONFIGS = [
    (f"{SECTION}{PATH_LINE}", "ready"),
    (f"{SECTION}  config_path = '/etc/containerd/certs.d:/etc/docker/certs.d' # both\n", "ready"),
    (f"{ELSEWHERE}{SECTION}{PATH_LINE}{ELSEWHERE}", "ready"),
    (f"version = 3\n{V3}{PATH_LINE}", "ready"),
    ("version = 3\n", "ready"),
    (f'version = 3\n{V3}config_path = ""\n', "unset containerd reads no certs.d: write [plugins.'io.containerd.cri."),
    (
        "version = 2\n",
        'unset containerd reads no certs.d: write [plugins."io.containerd.grpc.v1.cri".registry] config_',
    ),
    (f"{ELSEWHERE}{SECTION}# {PATH_LINE}", "unset containerd reads no certs.d: write "),
    (f'{SECTION}config_path = "/srv/certs"\n', "unset config_path of containerd is /srv/certs; add "),
    (f'{SECTION[:-2]}.mirrors."docker.io"]\n', "unset containerd reads no certs.d: its config.toml has registry.mirr"),
]


@pytest.mark.parametrize(("text", "told"), CONFIGS)
def test_whether_containerd_reads_it(node: Node, text: str, told: str) -> None:
    node.write(CONFIG, text)
    assert node.run("containerd", "trust")[: len(told)] == told
    assert node.files[CONFIG] == text


def test_what_containerd_imports_counts(node: Node) -> None:
    node.write(CONFIG, 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    node.write("etc/containerd/conf.d/registry.toml", f"{SECTION}{PATH_LINE}")
    assert node.run("containerd", "trust") == "ready"


def test_a_containerd_without_a_file_does_what_its_version_does(node: Node) -> None:
    assert node.run("containerd", "trust") == "default containerd has no /etc/containerd/config.toml"


EDITS = [
    ("version = 2\n", f"version = 2\n{SECTION}{PATH_LINE}"),
    (f"{ELSEWHERE}{SECTION}  config_path = ''\n[debug]\n", f"{ELSEWHERE}{SECTION}{PATH_LINE}[debug]\n"),
    (f'version = 3\n{V3}config_path = ""\n', f"version = 3\n{V3}{PATH_LINE}"),
]


@pytest.mark.parametrize(("text", "changed"), EDITS)
def test_containerd_is_told_where_that_is_allowed(node: Node, text: str, changed: str) -> None:
    node.write(CONFIG, text)
    called = node.program("nsenter")
    assert node.run("containerd", "trust", "restart") == "ready containerd was restarted: it reads certs.d now"
    assert (node.files[CONFIG], called.read_text()) == (changed, "--target 1 --mount -- systemctl restart containerd\n")
    assert node.run("containerd", "trust", "restart") == "ready"
    assert called.read_text().count("\n") == 1


@pytest.mark.parametrize(("form", "service"), [("k3s", "k3s"), ("rke2", "rke2"), ("cri-o", "crio")])
def test_the_others_are_restarted_when_something_changed(node: Node, form: str, service: str) -> None:
    called = node.program("nsenter")
    assert node.run(form, "trust", "restart").startswith(f"ready {service} was restarted: ")
    assert node.run(form, "trust", "restart").startswith("written ")
    assert called.read_text() == f"--target 1 --mount -- systemctl restart {service}\n"
    node.run(form, "remove", "restart")
    assert called.read_text().count("\n") == 2
