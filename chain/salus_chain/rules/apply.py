"""What a block does to the state, and what it may not: the one place where transactions are judged.

A transaction is judged by the same function in the mempool, in a proposal and in a final block, so the
mempool rejects exactly what a block would. Every rejection has a stable code. The verbs themselves stand in
`members` (gateways and consents), `rounds`, `models`, `governance` (who takes part) and `evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from salus_chain.errors import DecodeError, Rejected
from salus_chain.evolve import evolve
from salus_chain.genesis import quorum, set_hash
from salus_chain.keys import verify
from salus_chain.rules import evidence, governance, members, models, rounds
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS, Block, Header, transactions_root
from salus_chain.rules.state import State, Table, count_nonce, sealed, state_root, write
from salus_chain.rules.transactions import (
    STATEMENT_DOMAIN,
    TX_DOMAIN,
    Kind,
    Transaction,
    read_transaction,
    statement_bytes,
)

MAX_CLOCK_AHEAD_MS: Final = 2_000

Verb = Callable[[State, bytes, Any], State]  # (state, sender, body) -> state', raising Rejected
VERBS: Final[dict[Kind, Verb]] = {
    Kind.ENROL: members.enrol,
    Kind.REVOKE: members.revoke,
    Kind.CONSENT: members.consent,
    Kind.WITHDRAW: members.withdraw,
    Kind.ATTEST: members.attest,
    Kind.OPEN_ROUND: rounds.open_round,
    Kind.COMMIT: rounds.commit,
    Kind.SETTLE: rounds.settle,
    Kind.AUTHORIZE: governance.authorize,
    Kind.DEAUTHORIZE: governance.deauthorize,
    Kind.APPROVE_MODEL: models.approve_model,
    Kind.APPROVE_RELEASE: models.approve_release,
    Kind.SET_VALIDATORS: governance.set_validators,
    Kind.EVIDENCE: evidence.convict,
}


def begin(state: State, time_ms: int) -> State:
    """The state in which the next block's first transaction applies: due rounds are closed or expired."""
    return rounds.advance(evolve(state, height=state.height + 1, time_ms=time_ms, touched=None))


def finish(before: State, inside: State) -> State:
    """The state after the last transaction of the block that `begin(before, …)` started: seats move up, root made."""
    validators = before.next_validators
    if inside.validators != validators:
        inside = write(inside, (Table.ROSTER, b"", replace(inside.roster, validators=validators)))
    return sealed(inside)


def is_due(state: State, now_ms: int) -> bool:
    """Whether a block is due without transactions: a round closes or expires, or a change of seats waits."""
    due_ms = rounds.next_due_ms(state)
    return state.roster.pending or (due_ms is not None and now_ms >= due_ms)


def block_time(state: State, now_ms: int) -> int:
    """The next block's time: the clock's, but always after the parent's."""
    return max(state.time_ms + 1, now_ms)


def apply_tx(state: State, tx: Transaction) -> State:
    """The state after `tx` inside a block that `begin` started. Raises Rejected."""
    if tx.chain_id != state.genesis.chain_id:
        raise Rejected("wrong_chain", f"the transaction is for chain {tx.chain_id.hex()[:16]}")
    if tx.sender:
        _check_nonce(state, tx)
    _check_signatures(state, tx)
    after = VERBS[tx.kind](state, tx.sender, tx.body)
    return count_nonce(state, after, tx.sender, tx.nonce + 1) if tx.sender else after


def check_tx(state: State, tx: Transaction, now_ms: int) -> None:
    """Raises Rejected exactly when the next block, made now, could not hold `tx` as its first."""
    apply_tx(begin(state, block_time(state, now_ms)), tx)


def build_block(state: State, transactions: Iterable[Transaction], now_ms: int) -> tuple[Block, State]:
    """The next block of those transactions that the rules allow, and the state after it."""
    time_ms = block_time(state, now_ms)
    after, taken = begin(state, time_ms), []
    for tx in transactions:
        try:
            after = apply_tx(after, tx)
        except Rejected:
            continue
        taken.append(tx.data)
    after = finish(state, after)
    header = _header(state, after, time_ms, tuple(taken))
    return Block(header, tuple(taken)), evolve(after, parent=header.digest)


def apply_block(state: State, block: Block) -> State:
    """The state after `block`. Raises Rejected: a wrong header, or any transaction that the rules refuse."""
    header = block.header
    if header.height != state.height + 1 or header.parent != state.parent:
        raise Rejected("wrong_parent", f"block {header.height} does not follow block {state.height}")
    if header.time_ms <= state.time_ms:
        raise Rejected("wrong_time", f"block {header.height} is not later than its parent")
    if len(block.transactions) > MAX_BLOCK_TRANSACTIONS:
        raise Rejected("too_large", f"block {header.height} has {len(block.transactions)} transactions")
    after = begin(state, header.time_ms)
    for data in block.transactions:
        try:
            after = apply_tx(after, read_transaction(data))
        except DecodeError as error:
            raise Rejected("malformed", str(error)) from None
    after = finish(state, after)
    if header != _header(state, after, header.time_ms, block.transactions):
        raise Rejected("wrong_header", f"block {header.height}: a root or hash in the header is not what follows")
    return evolve(after, parent=header.digest)


def _header(before: State, after: State, time_ms: int, transactions: tuple[bytes, ...]) -> Header:
    validators_hash = set_hash(before.validators)
    return Header(
        before.genesis.chain_id,
        before.height + 1,
        time_ms,
        before.parent,
        transactions_root(transactions),
        state_root(after),
        validators_hash,
        set_hash(after.validators),
    )


@lru_cache(maxsize=1 << 14)  # asked on arrival, in a proposal and in the block
def is_signed(tx: Transaction) -> bool:
    """Whether a single sender's transaction has its signature."""
    return verify(tx.sender, tx.signature, TX_DOMAIN, tx.signed_bytes)


def _check_nonce(state: State, tx: Transaction) -> None:
    wanted = state.nonces.get(tx.sender, 0)
    if tx.nonce != wanted:
        raise Rejected("wrong_nonce", f"nonce {tx.nonce} where {wanted} is next of {tx.sender.hex()[:16]}")


def _check_signatures(state: State, tx: Transaction) -> None:
    if tx.sender:
        if not is_signed(tx):
            raise Rejected("bad_signature", f"the {tx.kind.name.lower()} is not signed by {tx.sender.hex()[:16]}")
        return
    if tx.kind is Kind.EVIDENCE:
        return  # it carries its own
    seats = [seal.seat for seal in tx.seals]
    if len(seats) != quorum(len(state.validators)) or seats != sorted(set(seats)):
        raise Rejected(
            "no_quorum",
            f"{len(seats)} signatures; exactly {quorum(len(state.validators))} sorted ones are wanted",
        )
    statement = statement_bytes(tx.chain_id, state.validators, tx.body)  # type: ignore[arg-type]
    for seal in tx.seals:
        known = seal.seat < len(state.validators)
        if not known or not verify(state.validators[seal.seat], seal.signature, STATEMENT_DOMAIN, statement):
            raise Rejected("bad_signature", f"seat {seal.seat} did not sign this {tx.kind.name.lower()}")
