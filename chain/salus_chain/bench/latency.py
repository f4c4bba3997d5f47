"""One transaction at a time: from submit, at a validator that is not the proposer, to final at the same client."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from salus_chain.bench.network import LocalNetwork
from salus_chain.bench.people import Hospital
from salus_chain.client import ChainClient

WARM_UP: Final = 20
SYNC_BYTES: Final = 256  # about a vote's record
SYNCS: Final = 200


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; `count` transactions of `tx_bytes` bytes."""

    p50_ms: float
    p95_ms: float
    count: int
    tx_bytes: int


async def measure(network: LocalNetwork, hospital: Hospital, count: int) -> Latency:
    """Transactions in turn over all validators but the proposer of the next block."""
    seats = len(network.seats)
    took_ms, size = [], 0
    clients: dict[int, ChainClient] = {}
    try:
        for seat in network.seats:
            clients[seat] = await network.client(seat).__aenter__()
        height = await clients[0].height()
        nonce = await clients[0].next_nonce(hospital.key)
        for number in range(WARM_UP + count):
            proposer = (height + 1) % seats
            seat = (proposer + 1 + number % max(1, seats - 1)) % seats
            tx = hospital.consent(nonce + number)
            began = time.perf_counter()
            height = await clients[seat].submit_final(tx, 30.0)
            if number >= WARM_UP:
                took_ms.append(1e3 * (time.perf_counter() - began))
            size = len(tx)
            await _all_at(clients, height)
    finally:
        for client in clients.values():
            await client.__aexit__(None, None, None)
    return Latency(median(took_ms), quantiles(took_ms, n=20)[-1], count, size)


async def _all_at(clients: dict[int, ChainClient], height: int) -> None:
    """The next transaction meets an idle chain."""
    for client in clients.values():
        await client.wait_height(height - 1, 10.0)


def fdatasync_ms(folder: Path) -> float:
    """The median time of this disk to make a small appended record durable."""
    took_ms = []
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(SYNCS):
            os.write(descriptor, bytes(SYNC_BYTES))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            took_ms.append(1e3 * (time.perf_counter() - began))
    finally:
        os.close(descriptor)
        path.unlink()
    return median(took_ms)
