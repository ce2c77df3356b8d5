"""Rights as a real registry judges them that takes tokens only; the tokens are signed here."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from jenkins_kaniko.dockerconfig import Account
from jenkins_kaniko.registry_login import DENIED, LEFT, OK, PULL, PUSH, UNKNOWN, Outcome, Registry
from tests.support.registry_double import RegistryDouble

pytestmark = pytest.mark.lab

RIGHTS = {"ci": {"team/app": {"pull", "push", "delete"}, "team/kept": {"pull", "push"}, "team/base": {"pull"}}}


class Signer:
    """Signs tokens as the distribution project's token specification says, with a certificate of an authority."""

    def __init__(self, authority: trustme.CA) -> None:
        issued = authority.issue_cert("tokens.example.com", key_type=trustme.KeyType.ECDSA)
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        leaf = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
        self._chain = [base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()]

    def __call__(self, user: str, scope: str) -> str:
        """Return a token with those of the wanted rights that the user has."""
        access = []
        if scope:
            kind, name, actions = scope.split(":")
            granted = sorted(RIGHTS.get(user, {}).get(name, set()) & set(actions.split(",")))
            access = [{"type": kind, "name": name, "actions": granted}]
        now = int(time.time())
        times = {"iat": now, "nbf": now - 10, "exp": now + 60}
        claims = {"iss": "tests", "sub": user, "aud": "double", "jti": user, "access": access, **times}
        text = f"{encoded({'typ': 'JWT', 'alg': 'ES256', 'x5c': self._chain})}.{encoded(claims)}"
        r, s = utils.decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{plain(r.to_bytes(32) + s.to_bytes(32))}"


def encoded(part: Any) -> str:
    return plain(json.dumps(part).encode())


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def serving(folder: Path, authority: trustme.CA, realm: str) -> Iterator[str]:
    """Run a registry whose files are in a folder; yield its host."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    token = {"realm": realm, "service": "double", "issuer": "tests", "rootcertbundle": str(folder / "ca.pem")}
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "tls": {"certificate": f"{folder}/cert.pem", "key": f"{folder}/key.pem"}},
        "auth": {"token": token},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        answers(host)
        yield host
    finally:
        process.terminate()
        process.wait()


def answers(host: str) -> None:
    name, _, port = host.partition(":")
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((name, int(port))).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"{host} does not answer"
            time.sleep(0.05)
        else:
            return


def test_a_registry_with_tokens_is_asked_as_it_wants(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    with (
        RegistryDouble(authority, bearer=True, passwords={"ci": "s3cret"}, issue=Signer(authority)) as tokens,
        serving(tmp_path, authority, tokens.realm) as host,
    ):
        registry = Registry(host, Account("ci", "s3cret"), ca)
        assert registry.login().status == OK
        assert Registry(host, Account("ci", "wrong"), ca).login().status == DENIED
        push = {name: registry.may(PUSH, name).status for name in ("team/app", "team/base", "other/app")}
        assert push == {"team/app": OK, "team/base": DENIED, "other/app": DENIED}
        pull = {name: registry.may(PULL, name) for name in ("team/app", "other/app")}
        # nobody pushed anything yet
        assert {name: (one.status, one.missing) for name, one in pull.items()} == {
            "team/app": (UNKNOWN, True),
            "other/app": (DENIED, False),
        }
        assert uploads(tmp_path / "data") == []
        assert registry.may(PUSH, "team/kept") == Outcome(OK, LEFT)
        assert uploads(tmp_path / "data") == ["team/kept"]


def uploads(storage: Path) -> list[str]:
    """Return the repositories of uploads that a registry keeps."""
    repositories = storage / "docker" / "registry" / "v2" / "repositories"
    return [str(path.relative_to(repositories).parents[2]) for path in repositories.rglob("_uploads/*/startedat")]
