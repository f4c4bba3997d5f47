"""Clients that wait for their transactions: each is woken once, when its own is final or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from salus_chain.views import TxStatus


class Outcomes:
    """Those who wait, by transaction. `look` says what is known of one now."""

    def __init__(self, look: Callable[[bytes], TxStatus]) -> None:
        self._look = look
        self._waiting: dict[bytes, set[asyncio.Future[None]]] = {}
        self._stopped = False

    async def of(self, tx_id: bytes, timeout_s: float) -> TxStatus:
        """As soon as it is final or dropped, or what is known after `timeout_s`."""
        status = self._look(tx_id)
        if timeout_s <= 0 or self._stopped or status.status in ("final", "dropped"):
            return status
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tx_id, set()).add(future)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await future
        finally:
            self._leave(tx_id, future)
        return self._look(tx_id)

    def changed(self) -> None:
        """A block became final: wake those whose transaction it settled one way or the other."""
        for tx_id, futures in self._waiting.items():
            if self._look(tx_id).status in ("final", "dropped"):
                _wake(futures)

    def stop(self) -> None:
        """Wake all, and let nobody wait any more."""
        self._stopped = True
        for futures in self._waiting.values():
            _wake(futures)

    def _leave(self, tx_id: bytes, future: asyncio.Future[None]) -> None:
        futures = self._waiting[tx_id]
        futures.discard(future)
        if not futures:
            del self._waiting[tx_id]


def _wake(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
