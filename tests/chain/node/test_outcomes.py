from __future__ import annotations

import asyncio

from salus_chain.node.http.outcomes import Outcomes
from salus_chain.views import TxStatus

ID = bytes(32)


async def test_who_waits_is_woken_when_its_own_transaction_is_final() -> None:
    known: dict[bytes, TxStatus] = {}
    outcomes = Outcomes(lambda tx_id: known.get(tx_id, TxStatus("pending")))
    first, second = (asyncio.create_task(outcomes.of(each, 10)) for each in (ID, b"other"))
    await asyncio.sleep(0)
    known[ID] = TxStatus("final", 7)
    outcomes.changed()
    assert await first == TxStatus("final", 7)
    assert not second.done()
    known[b"other"] = TxStatus("dropped", 0, "nonce_gap", "")
    outcomes.changed()
    assert (await second).code == "nonce_gap"


async def test_two_may_wait_for_the_same_and_nothing_is_kept_after() -> None:
    known: dict[bytes, TxStatus] = {}
    outcomes = Outcomes(lambda tx_id: known.get(tx_id, TxStatus("unknown")))
    both = [asyncio.create_task(outcomes.of(ID, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    known[ID] = TxStatus("final", 3)
    outcomes.changed()
    outcomes.changed()
    assert [await each for each in both] == [TxStatus("final", 3)] * 2
    assert await outcomes.of(b"never", 0.001) == TxStatus("unknown")
    assert not outcomes._waiting


async def test_a_node_that_stops_keeps_nobody_waiting() -> None:
    outcomes = Outcomes(lambda tx_id: TxStatus("pending"))
    waiting = asyncio.create_task(outcomes.of(ID, 100))
    await asyncio.sleep(0)
    outcomes.stop()
    assert (await waiting).status == "pending"
    assert (await outcomes.of(ID, 100)).status == "pending"
