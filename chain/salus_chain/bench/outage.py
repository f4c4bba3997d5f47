"""Validators that die: how long until the chain goes on."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Final

from salus_chain.bench.network import LocalNetwork
from salus_chain.bench.people import Hospital

PATIENCE_S: Final = 60.0
SETTLE_S: Final = 1.0  # for connections to come back between two turns
DOWN_S: Final = 5.0  # how long a majority stays away


async def leader_gap_s(network: LocalNetwork, hospital: Hospital, turns: int) -> float:
    """The median time from the kill of the next block's proposer to a transaction final at another validator."""
    gaps = []
    for _ in range(turns):
        async with network.client() as client:
            leader = (await client.height() + 1) % len(network.seats)
        other = (leader + 1) % len(network.seats)
        async with network.client(other) as client:
            tx = hospital.consent(await client.next_nonce(hospital.key))
            began = time.perf_counter()
            network.kill(leader)
            await client.submit_final(tx, PATIENCE_S)
            gaps.append(time.perf_counter() - began)
        network.start(leader)
        await network.ready()
        await asyncio.sleep(SETTLE_S)
    return median(gaps)


async def resume_s(network: LocalNetwork, hospital: Hospital, turns: int) -> float:
    """The median time from starting again one more validator than may fail to a transaction that waited being final.

    The processes' own start is part of it.
    """
    took = []
    down = list(network.seats)[: (len(network.seats) - 1) // 3 + 1]
    up = next(seat for seat in network.seats if seat not in down)
    for _ in range(turns):
        for seat in down:
            network.kill(seat)
        async with network.client(up, timeout_s=PATIENCE_S) as client:
            tx = hospital.consent(await client.next_nonce(hospital.key))
            tx_id = await client.submit(tx)
            await asyncio.sleep(DOWN_S)
            began = time.perf_counter()
            for seat in down:
                network.start(seat)
            await client.wait_final(tx_id, PATIENCE_S)
            took.append(time.perf_counter() - began)
        await network.ready()
        await asyncio.sleep(SETTLE_S)
    return median(took)
