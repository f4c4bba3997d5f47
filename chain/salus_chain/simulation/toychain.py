"""The smallest rules that consensus can decide on: notes, each once, and changes of the validator set at height + 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from salus_chain.rules.blocks import Block, BlockDigest, Header, transactions_root
from salus_chain.simulation.keyring import set_name

CHAIN_ID: Final = sha256(b"salus/simulation").digest()
EPOCH_MS: Final = 1_700_000_000_000
MAX_CLOCK_AHEAD_MS: Final = 2_000
BLOCK_TRANSACTIONS: Final = 3
SEATS: Final = b"seats:"


class Invalid(Exception):
    """A block that must not become final; the text says why."""


class SealedBlock(Block):
    """A block that hashes itself once."""

    __slots__ = ("_digest", "_whole")
    _digest: BlockDigest
    _whole: bool

    def __init__(self, header: Header, transactions: tuple[bytes, ...]) -> None:
        super().__init__(header, transactions)
        object.__setattr__(self, "_digest", header.digest)
        object.__setattr__(self, "_whole", transactions_root(transactions) == header.transactions_root)

    @property
    def digest(self) -> BlockDigest:
        return self._digest

    @property
    def whole(self) -> bool:
        return self._whole


@dataclass(frozen=True, slots=True)
class Chain:
    """What a node knows after a block. `validators` decide height + 1, `later` height + 2."""

    height: int
    digest: bytes
    time_ms: int
    root: bytes
    validators: tuple[bytes, ...]
    later: tuple[bytes, ...]
    applied: frozenset[bytes]


def first(seats: tuple[bytes, ...]) -> Chain:
    """Before the first block."""
    return Chain(0, bytes(32), EPOCH_MS, bytes(32), seats, seats, frozenset())


def seats_change(seats: Sequence[bytes]) -> bytes:
    """The transaction that seats these validators at height + 2."""
    return SEATS + b"".join(seats)


def build(chain: Chain, transactions: Sequence[bytes], now_ms: int) -> SealedBlock:
    """A valid block of what fits; its time is the proposer's clock."""
    chosen = tuple(tx for tx in transactions if tx not in chain.applied)[:BLOCK_TRANSACTIONS]
    header = Header(
        CHAIN_ID,
        chain.height + 1,
        max(chain.time_ms + 1, now_ms),
        chain.digest,
        transactions_root(chosen),
        _root(chain, chosen),
        set_name(chain.validators),
        set_name(chain.later),
    )
    return SealedBlock(header, chosen)


def execute(chain: Chain, block: Block) -> Chain:
    """The chain after this block. Raises Invalid."""
    header, transactions = block.header, block.transactions
    expected = (CHAIN_ID, chain.height + 1, chain.digest, set_name(chain.validators), set_name(chain.later))
    found = (header.chain_id, header.height, header.parent, header.validators_hash, header.next_validators_hash)
    if found != expected:
        raise Invalid("not the next block of this chain")
    if header.time_ms <= chain.time_ms:
        raise Invalid("not after its parent")
    if not block.whole or header.state_root != _root(chain, transactions):
        raise Invalid("another root than its execution gives")
    if len(set(transactions)) < len(transactions) or chain.applied.intersection(transactions):
        raise Invalid("a transaction for the second time")
    later = chain.later
    for tx in transactions:
        if tx.startswith(SEATS):
            keys = tx[len(SEATS) :]
            later = tuple(keys[start : start + 33] for start in range(0, len(keys), 33))
    return Chain(
        header.height,
        block.digest,
        header.time_ms,
        header.state_root,
        chain.later,
        later,
        chain.applied.union(transactions),
    )


def _root(chain: Chain, transactions: Sequence[bytes]) -> bytes:
    return sha256(chain.root + b"".join(sha256(tx).digest() for tx in transactions)).digest()
