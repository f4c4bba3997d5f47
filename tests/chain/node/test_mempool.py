from __future__ import annotations

import pytest

from salus_chain.errors import Rejected
from salus_chain.node import mempool as module
from salus_chain.node.mempool import Mempool
from salus_chain.rules.transactions import Consent, read_transaction
from tests.chain.federation import TASK, federation

F = federation()
STATE = F.enrolled()
OWNER = F.validators[0]


def consent(number: int, ahead: int = 0) -> bytes:
    return F.sign(OWNER, STATE, Consent(bytes([number]) * 32, bytes(32)), ahead)


def test_transactions_of_one_sender_wait_in_order_of_their_nonces() -> None:
    pool = Mempool.on(STATE, STATE.time_ms)
    for number in range(3):
        pool.add(read_transaction(consent(number, ahead=number)), STATE.time_ms)
    assert pool.next_nonce(OWNER.public_key) == STATE.nonces[OWNER.public_key] + 3
    assert [tx.data for tx in pool.next_block()] == [consent(n, ahead=n) for n in range(3)]
    with pytest.raises(Rejected, match="wrong_nonce"):
        pool.add(read_transaction(consent(9, ahead=1)), STATE.time_ms)


def test_the_same_transaction_waits_once() -> None:
    pool = Mempool.on(STATE, STATE.time_ms)
    for _ in range(2):
        pool.add(read_transaction(consent(1)), STATE.time_ms)
    assert len(pool.waiting) == 1


def test_after_a_block_what_is_final_goes_and_what_fails_is_dropped_with_its_reason() -> None:
    pool = Mempool.on(STATE, STATE.time_ms)
    first, second = consent(1), consent(2, ahead=1)
    pool.add(read_transaction(first), STATE.time_ms)
    pool.add(read_transaction(second), STATE.time_ms)
    rival = consent(3)
    pool.rebase(F.apply(STATE, rival), STATE.time_ms + 5)
    assert [reason.code for reason in pool.dropped.values()] == ["wrong_nonce"]  # the second is next now
    assert [tx.data for tx in pool.next_block()] == [second]
    pool.rebase(F.apply(F.apply(STATE, rival), second), STATE.time_ms + 9, [read_transaction(second).id])
    assert not pool.waiting and len(pool.dropped) == 1


def test_a_commit_that_comes_after_the_deadline_is_refused_though_no_block_closed_the_round() -> None:
    opened = F.opened(STATE)
    pool = Mempool.on(opened, opened.time_ms)
    pool.add(read_transaction(F.commit(opened, 0)), opened.time_ms + 10)
    with pytest.raises(Rejected, match="no_open_round"):
        pool.add(read_transaction(F.commit(opened, 1)), opened.rounds[TASK].open.deadline_ms)


def test_a_full_mempool_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    pool = Mempool.on(STATE, STATE.time_ms)
    pool.add(read_transaction(consent(1)), STATE.time_ms)
    with pytest.raises(Rejected, match="mempool_full"):
        pool.add(read_transaction(consent(2, ahead=1)), STATE.time_ms)
