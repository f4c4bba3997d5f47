"""How many transactions a proposal holds: as many as the validators make final well within a round.

A block that takes longer than a round's timer is lost with its round, and so are all after it while the load lasts.
So a full block that took most of a round makes the next ones smaller, one that took a small part of it larger, by a
tenth; a height that needed another round halves them, and within a height every round does. Every validator sees the
same rounds and about the same times, and comes to about the same number.
"""

from __future__ import annotations

from typing import Final

from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS

FIRST: Final = 400
LEAST: Final = 125  # fewer save little: a block has its price, too
SHORT: Final = 0.4  # of a round: a block that is final by then could have been larger
LONG: Final = 0.65


def in_round(most: int, round_: int) -> int:
    """How many a proposal of this round may hold."""
    return max(LEAST, most >> round_)


def after(most: int, count: int, round_: int, share: float) -> int:
    """How many the next one may hold, when a block of `count` became final in this round.

    `share` is the height's duration by that of round 0.
    """
    if round_ > 0:
        return max(LEAST, most // 2)
    if count < most or SHORT <= share <= LONG:
        return most
    return max(LEAST, most * 9 // 10) if share > LONG else min(MAX_BLOCK_TRANSACTIONS, most * 11 // 10)
