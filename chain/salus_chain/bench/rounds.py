"""Whole rounds with real uploads: from close to settlement, bytes on chain and on disk, and a light client's work."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from salus_chain.bench import throughput
from salus_chain.bench.network import LocalNetwork
from salus_chain.bench.people import PROGRAM, TASK, Gateway, Hospital, layout, open_round, update
from salus_chain.candidates import ModelCandidate
from salus_chain.client import ChainClient
from salus_chain.errors import ChainError
from salus_chain.genesis import faults
from salus_chain.keys import PemSigner, verify
from salus_chain.layout import Layout
from salus_chain.light import auditor
from salus_chain.light.proofs import check_proof
from salus_chain.node.storage.holdings import DATABASE_FILE
from salus_chain.rules.transactions import sign_receipt
from salus_chain.signing import commit_tx, enrol_tx, open_round_tx
from salus_chain.updates import update_digest

PATIENCE_S: Final = 120.0
OPEN_MS: Final = 15_000
LONG_MS: Final = 3_600_000
CHECKS: Final = 20


@dataclass(frozen=True, slots=True)
class Settled:
    """One round's figures, of `updates` updates of `d` numbers; bytes are at one validator."""

    settle_ms: float
    updates: int
    d: int
    chain_bytes: int  # blocks and certificates, from the round's opening to its settlement
    disk_bytes: int  # of the whole folder: with updates, the new model and the indexes
    verify_ms: float  # a light client with the library that signs
    audit_ms: float  # the auditor, in pure Python
    proof_bytes: int


async def prepare(network: LocalNetwork, hospitals: Sequence[Hospital], gateways: Sequence[Gateway], d: int) -> Layout:
    """Approve a task of `d` numbers and enrol the gateways."""
    shape = layout(d)
    async with network.client(timeout_s=PATIENCE_S) as client:
        candidate = ModelCandidate(TASK, shape.to_json(), PROGRAM, bytes(4 * d))
        await client.submit_final(await client.approve(candidate), PATIENCE_S)
    await enrol(network, hospitals, gateways)
    return shape


async def enrol(network: LocalNetwork, hospitals: Sequence[Hospital], gateways: Sequence[Gateway]) -> None:
    """Each hospital enrols its own."""
    chain_id = network.founded.genesis.chain_id
    async with network.client(timeout_s=PATIENCE_S) as client:
        for seat, hospital in enumerate(hospitals):
            nonce = await client.next_nonce(hospital.key)
            own = [each for each in gateways if each.seat == seat]
            stream = [
                enrol_tx(chain_id, hospital.signer, nonce + n, each.id, each.signer.public_key, 100)
                for n, each in enumerate(own)
            ]
            await throughput.measure(network, [stream])


async def opened(
    network: LocalNetwork, client: ChainClient, shape: Layout, open_ms: int, least: int
) -> tuple[int, int]:
    """Open the next round; its number and deadline in Unix milliseconds."""
    task = await client.task(TASK)
    assert task is not None
    coordinator = PemSigner.load(network.founded.coordinator_key)
    body = open_round(shape, task.round + 1, time.time_ns() // 1_000_000, open_ms, least)
    nonce = await client.next_nonce(coordinator.public_key)
    await client.submit_final(open_round_tx(client.genesis.chain_id, coordinator, nonce, body), PATIENCE_S)
    return body.round, body.deadline_ms


async def settled(network: LocalNetwork, gateways: Sequence[Gateway], shape: Layout, turns: int) -> Settled:
    """The medians over some rounds in which all gateways take part."""
    rows = [await _round(network, gateways, shape) for _ in range(turns)]
    return Settled(
        median(row.settle_ms for row in rows),
        len(gateways),
        shape.size,
        round(median(row.chain_bytes for row in rows)),
        round(median(row.disk_bytes for row in rows)),
        median(row.verify_ms for row in rows),
        median(row.audit_ms for row in rows),
        rows[-1].proof_bytes,
    )


async def _round(network: LocalNetwork, gateways: Sequence[Gateway], shape: Layout) -> Settled:
    async with network.client(timeout_s=PATIENCE_S) as client:
        folder = network.founded.validators[0].with_suffix("")
        first, disk = await client.height(), _disk_bytes(folder)
        number, deadline_ms = await opened(network, client, shape, OPEN_MS, len(gateways))
        task = await client.task(TASK)
        assert task is not None
        await asyncio.gather(*(_commit(client, each, shape, number, task.model_digest) for each in gateways))
        while (view := await client.round(TASK, number)) is None or view.status in ("open", "closed"):
            await client.wait_height(await client.height(), 0.2)
        settle_ms = time.time_ns() / 1e6 - deadline_ms
        if view.status != "settled":
            raise ChainError(f"bench: round {number} is {view.status}: {view.reason}")
        proof = await client.settlement_proof(TASK, number)
        chain_bytes = _chain_bytes(folder, first + 1, await client.height())
        began = time.perf_counter()
        for _ in range(CHECKS):
            check_proof(client.genesis, proof, _fresh)
        verify_ms = 1e3 * (time.perf_counter() - began) / CHECKS
        began = time.perf_counter()
        auditor.audit(client.genesis, proof)
        audit_ms = 1e3 * (time.perf_counter() - began)
        grown = _disk_bytes(folder) - disk
        return Settled(
            settle_ms, len(gateways), shape.size, chain_bytes, grown, verify_ms, audit_ms, len(proof)
        )  # fmt: skip


def _fresh(public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
    """Verification that remembers nothing from the time before."""
    from salus_chain import keys

    keys.forget_verified()
    return verify(public_key, signature, domain, message)


async def _commit(client: ChainClient, gateway: Gateway, shape: Layout, number: int, model: bytes) -> None:
    header, data = update(client.genesis.chain_id, shape, gateway, number, model)
    receipts = await client.put_update(data, gateway.signer)
    nonce = await client.next_nonce(gateway.signer.public_key)
    tx = commit_tx(client.genesis.chain_id, gateway.signer, nonce, header, update_digest(data), receipts)
    await client.submit_final(tx, PATIENCE_S)


async def commits(
    network: LocalNetwork, hospitals: Sequence[Hospital], gateways: Sequence[Gateway], shape: Layout
) -> throughput.Rate:
    """Commits with f+1 receipts into one open round; the bytes stay with the gateways, only rates are wanted."""
    async with network.client(timeout_s=PATIENCE_S) as client:
        number, _ = await opened(network, client, shape, LONG_MS, 3)
        task = await client.task(TASK)
        assert task is not None
        wanted = faults(len(hospitals)) + 1
        holders = sorted(hospitals, key=lambda each: each.key)[:wanted]
        streams: list[list[bytes]] = [[] for _ in network.seats]
        for position, gateway in enumerate(gateways):
            header, data = update(client.genesis.chain_id, shape, gateway, number, task.model_digest)
            digest = update_digest(data)
            receipts = [sign_receipt(each.signer, header, digest) for each in holders]
            nonce = await client.next_nonce(gateway.signer.public_key)
            tx = commit_tx(client.genesis.chain_id, gateway.signer, nonce, header, digest, receipts)
            streams[position % len(streams)].append(tx)
    return await throughput.measure(network, [stream for stream in streams if stream])


def _chain_bytes(folder: Path, first: int, last: int) -> int:
    database = sqlite3.connect(f"file:{folder / DATABASE_FILE}?mode=ro", uri=True)
    try:
        query = "SELECT sum(length(block) + length(certificate)) FROM blocks WHERE height BETWEEN ? AND ?"
        return int(database.execute(query, (first, last)).fetchone()[0] or 0)
    finally:
        database.close()


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
