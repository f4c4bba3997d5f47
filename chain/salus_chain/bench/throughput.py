"""Many transactions: sustained rates of consents (one signature) and of commits (three), by batched submit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from salus_chain.bench.network import LocalNetwork
from salus_chain.bench.people import Hospital
from salus_chain.errors import Rejected

BATCH: Final = 500
WINDOW: Final = 2  # batches of one sender that are on their way at a time
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Rate:
    """From the first submit to the last transaction final, at the clients that submitted."""

    per_s: float
    count: int
    tx_bytes: int


async def measure(network: LocalNetwork, streams: Sequence[Sequence[bytes]]) -> Rate:
    """Each stream of signed transactions goes, in order, to a validator of its own."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, stream in enumerate(streams):
            group.create_task(_send(network, number % len(network.seats), stream), name=f"stream {number}")
    took_s = time.perf_counter() - began
    count = sum(map(len, streams))
    return Rate(count / took_s, count, len(streams[0][0]))


async def _send(network: LocalNetwork, seat: int, stream: Sequence[bytes]) -> None:
    """Batches in order, never more than WINDOW of them unfinished. Raises Rejected when one is refused."""
    async with network.client(seat, timeout_s=PATIENCE_S) as client:
        batches = [stream[start : start + BATCH] for start in range(0, len(stream), BATCH)]
        for number, batch in enumerate(batches):
            if number >= WINDOW:
                await client.wait_final(_id(batches[number - WINDOW][-1]), PATIENCE_S)
            for answer in await client.submit_batch(batch):
                if answer.code:
                    raise Rejected(answer.code, answer.reason)
        for batch in batches[-WINDOW:]:
            await client.wait_final(_id(batch[-1]), PATIENCE_S)


def _id(tx: bytes) -> bytes:
    return sha256(tx).digest()


def consents(hospitals: Sequence[Hospital], nonces: Sequence[int], count: int) -> list[list[bytes]]:
    """`count` signed consents, a stream of each hospital's."""
    each = count // len(hospitals)
    return [
        [hospital.consent(first + number) for number in range(each)]
        for hospital, first in zip(hospitals, nonces, strict=True)
    ]
