"""A real network with a validator that lies: it is convicted by what it signed, and settles nothing false."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chain.system.audit import audit
from tests.chain.system.breakable import PATIENCE_S, BreakableNetwork
from tests.chain.system.figures import figures
from tests.chain.system.load import under_load
from tests.chain.system.rounds import Rounds

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


async def test_an_equivocating_validator_loses_its_seat(tmp_path: Path, report: Callable[[object], None]) -> None:
    liar = 2
    async with BreakableNetwork(tmp_path, liars=[liar]) as network:
        async with network.client() as client, under_load(network, [0, 1]) as load:
            rounds = Rounds(network, client)
            await rounds.found()
            network.lie(liar, "divide", "missettle", "forge", "forget")
            await rounds.settle_one()
            network.lie(liar, "equivocate", "missettle", "forge", "forget")
            await network.seated(*network.honest)
            await load.progress(5, PATIENCE_S)
            await rounds.settle_one()
        await network.quiet()
        network.stop()
        audited = audit(network, load.confirmed, rounds.uploaded)
        keys = network.founded.genesis.keys
        assert audited.state.standings[keys[liar]].convicted_height > 0
        assert audited.state.validators == tuple(keys[seat] for seat in network.honest)
        report(figures("a liar among four", network, audited, load.confirmed, len(rounds.settled)))
