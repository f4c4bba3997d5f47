"""Faults by plan: which validators fail, how, and for how long, all drawn from a seed beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from tests.chain.system.breakable import PATIENCE_S, POLL_S, BreakableNetwork
from tests.chain.system.load import Load

STILL_S: Final = 1.5  # in which the last votes that were on their way arrive


class How(StrEnum):
    """A way to fail."""

    KILL = "kill"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Fault:
    """Seats that fail together, each in its way, for a time."""

    seats: tuple[tuple[int, How], ...]
    for_s: float


def plan(seed: int, seats: Sequence[int], most: int, count: int) -> Iterator[Fault]:
    """`count` faults of up to `most` of these seats at once."""
    rng = Random(seed)
    for _ in range(count):
        hit = rng.sample(seats, rng.randint(1, most))
        yield Fault(tuple((seat, rng.choice(list(How))) for seat in sorted(hit)), rng.uniform(0.3, 2.5))


async def strike(network: BreakableNetwork, fault: Fault) -> None:
    for seat, how in fault.seats:
        if how is How.KILL:
            network.kill(seat)
        else:
            network.pause(seat)


async def heal(network: BreakableNetwork, fault: Fault) -> None:
    for seat, how in fault.seats:
        if how is How.KILL:
            network.restart(seat)
        else:
            network.go_on(seat)


async def survive(network: BreakableNetwork, load: Load, fault: Fault) -> None:
    """At most f fail, the chain goes on without them, and they catch up."""
    await strike(network, fault)
    began_s = time.monotonic()
    await load.progress(3, PATIENCE_S)
    await asyncio.sleep(max(0.0, fault.for_s - (time.monotonic() - began_s)))
    await heal(network, fault)
    await network.caught_up()


async def stall(network: BreakableNetwork, load: Load, fault: Fault) -> float:
    """More than f fail, the chain stands still, and goes on: the seconds from their return to a final transaction."""
    struck_s = time.monotonic()
    await strike(network, fault)
    await asyncio.sleep(STILL_S)
    stopped, known = await network.heights(), len(load.confirmed)
    await asyncio.sleep(fault.for_s)
    assert await network.heights() == stopped, "the chain went on without a quorum"
    final = max(stopped.values(), default=0)  # a client may hear late of what was final before
    assert all(each.height <= final for each in load.confirmed[known:]), "reported final without a quorum"
    known = len(load.confirmed)
    for seat in network.living:
        await _names_who_is_missing(network, seat, [seat for seat, _ in fault.seats])
    await heal(network, fault)
    await network.quorum()
    returned_s = time.monotonic()
    network.outages.append((struck_s, returned_s))
    await load.progress(1, PATIENCE_S)
    return max(0.0, load.confirmed[known].at_s - returned_s)


async def _names_who_is_missing(network: BreakableNetwork, seat: int, missing: Sequence[int]) -> None:
    """Until a validator's status says, in words, who does not answer. Raises TimeoutError."""
    names = [network.founded.genesis.validators[each].name for each in missing]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            said = (await network.one(seat).status()).report.partition("not answer")[0]
            if all(name in said for name in names):
                return
            await asyncio.sleep(POLL_S)
