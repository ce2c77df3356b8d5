"""Certificates as clients judge them: a TLS handshake in memory, with OpenSSL on both sides."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jenkins_kaniko.certificates import Authority, ends, new_authority, outlived, server_certificate, serves

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["registry", "registry.shared-services", "10.96.0.10"]


def shake_hands(trusted: bytes, certificate: bytes, key: bytes, name: str, folder: Path) -> None:
    """Let a client that trusts some certificates call a server by a name."""
    (folder / "tls.pem").write_bytes(certificate + key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "tls.pem")
    calling = ssl.create_default_context(cadata=trusted.decode())
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = calling.wrap_bio(back, there, server_hostname=name)
    server = serving.wrap_bio(there, back, server_side=True)
    waiting = [client, server, client]
    for one in waiting:
        try:
            one.do_handshake()
        except ssl.SSLWantReadError:
            continue
    client.do_handshake()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_is_trusted_by_each_of_its_names(name: str, tmp_path: Path) -> None:
    authority = new_authority("acme", NOW)
    shake_hands(authority.trusted, *server_certificate(authority, NAMES, NOW), name, tmp_path)


def test_no_other_name_and_no_other_authority_will_do(tmp_path: Path) -> None:
    authority = new_authority("acme", NOW)
    server = server_certificate(authority, NAMES, NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority.trusted, *server, "registry.example.com", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(new_authority("acme", NOW).trusted, *server, "registry", tmp_path)


def test_after_a_change_of_the_authority_clients_of_the_old_and_of_the_new_one_trust_the_server(tmp_path: Path) -> None:
    old = new_authority("acme", NOW)
    new = new_authority("acme", NOW, old)
    server = server_certificate(new, NAMES, NOW)
    only_new = Authority(new.key, new.trusted[: -len(old.trusted)])
    for client in (old, new, only_new):
        shake_hands(client.trusted, *server, "registry", tmp_path)
    old_server = server_certificate(old, NAMES, NOW)
    shake_hands(new.trusted, *old_server, "registry", tmp_path)


def test_clients_of_any_earlier_authority_trust_the_server_after_several_changes(tmp_path: Path) -> None:
    authorities = [new_authority("acme", NOW)]
    for _ in range(3):
        authorities.append(new_authority("acme", NOW, authorities[-1]))
    server = server_certificate(authorities[-1], NAMES, NOW)
    for client in authorities:
        shake_hands(client.trusted, *server, "registry", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(new_authority("acme", NOW).trusted, *server, "registry", tmp_path)


def test_what_ended_is_sent_along_no_longer() -> None:
    first = new_authority("acme", NOW - timedelta(days=3649))
    second = new_authority("acme", NOW, first)
    later = NOW + timedelta(days=2)
    assert new_authority("acme", NOW, second).crossed.count(b"BEGIN") == 2
    assert new_authority("acme", later, second).crossed.count(b"BEGIN") == 1


def test_an_authority_that_ended_is_trusted_no_longer() -> None:
    old = new_authority("acme", NOW - timedelta(days=4000))
    new = new_authority("acme", NOW, old)
    assert (new.trusted.count(b"BEGIN"), new.crossed) == (1, b"")


def test_a_certificate_is_kept_until_a_month_before_its_end() -> None:
    authority = new_authority("acme", NOW)
    certificate, _ = server_certificate(authority, NAMES, NOW)
    end = ends(certificate)
    assert end == NOW + timedelta(days=730)
    assert serves(certificate, authority, NAMES, end - timedelta(days=31))
    assert not serves(certificate, authority, NAMES, end - timedelta(days=29))


def test_a_certificate_without_a_name_of_another_authority_or_none_at_all_is_not_kept() -> None:
    authority = new_authority("acme", NOW)
    certificate, _ = server_certificate(authority, NAMES, NOW)
    assert not serves(certificate, authority, [*NAMES, "10.96.0.11"], NOW)
    assert not serves(certificate, new_authority("acme", NOW, authority), NAMES, NOW)
    assert not serves(b"nothing", authority, NAMES, NOW)


def test_an_authority_is_replaced_before_it_ends_earlier_than_what_it_signs() -> None:
    authority = new_authority("acme", NOW)
    assert not outlived(authority, NOW + timedelta(days=2919))
    assert outlived(authority, NOW + timedelta(days=2921))
