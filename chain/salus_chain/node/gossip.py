"""How peers hear of new transactions: each height's proposer at once, the others only when the chain does not move.

Whoever took a transaction in hands it to one proposer after the other until it is final: the others meet it in a
block, and judge it once. What has to wait for a later block they hear of at once, to verify its signature while they
wait themselves. A proposer that is dead or deaf makes no block; then all hear of everything, and time it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from salus_chain.node.network import wire
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS

FRAME_BYTES: Final = 1 << 20
AFTER_MS: Final = 50
HANDED: Final = 256  # of one node's to one proposer: the others' fill the block, too, and each is judged anew there
MOST: Final = 10_000  # that are kept to be told; while nothing moves, a tick tells of what waits, too

Send: TypeAlias = Callable[[bytes | None, wire.Sent], None]  # to one peer by its key, or to all
Later: TypeAlias = Callable[[int, Callable[[], None]], None]  # after so many milliseconds


def never(after_ms: int, act: Callable[[], None]) -> None:
    """A `Later` whose time does not come, for tests: a tick does what it would have done."""


class Gossip:
    """What this node took in from clients and is not final yet."""

    def __init__(self, send: Send, later: Later, waits: Callable[[bytes], bool], moves: Callable[[], bool]) -> None:
        """`waits` says whether a transaction, by its id, waits for a block; `moves`, whether one is being made."""
        self._send = send
        self._later = later
        self._waits = waits
        self._moves = moves
        self._own: dict[bytes, bytes] = {}  # id → bytes
        self._handed = 0  # of `_own`, from its start, to this height's proposer
        self._timed = False

    def add(self, transactions: dict[bytes, bytes], proposer: bytes | None) -> None:
        """Tell the proposer, unless that is this node (None), of transactions by their ids; the others maybe later."""
        if not transactions or len(self._own) >= MOST:
            return
        before = max(len(self._own), HANDED)
        self._own |= transactions
        self._hand(proposer)
        for frame in frames(islice(self._own.values(), before, None)):
            self._send(None, frame)
        self._look_again()

    def turn(self, proposer: bytes | None) -> None:
        """A new height: its proposer hears of what the last ones left."""
        self._own = {tx_id: data for tx_id, data in self._own.items() if self._waits(tx_id)}
        self._handed = 0
        self._hand(proposer)

    def _hand(self, proposer: bytes | None) -> None:
        if proposer is None or self._handed >= HANDED:
            return
        some = list(islice(self._own.values(), self._handed, HANDED))
        self._handed += len(some)
        for frame in frames(some):
            self._send(proposer, frame)

    def _look_again(self) -> None:
        if not self._timed:
            self._timed = True
            self._later(AFTER_MS, self._look)

    def _look(self) -> None:
        self._timed = False
        waiting = [data for tx_id, data in self._own.items() if self._waits(tx_id)]
        if waiting and self._moves():
            self._look_again()
        else:
            for frame in frames(waiting):
                self._send(None, frame)


def frames(transactions: Iterable[bytes]) -> Iterator[wire.Txs]:
    """As few frames as they fit into."""
    group: list[bytes] = []
    size = 0
    for data in transactions:
        if group and (size + len(data) > FRAME_BYTES or len(group) == MAX_BLOCK_TRANSACTIONS):
            yield wire.Txs(tuple(group))
            group, size = [], 0
        group.append(data)
        size += len(data)
    if group:
        yield wire.Txs(tuple(group))
