"""Equivocations that this node saw, until the chain has the evidence."""

from __future__ import annotations

from typing import Final

import structlog

from salus_chain.consensus.messages import Message
from salus_chain.rules.bodies.anyone import Evidence, SignedVote
from salus_chain.rules.state import State
from salus_chain.rules.transactions import evidence_transaction

MOST: Final = 256  # keys; there are not more members

log = structlog.get_logger()


class Accusations:
    """One piece of evidence against each key, handed in again until it is on the chain."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, bytes] = {}  # key → transaction
        self.seen = 0

    def add(self, chain_id: bytes, validators_hash: bytes, key: bytes, first: Message, second: Message) -> None:
        """Keep two votes of one slot that `key` signed."""
        if key in self._waiting or len(self._waiting) >= MOST:
            return
        self.seen += 1
        votes = (_signed_vote(validators_hash, vote) for vote in (first, second))
        self._waiting[key] = evidence_transaction(chain_id, Evidence(key, *votes))
        where = {"height": first.height, "round": first.round, "type": first.type.name}
        log.error("a validator signed two different votes", validator=key.hex()[:16], **where)

    def due(self, state: State) -> tuple[bytes, ...]:
        """The transactions that the chain lacks; what it has is forgotten."""
        for key in list(self._waiting):
            standing = state.standings.get(key)
            if standing is None or standing.convicted_height:
                del self._waiting[key]
        return tuple(self._waiting.values())


def _signed_vote(validators_hash: bytes, vote: Message) -> SignedVote:
    return SignedVote(
        validators_hash, int(vote.type), vote.height, vote.round, vote.prepared, vote.digest, vote.signature
    )  # fmt: skip
