"""Which votes are believed, what two of them prove, and what is not worth a look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain.consensus.core import Accuse, Received, step
from salus_chain.consensus.messages import Message, Type, is_valid
from salus_chain.rules.blocks import NEVER
from salus_chain.rules.transactions import Seal
from tests.chain.consensus.table import Table


@pytest.mark.parametrize("type_", [Type.PREPARE, Type.COMMIT, Type.ROUND_CHANGE, Type.PROPOSAL])
def test_two_votes_in_one_slot_are_evidence(type_: Type) -> None:
    table = Table()
    pairs: dict[Type, tuple[Message, Message]] = {
        Type.PREPARE: (table.vote(type_, 1, 0, table.x.digest), table.vote(type_, 1, 0, table.y.digest)),
        Type.COMMIT: (table.vote(type_, 1, 0, table.x.digest), table.vote(type_, 1, 0, table.y.digest)),
        Type.ROUND_CHANGE: (table.change(1, 2), table.change(1, 2, table.lock(0, table.x))),
        Type.PROPOSAL: (table.proposal(0, table.x), table.proposal(0, table.y)),
    }
    first, second = pairs[type_]
    _, effects = table.receive(table.state(0), first, second)
    assert Accuse(table.keys[1], first.bare, second.bare) in effects


def test_a_forged_second_vote_accuses_nobody() -> None:
    table = Table()
    first = table.vote(Type.PREPARE, 1, 0, table.x.digest)
    forged = replace(first, digest=table.y.digest)
    again = replace(first, signature=table.keyring.malleated(first.signature))
    _, effects = table.receive(table.state(0), first, forged, again, first)
    assert not any(isinstance(each, Accuse) for each in effects)


def test_a_vote_is_believed_only_as_it_was_signed() -> None:
    table = Table()
    lock = table.lock(0, table.x)
    good = [
        table.proposal(0, table.x),
        table.vote(Type.PREPARE, 2, 3, table.x.digest),
        table.vote(Type.COMMIT, 2, 3, table.x.digest),
        table.change(2, 3),
        table.change(2, 3, lock),
    ]
    for message in good:
        assert is_valid(table.council, message)
        altered = (
            replace(message, height=2),
            replace(message, round=message.round + 4),
            replace(message, digest=table.y.digest),
            replace(message, seat=(message.seat + 1) % 4),
            replace(message, seat=-1),
            replace(message, seat=4),
            replace(message, prepared=1 if message.prepared == NEVER else NEVER),
            replace(message, type=Type.COMMIT if message.type is not Type.COMMIT else Type.PREPARE).bare,
        )
        for changed in altered:
            assert not is_valid(table.council, changed), changed
    other = replace(table.council, chain_id=bytes(32)), replace(table.council, hash=bytes(32))
    assert not any(is_valid(council, message) for council in other for message in good)


def test_votes_carry_nothing_that_does_not_belong_to_them() -> None:
    table = Table()
    lock = table.lock(0, table.x)
    prepare = table.vote(Type.PREPARE, 2, 0, table.x.digest)
    assert not is_valid(table.council, replace(prepare, block=table.x))
    assert not is_valid(table.council, replace(prepare, certificate=lock.certificate))
    assert not is_valid(table.council, replace(table.change(2, 1, lock), block=table.x))
    assert not is_valid(table.council, replace(table.change(2, 1), certificate=lock.certificate))
    assert not is_valid(table.council, table.change(2, 0)), "round 0 needs none"
    assert not is_valid(table.council, table.vote(Type.ROUND_CHANGE, 2, 1, table.x.digest)), "a digest of nothing"


@pytest.mark.parametrize("prepared", [1, 2, -2])
def test_a_lock_is_of_an_earlier_round(prepared: int) -> None:
    table = Table()
    certificate = table.seals(Type.PREPARE, max(prepared, 0), table.x)
    change = table.vote(Type.ROUND_CHANGE, 2, 1, table.x.digest, prepared=prepared, certificate=certificate)
    assert not is_valid(table.council, change)


def test_state_stays_small_under_spam() -> None:
    table = Table()
    state = table.state(0)
    for round_ in range(1, 200):
        spam = [table.vote(type_, 1, round_, bytes([round_]) * 32) for type_ in (Type.PREPARE, Type.COMMIT)]
        state, _ = table.receive(state, *spam, table.change(1, round_))
        early = table.vote(Type.COMMIT, 1, round_, bytes([round_]) * 32, height=2)
        state, _ = table.receive(state, early, replace(early, height=9))
    assert (len(state.votes), len(state.ahead), len(state.bodies), state.round) == (3, 1, 0, 0)


def test_a_lock_of_forged_seals_is_refused() -> None:
    table = Table()
    lock = table.lock(0, table.x)
    forged = (*lock.certificate[:2], Seal(3, lock.certificate[0].signature))
    assert not is_valid(table.council, table.change(2, 1, replace(lock, certificate=forged)))


def test_a_vote_beyond_a_quorum_is_left_unread_but_a_second_one_of_a_seat_is_still_evidence() -> None:
    table = Table(5)
    prepares = [table.vote(Type.PREPARE, seat, 0, table.x.digest) for seat in range(4)]
    state, _ = table.receive(table.state(None), *prepares)
    state, effects = step(state, Received(table.vote(Type.PREPARE, 4, 0, table.x.digest)))
    assert (Type.PREPARE, 4) not in state.votes and not effects
    other = table.vote(Type.PREPARE, 0, 0, table.y.digest)
    _, effects = step(state, Received(other))
    assert [each.key for each in effects if isinstance(each, Accuse)] == [table.keys[0]]


def test_a_first_vote_of_one_more_seat_costs_no_verification_once_a_quorum_agrees() -> None:
    table = Table(4)
    asked: list[bytes] = []

    def verify(key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
        asked.append(key)
        return table.keyring.verify(key, signature, domain, message)

    council = replace(table.council, verify=verify)
    state = replace(table.state(None), council=council)
    for seat in range(4):
        state, _ = step(state, Received(table.vote(Type.COMMIT, seat, 0, table.x.digest)))
    assert asked == list(table.keys[:3])
