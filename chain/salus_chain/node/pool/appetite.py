"""How many transactions a proposal holds: as many as the validators execute well within a round.

A block that takes longer than a round's timer is lost with its round, and so are all after it while the load lasts.
So the number is halved when a height needed another round, and within a height with every round; blocks that were full
and final in round 0 let it grow again, slowly: the next failure costs a round. Every validator sees the same rounds,
and comes to about the same number.
"""

from __future__ import annotations

from typing import Final

from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS

FIRST: Final = 500
MORE: Final = 25
LEAST: Final = 125  # fewer save little: a block has its price, too


def in_round(most: int, round_: int) -> int:
    """How many a proposal of this round may hold."""
    return max(LEAST, most >> round_)


def after(most: int, count: int, round_: int) -> int:
    """How many the next one may hold, when a block of `count` became final in this round."""
    if round_ > 0:
        return max(LEAST, most // 2)
    return min(MAX_BLOCK_TRANSACTIONS, most + MORE) if count >= most else most
