from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import ecdsa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ecdsa.util import sigdecode_string, sigencode_string
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.errors import ConfigError
from salus_chain.keys import ORDER, PemSigner, is_public_key, verify
from salus_chain.light import auditor
from tests.chain.federation import signer


@given(st.binary(max_size=100), st.integers(1, 1 << 40))
def test_ecdsa_accepts_what_cryptography_signs(message: bytes, secret: int) -> None:
    key = signer(secret)
    signature = key.sign(b"domain", message)
    oracle = ecdsa.VerifyingKey.from_string(key.public_key, curve=ecdsa.NIST256p)
    assert oracle.verify(signature, b"domain\0" + message, hashfunc=sha256, sigdecode=sigdecode_string)
    assert verify(key.public_key, signature, b"domain", message)
    assert auditor.verify(key.public_key, signature, b"domain", message)
    assert int.from_bytes(signature[32:], "big") <= ORDER // 2


def test_cryptography_accepts_what_ecdsa_signs_with_low_s() -> None:
    key = ecdsa.SigningKey.from_secret_exponent(5, curve=ecdsa.NIST256p)
    raw = key.sign_deterministic(b"d\0m", hashfunc=sha256, sigencode=sigencode_string)
    r, s = raw[:32], int.from_bytes(raw[32:], "big")
    low = r + min(s, ORDER - s).to_bytes(32, "big")
    assert verify(signer(5).public_key, low, b"d", b"m")
    assert signer(5).sign(b"d", b"m") == low  # RFC 6979: both are deterministic


def test_high_s_and_malformed_input_do_not_verify() -> None:
    key = signer(9)
    good = key.sign(b"d", b"m")
    high = good[:32] + (ORDER - int.from_bytes(good[32:], "big")).to_bytes(32, "big")
    assert auditor.verify(key.public_key, good, b"d", b"m") and verify(key.public_key, good, b"d", b"m")
    for public_key, signature in [
        (key.public_key, high),
        (key.public_key, good[:-1]),
        (key.public_key, bytes(64)),
        (key.public_key, b"\xff" * 64),
        (key.public_key[:-1], good),
        (b"\x04" + key.public_key[1:], good),
        (b"\x02" + b"\xff" * 32, good),
        (b"", good),
    ]:
        assert not verify(public_key, signature, b"d", b"m")
        assert not auditor.verify(public_key, signature, b"d", b"m")


def test_the_domain_is_part_of_what_is_signed() -> None:
    key = signer(3)
    assert not verify(key.public_key, key.sign(b"one", b"m"), b"other", b"m")


def test_a_key_file_is_private_and_gives_the_same_key_back(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "own.pem"
    made = PemSigner.generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PemSigner.load(path).public_key == made.public_key
    assert is_public_key(made.public_key)
    with pytest.raises(ConfigError, match="never overwritten"):
        PemSigner.generate(path)


def test_a_wrong_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(ConfigError, match="no such key file"):
        PemSigner.load(path)
    path.write_text("not a key")
    with pytest.raises(ConfigError, match=r"key\.pem: not a PEM private key"):
        PemSigner.load(path)
    other = ec.generate_private_key(ec.SECP384R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(other.private_bytes(encoding, form, serialization.NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not on the curve P-256"):
        PemSigner.load(path)
    (tmp_path / "open.pem").unlink(missing_ok=True)
    PemSigner.generate(tmp_path / "open.pem")
    (tmp_path / "open.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        PemSigner.load(tmp_path / "open.pem")
