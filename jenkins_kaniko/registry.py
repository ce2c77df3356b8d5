"""What a registry in the cluster consists of: its settings -> manifests. Pure.

The registry is the CNCF's distribution; keys of its configuration: https://distribution.github.io/distribution/
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from jenkins_kaniko.buildjob import MANAGED
from jenkins_kaniko.certificates import fingerprint
from jenkins_kaniko.render import dump
from jenkins_kaniko.templates import parsed, text_template

IMAGE = "docker.io/library/registry:2.8.3@sha256:a3d8aaa63ed8681a604f1dea0aa03f100d5895b6a58ace528858a7b332415373"
PORT = 5000
CONTAINER = "registry"
LABEL, PLACE_LABEL = "jenkins-kaniko/registry", "jenkins-kaniko/registry-namespace"
SETTINGS = "jenkins-kaniko/settings"
"""The annotation that keeps what was asked for, so that the next install need not be told again."""
CONTENT = "jenkins-kaniko/content"
"""The annotation by which a pod is replaced when what it mounts has changed."""
SERVED = "jenkins-kaniko/certificate"
"""The annotation with the fingerprint of the certificate that the Deployment's pod serves."""
STORAGE, CONFIG, TLS, ACCOUNTS = "/var/lib/registry", "/config", "/tls", "/accounts"
CA_FILE = "ca.crt"
HTPASSWD = "htpasswd"
FOLDER = "a folder of the pod"
MIRRORED = {"docker.io": "https://registry-1.docker.io"}
"""Registries whose API has another host than their images' names."""


@dataclass(frozen=True)
class Registry:
    """A registry as it is asked for.

    Attributes:
        storage: size of a claim, None for a folder that ends with the pod.
        storage_class: of the claim; the cluster's default where it is None.
        s3_bucket, s3_region, s3_endpoint: where images are kept instead; the endpoint is AWS's where it is None.
        s3_secret: a Secret with the keys accesskey and secretkey; without one, the node's own rights count.
        cluster_ip: of the Service; the cluster chooses where it is None, and keeps what it chose.
        tls_secret: a Secret of type kubernetes.io/tls that somebody else keeps.
        issuer: KIND/NAME of a cert-manager issuer. Without these two, the authority is our own.
        accounts: who may push and pull; everybody where there are none.
        mirror: the registry whose images it fetches and keeps; nothing can be pushed then.
        cpu, memory: what its pod asks for.
        memory_limit: what its pod may use.
        users: namespaces that get the certificate, and the login of the first account.
    """

    name: str = "registry"
    namespace: str = "shared-services"
    image: str = IMAGE
    storage: str | None = None
    storage_class: str | None = None
    s3_bucket: str | None = None
    s3_region: str | None = None
    s3_endpoint: str | None = None
    s3_secret: str | None = None
    cluster_ip: str | None = None
    tls_secret: str | None = None
    issuer: str | None = None
    accounts: tuple[str, ...] = ()
    read_only: bool = False
    mirror: str | None = None
    cpu: str = "50m"
    memory: str = "128Mi"
    memory_limit: str = "512Mi"
    users: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """Select what belongs to it."""
        return {**MANAGED, LABEL: self.name, PLACE_LABEL: self.namespace}

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that the cluster's DNS knows it by, as images are named."""
        return tuple(f"{self.name}.{self.namespace}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local"))

    @property
    def address(self) -> str:
        """What the names of its images begin with."""
        return f"{self.hosts[0]}:{PORT}"

    @property
    def place(self) -> str:
        """Where its images are."""
        return f"bucket {self.s3_bucket}" if self.s3_bucket else f"claim {self.claim}" if self.storage else FOLDER

    @property
    def claim(self) -> str:
        """Name of its PersistentVolumeClaim."""
        return f"{self.name}-images"

    @property
    def ca(self) -> str:
        """Name of the ConfigMap with the certificates that its clients trust."""
        return f"{self.name}-ca"

    @property
    def ca_key(self) -> str:
        """Name of the Secret of the authority."""
        return f"{self.name}-ca-key"

    @property
    def tls(self) -> str:
        """Name of the Secret with the server's certificate."""
        return self.tls_secret or self.own_tls

    @property
    def own_tls(self) -> str:
        """Name of that Secret, unless somebody else keeps it."""
        return f"{self.name}-tls"

    @property
    def passwords(self) -> str:
        """Name of the Secret with its accounts."""
        return f"{self.name}-accounts"

    @property
    def login(self) -> str:
        """Name of the Secret with the docker config of the first account."""
        return f"{self.name}-docker-config"

    def settings(self) -> dict[str, Any]:
        """Return what differs from the defaults, but for name and namespace."""
        kept = [one for one in fields(self) if one.name not in ("name", "namespace")]
        return {one.name: getattr(self, one.name) for one in kept if getattr(self, one.name) != one.default}


def names(registry: Registry, address: str | None) -> list[str]:
    """Return every name a client can call it by; `address` is that of its Service."""
    return [registry.name, *registry.hosts, "localhost", *([address] if address else [])]


def service(registry: Registry) -> dict[str, Any]:
    """Return the Service; the cluster keeps the address that it gave it."""
    spec: dict[str, Any] = {
        "selector": {LABEL: registry.name},
        "ports": [{"name": "https", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
    }
    if registry.cluster_ip:
        spec["clusterIP"] = registry.cluster_ip
    return _object(registry, "v1", "Service", registry.name, spec=spec)


def certificate(registry: Registry, address: str | None) -> dict[str, Any]:
    """Return what asks cert-manager for the server's certificate (https://cert-manager.io/docs/reference/api-docs/)."""
    kind, _, name = str(registry.issuer).partition("/")
    spec: dict[str, Any] = {
        "secretName": registry.tls,
        "dnsNames": names(registry, None),
        "issuerRef": {"kind": kind, "name": name},
        "privateKey": {"algorithm": "ECDSA", "size": 256},
        "secretTemplate": {"labels": registry.labels},
    }
    if address:
        spec["ipAddresses"] = [address]
    return _object(registry, "cert-manager.io/v1", "Certificate", registry.name, spec=spec)


def secret(
    registry: Registry, name: str, content: Mapping[str, bytes], kind: str = "Opaque", namespace: str | None = None
) -> dict[str, Any]:
    """Return a Secret, in a namespace of its own or that of the registry."""
    data = {key: base64.b64encode(value).decode() for key, value in content.items()}
    return _object(registry, "v1", "Secret", name, namespace, type=kind, data=data)


def ca_config_map(registry: Registry, trusted: bytes, namespace: str | None = None) -> dict[str, Any]:
    """Return the certificates that clients trust, as `--ca-bundle` of builds takes them."""
    return _object(registry, "v1", "ConfigMap", registry.ca, namespace, data={CA_FILE: trusted.decode()})


def docker_config(registry: Registry, account: str, password: str) -> bytes:
    """Return the login of an account under each name of the registry."""
    login = base64.b64encode(f"{account}:{password}".encode()).decode()
    return json.dumps({"auths": {f"{host}:{PORT}": {"auth": login} for host in registry.hosts}}).encode()


def config_map(registry: Registry, kept: Registry | None = None) -> dict[str, Any]:
    """Return the configuration, with the settings that the next install goes by: those of `kept` where they differ."""
    made = _object(registry, "v1", "ConfigMap", f"{registry.name}-config", data={"config.yml": _config(registry)})
    made["metadata"]["annotations"] = {SETTINGS: json.dumps((kept or registry).settings())}
    return made


def server(registry: Registry, mounted: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return what serves, and who may reach it.

    Args:
        mounted: what the pod is replaced for when it changes, by name.
    """
    content = hashlib.sha256(_config(registry).encode())
    for _, value in sorted(mounted.items()):
        content.update(hashlib.sha256(value).digest())
    deployment = parsed(
        text_template("registry.yaml").render(
            registry=registry, label=LABEL, content_key=CONTENT, content=content.hexdigest(),
            served_key=SERVED, served=fingerprint(mounted["tls"]) if "tls" in mounted else "",
            container=CONTAINER, port=PORT, storage=STORAGE, config=CONFIG, tls=TLS,
            accounts=ACCOUNTS, htpasswd=HTPASSWD,
        )
    )  # fmt: skip
    return [_network_policy(registry), deployment]


def claim(registry: Registry) -> dict[str, Any]:
    """Return the PersistentVolumeClaim for its images."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": registry.storage}},
    }
    if registry.storage_class is not None:
        spec["storageClassName"] = registry.storage_class
    return _object(registry, "v1", "PersistentVolumeClaim", registry.claim, spec=spec)


def rendered(registry: Registry) -> list[dict[str, Any]]:
    """Return what an install makes without asking the cluster, but for what `missing` names."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": registry.namespace}}
    asked = [certificate(registry, registry.cluster_ip)] if registry.issuer else []
    claims = [claim(registry)] if registry.storage else []
    return [namespace, config_map(registry), service(registry), *asked, *claims, *server(registry, {})]


def missing(registry: Registry) -> str:
    """Return as a comment which Secrets the rendered manifests need, nothing where they need none."""
    needed = [] if registry.issuer else [f"{registry.tls} (tls.crt, tls.key)"]
    needed += [f"{registry.passwords} ({HTPASSWD})"] if registry.accounts else []
    return "".join(f"# needs a Secret that is not here: {one}\n" for one in needed)


def kustomization(files: Iterable[str]) -> dict[str, Any]:
    """Return what makes a folder of manifests one thing for `kubectl apply -k`."""
    resources = sorted(files)
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}


def _config(registry: Registry) -> str:
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            **_storage(registry),
            "delete": {"enabled": True},
            "maintenance": {"readonly": {"enabled": registry.read_only}},
        },
        "http": {
            "addr": f":{PORT}",
            "draintimeout": "60s",  # what is pushed when the pod is replaced may end
            "tls": {"certificate": f"{TLS}/tls.crt", "key": f"{TLS}/tls.key"},
        },
        "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
    }
    if registry.accounts:
        config["auth"] = {"htpasswd": {"realm": registry.name, "path": f"{ACCOUNTS}/{HTPASSWD}"}}
    if registry.mirror:
        config["proxy"] = {"remoteurl": _url(registry.mirror)}
    return dump(config)


def _storage(registry: Registry) -> dict[str, Any]:
    if registry.s3_bucket is None:
        return {"filesystem": {"rootdirectory": STORAGE}}
    s3: dict[str, Any] = {"bucket": registry.s3_bucket, "region": registry.s3_region}
    if registry.s3_endpoint:
        # version 2 puts the bucket into the path where an endpoint is given, 3 only where it is told to; as part of the
        # host's name it is found at Amazon, and hardly anywhere else
        s3 |= {"regionendpoint": registry.s3_endpoint, "forcepathstyle": True}
    # nodes that pull may reach the registry only, and need not trust the bucket's certificate
    return {"s3": s3, "redirect": {"disable": True}}


def _url(upstream: str) -> str:
    return upstream if "://" in upstream else MIRRORED.get(upstream, f"https://{upstream}")


def _network_policy(registry: Registry) -> dict[str, Any]:
    """One port, for everybody: nodes pull by addresses of their own, which no selector of pods knows."""
    spec = {
        "podSelector": {"matchLabels": {LABEL: registry.name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": PORT, "protocol": "TCP"}]}],
    }
    return _object(registry, "networking.k8s.io/v1", "NetworkPolicy", registry.name, spec=spec)


def _object(
    registry: Registry, version: str, kind: str, name: str, namespace: str | None = None, **content: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace or registry.namespace, "labels": registry.labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
