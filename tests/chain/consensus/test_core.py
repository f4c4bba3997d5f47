"""The rules at the top of the core, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain.consensus.core import (
    Asked,
    Build,
    Check,
    Get,
    Received,
    ReceivedBody,
    Restored,
    SendBody,
    Tick,
    Timeout,
    Vote,
    Work,
    step,
)
from salus_chain.consensus.messages import NOTHING_PREPARED, Type, is_decided, is_valid
from salus_chain.rules.blocks import Block
from tests.chain.consensus.table import Table, decisions, votes

# 1. Quorum and proposer.


@pytest.mark.parametrize("seats", range(1, 31))
def test_two_quorums_share_an_honest_seat_and_the_honest_are_a_quorum(seats: int) -> None:
    council = Table(seats).council
    assert 2 * council.quorum - seats > council.faults
    assert seats - council.faults >= council.quorum


def test_the_proposer_goes_round_by_height_and_round() -> None:
    council = Table(4).council
    assert [council.proposer(height, round_) for height, round_ in ((1, 0), (1, 1), (2, 0), (3, 2))] == [1, 2, 2, 1]


def test_one_seat_alone_decides() -> None:
    table = Table(1)
    _, effects = table.play(table.state(0), Work(), block=table.x)
    assert [type_ for type_, _, _ in votes(effects)] == [Type.PROPOSAL, Type.PREPARE, Type.COMMIT]
    assert [decided.block for decided in decisions(effects)] == [table.x]


# 2. What justifies a proposal.


def test_only_the_proposer_is_asked_to_build() -> None:
    table = Table()
    assert Build(0) in table.play(table.state(1), Work())[1]
    assert Build(0) not in table.play(table.state(2), Work())[1]


def test_round_0_takes_any_block_of_the_proposer_and_no_certificates() -> None:
    table = Table()
    assert is_valid(table.council, table.proposal(0, table.x))
    assert not is_valid(table.council, table.proposal(0, table.x, [table.change(0, 1)]))
    assert not is_valid(table.council, table.proposal(0, table.x, certificate=table.lock(0, table.x).certificate))
    stranger = table.vote(Type.PROPOSAL, 2, 0, table.x.digest, block=table.x)
    assert not is_valid(table.council, stranger)


def test_a_later_round_takes_a_new_block_when_a_quorum_prepared_nothing() -> None:
    table = Table()
    changes = [table.change(seat, 1) for seat in range(3)]
    assert is_valid(table.council, table.proposal(1, table.x, changes))
    assert not is_valid(table.council, table.proposal(1, table.x, changes[:2])), "fewer than a quorum"
    assert not is_valid(table.council, table.proposal(1, table.x, [*changes[:2], changes[1]])), "one seat twice"
    assert not is_valid(table.council, table.proposal(1, table.x, changes[::-1])), "out of order"
    others = [*changes[:2], table.change(2, 2)]
    assert not is_valid(table.council, table.proposal(1, table.x, others)), "a ROUND-CHANGE for another round"


def test_a_later_round_repeats_the_block_that_was_prepared_last() -> None:
    table = Table()
    old, new = table.lock(0, table.x), table.lock(1, table.y)
    changes = [table.change(0, 2, old), table.change(1, 2, new), table.change(2, 2)]
    assert is_valid(table.council, table.proposal(2, table.y, changes, new.certificate))
    assert not is_valid(table.council, table.proposal(2, table.x, changes, old.certificate)), "the older one"
    assert not is_valid(table.council, table.proposal(2, table.x, changes, new.certificate)), "of another block"
    assert not is_valid(table.council, table.proposal(2, table.y, changes)), "without its certificate"


def test_the_next_proposer_repeats_the_prepared_block_with_its_certificate() -> None:
    table = Table()
    lock = table.lock(0, table.x)
    state = table.locked(2, 0, table.x)
    _, effects = table.receive(state, table.change(0, 1), table.change(3, 1, lock))
    proposal = next(each for each in effects if isinstance(each, Vote) and each.type is Type.PROPOSAL)
    assert (proposal.block, proposal.certificate) == (table.x, lock.certificate)
    assert [change.seat for change in proposal.changes] == [0, 2, 3]


def test_a_proposer_without_the_prepared_body_asks_who_locked_it_and_who_prepared_it() -> None:
    table = Table()
    lock = table.lock(0, table.x)  # of seats 0, 1, 2
    state, _ = table.receive(table.state(2), table.change(0, 1), table.change(1, 1))
    state, effects = table.receive(state, table.change(3, 1, lock))
    asked = [each.peer for each in effects if isinstance(each, Get) and each.digest == table.x.digest]
    assert table.keys[3] in asked and table.keys[0] in asked
    state, effects = table.play(state, Tick())
    assert any(isinstance(each, Get) and each.digest == table.x.digest for each in effects), "again on a tick"
    assert step(state, ReceivedBody(table.y)) == (state, ()), "another body"
    _, effects = table.play(state, ReceivedBody(table.x))
    assert votes(effects)[0] == (Type.PROPOSAL, 1, table.x.digest)


def test_a_body_is_given_to_who_asks_by_its_digest() -> None:
    table = Table()
    state = table.locked(0, 0, table.x)
    asked = Asked(table.keys[2], 1, table.x.digest)
    assert step(state, asked)[1] == (SendBody(table.keys[2], table.x),)
    assert step(table.state(0), asked)[1] == ()


# 3. Votes and finality.


def test_a_block_is_prepared_only_after_it_was_found_valid() -> None:
    table = Table()
    _, effects = step(table.state(0), Received(table.proposal(0, table.x)))
    assert Check(table.x, fresh=True) in effects and votes(effects) == []
    _, played = table.receive(table.state(0), table.proposal(0, table.x))
    assert votes(played) == [(Type.PREPARE, 0, table.x.digest)]


def test_a_quorum_of_prepares_locks_and_a_quorum_of_commits_is_final() -> None:
    table = Table()
    prepares = [table.vote(Type.PREPARE, seat, 0, table.x.digest) for seat in (1, 2)]
    state, effects = table.receive(table.state(0), table.proposal(0, table.x), prepares[0])
    assert votes(effects) == [(Type.PREPARE, 0, table.x.digest)]
    state, effects = table.receive(state, prepares[1])
    (commit,) = (each for each in effects if isinstance(each, Vote))
    assert commit.type is Type.COMMIT and commit.lock == state.prepared is not None
    state, effects = table.receive(state, table.vote(Type.COMMIT, 1, 0, table.x.digest))
    assert decisions(effects) == []
    state, effects = table.receive(state, table.vote(Type.COMMIT, 3, 0, table.x.digest))
    (decided,) = decisions(effects)
    assert is_decided(table.council, decided) and [seal.seat for seal in decided.certificate.seals] == [0, 1, 3]
    assert step(state, Received(table.vote(Type.COMMIT, 2, 0, table.x.digest))) == (state, ())


def test_commits_of_different_rounds_make_no_quorum() -> None:
    table = Table()
    state = table.locked(0, 0, table.x)
    commits = [table.vote(Type.COMMIT, 1, 0, table.x.digest), table.vote(Type.COMMIT, 2, 1, table.x.digest)]
    state, effects = table.receive(state, *commits)
    assert decisions(effects) == []
    assert len(decisions(table.receive(state, table.vote(Type.COMMIT, 3, 0, table.x.digest))[1])) == 1


@pytest.mark.parametrize("seats", [(0, 1), (0, 1, 2, 3), (0, 1, 1), (2, 1, 0)])
def test_a_certificate_is_exactly_a_quorum_in_order(seats: tuple[int, ...]) -> None:
    table = Table()
    assert is_decided(table.council, table.decided(table.x))
    assert not is_decided(table.council, table.decided(table.x, seats=seats))


def test_prepares_or_commits_of_another_round_certify_nothing() -> None:
    table = Table()
    decided = table.decided(table.x)
    prepares = replace(decided.certificate, seals=table.seals(Type.PREPARE, 0, table.x))
    assert not is_decided(table.council, replace(decided, certificate=prepares))
    assert not is_decided(table.council, replace(decided, certificate=replace(decided.certificate, round=1)))
    slipped = Block(table.x.header, (b"slipped in",))
    assert not is_decided(table.council, replace(decided, block=slipped))


# 4. One vote a slot, and the lock.


def test_a_round_change_names_the_lock_and_a_seat_says_it_once() -> None:
    table = Table()
    state = table.locked(0, 0, table.x)
    state, effects = table.play(state, Timeout(1, 0))
    assert votes(effects) == [(Type.ROUND_CHANGE, 1, table.x.digest)]
    assert table.play(state, Timeout(1, 0))[1] == []
    _, effects = table.play(table.play(table.state(0), Work())[0], Timeout(1, 0))
    assert votes(effects) == [(Type.ROUND_CHANGE, 1, NOTHING_PREPARED)]


def test_a_restarted_seat_votes_in_no_slot_of_its_log_again() -> None:
    table = Table()
    own = (table.vote(Type.PREPARE, 0, 1, table.x.digest), table.change(0, 1))
    state, _ = table.play(table.state(0), Restored(own, None))
    assert state.round == 1
    changes = [table.change(seat, 1) for seat in (1, 2, 3)]
    _, effects = table.receive(state, table.proposal(1, table.y, changes))
    assert votes(effects) == []


def test_a_restarted_proposer_repeats_its_proposal() -> None:
    table = Table()
    state, effects = table.play(table.state(1), Restored((table.proposal(0, table.x),), None))
    assert Check(table.x, fresh=True) in effects and votes(effects) == [(Type.PREPARE, 0, table.x.digest)]
    assert Build(0) not in table.play(state, Work())[1]


def test_an_earlier_round_gets_no_vote() -> None:
    table = Table()
    state, _ = table.play(table.state(0), Work(), Timeout(1, 0))
    assert state.round == 1
    state, effects = table.receive(state, table.proposal(0, table.x))
    assert votes(effects) == [] and not any(isinstance(each, Check) for each in effects)


# 5. Timers.


# 6. Being drawn along.


# 7. Nothing is lost with a message.


# 8. Evidence.


# Messages.
