"""The long-running processes of the lab: how each is started and how one sees that it is ready.

Pure descriptions: start.py decides the order, report.py asks them for their health later, from another process.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lablib.settings import Settings


@dataclass(frozen=True)
class Part:
    """One process. *ready* may raise OSError while nothing listens."""

    name: str
    argv: list[str]
    ready: Callable[[], bool]


def every(settings: Settings, made: dict[str, str]) -> dict[str, Part]:
    """All parts by name; *made* are the cached folders with compiled programs and with wheels."""
    config = settings.state / "config"
    kubernetes = Path(made["kubernetes"])
    server = [sys.executable, "-m", "http.server", "--bind", settings.address]
    parts = [
        _etcd(settings),
        Part(
            "containerd",
            ["containerd", "--config", f"{config}/containerd.toml"],
            lambda: _containerd_ready(settings),
        ),
        Part("kube-apiserver", _apiserver(settings, kubernetes), lambda: api_ready(settings)),
        Part(
            "kube-controller-manager",
            _controller_manager(settings, kubernetes),
            _answers(f"https://127.0.0.1:{settings.port('controllerManager')}/healthz"),
        ),
        Part(
            "kube-scheduler",
            _scheduler(settings, kubernetes),
            _answers(f"https://127.0.0.1:{settings.port('scheduler')}/healthz"),
        ),
        Part(
            "kube-proxy",
            _proxy(settings, kubernetes),
            _answers(f"http://127.0.0.1:{settings.port('proxyHealth')}/healthz"),
        ),
        Part(
            "kubelet",
            _kubelet(settings, kubernetes),
            _answers(f"http://127.0.0.1:{settings.port('kubeletHealth')}/healthz"),
        ),
        Part(
            "coredns",
            [f"{made['coredns']}/coredns", "-conf", f"{config}/Corefile"],
            lambda: _resolves(settings),
        ),
        Part(
            "registry",
            ["docker-registry", "serve", f"{config}/registry.yml"],
            _answers(f"https://{settings.address}:{settings.port('registry')}/v2/", 401),
        ),
        Part(
            "plain-registry",
            ["docker-registry", "serve", f"{config}/plain.yml"],
            _answers(f"http://{settings.address}:{settings.port('plain')}/v2/"),
        ),
        Part(
            "pypi",
            [*server, "--directory", made["pypi"], str(settings.port("pypi"))],
            _answers(f"http://{settings.address}:{settings.port('pypi')}/simple/"),
        ),
    ]
    return {part.name: part for part in parts}


def status_of(url: str, token: str = "") -> int:
    """The HTTP status of a GET. Whose certificate it is does not matter for being alive."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (our own addresses)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with direct.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def api_ready(settings: Settings) -> bool:
    """Whether the API server serves everything."""
    token = (settings.certs / "admin-token").read_text()
    return status_of(f"{settings.api_url}/readyz", token) == 200


def _answers(url: str, wanted: int = 200) -> Callable[[], bool]:
    return lambda: status_of(url) == wanted


def _containerd_ready(settings: Settings) -> bool:
    # By way of an open folder, as the full path may be longer than a socket's address can be.
    folder = os.open(settings.node_root / "run/containerd", os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/proc/self/fd/{folder}/containerd.sock")
    finally:
        os.close(folder)
    return True


def _resolves(settings: Settings) -> bool:
    """Ask CoreDNS for the API server's service: an answer needs CoreDNS and its watch on the cluster."""
    name = b"".join(bytes([len(label)]) + label for label in b"kubernetes.default.svc.cluster.local".split(b"."))
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((settings.address, 53))
        client.send(query)
        answer = client.recv(512)
    return int.from_bytes(answer[6:8], "big") > 0


def _etcd(settings: Settings) -> Part:
    client = f"http://127.0.0.1:{settings.port('etcd')}"
    peer = f"http://127.0.0.1:{settings.port('etcdPeer')}"
    argv = ["etcd", "--data-dir", f"{settings.state}/data/etcd", "--listen-client-urls", client]
    argv += ["--advertise-client-urls", client, "--listen-peer-urls", peer]
    argv += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    return Part("etcd", argv, _answers(f"{client}/health"))


def _apiserver(settings: Settings, programs: Path) -> list[str]:
    certs = settings.certs
    return [
        f"{programs}/kube-apiserver",
        f"--bind-address={settings.address}",
        f"--advertise-address={settings.address}",
        f"--secure-port={settings.port('api')}",
        f"--etcd-servers=http://127.0.0.1:{settings.port('etcd')}",
        f"--service-cluster-ip-range={settings.pinned['serviceRange']}",
        f"--tls-cert-file={certs}/apiserver.crt",
        f"--tls-private-key-file={certs}/apiserver.key",
        f"--client-ca-file={certs}/ca.crt",
        f"--token-auth-file={certs}/tokens.csv",
        f"--service-account-key-file={certs}/service-account.key",
        f"--service-account-signing-key-file={certs}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--kubelet-client-certificate={certs}/kubelet-client.crt",
        f"--kubelet-client-key={certs}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",  # the node's name resolves nowhere
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
    ]


def _controller_manager(settings: Settings, programs: Path) -> list[str]:
    return [
        f"{programs}/kube-controller-manager",
        *_controller(settings, "controllerManager"),
        f"--root-ca-file={settings.certs}/ca.crt",
        f"--service-account-private-key-file={settings.certs}/service-account.key",
    ]


def _scheduler(settings: Settings, programs: Path) -> list[str]:
    return [f"{programs}/kube-scheduler", *_controller(settings, "scheduler")]


def _controller(settings: Settings, port: str) -> list[str]:
    """What all programs take that work on the cluster from outside and serve their own health."""
    return [
        f"--kubeconfig={settings.state}/kubeconfig",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.port(port)}",
        f"--tls-cert-file={settings.certs}/apiserver.crt",
        f"--tls-private-key-file={settings.certs}/apiserver.key",
    ]


def _proxy(settings: Settings, programs: Path) -> list[str]:
    return [
        f"{programs}/kube-proxy",
        f"--kubeconfig={settings.state}/kubeconfig",
        f"--hostname-override={settings.pinned['node']}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={settings.pinned['podRange']}",
        "--iptables-localhost-nodeports=false",
        f"--healthz-bind-address=127.0.0.1:{settings.port('proxyHealth')}",
        f"--metrics-bind-address=127.0.0.1:{settings.port('proxyMetrics')}",
        "--conntrack-max-per-core=0",  # these three belong to the machine
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
    ]


def _kubelet(settings: Settings, programs: Path) -> list[str]:
    return [
        f"{programs}/kubelet",
        f"--config={settings.state}/config/kubelet.json",
        f"--kubeconfig={settings.state}/kubeconfig",
        f"--hostname-override={settings.pinned['node']}",
        f"--node-ip={settings.address}",
    ]
