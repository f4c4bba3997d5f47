"""Who may do what: every kind of transaction is refused from every signer but its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from salus_chain.codec import encode
from salus_chain.errors import ChainError, DecodeError, Rejected
from salus_chain.genesis import quorum
from salus_chain.keys import KeySigner
from salus_chain.rules.apply import apply_tx, begin, check_tx
from salus_chain.rules.state import State
from salus_chain.rules.transactions import (
    KINDS,
    QUORUM_KINDS,
    TX_DOMAIN,
    ApproveModel,
    ApproveRelease,
    Attest,
    Authorize,
    Body,
    Change,
    Consent,
    Deauthorize,
    Enrol,
    Kind,
    Revoke,
    SetValidators,
    Statement,
    Withdraw,
    quorum_transaction,
    read_transaction,
)
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation, signer

F = federation()
H = bytes([1]) * 32
BASE = F.apply(F.enrolled(), F.sign(F.validators[0], F.enrolled(), Consent(H, H)))
WITH_OBSERVER = F.changed(BASE, Change.ADMIT, F.joiner())
OPENED = F.opened(WITH_OBSERVER)
CLOSED = F.closed()

SIGNERS: dict[str, KeySigner] = {
    "own hospital": F.validators[0],
    "other hospital": F.validators[1],
    "observer": signer(5),
    "own gateway": F.gateway(0),
    "other gateway": F.gateway(1),
    "coordinator": F.coordinator,
    "release key": F.release,
    "stranger": signer(999),
}
ALONE: dict[Kind, tuple[State, Body, frozenset[str]]] = {
    Kind.ENROL: (WITH_OBSERVER, Enrol("gateway-0", F.gateway(0).public_key, 2), frozenset({"own hospital"})),
    Kind.REVOKE: (WITH_OBSERVER, Revoke("gateway-0"), frozenset({"own hospital"})),
    Kind.CONSENT: (WITH_OBSERVER, Consent(bytes(32), H), frozenset({"own hospital", "other hospital"})),
    Kind.WITHDRAW: (WITH_OBSERVER, Withdraw(H), frozenset({"own hospital"})),
    Kind.ATTEST: (WITH_OBSERVER, Attest("gateway-0", 500, H), frozenset({"own hospital"})),
    Kind.COMMIT: (OPENED, read_transaction(F.commit(OPENED, 0)).body, frozenset({"own gateway"})),
    Kind.OPEN_ROUND: (WITH_OBSERVER, F.open_body(WITH_OBSERVER), frozenset({"coordinator"})),
}
STATEMENTS: dict[Kind, tuple[State, Statement]] = {
    Kind.SETTLE: (CLOSED, F.settle_body(CLOSED)),
    Kind.AUTHORIZE: (BASE, Authorize(1, signer(103).public_key)),
    Kind.DEAUTHORIZE: (BASE, Deauthorize(1, F.coordinator.public_key)),
    Kind.APPROVE_MODEL: (BASE, ApproveModel(TASK, 2, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)),
    Kind.APPROVE_RELEASE: (BASE, ApproveRelease(TASK, 1, H, H, MODEL_DIGEST)),
    Kind.SET_VALIDATORS: (BASE, SetValidators(1, Change.ADMIT, F.joiner())),
}


def test_the_table_has_every_kind() -> None:
    assert set(ALONE) | set(STATEMENTS) | {Kind.EVIDENCE} == set(Kind)
    assert set(STATEMENTS) == QUORUM_KINDS


@pytest.mark.parametrize("who", SIGNERS)
@pytest.mark.parametrize("kind", ALONE)
def test_a_single_signers_transaction_is_taken_from_its_signer_alone(kind: Kind, who: str) -> None:
    state, body, allowed = ALONE[kind]
    tx = read_transaction(F.sign(SIGNERS[who], state, body))
    if who in allowed:
        check_tx(state, tx, state.time_ms + 1)
    else:
        with pytest.raises(Rejected) as refused:
            check_tx(state, tx, state.time_ms + 1)
        codes = {"not_a_validator", "not_your_gateway", "unknown_consent", "not_a_coordinator", "wrong_sender"}
        assert refused.value.code in codes


@pytest.mark.parametrize("who", SIGNERS)
@pytest.mark.parametrize("kind", STATEMENTS)
def test_nobody_makes_a_quorums_transaction_alone(kind: Kind, who: str) -> None:
    """Neither in the form of a single signer's, nor with one signature, nor with the same one over and over."""
    state, body = STATEMENTS[kind]
    key = SIGNERS[who]
    signed = (F.genesis.chain_id, int(kind), key.public_key, 0, body.value())
    with pytest.raises(DecodeError):
        read_transaction(encode((*signed, key.sign(TX_DOMAIN, encode(signed)))))
    own = key.sign(b"salus/statement/1", encode((F.genesis.chain_id, H, int(kind), body.value())))
    for signatures in [{0: own}, {0: own, 1: own, 2: own}]:
        data = quorum_transaction(F.genesis.chain_id, body, signatures, len(signatures))
        with pytest.raises(Rejected, match=r"no_quorum|bad_signature"):
            check_tx(state, read_transaction(data), state.time_ms + 1)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_takes_exactly_a_quorum_of_the_deciding_set(kind: Kind) -> None:
    state, body = STATEMENTS[kind]
    check_tx(state, read_transaction(F.quorum(body)), state.time_ms + 1)
    for seats in {1, 2, 3, 4} - {quorum(4)}:
        with pytest.raises(Rejected, match="no_quorum"):
            check_tx(state, read_transaction(F.quorum(body, seats)), state.time_ms + 1)


def replace_seat(kind: Kind, change: Callable[[dict[int, bytes]], dict[int, bytes]]) -> bytes:
    _, body = STATEMENTS[kind]
    seals = {seal.seat: seal.signature for seal in read_transaction(F.quorum(body)).seals}
    changed = change(seals)
    return quorum_transaction(F.genesis.chain_id, body, changed, len(changed))


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_signature_counts_for_its_own_seat_and_statement(kind: Kind) -> None:
    state, _ = STATEMENTS[kind]
    swaps: list[Callable[[dict[int, bytes]], dict[int, bytes]]] = [
        lambda seals: {0: seals[1], 1: seals[0], 2: seals[2]},
        lambda seals: {0: seals[0], 1: seals[1], 3: seals[2]},
        lambda seals: {0: seals[0], 1: seals[1], 9: seals[2]},
    ]
    for swap in swaps:
        with pytest.raises(Rejected, match="bad_signature"):
            check_tx(state, read_transaction(replace_seat(kind, swap)), state.time_ms + 1)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_under_a_former_set_is_refused(kind: Kind) -> None:
    """Signed by the right people, but while others sat beside them."""
    state, body = STATEMENTS[kind]
    if isinstance(body, Authorize | Deauthorize | SetValidators):
        body = replace(body, sequence=state.roster.sequence + 2)
    leaving = state.seats[3]
    later = F.apply(F.changed(state, Change.UNSEAT, leaving))
    assert len(later.validators) == 3
    with pytest.raises(Rejected, match=r"no_quorum|bad_signature"):
        check_tx(later, read_transaction(F.quorum(body)), later.time_ms + 1)
    two = {seal.seat: seal.signature for seal in read_transaction(F.quorum(body)).seals[:2]}
    with pytest.raises(Rejected, match="bad_signature"):
        data = quorum_transaction(F.genesis.chain_id, body, two, 2)
        check_tx(later, read_transaction(data), later.time_ms + 1)
    check_tx(later, read_transaction(F.quorum(body, of=later)), later.time_ms + 1)


def test_anyone_hands_in_evidence() -> None:
    tx = read_transaction(F.evidence(F.validators[2]))
    assert tx.sender == b"" and tx.signature == b"" and tx.seals == ()
    check_tx(BASE, tx, BASE.time_ms + 1)


@pytest.mark.parametrize("kind", [*ALONE, *STATEMENTS])
def test_a_replayed_transaction_is_refused(kind: Kind) -> None:
    if kind in ALONE:
        state, body, allowed = ALONE[kind]
        tx = read_transaction(F.sign(SIGNERS[min(allowed)], state, body))
    else:
        state, statement = STATEMENTS[kind]
        tx = read_transaction(F.quorum(statement))
    assert KINDS[type(tx.body)] is kind
    once = apply_tx(begin(state, state.time_ms + 1), tx)
    with pytest.raises(ChainError):
        apply_tx(once, tx)
