"""Equivocation, proven by two signed votes of one slot: the validator loses its seat, and never gets one again.

Below four validators, where no fault is tolerated anyway, it is recorded and reported only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from salus_chain.errors import Rejected
from salus_chain.keys import verify
from salus_chain.rules.blocks import VOTE_DOMAIN, vote_bytes
from salus_chain.rules.bodies.anyone import Evidence, SignedVote
from salus_chain.rules.state import Row, State, Table, write

LEAST_SEATS_TO_SUSPEND: Final = 4


def convict(state: State, sender: bytes, body: Evidence) -> State:
    """Record the equivocation with its height; where there are enough seats, take the key's at height+2."""
    key, where = body.public_key, f"evidence against {body.public_key.hex()[:16]}"
    standing = state.standings.get(key)
    if standing is None:
        raise Rejected("not_a_member", f"{where}: the key never was a member's")
    if standing.convicted_height:
        raise Rejected("known_evidence", f"{where}: recorded at height {standing.convicted_height} already")
    check_evidence(state.genesis.chain_id, body)
    rows: list[Row] = [(Table.STANDINGS, key, replace(standing, convicted_height=state.height))]
    roster = state.roster
    if key in roster.next_validators and len(roster.next_validators) >= LEAST_SEATS_TO_SUSPEND:
        if roster.pending:
            raise Rejected("change_pending", f"{where}: another change of seats takes effect first; send it again")
        left = tuple(each for each in roster.next_validators if each != key)
        rows.append((Table.ROSTER, b"", replace(roster, next_validators=left)))
    return write(state, *rows)


def check_evidence(chain_id: bytes, body: Evidence) -> None:
    """Raises Rejected `no_conflict` unless the votes differ in one slot, `bad_signature` unless both are signed."""
    where = f"evidence against {body.public_key.hex()[:16]}"
    first, second = body.first, body.second
    if first.slot != second.slot or (first.prepared, first.digest) == (second.prepared, second.digest):
        raise Rejected("no_conflict", f"{where}: the two votes are not different ones of one height, round and type")
    if not all(_signed(chain_id, body.public_key, vote) for vote in (first, second)):
        raise Rejected("bad_signature", f"{where}: a vote is not signed by this key")


def _signed(chain_id: bytes, public_key: bytes, vote: SignedVote) -> bool:
    message = vote_bytes(chain_id, vote.validators_hash, vote.type, vote.height, vote.round, vote.digest, vote.prepared)
    return verify(public_key, vote.signature, VOTE_DOMAIN, message)
