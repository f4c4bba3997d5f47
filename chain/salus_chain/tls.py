"""TLS 1.3 by the public keys of the chain's members, with no certificate authority and no file to hand round.

Each process makes a key for TLS alone and has its member key issue a certificate for it (`Signer.certify`). Whom
to trust follows from public keys: an anchor is a certificate made up here around a member's key, since a trust
anchor is taken for its name and key and its own signature is never checked (RFC 5280, section 6.1.1). Names hold
the key they stand for, so the issuer's name in a peer's certificate says who the peer is. Dates bound nothing: who
is a member is said by the chain.
"""

from __future__ import annotations

import ssl
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from secrets import token_hex
from tempfile import NamedTemporaryFile
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from salus_chain.errors import DecodeError
from salus_chain.keys import KEY_BYTES, Signer, load_public_key, public_key_of

FROM: Final = datetime(2000, 1, 1)
FOREVER: Final = datetime(9999, 12, 31, 23, 59, 59)
HOST: Final = "validator.salus"  # what every certificate says it is for, to clients that insist on a host's name
_CERTIFIES: Final = x509.KeyUsage(False, False, False, False, False, True, False, False, False)  # keyCertSign alone
_PEM: Final = serialization.Encoding.PEM
_DER: Final = serialization.Encoding.DER


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a process shows of itself: a certificate (DER) and the key it is for, which lives no longer than it."""

    certificate: bytes
    key: ec.EllipticCurvePrivateKey


def credentials(signer: Signer) -> Credentials:
    """A fresh TLS key, vouched for by the member key of `signer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Credentials(signer.certify(public_key_of(key)), key)


def certificate(key: ec.EllipticCurvePrivateKey, tls_key: bytes) -> bytes:
    """A DER certificate for `tls_key`, issued by the member key `key`: what `Signer.certify` gives."""
    builder = _builder(public_key_of(key), HOST, tls_key, authority=False)
    for extension in (
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectAlternativeName([x509.DNSName(HOST)]),
    ):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(_DER)


@lru_cache(maxsize=1024)
def anchor(member: bytes) -> bytes:
    """A DER certificate that makes OpenSSL trust what this member key issues, and nothing below that."""
    builder = _builder(member, _name(member), member, authority=True)
    known = load_public_key(member)
    assert known is not None
    builder = builder.add_extension(_CERTIFIES, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(known), critical=False)
    nobody = ec.generate_private_key(ec.SECP256R1())
    return builder.sign(nobody, hashes.SHA256()).public_bytes(_DER)


def anchors_pem(members: Iterable[bytes]) -> bytes:
    """The anchors of these members as a PEM file, for other programs; they expect the host name `HOST`."""
    return b"".join(x509.load_der_x509_certificate(anchor(member)).public_bytes(_PEM) for member in members)


def member_of(certificate: bytes) -> bytes:
    """The member key that issued a peer's DER certificate. Raises DecodeError when none did."""
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        (common,) = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        member = urlsafe_b64decode(str(common.value))
        key = load_public_key(member)
        if key is None:
            raise ValueError("the issuer's name is not a public key")
        key.verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise DecodeError(f"certificate: not issued by the key it names: {error}") from None
    return member


def server_context(own: Credentials, members: Iterable[bytes] | None) -> ssl.SSLContext:
    """For a listener. Only `members` may connect, by their keys; None lets anyone connect, as clients do."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, own)
    context.num_tickets = 0  # a resumed session would outlive a membership
    if members is not None:
        trust(context, members)
    return context


def client_context(members: Iterable[bytes], own: Credentials | None = None) -> ssl.SSLContext:
    """For whoever connects to one of `members`; peers show themselves by `own`."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, own)
    trust(context, members)
    return context


def _context(protocol: int, own: Credentials | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # who it is is said by its key, wherever it is
    if own is not None:
        _load(context, own)
    return context


def trust(context: ssl.SSLContext, members: Iterable[bytes]) -> None:
    """Trust these members too, and nobody whom the context does not know already."""
    context.verify_mode = ssl.CERT_REQUIRED
    anchors = b"".join(map(anchor, members))
    if anchors:
        context.load_verify_locations(cadata=anchors)


def _load(context: ssl.SSLContext, own: Credentials) -> None:
    """`ssl` takes keys from files alone: one that is gone at once, encrypted under a password that nobody keeps."""
    password = token_hex(32)
    secret = serialization.BestAvailableEncryption(password.encode())
    with NamedTemporaryFile() as file:
        file.write(x509.load_der_x509_certificate(own.certificate).public_bytes(_PEM))
        file.write(own.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, secret))
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _name(member: bytes) -> str:
    """A member key in 44 characters; a common name has at most 64."""
    assert len(member) == KEY_BYTES
    return urlsafe_b64encode(member).decode()


def _builder(issuer: bytes, subject: str, key: bytes, *, authority: bool) -> x509.CertificateBuilder:
    public_key = load_public_key(key)
    if public_key is None:
        raise DecodeError("certificate: the key is not a compressed point on P-256")
    return (
        x509.CertificateBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _name(issuer))]))
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(FOREVER)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
    )
