"""What a proof is made of: a transaction's place in a final block, and an entry of the state after one."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from salus_chain import merkle, trie
from salus_chain.codec import Value, fields, integer, items, octets
from salus_chain.errors import DecodeError, ProofError
from salus_chain.light.council import Checkpoint, Say, Witness
from salus_chain.rules.blocks import Block, Certificate, Header
from salus_chain.rules.transactions import (
    QUORUM_KINDS,
    STATEMENT_DOMAIN,
    Transaction,
    read_transaction,
    statement_bytes,
)

MAX_PATH: Final = 64


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Transaction `index` of `count` of a final block, with its Merkle path."""

    header: Header
    certificate: Certificate
    transaction: bytes
    index: int
    count: int
    path: tuple[bytes, ...]

    @classmethod
    def of(cls, block: Block, certificate: Certificate, index: int) -> Inclusion:
        path = merkle.prove(block.transactions, index)
        data = block.transactions[index]
        return cls(block.header, certificate, data, index, len(block.transactions), path)

    def value(self) -> Value:
        place = (self.transaction, self.index, self.count, self.path)
        return (self.header.value(), self.certificate.value(), *place)

    @classmethod
    def read(cls, value: Value) -> Inclusion:
        f = fields(value, 6, "inclusion")
        return cls(
            Header.read(f[0]),
            Certificate.read(f[1]),
            octets(f[2], "transaction"),
            integer(f[3], "index"),
            integer(f[4], "count"),
            _digests(f[5], MAX_PATH),
        )

    def check(self, witness: Witness, at: Checkpoint, say: Say) -> Transaction:
        """The transaction. Raises ProofError naming the first check that fails."""
        header = self.header
        _check_final(witness, at, header, self.certificate, say)
        if not merkle.verify(header.transactions_root, self.transaction, self.index, self.count, self.path):
            raise ProofError(f"inclusion: the transaction is not number {self.index} of {self.count} in the block")
        try:
            tx = read_transaction(self.transaction)
        except DecodeError as error:
            raise ProofError(f"format: {error}") from None
        say(f"inclusion: transaction {tx.id.hex()[:16]} is number {self.index} of {self.count} in the block")
        if tx.chain_id != witness.genesis.chain_id:
            raise ProofError("transaction: it is of another chain")
        if tx.kind in QUORUM_KINDS:
            kind = tx.kind.name.lower()
            message = statement_bytes(tx.chain_id, at.validators, tx.body)  # type: ignore[arg-type]
            witness.check_quorum(at, tx.seals, STATEMENT_DOMAIN, message, kind)
            say(f"statement: {kind} is signed by {witness.names(at, tx.seals)}")
        return tx


@dataclass(frozen=True, slots=True)
class StateEntry:
    """An entry, by its canonical key and value, of the state after a final block, with its path in the trie."""

    header: Header
    certificate: Certificate
    key: bytes
    entry: bytes
    path: tuple[bytes, ...]

    def value(self) -> Value:
        return (self.header.value(), self.certificate.value(), self.key, self.entry, self.path)

    @classmethod
    def read(cls, value: Value) -> StateEntry:
        f = fields(value, 5, "state entry")
        header, certificate = Header.read(f[0]), Certificate.read(f[1])
        return cls(header, certificate, octets(f[2], "key"), octets(f[3], "entry"), _digests(f[4], trie.KEY_BITS))

    def check(self, witness: Witness, at: Checkpoint, say: Say) -> None:
        """Raises ProofError naming the first check that fails."""
        _check_final(witness, at, self.header, self.certificate, say)
        place, digest = sha256(self.key).digest(), sha256(self.entry).digest()
        if not trie.verify(self.header.state_root, place, digest, trie.Proof(self.path)):
            raise ProofError(f"state: the entry is not in the state after block {self.header.height}")
        say(f"state: the entry is in the state after block {self.header.height}")


def _check_final(witness: Witness, at: Checkpoint, header: Header, certificate: Certificate, say: Say) -> None:
    witness.check_final(at, header, certificate, f"block {header.height}")
    say(f"finality: block {header.height} is signed by {witness.names(at, certificate.seals)}")


def _digests(value: Value, most: int) -> tuple[bytes, ...]:
    return items(value, lambda digest: octets(digest, "path", 32), "path", most)
