"""A chain of one validator in this process, asked over its real HTTPS: the whole way in and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from salus_chain.client import ChainClient
from salus_chain.codec import decode, fields
from salus_chain.errors import ConfigError, Rejected, Unreachable
from salus_chain.founding import Founded, init_chain
from salus_chain.genesis import Policy
from salus_chain.inspection import BlockList, BlockView, ConsentView
from salus_chain.keys import PemSigner
from salus_chain.node.http import service as module
from salus_chain.node.http.service import NodeService
from salus_chain.node.process import load_node
from salus_chain.rules.blocks import Block
from salus_chain.rules.transactions import Body, Consent, Enrol, Withdraw, sign_transaction
from salus_chain.tls import client_context
from salus_chain.views import TxStatus, from_json
from tests.chain.federation import signer
from tests.chain.ports import free_ports

CONSENTS = [bytes([number]) * 32 for number in range(4)]


class Alone:
    """One hospital, its validator, and a client."""

    def __init__(self, founded: Founded, client: ChainClient, stop: Callable[[], None]) -> None:
        self.stop = stop
        self.genesis = founded.genesis
        self.hospital = PemSigner.load(founded.validators[0].with_name("key.pem"))
        self.client = client
        self.url = founded.genesis.validators[0].url

    def sign(self, nonce: int, body: Body) -> bytes:
        return sign_transaction(self.genesis.chain_id, self.hospital, nonce, body)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, verify=client_context(self.genesis.keys)) as http:
            return await http.get(self.url + path, headers=headers)


@asynccontextmanager
async def alone(folder: Path) -> AsyncIterator[Alone]:
    founded = init_chain(
        folder / "fed", validators=1, ports=free_ports(2), policy=Policy(min_updates=1), tasks=("*",), test=True
    )
    node = load_node(founded.validators[0])
    running = asyncio.create_task(node.run(), name="node")
    async with ChainClient(founded.genesis) as client:
        one = Alone(founded, client, node.stopping.set)
        for _ in range(100):
            try:
                await one.get("/health")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
        yield one
        node.stopping.set()
        await asyncio.wait_for(running, 10)


async def test_the_way_in_and_out_of_a_chain_of_one(tmp_path: Path) -> None:
    async with alone(tmp_path) as one:
        assert await one.client.submit_final(one.sign(0, Consent(CONSENTS[0], bytes(32))), 10) == 1
        batch = [
            one.sign(1, Consent(CONSENTS[1], bytes(32))),
            b"junk",
            one.sign(2, Consent(CONSENTS[0], bytes(32))),  # on chain already
            one.sign(2, Withdraw(CONSENTS[0])),
        ]
        results = await one.client.submit_batch(batch)
        assert [each.code for each in results] == ["", "malformed", "consent_used", ""]
        assert results[3].id is not None
        height = await one.client.wait_final(results[3].id, 10)
        await a_final_one_may_be_handed_in_again(one, batch[3], height)
        await the_chain_is_shown(one, height)
        await events_are_told_from_any_height(one, height)
        await a_proof_of_the_withdrawal_is_there(one)
        await the_metrics_count_it(one, height)


async def a_final_one_may_be_handed_in_again(one: Alone, data: bytes, height: int) -> None:
    assert await one.client.submit_final(data, 5) == height
    unknown = from_json((await one.get(f"/transactions/{'00' * 32}")).content, TxStatus)
    assert unknown == TxStatus("unknown")


async def the_chain_is_shown(one: Alone, height: int) -> None:
    status = await one.client.status()
    assert (status.height, status.seat, status.quorum) == (height, 0, 1)
    assert status.report == f"height {height + 1}, round {status.round}: 1 of 1 are there"
    assert (await one.get("/ready")).status_code == 200
    view = from_json((await one.get("/blocks/1")).content, BlockView)
    raw = (await one.get("/blocks/1", accept="application/cbor")).content
    assert Block.read(fields(decode(raw), 2, "answer")[0]).digest == view.digest
    assert [tx.kind for tx in view.transactions] == ["consent"]
    listed = from_json((await one.get("/blocks?from=1&limit=1")).content, BlockList)
    assert (listed.height, [line.digest for line in listed.blocks]) == (height, [view.digest])
    consent = from_json((await one.get(f"/consents/{CONSENTS[0].hex()}")).content, ConsentView)
    assert consent.withdrawn and consent.validator == one.hospital.public_key
    validators = await one.client.validators()
    assert [seat.name for seat in validators.seats] == ["hospital-0"] and not validators.pending


async def events_are_told_from_any_height(one: Alone, height: int) -> None:
    events = one.client.events(after=0)
    seen = [await asyncio.wait_for(anext(events), 5) for _ in range(height)]
    assert [(each.type, each.height) for each in seen] == [("block", number + 1) for number in range(height)]
    following = asyncio.create_task(anext(events), name="next event")
    await one.client.submit_final(one.sign(3, Enrol("ward-7", signer(70).public_key, 2)), 10)
    assert (await asyncio.wait_for(following, 5)).height == height + 1
    await events.aclose()


async def a_proof_of_the_withdrawal_is_there(one: Alone) -> None:
    assert (await one.get(f"/proofs/withdrawal?consent={CONSENTS[0].hex()}")).status_code == 200
    assert (await one.get(f"/proofs/withdrawal?consent={CONSENTS[1].hex()}")).status_code == 404


async def the_metrics_count_it(one: Alone, height: int) -> None:
    with pytest.raises(Rejected, match="wrong_nonce"):
        await one.client.submit(one.sign(0, Withdraw(CONSENTS[1])))
    text = (await one.get("/metrics")).text
    values = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
    assert values["salus_height"] == height + 1 and values["salus_finality_seconds_count"] == 4
    assert values["salus_mempool_transactions"] == 0 and values["salus_blob_bytes"] == 0
    assert 'salus_refusals_total{code="wrong_nonce"} 1.0' in text


async def test_a_node_that_stops_lets_go_of_who_waits_and_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.05)
    async with alone(tmp_path) as one:
        height = await one.client.height()
        events = one.client.events(after=height)
        watching = asyncio.create_task(anext(events), name="watching")
        gap = one.sign(5, Consent(CONSENTS[0], bytes(32)))
        await one.client.submit(gap)
        waiting = asyncio.create_task(one.client.submit_final(gap, 20), name="waiting")
        await asyncio.sleep(0.2)
        one.stop()
        for each in (waiting, watching):
            with pytest.raises(Unreachable):
                await asyncio.wait_for(each, 5)


def test_without_tls_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "fed", validators=1, ports=free_ports(2), test=True)
    path = founded.validators[0].with_name("genesis.toml")
    path.write_text(path.read_text().replace("https://127.0.0.1", "http://10.0.0.1"))
    with pytest.raises(ConfigError, match="https://"):
        load_node(founded.validators[0])


def test_bytes_that_were_erased_as_agreed_are_not_missing() -> None:
    node = Mock()
    node.blobs.has = lambda digest: digest == b"here"
    node.store.erased_ms = lambda digest: 1 if digest == b"erased" else None
    service = NodeService(node)
    assert [service._is_missing(digest) for digest in (b"here", b"erased", b"lost")] == [False, False, True]
