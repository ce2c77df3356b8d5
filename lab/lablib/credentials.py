"""Certificates, tokens and passwords of one run, made anew at every start.

Nothing here may travel on a command line or through standard output: files are 0600 below .lab, and users get
their paths.
"""

from __future__ import annotations

import base64
import ctypes
import json
import secrets
from pathlib import Path

from lablib.run import run
from lablib.settings import Settings

RESTRICTED_USER = "builder-ci"
REGISTRY_USER = "lab"
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def make(settings: Settings) -> None:
    """Write everything secret (and the certificates) into an empty folder."""
    certs = settings.certs
    certs.mkdir(mode=0o700, parents=True)
    _authority(certs)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    names.append("kubernetes.default.svc.cluster.local")
    addresses = [settings.address, settings.pinned["serviceAddress"], "127.0.0.1"]
    _certificate(certs, "apiserver", "/CN=kube-apiserver", names, addresses)
    registry = settings.host_port("registry").split(":")[0]
    _certificate(certs, "registry", f"/CN={registry}", [registry], addresses[:1])
    _certificate(certs, "kubelet-client", "/CN=kube-apiserver-kubelet-client/O=system:masters", [], [])
    run(["openssl", "genrsa", "-out", str(certs / "service-account.key"), "2048"])
    _tokens(settings)
    _registry_account(settings)


def docker_config(settings: Settings) -> str:
    """A docker config file that logs in to the lab's registry."""
    password = (settings.certs / "registry-password").read_text()
    auth = base64.b64encode(f"{REGISTRY_USER}:{password}".encode()).decode()
    return json.dumps({"auths": {settings.host_port("registry"): {"auth": auth}}})


def write_private(path: Path, text: str) -> None:
    """Write a file that only root reads, from its first byte on."""
    path.touch(mode=0o600)
    path.write_text(text)


def _authority(certs: Path) -> None:
    argv = [
        "openssl",
        "req",
        "-x509",
        *CURVE,
        "-keyout",
        str(certs / "ca.key"),
        "-out",
        str(certs / "ca.crt"),
    ]
    run([*argv, "-days", "3650", "-subj", "/CN=jenkins-kaniko lab"])


def _certificate(certs: Path, name: str, subject: str, names: list[str], addresses: list[str]) -> None:
    key, request, certificate = (str(certs / f"{name}.{kind}") for kind in ("key", "csr", "crt"))
    run(["openssl", "req", "-new", *CURVE, "-keyout", key, "-out", request, "-subj", subject])
    extensions = "extendedKeyUsage=serverAuth,clientAuth\n"
    if names or addresses:
        alternatives = [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses]
        extensions += f"subjectAltName={','.join(alternatives)}\n"
    argv = ["openssl", "x509", "-req", "-in", request, "-out", certificate, "-days", "3650"]
    argv += ["-CA", str(certs / "ca.crt"), "-CAkey", str(certs / "ca.key"), "-extfile", "/dev/stdin"]
    run(argv, stdin=extensions.encode())


def _tokens(settings: Settings) -> None:
    admin, restricted = secrets.token_hex(24), secrets.token_hex(24)
    rows = [
        f'{admin},lab-admin,lab-admin,"system:masters"',
        f"{restricted},{RESTRICTED_USER},{RESTRICTED_USER}",
    ]
    write_private(settings.certs / "tokens.csv", "\n".join(rows) + "\n")
    write_private(settings.certs / "admin-token", admin)
    _kubeconfig(settings, settings.state / "kubeconfig", "lab-admin", admin)
    _kubeconfig(settings, settings.state / "kubeconfig-restricted", RESTRICTED_USER, restricted)


def _kubeconfig(settings: Settings, path: Path, user: str, token: str) -> None:
    authority = base64.b64encode((settings.certs / "ca.crt").read_bytes()).decode()
    cluster = {"server": settings.api_url, "certificate-authority-data": authority}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
        "current-context": "lab",
    }
    write_private(path, json.dumps(content, indent=1))


def _registry_account(settings: Settings) -> None:
    password = secrets.token_hex(16)
    write_private(settings.certs / "registry-password", password)
    write_private(settings.certs / "htpasswd", f"{REGISTRY_USER}:{_bcrypt(password)}\n")


def _bcrypt(password: str) -> str:
    """The registry accepts no other kind of hash; libcrypt makes it, Python from 3.13 on does not."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    salt = secrets.token_hex(11)  # 22 characters of bcrypt's alphabet
    hashed: bytes = crypt(password.encode(), f"$2b$05${salt}".encode())
    return hashed.decode()
