"""Updates are personal data: their bytes are erased some days after their round has ended, and it is remembered when.

Models and releases stay, and so does whatever a round still needs that is not over. The sweep goes in small steps: it
erases first and notes it then, so that a crash between the two only makes it erase again what is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from salus_chain.node.storage.blobs import Blobs
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State

DAY_MS: Final = 24 * 3_600_000
STEP_UPDATES: Final = 64
REST_S: Final = 60.0  # when there is nothing to erase

log = structlog.get_logger()


def needed(state: State) -> frozenset[bytes]:
    """The digests that the chain may still ask for. Pure."""
    digests: set[bytes] = set()
    for task in state.tasks.values():
        digests |= {task.model_digest, task.release.blob_digest}
    for each in state.rounds.values():
        digests |= {each.model_before, each.model_after}
        if each.active:
            digests |= {commit.digest for commit in each.commits}
    return frozenset(digests)


async def sweep(store: Store, blobs: Blobs, state: State, now_ms: int, keep_ms: int) -> int:
    """Erase up to STEP_UPDATES updates of the round that ended longest ago, if that is `keep_ms` ago; how many."""
    ended = store.ended_before(now_ms - keep_ms)
    if ended is None:
        return 0
    left = {digest for digest in store.updates_of(*ended) if store.erased_ms(digest) is None}
    step = sorted(left - needed(state))[:STEP_UPDATES]
    await asyncio.to_thread(_erase, blobs, step)
    store.add_erased(step, now_ms, ended if len(step) == len(left) else None)
    log.info("updates erased", task=ended[0], round=ended[1], updates=len(step))
    return len(step)


async def keep_sweeping(
    store: Store, blobs: Blobs, state: Callable[[], State], now_ms: Callable[[], int], keep_ms: int
) -> None:
    """Until cancelled."""
    while True:
        if not await sweep(store, blobs, state(), now_ms(), keep_ms):
            await asyncio.sleep(REST_S)


def _erase(blobs: Blobs, digests: Iterable[bytes]) -> None:
    for digest in digests:
        blobs.erase(digest)
