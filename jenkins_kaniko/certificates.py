"""An authority of our own and the server certificates it signs: bytes in, bytes out. The importer of cryptography.

A new authority is also signed by the one before it, and the server sends that certificate along: who trusts only the
old one accepts what the new one signs, so that nodes and builders can change over at any time (RFC 4158, section 2.5).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=730)
RENEWAL = timedelta(days=30)
"""How long before its end a server certificate is replaced."""
CLOCK_SKEW = timedelta(hours=1)
"""How far a node's clock may be behind ours."""


@dataclass(frozen=True)
class Authority:
    """Who signs server certificates; all in PEM.

    Attributes:
        trusted: its own certificate, then those of earlier authorities that did not end yet.
        crossed: its certificate as the authority before it signed it, then that one's as its own predecessor signed
            it, and so on; empty for the first one.
    """

    key: bytes
    trusted: bytes
    crossed: bytes = b""

    @property
    def certificate(self) -> x509.Certificate:
        """Its own certificate."""
        return x509.load_pem_x509_certificates(self.trusted)[0]

    @property
    def ends(self) -> datetime:
        """When it ends to be valid."""
        return self.certificate.not_valid_after_utc


def new_authority(name: str, now: datetime, before: Authority | None = None) -> Authority:
    """Return a new authority, which also those accept who trust the one `before`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{name} {x509.random_serial_number():x}"[:64])
    own = _authority_certificate(subject, key, subject, key, now, now + AUTHORITY_LIFE)
    if before is None or before.ends <= now:
        return Authority(_key_pem(key), _pem([own]))
    signer = before.certificate
    crossed = _authority_certificate(subject, key, signer.subject, _private_key(before.key), now, before.ends)
    earlier = _in_time(before.trusted, now)
    return Authority(_key_pem(key), _pem([own, *earlier]), _pem([crossed, *_in_time(before.crossed, now)]))


def _in_time(certificates: bytes, now: datetime) -> list[x509.Certificate]:
    there = x509.load_pem_x509_certificates(certificates) if certificates else []
    return [one for one in there if one.not_valid_after_utc > now]


def outlived(authority: Authority, now: datetime) -> bool:
    """Return whether a server certificate of now would be valid for longer than the authority."""
    return authority.ends < now + SERVER_LIFE


def server_certificate(authority: Authority, names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """Return a certificate with what a server sends along, and its key.

    Args:
        names: DNS names and addresses; the first one is a DNS name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    signing = _private_key(authority.key)
    builder = _builder(_subject(names[0]), key, authority.certificate.subject, now, now + SERVER_LIFE)
    for extension, critical in (
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    made = builder.sign(signing, hashes.SHA256())
    return _pem([made]) + authority.crossed, _key_pem(key)


def serves(certificate: bytes, authority: Authority, names: Iterable[str], now: datetime) -> bool:
    """Return whether a server certificate is the authority's, has all names, and is far from its end."""
    if not issued(certificate, authority):
        return False
    own = x509.load_pem_x509_certificate(certificate)
    return set(names) <= set(_names(own)) and own.not_valid_after_utc - now > RENEWAL


def issued(certificate: bytes, authority: Authority) -> bool:
    """Return whether an authority signed a certificate; what is none is not."""
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def fingerprint(certificate: bytes) -> str:
    """Return what tells a certificate, with what is sent along, from another one."""
    return hashlib.sha256(certificate).hexdigest()


def ends(certificate: bytes) -> datetime:
    """Return when a certificate in PEM ends to be valid.

    Raises:
        ValueError: it is none.
    """
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def begins(certificate: bytes) -> datetime:
    """Return when a certificate in PEM begins to be valid.

    Raises:
        ValueError: it is none.
    """
    return x509.load_pem_x509_certificate(certificate).not_valid_before_utc


def names(certificate: bytes) -> list[str]:
    """Return the DNS names and addresses of a certificate in PEM.

    Raises:
        ValueError: it is none.
    """
    return _names(x509.load_pem_x509_certificate(certificate))


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    return names.get_values_for_type(x509.DNSName) + addresses


def _authority_certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    begin: datetime,
    end: datetime,
) -> x509.Certificate:
    builder = _builder(subject, key, issuer, begin, end)
    # without a limit: each later authority is one more between this one and the server
    for extension in (x509.BasicConstraints(ca=True, path_length=None), _usage(signs=True)):
        builder = builder.add_extension(extension, critical=True)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(authority, critical=False).sign(signer, hashes.SHA256())


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    return cast(ec.EllipticCurvePrivateKey, serialization.load_pem_private_key(pem, password=None))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
