"""Handing transactions in, one or many, and following them until they are final.

The same bytes may be handed to any validator any number of times: they count once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from salus_chain.client.asking import Asking
from salus_chain.client.reading import POLL_S
from salus_chain.codec import encode
from salus_chain.errors import Rejected, Unreachable
from salus_chain.views import TxStatus, from_json

if TYPE_CHECKING:
    from salus_chain.inspection import Submitted

MAX_BATCH: Final = 5_000
MAX_BATCH_BYTES: Final = 7 << 20
CBOR: Final = {"content-type": "application/cbor"}


class Submitting(Asking):
    """Submits."""

    async def submit(self, tx: bytes) -> bytes:
        """Hand over a transaction; its id. Raises Rejected as a block would, or Unreachable."""
        return (await self._any("/transactions", content=tx)).content

    async def submit_final(self, tx: bytes, timeout_s: float) -> int:
        """Hand over a transaction; the height of the block that made it final. One request, when all goes well.

        Raises Rejected as a block would or when it was dropped, Unreachable, or TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = min(POLL_S, max(0.0, deadline - time.monotonic()))
            query = {"wait_s": f"{wait_s:.3f}"}
            answer = await self._any("/transactions", query, content=tx, wait_s=wait_s)
            height = _height(from_json(answer.content, TxStatus))
            if height is not None:
                return height
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the transaction is not final after {timeout_s:g} s")

    async def submit_batch(self, transactions: Sequence[bytes]) -> list[Submitted]:
        """Hand over many; for each in turn its id, or the code and reason of its refusal. Raises Unreachable."""
        from salus_chain.inspection import Batch

        results: list[Submitted] = []
        for part in _parts(transactions):
            answer = await self._any("/transactions/batch", content=encode(part), headers=CBOR)
            batch = from_json(answer.content, Batch)
            if len(batch.results) != len(part):
                raise Unreachable(f"{len(part)} transactions were handed over, {len(batch.results)} were answered")
            results += batch.results
        return results

    async def wait_final(self, tx_id: bytes, timeout_s: float) -> int:
        """The height of the block that made it final.

        Raises Rejected when the validator that was asked dropped it, or TimeoutError. Neither is the last word: another
        validator may hold it and put it into a block, until a later transaction has used its nonce.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = min(POLL_S, max(0.0, deadline - time.monotonic()))
            query = {"timeout_s": f"{wait_s:.3f}"}
            answer = await self._any(f"/transactions/{tx_id.hex()}", query, wait_s=wait_s)
            height = _height(from_json(answer.content, TxStatus))
            if height is not None:
                return height
            if time.monotonic() >= deadline:
                raise TimeoutError(f"transaction {tx_id.hex()[:16]} is not final after {timeout_s:g} s")


def _height(status: TxStatus) -> int | None:
    """Where it became final, None when it is not yet. Raises Rejected when it was dropped."""
    if status.status == "dropped":
        raise Rejected(status.code, status.reason)
    return status.height if status.status == "final" else None


def _parts(transactions: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """As few requests as a validator takes."""
    part: list[bytes] = []
    size = 0
    for tx in transactions:
        if part and (len(part) == MAX_BATCH or size + len(tx) > MAX_BATCH_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(tx)
        size += len(tx)
    if part:
        yield tuple(part)
