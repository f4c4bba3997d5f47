"""The long scenarios: seven validators, minutes of faults from seeds, partitions, and every kind of lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from tests.chain.federation import TASK
from tests.chain.system.audit import Audited, audit
from tests.chain.system.breakable import PATIENCE_S, BreakableNetwork, slowness
from tests.chain.system.faults import Fault, How, plan, stall, survive
from tests.chain.system.figures import figures
from tests.chain.system.load import Load, under_load
from tests.chain.system.proxy import FINE, NEEDS_PROC, Weather
from tests.chain.system.rounds import Rounds

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1_800)]

Report = Callable[[object], None]
RESUME_S = 2.0  # on an idle machine, after more than f were down


class Scenario:
    """A network, its load and its rounds; `done` after the context is the audited chain."""

    def __init__(self, network: BreakableNetwork, load: Load, rounds: Rounds) -> None:
        self.network, self.load, self.rounds = network, load, rounds
        self.resumed: list[float] = []
        self.audited: Audited | None = None

    async def settle_until(self, stop: asyncio.Event) -> None:
        """One round after the other."""
        while not stop.is_set():
            await self.rounds.settle_one()

    async def stall(self, fault: Fault) -> None:
        resumed_s = await stall(self.network, self.load, fault)
        assert resumed_s <= RESUME_S * slowness(), f"the chain went on only {resumed_s:.1f} s after their return"
        self.resumed.append(resumed_s)


@asynccontextmanager
async def scenario(name: str, network: BreakableNetwork, report: Report) -> AsyncIterator[Scenario]:
    """Load and rounds throughout; afterwards all is audited and its figures are reported."""
    stop = asyncio.Event()
    async with network:
        async with network.client() as client, under_load(network, network.honest[:3]) as load:
            here = Scenario(network, load, Rounds(network, client))
            await here.rounds.found()
            settling = asyncio.create_task(here.settle_until(stop), name="rounds")
            try:
                yield here
                stop.set()
                await settling
            finally:
                settling.cancel()
        await network.quiet()
        network.stop()
        here.audited = audit(network, load.confirmed, here.rounds.uploaded)
        assert here.rounds.settled and here.audited.state.tasks[TASK].round >= here.rounds.settled[-1]
        settled = len(here.rounds.settled)
        report(figures(name, network, here.audited, load.confirmed, settled, here.resumed))


@NEEDS_PROC
@pytest.mark.parametrize("seed", [1])
async def test_seven_validators_under_a_seeded_plan_of_faults(tmp_path: Path, report: Report, seed: int) -> None:
    """Up to f at once, under delay and cut connections; then more than f, by kill and by pause; then all."""
    network = BreakableNetwork(tmp_path, 7, proxied=True, seed=seed)
    rng = Random(seed)
    async with scenario(f"seven, seed {seed}", network, report) as here:
        network.proxies.set(Weather(delay_s=0.005, jitter_s=0.01))
        for fault in plan(seed, network.seats, network.faults, 8):
            network.proxies.cut(rng.sample(network.proxies.links(), 6))
            await survive(network, here.load, fault)
        network.proxies.set(FINE)
        for how in How:
            hit = rng.sample(network.seats, network.faults + 1)
            await here.stall(Fault(tuple((seat, how) for seat in hit), rng.uniform(0.5, 3.0)))
            await network.caught_up()
        await here.stall(Fault(tuple((seat, How.KILL) for seat in network.seats), 0.0))
        await network.caught_up()


async def test_a_validator_that_is_killed_again_and_again_comes_back(tmp_path: Path, report: Report) -> None:
    """Some of its starts end before it has caught up, or even listens."""
    rng = Random(2)
    network = BreakableNetwork(tmp_path)
    async with scenario("restart storm", network, report) as here:
        for seat in (0, 3):
            for _ in range(8):
                network.kill(seat)
                network.restart(seat)
                await asyncio.sleep(rng.uniform(0.05, 2.0))
            await network.caught_up()
            await here.load.progress(3, PATIENCE_S)


@NEEDS_PROC
async def test_a_poor_network_loses_nothing(tmp_path: Path, report: Report) -> None:
    """Slow, thin, deaf in one direction, split in halves, cut again and again; always it recovers by itself."""
    rng = Random(3)
    network = BreakableNetwork(tmp_path, proxied=True, seed=3)
    async with scenario("poor network", network, report) as here:
        proxies, load = network.proxies, here.load
        for weather in (Weather(delay_s=0.05, jitter_s=0.1), Weather(bytes_per_s=20_000), FINE):
            proxies.set(weather)
            await load.progress(6, PATIENCE_S)
        for seat in network.seats:  # it hears nobody; then nobody hears it
            others = [each for each in network.seats if each != seat]
            for links in ([(each, seat) for each in others], [(seat, each) for each in others]):
                proxies.set(Weather(silent=True), links)
                await load.progress(4, PATIENCE_S)
                proxies.set(FINE)
            await network.caught_up()
        for _ in range(3):
            some = rng.sample(network.seats, 2)
            proxies.set(Weather(silent=True), proxies.between(some, set(network.seats) - set(some)))
            await asyncio.sleep(rng.uniform(1.0, 4.0))
            proxies.set(FINE)
            await load.progress(3, PATIENCE_S)
        for _ in range(10):
            proxies.cut(rng.sample(proxies.links(), 4))
            await load.progress(1, PATIENCE_S)
        await network.caught_up()


async def test_a_liar_among_seven_with_one_more_down(tmp_path: Path, report: Report) -> None:
    """f = 2: one lies, another is killed or paused; the liar is convicted, and six go on."""
    liar = 4
    network = BreakableNetwork(tmp_path, 7, liars=[liar])
    async with scenario("a liar among seven", network, report) as here:
        network.lie(liar, "divide", "missettle", "forge", "forget")
        for fault in plan(4, network.honest, 1, 4):
            await survive(network, here.load, fault)
        network.lie(liar, "equivocate", "missettle", "forge", "forget", "stale")
        await survive(network, here.load, Fault(((network.honest[0], How.KILL),), 1.0))
        await network.seated(*network.honest)
        await here.load.progress(5, PATIENCE_S)
        await survive(network, here.load, Fault(((network.honest[1], How.KILL),), 1.0))
    assert here.audited is not None
    keys = network.founded.genesis.keys
    assert here.audited.state.validators == tuple(keys[seat] for seat in network.honest)
    assert here.audited.state.standings[keys[liar]].convicted_height > 0


@pytest.mark.parametrize("lies", ["misvote", "withhold,forge", "garbage", "stale,missettle", "divide"])
async def test_no_lie_stops_four_validators(tmp_path: Path, report: Report, lies: str) -> None:
    liar = 1
    network = BreakableNetwork(tmp_path, liars=[liar])
    async with scenario(f"{lies} among four", network, report) as here:
        network.lie(liar, *lies.split(","))
        await here.load.progress(40, PATIENCE_S)
        network.lie(liar)
        await here.load.progress(4, PATIENCE_S)
