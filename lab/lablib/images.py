"""The images that the lab's pods and builds start from, and what is in each.

Kaniko's has the shape of upstream's debug image, because that shape (a busybox under /busybox that is a volume,
CA certificates under /kaniko, no /bin at all) is what the real thing meets.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import IO, cast

from lablib import cache
from lablib.layers import Entry, Image, Layer, layer_of, write_archive, write_layer
from lablib.run import run
from lablib.settings import LAB, Settings

BUSYBOX = Path("/bin/busybox")
# Debian's busybox has no nohup, and Jenkins' `sh` step starts its scripts with it.
NOHUP = b"#!/busybox/sh\ntrap '' HUP\nexec \"$@\"\n"
# There is no Jenkins agent here. It must leave at once when asked to, or deleting a pod takes 30 seconds.
AGENT = b"#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do sleep 3600 & wait $!; done\n"
ROOT_USER = [
    Entry("etc", folder=True, mode=0o755),
    Entry("etc/passwd", b"root:x:0:0:root:/root:/busybox/sh\nnobody:x:65534:65534:nobody:/:/busybox/sh\n"),
    Entry("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
    Entry("etc/nsswitch.conf", b"hosts: files dns\n"),
]
# Elsewhere the shell is where it always is.
COMMON_ROOT_USER = [Entry(e.path, e.data.replace(b"/busybox/sh", b"/bin/sh"), e.mode, e.folder) for e in ROOT_USER]
KANIKO = {
    "Entrypoint": ["/kaniko/executor"],
    "WorkingDir": "/workspace",
    "Volumes": {"/busybox": {}, "/workspace": {}},
    "Env": [
        "HOME=/root",
        "USER=root",
        "PATH=/usr/local/bin:/kaniko:/busybox",
        "SSL_CERT_DIR=/kaniko/ssl/certs",
        "DOCKER_CONFIG=/kaniko/.docker/",
    ],
}
REGISTRY = {
    "Entrypoint": ["/entrypoint.sh"],
    "Cmd": ["/etc/docker/registry/config.yml"],
    "Volumes": {"/var/lib/registry": {}},
    "Env": ["PATH=/bin"],
}
# As upstream's image does it: a name of a file is what to serve, anything else is a command.
REGISTRY_ENTRYPOINT = b"""#!/bin/sh
case "$1" in *.yaml|*.yml) exec registry serve "$1" ;; *) exec "$@" ;; esac
"""
SYSTEM_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def prepared(settings: Settings, base: Path, kaniko: Path, registry: Path) -> Path:
    """A cached folder: images.tar for containerd, and the layers and documents that the registry serves.

    *base*, *kaniko* and *registry* are folders of the cache.
    """
    sources = [LAB / "lablib" / name for name in ("images.py", "layers.py")]
    pinned = [settings.pinned[name] for name in ("images", "mirrored", "domain", "ports")]
    debian_registry = Path(run(["which", "docker-registry"]).strip())
    hashed = cache.key(*sources, *pinned, BUSYBOX, debian_registry, base.name, kaniko.name, registry.name)
    public_cas = base / "ca-certificates.crt"

    def build(target: Path) -> None:
        debian = layer_of(base / "base.tar", base / "base.tar.gz")
        images = {
            settings.image("pause"): _pause(target),
            settings.image("busybox"): _busybox(target),
            settings.image("kaniko"): _kaniko(target, kaniko, public_cas),
            settings.image("agent"): _agent(target, debian, base),
            settings.image("registry"): _registry(target, debian_registry, _libraries(debian_registry), public_cas),
            settings.image("nextRegistry"): _registry(target, registry / "registry", [], public_cas),
        }
        write_archive(images, target / "images.tar")
        python = _python(target, debian, settings)
        (target / "public.json").write_bytes(python.document())
        for tar in target.glob("layer-*.tar"):
            tar.unlink()  # only images.tar and the compressed layers are needed from now on

    return cache.entry("images", hashed, build)


def _applets(folder: str, wanted: list[str]) -> list[Entry]:
    """A busybox and its names as further names of the same file: each works when copied on its own."""
    # A link carries a mode too, and unpacking it sets that on the file.
    program = Entry(f"{folder}/busybox", BUSYBOX.read_bytes(), 0o755)
    names = [Entry(f"{folder}/{name}", b"", 0o755, same_as=program.path) for name in wanted if name != "busybox"]
    return [Entry(folder, folder=True, mode=0o755), program, *names]


def _all_applets() -> list[str]:
    return run([str(BUSYBOX), "--list"]).split()


def _pause(target: Path) -> Image:
    layer = write_layer([*ROOT_USER, *_applets("bin", ["sleep"])], target / "layer-pause.tar")
    return Image([layer], {"Entrypoint": ["/bin/sleep", "2147483647"]})


def _busybox(target: Path) -> Image:
    folders = [Entry("root", folder=True, mode=0o700), Entry("tmp", folder=True, mode=0o1777)]
    layer = write_layer([*COMMON_ROOT_USER, *folders, *_applets("bin", _all_applets())], target / "layer-busybox.tar")
    return Image([layer], {"Cmd": ["sh"], "Env": ["PATH=/bin"]})


def _kaniko(target: Path, binaries: Path, public_cas: Path) -> Image:
    folders = ["kaniko", "kaniko/.docker", "kaniko/ssl", "kaniko/ssl/certs", "root", "workspace"]
    entries = [
        *ROOT_USER,
        *(Entry(name, folder=True, mode=0o755) for name in folders),
        Entry("kaniko/ssl/certs/ca-certificates.crt", public_cas.read_bytes()),
        Entry("kaniko/executor", (binaries / "executor").read_bytes(), 0o755),
        Entry("kaniko/warmer", (binaries / "warmer").read_bytes(), 0o755),
        *_applets("busybox", _all_applets()),
        Entry("busybox/nohup", NOHUP, 0o755),
    ]
    return Image([write_layer(entries, target / "layer-kaniko.tar")], KANIKO)


def _libraries(program: Path) -> list[str]:
    """The libraries that a program is linked to."""
    return [word for word in run(["ldd", str(program)]).split() if word.startswith("/")]


def _registry(target: Path, program: Path, libraries: list[str], public_cas: Path) -> Image:
    """A registry in the shape of upstream's image."""
    entries = [
        *COMMON_ROOT_USER,
        Entry("tmp", folder=True, mode=0o1777),
        *_applets("bin", _all_applets()),
        Entry("bin/registry", program.read_bytes(), 0o755),
        *(Entry(name.lstrip("/"), Path(name).read_bytes(), 0o755) for name in libraries),
        Entry("etc/ssl/certs/ca-certificates.crt", public_cas.read_bytes()),
        Entry("entrypoint.sh", REGISTRY_ENTRYPOINT, 0o755),
    ]
    return Image([write_layer(entries, target / f"layer-{program.name}.tar")], REGISTRY)


def _agent(target: Path, debian: Layer, base: Path) -> Image:
    with tarfile.open(base / "base.tar") as tar:
        users, groups = (cast(IO[bytes], tar.extractfile(f"etc/{name}")).read() for name in ("passwd", "group"))
    entries = [
        Entry("etc/passwd", users + b"jenkins:x:1000:1000:jenkins:/home/jenkins:/bin/sh\n"),
        Entry("etc/group", groups + b"jenkins:x:1000:\n"),
        Entry("home/jenkins", folder=True, mode=0o755, owner=1000),
        Entry("home/jenkins/agent", folder=True, mode=0o755, owner=1000),
        Entry("usr/local/bin/jenkins-agent", AGENT, 0o755),
    ]
    config = {
        "Entrypoint": ["/usr/local/bin/jenkins-agent"],
        "WorkingDir": "/home/jenkins",
        "Env": [SYSTEM_PATH, "HOME=/home/jenkins", "LANG=C.UTF-8"],
        "User": "jenkins",
    }
    return Image([debian, write_layer(entries, target / "layer-agent.tar")], config)


def _python(target: Path, debian: Layer, settings: Settings) -> Image:
    pypi = settings.host_port("pypi")
    pip = (
        f"[global]\nindex-url = http://{pypi}/simple/\ntrusted-host = {pypi.split(':')[0]}\n"
        "disable-pip-version-check = true\nroot-user-action = ignore\n"
    )
    layer = write_layer([Entry("etc/pip.conf", pip.encode())], target / "layer-pip.tar")
    return Image([debian, layer], {"Cmd": ["python3"], "Env": [SYSTEM_PATH, "LANG=C.UTF-8"]})
