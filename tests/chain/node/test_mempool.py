"""The mempool on real states: what waits, in which order, and who goes when there is no room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.errors import Rejected
from salus_chain.keys import KeySigner
from salus_chain.node.pool import mempool as module
from salus_chain.node.pool.mempool import Limits, Mempool
from salus_chain.rules.apply import apply_tx, build_block
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Body, Consent, Enrol, Revoke, Transaction, Withdraw, read_transaction
from tests.chain.federation import TASK, federation, signer

F = federation()
STATE = F.enrolled()
NOW_MS = STATE.time_ms
OWNER, OTHER, THIRD = F.validators[:3]
LIMITS = Limits()


def tx(body: Body, ahead: int = 0, who: KeySigner = OWNER, state: State = STATE) -> Transaction:
    return read_transaction(F.sign(who, state, body, ahead))


def consent(number: int, ahead: int = 0, who: KeySigner = OWNER) -> Transaction:
    return tx(Consent(bytes([number]) * 32, bytes(32)), ahead, who)


def pool(*transactions: Transaction, state: State = STATE, **limits: int) -> Mempool:
    made = Mempool.on(state, state.time_ms, replace(LIMITS, **limits))
    for each in transactions:
        made.add(each, state.time_ms)
    return made


def refused(pool: Mempool, each: Transaction, now_ms: int = NOW_MS) -> str:
    with pytest.raises(Rejected) as reason:
        pool.add(each, now_ms)
    return reason.value.code


def test_transactions_of_one_sender_wait_in_order_of_their_nonces() -> None:
    sent = [consent(number, ahead=number) for number in range(3)]
    waiting = pool(*sent)
    assert waiting.next_nonce(OWNER.public_key) == STATE.nonces[OWNER.public_key] + 3
    assert waiting.next_block() == sent
    assert refused(waiting, consent(9, ahead=1)) == "wrong_nonce"


def test_the_same_transaction_waits_once() -> None:
    assert len(pool(consent(1), consent(1))) == 1
    early = pool(consent(1, ahead=1), consent(1, ahead=1))
    assert len(early) == 1 and not early.waiting


def test_after_a_block_what_is_final_goes_and_what_fails_is_dropped_with_its_reason() -> None:
    first, second, rival = consent(1), consent(2, ahead=1), consent(3)
    waiting = pool(first, second)
    waiting.rebase(F.apply(STATE, rival.data), NOW_MS + 5)
    assert [reason.code for reason in waiting.dropped.values()] == ["wrong_nonce"]  # the second is next now
    assert waiting.next_block() == [second]
    waiting.rebase(F.apply(F.apply(STATE, rival.data), second.data), NOW_MS + 9, [second.id])
    assert not waiting.waiting and waiting.size_bytes == 0 and len(waiting.dropped) == 1


def test_a_final_transaction_does_not_wait_again() -> None:
    final = consent(1)
    waiting = pool(final)
    waiting.rebase(F.apply(STATE, final.data), NOW_MS + 1, [final.id])
    assert refused(waiting, final, NOW_MS + 1) == "wrong_nonce"


def test_all_that_wait_are_executed_once_for_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, executed = pool(*(consent(number, ahead=number) for number in range(9))), []

    def counting(state: State, each: Transaction) -> State:
        executed.append(each.nonce)
        return apply_tx(state, each)

    monkeypatch.setattr(module, "apply_tx", counting)
    waiting.rebase(STATE, NOW_MS + 1)
    assert not executed  # nobody has asked yet
    waiting.next_block(), waiting.next_nonce(OWNER.public_key), waiting.dropped
    waiting.add(consent(9, ahead=9), NOW_MS + 1)
    assert len(executed) == 10


def test_a_commit_that_comes_after_the_deadline_is_refused_though_no_block_closed_the_round() -> None:
    opened = F.opened(STATE)
    waiting = pool(read_transaction(F.commit(opened, 0)), state=opened)
    late_ms = opened.rounds[TASK].open.deadline_ms
    assert refused(waiting, read_transaction(F.commit(opened, 1)), late_ms) == "no_open_round"


def test_a_pipelined_senders_transactions_may_come_in_any_order() -> None:
    sent = [consent(number, ahead=number) for number in range(4)]
    waiting = pool(sent[2], sent[3], sent[1])
    assert not waiting.waiting and len(waiting) == 3 and all(each.id in waiting for each in sent[1:])
    assert waiting.next_nonce(OWNER.public_key) == sent[0].nonce
    waiting.add(sent[0], NOW_MS)
    assert waiting.next_block() == sent


def test_a_gap_closes_by_a_block_too() -> None:
    first, second = consent(1), consent(2, ahead=1)
    waiting = pool(second)
    waiting.rebase(F.apply(STATE, first.data), NOW_MS + 1)
    assert waiting.next_block() == [second]
    waiting = pool(second)
    waiting.rebase(F.apply(F.apply(STATE, first.data), consent(3, ahead=1).data), NOW_MS + 2)
    assert waiting.dropped[second.id].code == "wrong_nonce" and not len(waiting)


def test_a_gap_that_does_not_close_is_dropped_with_the_reason() -> None:
    early = consent(2, ahead=1)
    waiting = pool(early)
    waiting.tick(NOW_MS + LIMITS.gap_ms - 1)
    assert early.id in waiting
    waiting.tick(NOW_MS + LIMITS.gap_ms)
    assert early.id not in waiting and waiting.dropped[early.id].code == "nonce_gap"
    assert f"for nonce {early.nonce - 1}" in waiting.dropped[early.id].reason


def test_what_follows_a_dropped_one_waits_for_another_with_its_nonce() -> None:
    gone, after = tx(Enrol("ward", signer(77).public_key, 3)), consent(5, ahead=1)
    waiting = pool(gone, after)
    rival = tx(Enrol("ward", signer(78).public_key, 3), who=OTHER)
    waiting.rebase(F.apply(STATE, rival.data), NOW_MS + 1, [rival.id])
    assert waiting.next_block() == [] and waiting.dropped[gone.id].code == "not_your_gateway" and after.id in waiting
    instead = consent(6)
    waiting.add(instead, NOW_MS + 1)
    assert waiting.next_block() == [instead, after]


@pytest.mark.parametrize("name", ["stranger", "forged", "too far ahead", "another one has its place", "full"])
def test_not_everyone_may_wait_for_a_gap(name: str) -> None:
    waiting, each, code = pool(), consent(1, ahead=2), "wrong_nonce"
    if name == "stranger":
        each = consent(1, ahead=2, who=signer(999))
    elif name == "forged":
        each, code = read_transaction(each.data[:-1] + bytes([each.data[-1] ^ 1])), "bad_signature"
    elif name == "too far ahead":
        each = consent(1, ahead=LIMITS.ahead + 1)
    elif name == "another one has its place":
        waiting.add(consent(2, ahead=2), NOW_MS)
    else:
        waiting, code = pool(consent(2, ahead=2), early=1), "mempool_full"
        each = consent(1, ahead=3)
    assert refused(waiting, each) == code
    assert each.id not in waiting


def test_a_proposal_begins_with_what_ends_a_right_and_then_what_a_quorum_signed() -> None:
    closed = F.closed()
    enrol = tx(Enrol("ward", signer(77).public_key, 3), who=OTHER, state=closed)
    settle = read_transaction(F.quorum(F.settle_body(closed)))
    revoke = tx(Revoke("gateway-2"), who=THIRD, state=closed)
    waiting = pool(enrol, settle, revoke, state=closed)
    assert waiting.next_block() == [revoke, settle, enrol]
    assert list(waiting.waiting.values()) == [enrol, settle, revoke]


def test_an_urgent_transaction_takes_its_senders_earlier_ones_along() -> None:
    common = consent(1, who=OTHER)
    written, withdrawn = consent(2), tx(Withdraw(bytes([2]) * 32), ahead=1)
    later = consent(3, ahead=2)
    assert pool(common, written, withdrawn, later).next_block() == [written, withdrawn, common, later]


def test_a_block_holds_no_more_than_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [consent(number, ahead=number) for number in range(5)]
    monkeypatch.setattr(module, "MAX_BLOCK_TRANSACTIONS", 3)
    assert pool(*sent).next_block() == sent[:3]
    monkeypatch.setattr(module, "MAX_BLOCK_BYTES", 2 * sum(len(each.data) for each in sent[:2]))
    assert pool(*sent).next_block() == sent[:2]


def test_when_full_the_one_that_holds_most_loses_its_newest() -> None:
    sent = [consent(number, ahead=number) for number in range(3)]
    waiting = pool(*sent, count=3)
    assert refused(waiting, consent(9, ahead=3)) == "mempool_full"  # it would be the newest of who holds most
    other = consent(10, who=OTHER)
    waiting.add(other, NOW_MS)
    assert waiting.next_block() == [*sent[:2], other]
    assert waiting.dropped[sent[2].id].code == "mempool_full"
    assert waiting.next_nonce(OWNER.public_key) == sent[2].nonce
    assert refused(waiting, sent[2]) == "mempool_full"  # until a block: what it did was already counted in
    waiting.rebase(F.apply(STATE, sent[0].data), NOW_MS + 1, [sent[0].id])
    waiting.add(sent[2], NOW_MS + 1)
    assert waiting.next_block() == [sent[1], other, sent[2]]


def test_when_full_an_urgent_transaction_still_finds_room_and_never_loses_it() -> None:
    waiting = pool(consent(1), count=1)
    urgent = tx(Revoke("gateway-1"), who=OTHER)
    waiting.add(urgent, NOW_MS)
    assert waiting.next_block() == [urgent]
    assert refused(waiting, consent(2, who=THIRD)) == "mempool_full"


def test_when_full_nobody_loses_anything_to_an_invalid_newcomer() -> None:
    sent = [consent(0), consent(1, ahead=1)]
    waiting = pool(*sent, count=2)
    assert refused(waiting, tx(Revoke("nothing"), who=OTHER)) == "unknown_gateway"
    assert waiting.next_block() == sent


def test_bytes_are_limited_like_the_count() -> None:
    sent = [consent(0), consent(1, ahead=1)]
    waiting = pool(*sent, size_bytes=sum(len(each.data) for each in sent))
    assert refused(waiting, consent(2, ahead=2)) == "mempool_full"
    waiting.add(consent(3, who=OTHER), NOW_MS)
    assert waiting.size_bytes <= waiting.limits.size_bytes and len(waiting) == 2


def test_one_sender_may_not_take_all_the_room() -> None:
    waiting = pool(consent(0), per_sender=1)
    assert refused(waiting, consent(1, ahead=1)) == "too_many_waiting"
    waiting.add(consent(2, who=OTHER), NOW_MS)


def test_a_sender_beyond_its_rate_is_told_when_to_try_again_and_a_peers_are_not_counted() -> None:
    waiting = pool(consent(0), consent(1, ahead=1), rate_per_s=10, burst=2)
    third = consent(2, ahead=2)
    with pytest.raises(Rejected, match=r"too_fast.*try again in 100 ms"):
        waiting.add(third, NOW_MS)
    waiting.add(consent(7, who=OTHER), NOW_MS)
    waiting.add(third, NOW_MS + 100)
    waiting.add(consent(3, ahead=3), NOW_MS + 100, metered=False)
    assert len(waiting) == 5


def test_what_is_refused_costs_its_sender_nothing() -> None:
    waiting = pool(rate_per_s=1, burst=1)
    forged = consent(1)
    for _ in range(3):
        assert refused(waiting, read_transaction(forged.data[:-1] + b"\0")) == "bad_signature"
    waiting.add(forged, NOW_MS)


BODIES = st.sampled_from(
    [Consent(bytes([n]) * 32, bytes(32)) for n in range(3)]
    + [Withdraw(bytes([n]) * 32) for n in range(3)]
    + [Revoke("gateway-0"), Enrol("ward", signer(77).public_key, 3)]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), BODIES, st.integers(0, 4)), max_size=14), st.integers(1, 6))
def test_a_proposal_keeps_nonces_in_order_and_holds_only_what_was_admitted(
    sent: list[tuple[int, Body, int]], count: int
) -> None:
    """Whatever is sent, in whatever order, also when the mempool is full."""
    waiting = pool(count=count)
    for who, body, ahead in sent:
        try:
            waiting.add(tx(body, ahead, F.validators[who]), NOW_MS)
        except Rejected:
            continue
    proposal = waiting.next_block()
    assert sorted(each.id for each in proposal) == sorted(waiting.waiting) and len(proposal) <= count
    for sender in F.validators[:3]:
        nonces = [each.nonce for each in proposal if each.sender == sender.public_key]
        first = STATE.nonces.get(sender.public_key, 0)
        assert nonces == list(range(first, first + len(nonces)))
    block, _ = build_block(STATE, proposal, NOW_MS + 1)
    assert block.transactions or not proposal


def test_the_next_block_is_the_same_for_the_same_content() -> None:
    sent = [consent(1), tx(Revoke("gateway-1"), who=OTHER), consent(2, ahead=1), consent(3, who=THIRD)]
    assert pool(*sent).next_block() == pool(*sent).next_block()
