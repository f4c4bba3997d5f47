"""The rules at the top of the core, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain.consensus.core import (
    SERVED_BLOCKS,
    Accuse,
    Asked,
    Build,
    Check,
    Connected,
    Decide,
    Get,
    Received,
    ReceivedBody,
    ReceivedDecided,
    Restored,
    Send,
    SendBody,
    Serve,
    Started,
    Tick,
    Timeout,
    Timer,
    Timing,
    Vote,
    Work,
    step,
)
from salus_chain.consensus.messages import NOTHING_PREPARED, Message, Type, is_decided, is_valid
from salus_chain.rules.blocks import NEVER, Block
from salus_chain.rules.transactions import Seal
from tests.chain.consensus.table import Table, decisions, votes


def timers(effects: list[object]) -> list[tuple[int, int]]:
    return [(each.round, each.after_ms) for each in effects if isinstance(each, Timer)]


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


def test_there_is_no_timer_without_work_and_one_with() -> None:
    table = Table()
    state = table.state(0)
    assert timers(list(table.play(state, Tick())[1])) == []
    state, effects = table.play(state, Work())
    assert timers(list(effects)) == [(0, 400)]
    assert timers(list(table.play(state, Work())[1])) == []
    assert timers(list(table.receive(state, table.proposal(0, table.x))[1])) == [(0, 400)], "afresh at a proposal"


def test_a_later_rounds_timer_waits_for_a_quorum() -> None:
    table = Table()
    state, effects = table.play(table.state(0), Work(), Timeout(1, 0))
    assert timers(list(effects)) == [(0, 400)]
    state, effects = table.receive(state, table.change(2, 1))
    assert timers(list(effects)) == []
    _, effects = table.receive(state, table.change(3, 5))
    assert timers(list(effects)) == [(1, 800)]


def test_any_vote_of_a_round_shows_that_its_seat_is_there() -> None:
    """A seat that came to the round by its PROPOSAL, and then restarted, has no ROUND-CHANGE to show."""
    table = Table()
    own = (table.change(0, 2), table.vote(Type.PREPARE, 0, 2, table.x.digest))
    state, _ = table.play(table.state(0), Restored(own, None))
    state, effects = table.receive(state, table.change(1, 2))
    assert timers(list(effects)) == []
    _, effects = table.receive(state, table.vote(Type.PREPARE, 2, 2, table.x.digest))
    assert timers(list(effects)) == [(2, 1_600)]


def test_a_seat_that_restarts_with_votes_has_work() -> None:
    table = Table()
    _, effects = table.play(table.state(0), Restored((table.vote(Type.PREPARE, 0, 0, table.x.digest),), None))
    assert timers(list(effects)) == [(0, 400)]
    assert timers(list(table.play(table.state(0), Restored((), None))[1])) == []


def test_timers_double_up_to_a_cap_and_start_afresh_with_a_height() -> None:
    timing = Timing(100, 1_000)
    assert [timing.of(round_) for round_ in (0, 1, 2, 3, 4, 5, 1 << 40)] == [100, 200, 400, 800, 1_000, 1_000, 1_000]
    table = Table()
    state, _ = table.play(table.state(0), Work(), Timeout(1, 0))
    state, _ = table.play(state, Started(2, table.keys, table.keys))
    assert timers(list(table.play(state, Work())[1])) == [(0, 400)]


def test_a_timer_of_another_round_or_height_says_nothing() -> None:
    table = Table()
    state, _ = table.play(table.state(0), Work())
    for late in (Timeout(1, 1), Timeout(2, 0), Timeout(0, 0)):
        assert step(state, late) == (state, ())


def test_an_observer_only_listens() -> None:
    table = Table()
    state, effects = table.play(table.state(None), Work(), Received(table.proposal(0, table.x)))
    commits = [table.vote(Type.COMMIT, seat, 0, table.x.digest) for seat in range(3)]
    _, more = table.receive(state, *(table.change(seat, 3) for seat in range(2)), *commits)
    assert votes([*effects, *more]) == [] and timers([*effects, *more]) == []
    assert [decided.block for decided in decisions(more)] == [table.x]


# 6. Being drawn along.


def test_f_plus_1_seats_draw_a_seat_along_and_f_do_not() -> None:
    table = Table()
    state, effects = table.receive(table.state(0), table.change(1, 9))
    assert state.round == 0 and effects == []
    state, effects = table.receive(state, table.change(2, 3))
    assert state.round == 3 and votes(effects) == [(Type.ROUND_CHANGE, 3, NOTHING_PREPARED)]


def test_a_justified_proposal_draws_along_too() -> None:
    table = Table()
    changes = [table.change(seat, 2) for seat in (1, 2, 3)]
    state, effects = table.receive(table.state(0), table.proposal(2, table.x, changes))
    assert state.round == 2 and votes(effects) == [(Type.PREPARE, 2, table.x.digest)]


# 7. Nothing is lost with a message.


def test_a_tick_and_a_connection_say_again_what_was_said() -> None:
    table = Table()
    state = table.locked(0, 0, table.x)
    said = (table.vote(Type.PREPARE, 0, 0, table.x.digest), table.vote(Type.COMMIT, 0, 0, table.x.digest))
    assert step(state, Tick())[1] == (Send(None, said), Get(None, 1))
    assert step(state, Connected(table.keys[2]))[1] == (Send(table.keys[2], said), Get(table.keys[2], 1))


def test_a_body_goes_out_again_only_when_its_round_drags_on() -> None:
    table = Table()
    state, _ = table.play(table.state(1), Work(), block=table.x)

    def bodies(effects: tuple[object, ...]) -> int:
        return sum(message.block is not None for each in effects if isinstance(each, Send) for message in each.messages)

    state, effects = step(state, Tick())
    assert bodies(effects) == 0 or state.stale
    assert bodies(step(state, Tick())[1]) == 1


def test_a_final_block_alone_brings_a_seat_on_and_a_false_one_does_not() -> None:
    table = Table()
    decided = table.decided(table.x, round_=3)
    assert step(table.state(0), ReceivedDecided(decided))[1] == (Decide(decided),)
    short = replace(decided, certificate=replace(decided.certificate, seals=decided.certificate.seals[1:]))
    assert step(table.state(0), ReceivedDecided(short))[1] == ()


def test_who_asks_for_a_past_height_is_served() -> None:
    table = Table()
    state, _ = table.play(table.state(0), Started(2, table.keys, table.keys))
    assert step(state, Asked(table.keys[1], 1))[1] == (Serve(table.keys[1], 1),)
    assert step(state, Asked(table.keys[1], 2))[1] == ()


def test_votes_for_the_next_height_wait_for_it() -> None:
    table = Table()
    early = [table.vote(Type.COMMIT, seat, 0, table.x.digest, height=2) for seat in (1, 2)]
    state, effects = table.receive(table.state(0), *early)
    assert effects == [] and len(state.ahead) == 2
    state, _ = table.play(state, Started(2, table.keys, table.keys))
    assert len(state.votes) == 2 and not state.ahead


def test_a_vote_from_further_ahead_is_a_reason_to_ask() -> None:
    table = Table()
    far = table.vote(Type.COMMIT, 2, 0, table.x.digest, height=7)
    state, effects = step(table.state(0), Received(far))
    assert effects == (Get(table.keys[2], 1),)
    assert step(table.state(0), Received(replace(far, seat=9)))[1] == ()
    assert step(state, Received(replace(far, seat=3)))[1] == (), "the answer is on its way"
    for height in range(2, SERVED_BLOCKS + 1):
        state, _ = table.play(state, Started(height, table.keys, table.keys))
        far = replace(far, height=height + 2)
        assert step(state, Received(far))[1] == ()
    state, _ = table.play(state, Started(SERVED_BLOCKS + 1, table.keys, table.keys))
    assert step(state, Received(replace(far, height=99)))[1] == (Get(table.keys[2], SERVED_BLOCKS + 1),)


def test_a_proposal_that_was_too_early_is_looked_at_again() -> None:
    table = Table()
    state, _ = step(table.state(0), Received(table.proposal(0, table.x)))
    assert Check(table.x, fresh=True) in step(state, Tick())[1]


# 8. Evidence.


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


# Messages.


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
