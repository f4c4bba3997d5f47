"""A real network under kill -9, SIGSTOP, cut and silent links, and more failures than it tolerates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.chain.system.audit import audit
from tests.chain.system.breakable import PATIENCE_S, BreakableNetwork
from tests.chain.system.faults import Fault, How, plan, stall, survive
from tests.chain.system.figures import figures
from tests.chain.system.load import Load, under_load
from tests.chain.system.proxy import FINE, NEEDS_PROC, Weather
from tests.chain.system.rounds import Rounds

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@NEEDS_PROC
async def test_four_validators_lose_nothing(tmp_path: Path, report: Callable[[object], None]) -> None:
    """One after another is killed or paused, connections are cut, two fall silent, two are killed, then all."""
    resumed = []
    async with BreakableNetwork(tmp_path, proxied=True) as network:
        async with network.client(*network.honest) as client, under_load(network, [0, 1]) as load:
            rounds, proxies = Rounds(network, client), network.proxies
            await rounds.found()
            settling = asyncio.create_task(rounds.settle_one(), name="round")
            await survive(network, load, Fault(((3, How.KILL),), 0.5))
            await survive(network, load, Fault(((0, How.PAUSE),), 0.5))
            proxies.set(Weather(delay_s=0.01, jitter_s=0.02))
            proxies.cut(proxies.links())
            await load.progress(5, PATIENCE_S)
            proxies.set(Weather(silent=True), [(1, 2), (2, 1), (3, 1)])
            await load.progress(5, PATIENCE_S)
            proxies.set(FINE)
            resumed.append(await stall(network, load, Fault(((1, How.KILL), (2, How.PAUSE)), 0.5)))
            resumed.append(await stall(network, load, Fault(tuple((seat, How.KILL) for seat in network.seats), 0.0)))
            await settling
        await network.quiet()
        network.stop()
        audited = audit(network, load.confirmed, rounds.uploaded)
        assert len(rounds.settled) >= 1 and audited.state.tasks["activity"].round == rounds.settled[-1]
        the_audit_notices_what_is_wrong(network, load, rounds)
        report(figures("faults", network, audited, load.confirmed, len(rounds.settled), resumed))


def the_audit_notices_what_is_wrong(network: BreakableNetwork, load: Load, rounds: Rounds) -> None:
    """Another height than was reported, another update than was sent, another vote than was logged."""
    first = load.confirmed[0]
    with pytest.raises(AssertionError, match="is final at"):
        audit(network, [replace(first, height=first.height + 1)], rounds.uploaded)
    others = {digest: (header, values + np.int32(1 << 10)) for digest, (header, values) in rounds.uploaded.items()}
    with pytest.raises(AssertionError, match=r"round \d+ is wrong"):
        audit(network, load.confirmed, others)
    logged = network.votes[0]
    logged[max(logged)] = b"another"
    with pytest.raises(AssertionError, match="two votes"):
        network.remember_votes(0)


def test_a_plan_follows_from_its_seed_and_spares_a_quorum() -> None:
    one, same, other = (list(plan(seed, range(7), 2, 50)) for seed in (1, 1, 2))
    assert one == same != other
    assert {len(fault.seats) for fault in one} == {1, 2}
    assert {how for fault in one for _, how in fault.seats} == set(How)
