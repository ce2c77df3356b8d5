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

    def program(self, name: str, then: str = "") -> Path:
        """Put a program there that writes down what it is called with, and ends so; return that file."""
        called = self.folder / f"{name}.called"
        (self.folder / "bin" / name).write_text(f'#!/bin/sh\necho "$*" >>{called}\n{then}\n')
        (self.folder / "bin" / name).chmod(0o755)
        return called


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def hosts_toml(host: str, server: str = "10.96.0.7:5000") -> str:
    return (
        f'{MARK}server = "https://{server}"\nca = "/etc/containerd/certs.d/{host}/ca.crt"\n\n'
        f'[host."https://{server}"]\n  capabilities = ["pull", "resolve"]\n'
        f'  ca = "/etc/containerd/certs.d/{host}/ca.crt"\n'
    )


def test_containerd(node: Node) -> None:
    node.write(CONFIG, f"version = 2\n\n{SECTION}  {PATH_LINE}")
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


V1 = "[plugins.cri.registry]\n"
V2 = f"version = 2\n{SECTION}"
V3 = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n"
ELSEWHERE = '[plugins."io.containerd.transfer.v1.local"]\nconfig_path = ""\n'
STOCK = """\
version = 2

[plugins]

  [plugins."io.containerd.grpc.v1.cri"]
    max_concurrent_downloads = 3

    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = ""

      [plugins."io.containerd.grpc.v1.cri".registry.auths]

      [plugins."io.containerd.grpc.v1.cri".registry.configs]

      [plugins."io.containerd.grpc.v1.cri".registry.headers]

      [plugins."io.containerd.grpc.v1.cri".registry.mirrors]

    [plugins."io.containerd.grpc.v1.cri".x509_key_pair_streaming]
      tls_cert_file = ""
"""
"""What `containerd config default` of 1.6 and 1.7 prints of it."""
LIST = "config_path = '/etc/containerd/certs.d:/etc/docker/certs.d' # both\n"
NAMED_V1, NAMED_V2, NAMED_V3 = V1.strip(), SECTION.strip(), "[plugins.'io.containerd.cri.v1.images'.registry]"
WRITE = 'config_path = "/etc/containerd/certs.d" into /etc/containerd/config.toml and restart containerd'


def needed(word: str, section: str) -> str:
    return f"{word} write {section} {WRITE}, or give --restart-runtime"


def refused(what: str, section: str = NAMED_V2) -> str:
    return (
        f"unset containerd reads no certs.d: its config.toml has {what}, which it refuses beside config_path; move "
        f'them to certs.d, write {section} config_path = "/etc/containerd/certs.d", restart containerd'
    )


NOTHING = "unset containerd reads no certs.d:"
CONFIGS = [
    (f"{V2}{PATH_LINE}", "ready"),
    (f"version = 2\n{ELSEWHERE}{SECTION}{PATH_LINE}{ELSEWHERE}", "ready"),
    (f"{V3}{PATH_LINE}", "ready"),
    (f"{V1}{PATH_LINE}", "ready"),
    (f'{V2}config_path = "/etc/containerd/certs.d/"\n', "ready"),
    (
        f'{V2}config_path = "/etc/containerd/certs.d/:/etc/docker/certs.d/"\n',
        "listed config_path of containerd is /etc/containerd/certs.d:/etc/docker/certs.d",
    ),
    (f"[plugins]\n  [plugins.cri]\n  [plugins.\"cri\".'registry'] # ours\n  {PATH_LINE}", "ready"),
    (f"{V2}  {LIST}", "listed config_path of containerd is /etc/containerd/certs.d:/etc/docker/certs.d"),
    (f"{V3}{LIST}[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n", "ready"),
    (STOCK, needed(NOTHING, NAMED_V2)),
    (f'{V3}config_path = ""\n', needed(NOTHING, NAMED_V3)),
    ("version = 3\n", needed("absent", NAMED_V3)),
    ("version = 2\n", needed("absent", NAMED_V2)),
    ('disabled_plugins = []\n[grpc]\naddress = "version = 2"\n', needed("absent", NAMED_V1)),
    (f"{SECTION}{PATH_LINE}", needed("absent", NAMED_V1)),
    (f"version = 3\n{SECTION}{PATH_LINE}", needed("absent", NAMED_V3)),
    (f"version = 2\n{ELSEWHERE}{SECTION}# {PATH_LINE}", needed("absent", NAMED_V2)),
    (
        f'{V2}config_path = "/srv/certs"\n',
        "unset config_path of containerd is /srv/certs; move what is there to /etc/containerd/certs.d, name that in "
        "/etc/containerd/config.toml and restart containerd",
    ),
    (f'version = 2\n{SECTION[:-2]}.mirrors."docker.io"]\n', refused("registry.mirrors")),
    (f'version = 2\n{SECTION[:-2]}.mirrors]\n"docker.io" = {{}}\n', refused("registry.mirrors")),
    (f'version = 2\n{SECTION[:-2]}.configs."example.com".tls]\n', refused("tls in registry.configs")),
    (f'version = 2\n{SECTION[:-2]}.configs."example.com"]\ntls.ca_file = "/a"\n', refused("tls in registry.configs")),
    (f'version = 2\n{SECTION[:-2]}.configs."example.com".auth]\n', needed("absent", NAMED_V2)),
]


@pytest.mark.parametrize(("text", "told"), CONFIGS)
def test_whether_containerd_reads_it(node: Node, text: str, told: str) -> None:
    node.write(CONFIG, text)
    assert node.run("containerd", "trust") == told
    assert node.files[CONFIG] == text


IMPORTS = [
    ('imports = ["/etc/containerd/conf.d/*.toml"]\n', "conf.d/registry.toml", "ready"),
    ("imports = [\n  '/srv/*.toml', # elsewhere\n  'more/registry.toml',\n]\n", "more/registry.toml", "ready"),
    ("", "conf.d/registry.toml", needed("absent", NAMED_V2)),
    ('# imports = ["/etc/containerd/conf.d/*.toml"]\n', "conf.d/registry.toml", needed("absent", NAMED_V2)),
    ('[debug]\nimports = ["/etc/containerd/conf.d/*.toml"]\n', "conf.d/registry.toml", needed("absent", NAMED_V2)),
]


@pytest.mark.parametrize(("imports", "file", "told"), IMPORTS)
def test_what_containerd_imports_counts_and_nothing_else(node: Node, imports: str, file: str, told: str) -> None:
    node.write(CONFIG, f"version = 2\n{imports}")
    node.write(f"etc/containerd/{file}", f"{SECTION}{PATH_LINE}")  # the version is that of the first file
    assert node.run("containerd", "trust") == told


def test_a_containerd_without_a_file_does_what_its_version_does(node: Node) -> None:
    assert node.run("containerd", "trust") == "default there is no /etc/containerd/config.toml to be seen"


EDITS = [
    ("version = 2\n", f"{V2}{PATH_LINE}"),
    (
        f"version = 2\n{ELSEWHERE}{SECTION}  config_path = ''\n[debug]\n",
        f"version = 2\n{ELSEWHERE}{SECTION}{PATH_LINE}[debug]\n",
    ),
    (f'{V3}config_path = ""\n', f"{V3}{PATH_LINE}"),
    ("version = 3\n", f"{V3}{PATH_LINE}"),
    (f"{SECTION}{PATH_LINE}", f"{SECTION}{PATH_LINE}{V1}{PATH_LINE}"),
    (f'[plugins.cri]\n  {V1}config_path = ""\n', f"[plugins.cri]\n  {V1}{PATH_LINE}"),
    (STOCK, STOCK.replace('      config_path = ""\n', PATH_LINE)),
]
RESTART = "--target 1 --mount -- systemctl restart containerd\n"


@pytest.mark.parametrize(("text", "changed"), EDITS)
def test_containerd_is_told_where_that_is_allowed(node: Node, text: str, changed: str) -> None:
    node.write(CONFIG, text)
    called = node.program("nsenter")
    assert node.run("containerd", "trust", "restart") == "ready containerd was restarted: it reads certs.d now"
    assert (node.files[CONFIG], called.read_text()) == (changed, RESTART)
    assert node.files[f"{CONFIG}.before-registry-trust"] == text
    assert node.run("containerd", "trust", "restart") == "ready"
    assert called.read_text().count("\n") == 1


AS_IT_WAS = "its config.toml is as it was"
FAILURES = [
    (
        'grep -q certs.d "$ROOT/etc/containerd/config.toml" && exit 1 || exit 0',
        f"failed containerd did not start with {PATH_LINE.strip()}".replace("config", f"{NAMED_V2} config", 1)
        + f"; {AS_IT_WAS}, and containerd runs: see journalctl -u containerd on the node",
    ),
    ("exit 1", f"failed containerd could not be restarted by systemctl; {AS_IT_WAS}: write {NAMED_V2} {WRITE} by hand"),
]


@pytest.mark.parametrize(("then", "told"), FAILURES, ids=["wrong file", "no systemctl"])
def test_containerd_runs_as_before_where_it_did_not_start(node: Node, then: str, told: str) -> None:
    node.write(CONFIG, STOCK)
    (node.root / CONFIG).chmod(0o640)
    called = node.program("nsenter", then)
    assert node.run("containerd", "trust", "restart") == told
    assert (node.files[CONFIG], called.read_text()) == (STOCK, RESTART * 2)
    assert (node.root / CONFIG).stat().st_mode & 0o777 == 0o640


# --- what others may read --------------------------------------------------------------------------------------------

PRIVATE = [
    ("k3s", REGISTRIES["k3s"], THEIRS),
    ("rke2", REGISTRIES["rke2"], THEIRS),
    ("containerd", CONFIG, STOCK),
]


@pytest.mark.parametrize(("form", "path", "text"), PRIVATE)
@pytest.mark.parametrize("link", [None, "beside", "absolute"])
def test_files_keep_their_mode_and_their_links(node: Node, form: str, path: str, text: str, link: str | None) -> None:
    real = node.root / path if link is None else (node.root / path).with_name("real")
    real.parent.mkdir(parents=True)
    real.write_text(text)
    real.chmod(0o600)
    if link:
        (node.root / path).symlink_to("real" if link == "beside" else f"/{Path(path).with_name('real')}")
    node.program("nsenter")
    modes = set()
    for mode in ("trust", "remove"):
        assert not node.run(form, mode, "restart").startswith("refused")
        modes.add(oct(real.stat().st_mode & 0o777))
        assert (node.root / path).is_symlink() == (link is not None)
        assert (real.read_text() != text) == (mode == "trust" or form == "containerd")
    assert modes == {"0o600"}
    backup = real.with_name(f"{real.name}.before-registry-trust")
    assert not backup.exists() or backup.stat().st_mode & 0o777 == 0o600
    assert [one for one in node.root.rglob("*") if one.suffix in {".new", ".then"}] == []


def test_a_link_to_where_the_pod_sees_nothing_is_named(node: Node) -> None:
    for path in (CONFIG, REGISTRIES["k3s"]):
        (node.root / path).parent.mkdir(parents=True)
        (node.root / path).symlink_to("/srv/here/file")
    assert node.run("containerd", "trust") == "default there is no /srv/here/file to be seen"
    assert node.run("k3s", "trust") == (
        "refused /etc/rancher/k3s/registries.yaml leads to /srv/here/file, which is not seen from here; "
        "put the file itself there"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_owner_that_cannot_be_kept_is_named(node: Node) -> None:
    node.write(REGISTRIES["k3s"], THEIRS)
    os.chown(node.root / REGISTRIES["k3s"], 65534, 65534)
    node.program("cp", "exit 1")
    before = node.files
    assert node.run("k3s", "trust") == (
        "refused /etc/rancher/k3s/registries.yaml has an owner that cannot be kept; give it to root, "
        "or trust the registry there by hand"
    )
    assert node.files == before


@pytest.mark.parametrize(("form", "service"), [("k3s", "k3s"), ("rke2", "rke2"), ("cri-o", "crio")])
def test_the_others_are_restarted_when_something_changed(node: Node, form: str, service: str) -> None:
    called = node.program("nsenter")
    assert node.run(form, "trust", "restart").startswith(f"ready {service} was restarted: ")
    assert node.run(form, "trust", "restart").startswith("written ")
    assert called.read_text() == f"--target 1 --mount -- systemctl restart {service}\n"
    node.run(form, "remove", "restart")
    assert called.read_text().count("\n") == 2
