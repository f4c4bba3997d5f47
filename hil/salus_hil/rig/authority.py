"""A certificate authority of one test: for brokers and clients that prove themselves to each other."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

VALID: Final = timedelta(days=1)  # to both sides: clocks differ


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


class Authority:
    """Issues P-256 certificates as RFC 5280 wants them; `pem` is its own."""

    def __init__(self, name: str = "rig") -> None:
        self._name = _named(f"{name} authority")
        self._key = ec.generate_private_key(ec.SECP256R1())
        signing = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = self._builder(self._name, self._key.public_key(), is_authority=True)
        made = builder.add_extension(signing, critical=True).sign(self._key, hashes.SHA256())
        self.pem = made.public_bytes(Encoding.PEM)

    def issue(self, name: str, host: str = "") -> Issued:
        """A certificate for a client, or for a server at `host`: a name or an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(name), key.public_key(), is_authority=False)
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([_address(host)]), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(made.public_bytes(Encoding.PEM), key_pem)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.CertificateBuilder:
        now, own = datetime.now(UTC), self._key.public_key()
        return (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - VALID, now + VALID)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _address(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
