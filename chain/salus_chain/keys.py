"""NIST P-256 signatures: 64 bytes r‖s with low s, deterministic, over domain ‖ 0x00 ‖ message.

Public keys are 33-byte compressed points (SEC 1). Keys are made, loaded and used only through `cryptography`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from salus_chain.errors import ConfigError

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY_BYTES: Final = 33
SIGNATURE_BYTES: Final = 64
_SIGN: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY: Final = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


class Signer(Protocol):
    """Whoever can sign with one key: a PEM file here, a security module elsewhere."""

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """64 bytes r‖s with low s, the same for the same message."""

    def certify(self, tls_key: bytes) -> bytes:
        """An X.509 certificate (DER) for a 33-byte TLS key, issued by this key; see `tls`.

        What it signs begins with 0x30 and so is never a domain and a message.
        """


class KeySigner:
    """Signs with a private key held in this process's memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public_key = public_key_of(key)

    @property
    def public_key(self) -> bytes:
        return self._public_key

    def sign(self, domain: bytes, message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(self._key.sign(domain + b"\0" + message, _SIGN))
        return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")

    def certify(self, tls_key: bytes) -> bytes:
        from salus_chain.tls import certificate

        return certificate(self._key, tls_key)


class PemSigner(KeySigner):
    """Signs with a PKCS#8 key file that only its owner may read, encrypted or not."""

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> PemSigner:
        """Raises ConfigError: no such file, wrong passphrase, not a P-256 private key, or readable by others."""
        encrypted = is_encrypted(path)
        if encrypted and not passphrase:
            raise ConfigError(f"{path}: the key is protected by a passphrase, and none was given")
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), passphrase if encrypted else None)
        except (ValueError, TypeError) as error:
            reason = "wrong passphrase" if encrypted else f"not a PEM private key: {error}"
            raise ConfigError(f"{path}: {reason}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ConfigError(f"{path}: the key is not on the curve P-256")
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others may read this key; run chmod 600 {path}")
        return cls(key)

    @classmethod
    def generate(cls, path: Path, passphrase: bytes | None = None) -> PemSigner:
        """Make a key and write it with mode 0600, encrypted when there is a passphrase (PBES2: PBKDF2, AES-256).

        Raises ConfigError when the file exists.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption(),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"{path}: exists already; a key is never overwritten") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        return cls(key)


def is_encrypted(path: Path) -> bool:
    """Whether a key file needs a passphrase. Raises ConfigError when there is no such file."""
    try:
        return b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: no such key file; `salus chain init` writes one") from None


def public_key_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The 33-byte compressed public key of a private one."""
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def is_public_key(data: bytes) -> bool:
    """Whether these are the 33 bytes of a point on P-256."""
    return load_public_key(data) is not None


def verify(public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
    """Whether `signature` is the key's over domain ‖ 0x00 ‖ message; False for high s and malformed bytes."""
    return _verify(public_key, signature, sha256(domain + b"\0" + message).digest())


@lru_cache(maxsize=4096)
def load_public_key(data: bytes) -> ec.EllipticCurvePublicKey | None:
    """The point that 33 compressed bytes stand for; None when they are none of P-256."""
    if len(data) != KEY_BYTES:
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 15)  # a transaction is checked on arrival, in the proposal and in the block: verified once
def _verify(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    key = load_public_key(public_key)
    if key is None or len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < ORDER and 0 < s <= ORDER // 2):
        return False
    try:
        key.verify(utils.encode_dss_signature(r, s), digest, _VERIFY)
    except InvalidSignature:
        return False
    return True


def forget_verified() -> None:
    """Forget which signatures were verified before: for measurements."""
    _verify.cache_clear()
