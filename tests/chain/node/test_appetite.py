from __future__ import annotations

from salus_chain.node.pool.appetite import FIRST, LEAST, after, in_round
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS


def test_a_height_that_needed_another_round_halves_the_next_proposals_down_to_the_least() -> None:
    assert after(FIRST, FIRST, 1) == FIRST // 2
    assert after(LEAST, LEAST, 3) == LEAST


def test_full_blocks_in_round_0_let_them_grow_up_to_a_blocks_most_and_others_leave_them() -> None:
    most = LEAST
    for _ in range(100):
        most = after(most, most, 0)
    assert most == MAX_BLOCK_TRANSACTIONS
    assert after(FIRST, FIRST - 1, 0) == FIRST


def test_a_later_round_takes_fewer() -> None:
    assert [in_round(FIRST, round_) for round_ in (0, 1, 2, 9)] == [FIRST, FIRST // 2, LEAST, LEAST]
