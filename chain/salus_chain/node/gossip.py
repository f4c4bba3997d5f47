"""How peers hear of new transactions: the next proposer at once, the others a little later, if they still wait then.

Most are final before the others would have heard; a block carries them anyway, and nobody receives them twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from salus_chain.node.network import wire
from salus_chain.rules.blocks import MAX_BLOCK_TRANSACTIONS

FRAME_BYTES: Final = 1 << 20
AFTER_MS: Final = 50
MOST: Final = 8_192  # that are kept to be told; a tick tells of what waits, too

Send: TypeAlias = Callable[[bytes | None, wire.Frame], None]  # to one peer by its key, or to all
Later: TypeAlias = Callable[[int, Callable[[], None]], None]  # after so many milliseconds


def at_once(after_ms: int, act: Callable[[], None]) -> None:
    """A `Later` that does not wait, for tests."""
    act()


class Gossip:
    """What this node took in from clients and has not told all peers yet."""

    def __init__(self, send: Send, later: Later, waits: Callable[[bytes], bool]) -> None:
        """`waits` says whether a transaction, by its id, still waits for a block."""
        self._send = send
        self._later = later
        self._waits = waits
        self._fresh: dict[bytes, bytes] = {}

    def add(self, transactions: dict[bytes, bytes], proposer: bytes | None) -> None:
        """Tell the proposer, unless that is this node (None), of transactions by their ids; the others later."""
        if not transactions:
            return
        if proposer is not None:
            for frame in frames(transactions.values()):
                self._send(proposer, frame)
        first = not self._fresh
        if len(self._fresh) < MOST:
            self._fresh |= transactions
        if first:
            self._later(AFTER_MS, self._tell)

    def _tell(self) -> None:
        waiting = [data for tx_id, data in self._fresh.items() if self._waits(tx_id)]
        self._fresh = {}
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
