"""The configuration files of the lab's parts.

Every value that is not obvious is here because something failed without it.
"""

from __future__ import annotations

import json
from pathlib import Path

from lablib.settings import Settings

CERTS_D = Path("/etc/containerd/certs.d")  # as the node sees it, and where production nodes have it


def write(settings: Settings) -> None:
    """Write all configuration files of one run."""
    folder = settings.state / "config"
    folder.mkdir()
    (folder / "cni").mkdir()
    (folder / "containerd.toml").write_text(_containerd(settings))
    (folder / "cni" / "10-lab.conflist").write_text(_cni(settings))
    (folder / "kubelet.json").write_text(_kubelet(settings))
    (folder / "resolv.conf").write_text(f"nameserver {settings.address}\n")
    (folder / "Corefile").write_text(_corefile(settings))
    (folder / "registry.yml").write_text(_registry(settings, "registry", secured=True))
    (folder / "plain.yml").write_text(_registry(settings, "plain", secured=False))
    for name, scheme in (("registry", "https"), ("plain", "http")):
        _trust(settings, name, scheme)


def registry_storage(settings: Settings, name: str) -> Path:
    """Where a registry keeps its data."""
    return settings.state / "data" / name


def _containerd(settings: Settings) -> str:
    # Without CAP_SYS_RESOURCE on the machine a sandbox dies ("can't get final child's PID from pipe") unless the
    # score for the out-of-memory killer is left alone.
    return f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{settings.image("pause")}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{settings.state}/config/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{CERTS_D}"
"""


def _trust(settings: Settings, name: str, scheme: str) -> None:
    """Tell the node how to reach a registry: it asks neither the cluster's DNS nor the cluster's secrets."""
    host = settings.host_port(name)
    folder = settings.node_root / str(CERTS_D).lstrip("/") / host
    folder.mkdir(parents=True)
    authority = f'  ca = "{settings.certs}/ca.crt"\n' if scheme == "https" else ""
    (folder / "hosts.toml").write_text(
        f'server = "{scheme}://{host}"\n\n[host."{scheme}://{settings.address}:{settings.port(name)}"]\n'
        f'  capabilities = ["pull", "resolve"]\n{authority}'
    )


def _cni(settings: Settings) -> str:
    # isGateway stays off: it would switch on forwarding for the whole machine and give pods a default route.
    services = {"dst": settings.pinned["serviceRange"], "gw": settings.address}
    ipam = {"type": "host-local", "ranges": [[{"subnet": settings.pinned["podRange"]}]], "routes": [services]}
    bridge = {"type": "bridge", "bridge": settings.pinned["bridge"], "hairpinMode": True, "ipam": ipam}
    return json.dumps({"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge]}, indent=1)


def _kubelet(settings: Settings) -> str:
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.address,
        "port": settings.port("kubelet"),
        "healthzPort": settings.port("kubeletHealth"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{settings.certs}/ca.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": f"{settings.certs}/apiserver.crt",
        "tlsPrivateKeyFile": f"{settings.certs}/apiserver.key",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/jenkins-kaniko-lab",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        # The lab shares its disk with everything else; a full one must not evict what is being tested.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [settings.address],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{settings.state}/config/resolv.conf",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "shutdownGracePeriod": "0s",
    }
    return json.dumps(content, indent=1)


def _corefile(settings: Settings) -> str:
    # Names outside do not exist; refusing to answer would make clients retry for seconds. Three blocks, because
    # within one, CoreDNS asks `template` before `kubernetes` whatever the order here.
    domain = settings.pinned["domain"]
    return f"""{domain} {{
  bind {settings.address}
  template IN A {{
    answer "{{{{ .Name }}}} 30 IN A {settings.address}"
  }}
  template IN ANY {{
    rcode NOERROR
  }}
}}
cluster.local in-addr.arpa {{
  bind {settings.address}
  errors
  kubernetes {{
    kubeconfig {settings.state}/kubeconfig
    ttl 5
  }}
}}
. {{
  bind {settings.address}
  template IN ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def _registry(settings: Settings, name: str, *, secured: bool) -> str:
    content: dict[str, object] = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": False}, "level": "info"},
        "storage": {
            "filesystem": {"rootdirectory": str(registry_storage(settings, name))},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
    }
    http: dict[str, object] = {"addr": f"{settings.address}:{settings.port(name)}", "secret": name}
    if secured:
        certs = settings.certs
        http["tls"] = {"certificate": f"{certs}/registry.crt", "key": f"{certs}/registry.key"}
        content["auth"] = {"htpasswd": {"realm": "lab", "path": f"{certs}/htpasswd"}}
    return json.dumps({**content, "http": http}, indent=1)  # YAML is a superset of JSON
