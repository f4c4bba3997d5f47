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
from salus_chain.light.council import Checkpoint
from salus_chain.light.proofs import Proven, check_proof
from salus_chain.rules.roster import Roster
from salus_chain.rules.transactions import ApproveModel, ApproveRelease, Settle, Withdraw


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


def audit(
    genesis: Genesis,
    data: bytes,
    say: Callable[[str], None] = lambda line: None,
    checkpoint: Checkpoint | None = None,
) -> Proven:
    """Check a proof of any kind and tell what it proves. Raises ProofError naming the first check that fails."""
    proven = check_proof(genesis, data, verify, say, checkpoint)
    for line in tell(proven):
        say(line)
    return proven


def tell(proven: Proven) -> list[str]:
    """What a proof that holds says, in lines."""
    body, height = proven.body, proven.height
    match body:
        case Settle(task=task, round=number):
            lines = [f"content: task {task}, round {number}, settled at height {height}"]
            if proven.commit is not None:
                weight = proven.commit.header.weight
                lines[0] += f", counts the update of {proven.commit.gateway} with weight {weight}"
            lines += [f"  update of {row[0]}: {row[1].hex()} (weight {row[2]})" for row in proven.commits]
            lines.append(f"  aggregate:    {body.aggregate_digest.hex()}")
            lines.append(f"  model before: {body.model_before.hex()}")
            return [*lines, f"  model after:  {body.model_after.hex()}"]
        case ApproveRelease(task=task, version=version):
            return [
                f"content: task {task}, release {version}, approved at height {height}",
                f"  wearable's model: {body.model_sha256.hex()}",
                f"  settled model:    {body.settled_model_digest.hex()}",
            ]
        case ApproveModel(task=task, sequence=sequence):
            return [
                f"content: task {task}, approval {sequence} of a model, at height {height}",
                f"  model:   {body.model_digest.hex()}",
                f"  program: {body.program_digest.hex()}",
            ]
        case Withdraw(consent=consent):
            still = f", and so it was after block {proven.still_height}" if proven.still_height else ""
            return [f"content: consent {consent.hex()} is withdrawn since height {height}{still}"]
        case Roster():
            lines = [f"content: who takes part after block {height}"]
            seats = [each.public_key for each in body.seats]
            for each in body.members:
                place = f"seat {seats.index(each.public_key)}" if each.public_key in seats else "observer"
                lines.append(f"  {place}: {each.name} {each.public_key.hex()} {each.url}")
            return [*lines, *(f"  coordinator: {key.hex()}" for key in body.coordinators)]
    raise ProofError(f"content: a {type(body).__name__} proves nothing here")


def audit_files(
    proof: Path, genesis: Path, say: Callable[[str], None] = lambda line: None, checkpoint: Path | None = None
) -> Proven:
    """As `audit`, of files. Raises ProofError, or ConfigError when a file cannot be read."""
    data, founded = _read(proof), read_genesis(genesis)
    known = Checkpoint.from_bytes(founded.chain_id, _read(checkpoint)) if checkpoint else None
    return audit(founded, data, say, known)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
