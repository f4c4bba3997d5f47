"""The auditor: checks a proof with nothing but the genesis, and signatures with the `ecdsa` package alone.

Pure Python and no key of ours: an implementation of P-256 independent of the one that signed.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ecdsa import NIST256p, VerifyingKey
from ecdsa.errors import MalformedPointError
from ecdsa.keys import BadSignatureError
from ecdsa.util import sigdecode_string

from salus_chain.errors import ConfigError, ProofError
from salus_chain.genesis import Genesis, read_genesis
from salus_chain.light.proofs import Proven, check_proof
from salus_chain.rules.transactions import Settle


def verify(public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
    """As `keys.verify`: r‖s with low s over domain ‖ 0x00 ‖ message, under a 33-byte compressed key."""
    if len(public_key) != 33 or len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "big") > NIST256p.order // 2:
        return False
    try:
        key = VerifyingKey.from_string(public_key, curve=NIST256p)
        digest = sha256(domain + b"\0" + message).digest()
        return bool(key.verify_digest(signature, digest, sigdecode=sigdecode_string))
    except (BadSignatureError, MalformedPointError):
        return False


def audit(genesis: Genesis, data: bytes, say: Callable[[str], None] = lambda line: None) -> Proven:
    """Check a settlement's proof. Raises ProofError naming the first check that fails."""
    proven = check_proof(genesis, data, verify, say)
    if not isinstance(proven.transaction.body, Settle):
        raise ProofError(f"content: a {proven.transaction.kind.name.lower()}, not a settlement")
    body = proven.transaction.body
    say(f"content: task {body.task}, round {body.round}, settled at height {proven.height}")
    for gateway, digest, weight, _ in proven.commits:
        say(f"  update of {gateway}: {digest.hex()} (weight {weight})")
    say(f"  aggregate:    {body.aggregate_digest.hex()}")
    say(f"  model before: {body.model_before.hex()}")
    say(f"  model after:  {body.model_after.hex()}")
    return proven


def audit_files(proof: Path, genesis: Path, say: Callable[[str], None] = lambda line: None) -> Proven:
    """As `audit`, of two files. Raises ProofError, or ConfigError when a file cannot be read."""
    try:
        data = proof.read_bytes()
    except OSError as error:
        raise ConfigError(f"{proof}: {error.strerror}") from None
    return audit(read_genesis(genesis), data, say)
