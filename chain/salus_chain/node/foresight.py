"""Transactions that a later block will bring: read and verified ahead, a few at a time.

A signature takes 0.1 ms, and thousands may come at once: votes would wait, and rounds fail, if all were done in one go.
What is found, good or bad, is remembered where it was asked (`read_transaction`, `is_signed`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from salus_chain.errors import DecodeError
from salus_chain.node.gossip import Later
from salus_chain.rules.apply import is_signed
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS
from salus_chain.rules.transactions import CACHED_TX_BYTES, Transaction, read_transaction

SLICE: Final = 16  # in one turn of the event loop
MOST: Final = 4 * MAX_BLOCK_TRANSACTIONS  # that wait; the oldest give way, and are verified when their block comes


def foresee(data: bytes) -> None:
    """Read and verify one."""
    tx = _read(data)
    if tx is not None:
        is_signed(tx)


async def foresee_batch(batch: Iterable[bytes], spare: Callable[[bytes], int]) -> None:
    """Read and verify a client's. `spare`: how many of a sender may be taken now; the others need no look."""
    left: dict[bytes, int] = {}
    for number, data in enumerate(batch, 1):
        tx = _read(data)
        if tx is not None:
            left[tx.sender] = left[tx.sender] - 1 if tx.sender in left else spare(tx.sender) - 1
            if left[tx.sender] >= 0:
                is_signed(tx)
        if number % SLICE == 0:
            await asyncio.sleep(0)


def _read(data: bytes) -> Transaction | None:
    """A single sender's transaction; a large one's findings would not be remembered."""
    if len(data) > CACHED_TX_BYTES:
        return None
    try:
        tx = read_transaction(data)
    except DecodeError:
        return None
    return tx if tx.sender else None


class Foresight:
    """What waits to be read and verified."""

    def __init__(self, later: Later) -> None:
        self._later = later
        self._waiting: deque[bytes] = deque(maxlen=MOST)
        self._set = False

    def add(self, transactions: Iterable[bytes]) -> None:
        self._waiting.extend(data for data in transactions if len(data) <= CACHED_TX_BYTES)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and not self._set:
            self._set = True
            self._later(0, self._look)

    def _look(self) -> None:
        self._set = False
        for _ in range(min(SLICE, len(self._waiting))):
            foresee(self._waiting.popleft())
        self._go_on()
