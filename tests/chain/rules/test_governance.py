"""Members, seats, coordinators and evidence: what a change does, and from which block on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.errors import Rejected
from salus_chain.genesis import set_hash
from salus_chain.rules.apply import apply_block, check_tx, is_due
from salus_chain.rules.restore import state_of
from salus_chain.rules.state import NO_RELEASE, RoundStatus, State, entries
from salus_chain.rules.transactions import (
    NO_SCORE,
    Attest,
    Authorize,
    Change,
    Consent,
    Deauthorize,
    Revoke,
    SetValidators,
    Withdraw,
    commit_set_root,
    read_transaction,
)
from tests.chain.federation import TASK, federation, signer

F = federation()
ENROLLED = F.enrolled()
NEW = F.joiner()
H = bytes([1]) * 32


def stored(state: State) -> State:
    """As a validator finds it after a restart."""
    return state_of(state.genesis, state.height, state.time_ms, state.parent, entries(state))


def test_a_seat_is_taken_two_blocks_after_the_change_and_the_parents_header_says_so() -> None:
    admitted = F.changed(ENROLLED, Change.ADMIT, NEW)
    assert admitted.observers == (NEW,) and NEW.public_key in admitted.members
    old, new = admitted.validators, (*admitted.validators, NEW.public_key)
    change = F.quorum(SetValidators(2, Change.SEAT, NEW), of=admitted)
    first, one = F.block(admitted, change)
    assert (one.validators, one.next_validators, one.observers) == (old, new, ())
    second, two = F.block(one)
    assert (two.validators, two.next_validators) == (new, new)
    third, _ = F.block(two)
    hashes = [(block.header.validators_hash, block.header.next_validators_hash) for block in (first, second, third)]
    before, after = set_hash(old), set_hash(new)
    assert hashes == [(before, before), (before, after), (after, after)]
    assert apply_block(apply_block(admitted, first), second) == two


def test_a_change_that_waits_makes_a_block_due() -> None:
    pending = F.changed(ENROLLED, Change.UNSEAT, ENROLLED.seats[1])
    assert not is_due(ENROLLED, ENROLLED.time_ms + 10**9)
    assert is_due(pending, pending.time_ms)
    assert not is_due(F.apply(pending), pending.time_ms + 10**9)
    opened = F.opened(ENROLLED)
    deadline_ms = opened.rounds[TASK].open.deadline_ms
    assert not is_due(opened, deadline_ms - 1) and is_due(opened, deadline_ms)


def test_an_unseated_validator_watches_until_it_is_dismissed() -> None:
    leaving = ENROLLED.seats[1]
    pending = F.changed(ENROLLED, Change.UNSEAT, leaving)
    assert leaving in pending.seats and leaving not in pending.next_seats and leaving not in pending.observers
    gone = F.apply(pending)
    assert gone.observers == (leaving,) and len(gone.seats) == 3
    back = F.apply(F.changed(gone, Change.SEAT, leaving))
    assert back.validators == (*gone.validators, leaving.public_key)
    dismissed = F.changed(gone, Change.DISMISS, leaving)
    assert leaving.public_key not in dismissed.members and dismissed.observers == ()


def test_a_members_name_and_addresses_change_at_once_and_its_seat_stays() -> None:
    moved = replace(ENROLLED.seats[2], name="renamed", peer="10.0.0.1:1", url="https://renamed")
    after = F.changed(ENROLLED, Change.UPDATE, moved)
    assert after.validators == ENROLLED.validators and after.seats[2] == moved
    assert not after.roster.pending and stored(after) == after


def test_a_hospital_acts_while_it_has_a_seat_and_without_one_may_still_end_what_is_its_own() -> None:
    other = signer(5)
    observing = F.changed(ENROLLED, Change.ADMIT, NEW)
    consent = read_transaction(F.sign(other, observing, Consent(H, H)))
    with pytest.raises(Rejected, match="not_a_validator"):
        check_tx(observing, consent, observing.time_ms + 1)
    seated = F.apply(F.changed(observing, Change.SEAT, NEW))
    written = F.apply(seated, consent.data)
    left = F.apply(F.changed(written, Change.UNSEAT, NEW))
    with pytest.raises(Rejected, match="not_a_validator"):
        check_tx(left, read_transaction(F.sign(other, left, Consent(bytes(32), H))), left.time_ms + 1)
    assert F.apply(left, F.sign(other, left, Withdraw(H))).consents[H].withdrawn
    first = F.validators[0]
    unseated = F.apply(F.changed(ENROLLED, Change.UNSEAT, ENROLLED.seats[0]))
    assert F.apply(unseated, F.sign(first, unseated, Revoke("gateway-0"))).gateways["gateway-0"].revoked
    dismissed = F.changed(unseated, Change.DISMISS, ENROLLED.seats[0])
    with pytest.raises(Rejected, match="not_a_validator"):
        check_tx(dismissed, read_transaction(F.sign(first, dismissed, Revoke("gateway-0"))), dismissed.time_ms + 1)


def test_a_coordinator_opens_rounds_from_its_authorisation_to_its_end() -> None:
    second = signer(103)
    authorized = F.apply(ENROLLED, F.quorum(Authorize(1, second.public_key)))
    opened = F.apply(authorized, F.sign(second, authorized, F.open_body(authorized)))
    ended = F.apply(opened, F.quorum(Deauthorize(2, second.public_key)))
    assert ended.rounds[TASK].status is RoundStatus.OPEN
    assert ended.coordinators == F.genesis.coordinators
    over = F.apply(ended, at_ms=ended.rounds[TASK].open.deadline_ms)
    with pytest.raises(Rejected, match="not_a_coordinator"):
        check_tx(over, read_transaction(F.sign(second, over, F.open_body(over))), over.time_ms + 1)


def test_equivocation_costs_the_seat_two_blocks_later_and_is_on_record() -> None:
    liar = F.validators[2]
    shown = F.apply(ENROLLED, F.evidence(liar))
    assert liar.public_key in shown.validators and liar.public_key not in shown.next_validators
    assert shown.standings[liar.public_key].convicted_height == shown.height
    after = F.apply(shown)
    assert len(after.validators) == 3 and liar.public_key not in after.validators
    assert [each.public_key for each in after.observers] == [liar.public_key]


def test_below_four_validators_equivocation_is_recorded_and_the_seat_stays() -> None:
    small = federation(3)
    state = small.enrolled()
    after = small.apply(small.apply(state, small.evidence(small.validators[1])))
    assert after.validators == state.validators and not after.roster.pending
    assert after.standings[small.validators[1].public_key].convicted_height == state.height + 1


def test_votes_for_two_prepared_rounds_in_one_round_change_are_equivocation() -> None:
    from salus_chain.rules.transactions import Evidence, evidence_transaction

    liar = F.validators[1]
    votes = [F.vote(liar, H, type=4, round=5, prepared=prepared) for prepared in (1, 2)]
    data = evidence_transaction(F.genesis.chain_id, Evidence(liar.public_key, *votes))
    assert F.apply(ENROLLED, data).standings[liar.public_key].convicted_height


def test_one_who_has_left_is_still_convicted_of_what_it_signed() -> None:
    leaving = ENROLLED.seats[3]
    left = F.changed(F.apply(F.changed(ENROLLED, Change.UNSEAT, leaving)), Change.DISMISS, leaving)
    after = F.apply(left, F.evidence(F.validators[3]))
    assert after.standings[leaving.public_key].convicted_height == after.height
    assert after.validators == left.validators


def test_a_commit_carries_the_score_that_was_attested_by_then() -> None:
    attested = F.apply(ENROLLED, F.sign(F.hospital(0), ENROLLED, Attest("gateway-0", 900, H)))
    again = F.apply(attested, F.sign(F.hospital(0), attested, Attest("gateway-0", 350, H)))
    state = F.opened(again)
    for number in range(2):
        state = F.apply(state, F.commit(state, number))
    late = F.apply(state, F.sign(F.hospital(0), state, Attest("gateway-0", 1_000, H)))
    each = late.rounds[TASK]
    assert [commit.score for commit in each.commits] == [350, NO_SCORE]
    assert late.attestations["gateway-0"].score == 1_000
    rows = [commit.row for commit in each.commits]
    assert each.commits_root == commit_set_root(rows) != commit_set_root([(*row[:3], 7) for row in rows])


def test_a_settlement_is_signed_by_the_set_that_decides_its_block() -> None:
    closed = F.closed()
    body = F.settle_body(closed)
    smaller = F.apply(F.changed(closed, Change.UNSEAT, closed.seats[3]))
    settled = F.apply(smaller, F.quorum(body, of=smaller))
    assert settled.rounds[TASK].status is RoundStatus.SETTLED and settled.tasks[TASK].release == NO_RELEASE


MEMBERS = st.integers(0, 6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*Change, "evidence", "nothing"]), MEMBERS), max_size=14))
def test_whatever_changes_are_asked_for_the_rosters_invariants_hold(steps: list[tuple[Change | str, int]]) -> None:
    state = ENROLLED
    for what, number in steps:
        before = state
        state = step(state, what, number)
        roster = state.roster
        assert state.validators == before.next_validators
        assert len(roster.validators) >= 1 and len(roster.next_validators) >= 1
        assert len(set(roster.next_validators)) == len(roster.next_validators)
        assert {*roster.validators, *roster.next_validators} <= set(state.members)
        assert len({*roster.validators} ^ {*roster.next_validators}) <= 1
        assert len({each.name for each in roster.members}) == len(roster.members)
        assert stored(state) == state


def step(state: State, what: Change | str, number: int) -> State:
    member = (*F.genesis.validators, *(F.joiner(n) for n in range(3)))[number]
    if what == "nothing":
        return F.apply(state)
    if isinstance(what, Change):
        data = F.quorum(SetValidators(state.roster.sequence + 1, what, member), of=state)
    else:
        data = F.evidence(F.signers[member.public_key])
    try:
        check_tx(state, read_transaction(data), state.time_ms + 1)
    except Rejected:
        return F.apply(state)
    return F.apply(state, data)
