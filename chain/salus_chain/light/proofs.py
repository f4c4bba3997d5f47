"""Proofs that a transaction is final, checked from the genesis alone.

A proof is canonical CBOR [tag, header, certificate, transaction, index, count, path, commits]. It holds when
the header is of the genesis's chain, a quorum of its validators signed the header, the transaction is number
`index` of `count` under the header's root, and, for what a quorum states, the transaction's own signatures
verify too. A settlement also lists its commits (gateway, digest, weight), whose root the transaction names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_chain import merkle
from salus_chain.codec import Value, decode, encode, fields, identifier, integer, items, octets
from salus_chain.errors import DecodeError, ProofError
from salus_chain.genesis import Genesis, quorum, set_hash
from salus_chain.rules.blocks import COMMIT_VOTE, VOTE_DOMAIN, Block, Certificate, Header, vote_bytes
from salus_chain.rules.transactions import (
    NO_SCORE,
    STATEMENT_DOMAIN,
    ApproveModel,
    ApproveRelease,
    CommitRow,
    Seal,
    Settle,
    Transaction,
    commit_set_root,
    read_transaction,
    statement_bytes,
)

PROOF_TAG: Final = b"salus/proof/1"
MAX_PROOF_BYTES: Final = 4 << 20

Verify: TypeAlias = Callable[[bytes, bytes, bytes, bytes], bool]  # (public key, signature, domain, message)


@dataclass(frozen=True, slots=True)
class Proof:
    """A transaction's place in a final block. `commits` is empty unless it is a settlement."""

    header: Header
    certificate: Certificate
    transaction: bytes
    index: int
    count: int
    path: tuple[bytes, ...]
    commits: tuple[CommitRow, ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof that holds says."""

    height: int
    time_ms: int
    transaction: Transaction
    commits: tuple[CommitRow, ...]


def make_proof(block: Block, certificate: Certificate, index: int, commits: Sequence[CommitRow] = ()) -> bytes:
    """The proof file of transaction `index` of a final block."""
    path = merkle.prove(block.transactions, index)
    return encode(
        (
            PROOF_TAG,
            block.header.value(),
            certificate.value(),
            block.transactions[index],
            index,
            len(block.transactions),
            path,
            tuple((gateway.encode(), digest, weight, score) for gateway, digest, weight, score in commits),
        )
    )


def read_proof(data: bytes) -> Proof:
    """Raises DecodeError."""
    f = fields(decode(data, MAX_PROOF_BYTES), 8, "proof")
    if f[0] != PROOF_TAG:
        raise DecodeError("proof: not a proof file of this version")
    return Proof(
        Header.read(f[1]),
        Certificate.read(f[2]),
        octets(f[3], "transaction"),
        integer(f[4], "index"),
        integer(f[5], "count"),
        items(f[6], lambda digest: octets(digest, "path", 32), "path", 64),
        items(f[7], _commit_row, "commits"),
    )


def _commit_row(value: Value) -> CommitRow:
    gateway, digest, weight, score = fields(value, 4, "commit")
    return (
        identifier(gateway, "gateway"),
        octets(digest, "digest", 32),
        integer(weight, "weight"),
        integer(score, "score", low=NO_SCORE),
    )


def check_proof(
    genesis: Genesis, data: bytes, verify: Verify, say: Callable[[str], None] = lambda line: None
) -> Proven:
    """Every check in turn, each told to `say` when it holds.

    Raises ProofError naming the first that does not.
    """
    try:
        proof = read_proof(data)
        tx = read_transaction(proof.transaction)
    except DecodeError as error:
        raise ProofError(f"format: {error}") from None
    say("format: canonical bytes of a proof")
    _check_header(genesis, proof, say)
    _check_certificate(genesis, proof, verify, say)
    header = proof.header
    if not merkle.verify(header.transactions_root, proof.transaction, proof.index, proof.count, proof.path):
        raise ProofError(f"inclusion: the transaction is not number {proof.index} of {proof.count} in the block")
    say(f"inclusion: transaction {tx.id.hex()[:16]} is number {proof.index} of {proof.count} in the block")
    if tx.chain_id != genesis.chain_id:
        raise ProofError("transaction: it is of another chain")
    _check_statement(genesis, tx, verify, say)
    _check_commits(proof, tx, say)
    return Proven(header.height, header.time_ms, tx, proof.commits)


def _check_header(genesis: Genesis, proof: Proof, say: Callable[[str], None]) -> None:
    if proof.header.chain_id != genesis.chain_id:
        raise ProofError(f"chain: the proof is of chain {proof.header.chain_id.hex()[:16]}, not of this genesis")
    if proof.header.validators_hash != set_hash(genesis.keys):
        raise ProofError("validators: the block was made by another validator set than the genesis names")
    say(f"chain: {genesis.federation}, {genesis.chain_id.hex()[:16]}, {len(genesis.validators)} validators")


def _check_certificate(genesis: Genesis, proof: Proof, verify: Verify, say: Callable[[str], None]) -> None:
    header, certificate = proof.header, proof.certificate
    message = vote_bytes(
        genesis.chain_id,
        header.validators_hash,
        COMMIT_VOTE,
        header.height,
        certificate.round,
        header.digest,
    )
    _check_quorum(genesis, certificate.seals, VOTE_DOMAIN, message, verify, f"block {header.height}")
    names = ", ".join(genesis.validators[seal.seat].name for seal in certificate.seals)
    say(f"finality: block {header.height} is signed by {names}")


def _check_statement(genesis: Genesis, tx: Transaction, verify: Verify, say: Callable[[str], None]) -> None:
    if not isinstance(tx.body, Settle | ApproveModel | ApproveRelease):
        return
    kind = tx.kind.name.lower()
    message = statement_bytes(tx.chain_id, genesis.keys, tx.body)
    _check_quorum(genesis, tx.seals, STATEMENT_DOMAIN, message, verify, kind)
    names = ", ".join(genesis.validators[seal.seat].name for seal in tx.seals)
    say(f"statement: {kind} is signed by {names}")


def _check_quorum(
    genesis: Genesis, seals: Sequence[Seal], domain: bytes, message: bytes, verify: Verify, what: str
) -> None:
    """Exactly a quorum of distinct seats, sorted, all of whose signatures verify."""
    wanted, seats = quorum(len(genesis.validators)), [seal.seat for seal in seals]
    if len(seats) != wanted or seats != sorted(set(seats)) or seats[-1] >= len(genesis.validators):
        raise ProofError(f"{what}: {wanted} signatures of distinct seats, sorted, are wanted; it has {seats}")
    for seal in seals:
        if not verify(genesis.keys[seal.seat], seal.signature, domain, message):
            raise ProofError(f"{what}: the signature of {genesis.validators[seal.seat].name} does not verify")


def _check_commits(proof: Proof, tx: Transaction, say: Callable[[str], None]) -> None:
    if not isinstance(tx.body, Settle):
        if proof.commits:
            raise ProofError("commits: only a settlement lists commits")
        return
    if list(proof.commits) != sorted(proof.commits) or commit_set_root(proof.commits) != tx.body.commits_root:
        raise ProofError("commits: the updates listed are not those that were settled")
    say(f"commits: {len(proof.commits)} updates, as the settlement names them")
