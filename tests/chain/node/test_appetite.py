from __future__ import annotations

from salus_chain.node.pool.appetite import FIRST, LEAST, LONG, SHORT, after, in_round
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS

EASY, HARD = SHORT / 2, (LONG + 1) / 2  # shares of a round


def grown(most: int, share: float) -> int:
    for _ in range(100):
        most = after(most, most, 0, share)
    return most


def test_a_height_that_needed_another_round_halves_the_next_proposals_down_to_the_least() -> None:
    assert after(FIRST, FIRST, 1, EASY) == FIRST // 2
    assert after(LEAST, LEAST, 3, EASY) == LEAST


def test_full_blocks_grow_while_they_are_final_early_and_shrink_when_the_round_was_nearly_over() -> None:
    assert grown(LEAST, EASY) == MAX_BLOCK_TRANSACTIONS
    assert grown(MAX_BLOCK_TRANSACTIONS, HARD) == LEAST
    assert after(FIRST, FIRST, 0, (SHORT + LONG) / 2) == FIRST


def test_blocks_that_are_not_full_tell_nothing() -> None:
    assert after(FIRST, FIRST - 1, 0, EASY) == after(FIRST, FIRST - 1, 0, HARD) == FIRST


def test_a_later_round_takes_fewer() -> None:
    assert [in_round(FIRST, round_) for round_ in (0, 1, 2, 9)] == [FIRST, FIRST // 2, LEAST, LEAST]
