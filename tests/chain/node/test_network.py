"""Four validators as four processes: a model, gateways, two rounds, a kill -9, a release, the auditor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from salus_chain import (
    ChainClient,
    ConsentSeat,
    Founded,
    GatewaySeat,
    ModelCandidate,
    OpenRound,
    PemSigner,
    Policy,
    Rejected,
    Unreachable,
    UpdateHeader,
    apply_aggregate,
    commit_tx,
    encode_update,
    init_chain,
    open_round_tx,
    revoke_tx,
    update_digest,
)
from salus_chain.aggregation.aggregate import aggregate
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.fixed import Int32s
from tests.chain.federation import LAYOUT, PROGRAM, SHARED, TASK, D, model_values
from tests.chain.node.test_approvals import manifest, quantised, signed, tflite
from tests.chain.ports import free_ports

pytestmark = pytest.mark.system
GATEWAYS = 4


class Network:
    """The validators' processes of one founded federation."""

    def __init__(self, founded: Founded, folder: Path) -> None:
        self.founded = founded
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, seat: int) -> None:
        command = [sys.executable, "-m", "salus_chain", "run", str(self.founded.validators[seat])]
        with (self.folder / f"validator-{seat}.log").open("ab") as log:
            self.processes[seat] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def network(folder: Path, gateways: list[PemSigner]) -> Iterator[Network]:
    seats = {
        number: [GatewaySeat(id=f"gateway-{number}", public_key=key.public_key.hex(), patients=3)]
        for number, key in enumerate(gateways)
    }
    founded = init_chain(
        folder / "federation",
        ports=free_ports(8),
        policy=Policy(min_duration_ms=100),
        tasks=("activity*",),
        gateways=seats,
        consents={2: [ConsentSeat(consent="11" * 32, device="22" * 32)]},
    )
    running = Network(founded, folder)
    try:
        for seat in range(4):
            running.start(seat)
        yield running
    finally:
        for process in running.processes.values():
            process.kill()
            process.wait()


async def ready(client: ChainClient, height: int) -> None:
    """Until the chain has this height; four processes that start take long on a busy machine."""
    async with asyncio.timeout(60):
        while True:
            try:
                if await client.wait_height(height - 1, 5) >= height:
                    return
            except Unreachable:
                await asyncio.sleep(0.05)


def values(number: int, round_: int) -> Int32s:
    return np.random.default_rng([number, round_]).integers(-(1 << 22), 1 << 22, D, dtype=np.int32)


async def submit_update(client: ChainClient, key: PemSigner, number: int, round_: int, model: bytes) -> bytes:
    chain_id = client.genesis.chain_id
    header = UpdateHeader(chain_id, TASK, round_, f"gateway-{number}", model, LAYOUT.digest, 1 + number % 3, D)
    data = encode_update(header, values(number, round_))
    receipts = await client.put_update(data, key)
    nonce = await client.next_nonce(key.public_key)
    tx = commit_tx(chain_id, key, nonce, header, update_digest(data), receipts)
    await client.wait_final(await client.submit(tx), 10)
    return data


async def open_round(client: ChainClient, coordinator: PemSigner, number: int, open_ms: int) -> OpenRound:
    now_ms = time.time_ns() // 1_000_000
    deadlines = now_ms + open_ms, now_ms + open_ms + 30_000
    parameters = (("epochs", 1),)
    body = OpenRound(
        TASK, number, "feature", bytes(32), PROGRAM, SHARED, "fedavg", parameters, "clipped_mean",
        1 << 23, 3, 3, *deadlines,
    )  # fmt: skip
    nonce = await client.next_nonce(coordinator.public_key)
    await client.wait_final(await client.submit(open_round_tx(client.genesis.chain_id, coordinator, nonce, body)), 10)
    return body


async def ended(client: ChainClient, number: int) -> str:
    async with asyncio.timeout(20):
        while True:
            height, view = await client.height(), await client.round(TASK, number)
            assert view is not None
            if view.status in ("settled", "expired"):
                return view.status
            await client.wait_height(height, 5)


async def test_four_processes_settle_rounds_and_survive_a_kill(tmp_path: Path) -> None:
    gateways = [PemSigner.generate(tmp_path / f"gateway-{number}.pem") for number in range(GATEWAYS)]
    with network(tmp_path, gateways) as running:
        founded = running.founded
        coordinator = PemSigner.load(founded.coordinator_key)
        async with ChainClient(founded.genesis, [v.url for v in founded.genesis.validators]) as client:
            try:
                await ready(client, 1)
                candidate = ModelCandidate(TASK, LAYOUT.to_json(), PROGRAM, model_values().tobytes())
                await client.wait_final(await client.submit(await client.approve(candidate)), 10)
                await enrolled(client, coordinator, gateways)
                await first_round(client, coordinator, gateways, running)
                await a_release_is_approved_and_fetched(client, running)
                await second_round_with_a_killed_validator(client, coordinator, gateways, running)
                await bad_updates_change_nothing(client, coordinator, gateways, running)
                ends_cleanly(running)
            except BaseException:
                print(running.logs())
                raise


async def enrolled(client: ChainClient, coordinator: PemSigner, gateways: list[PemSigner]) -> None:
    """The task stands as approved, and the validators enrol their own gateways by themselves."""
    task = await client.task(TASK)
    assert task is not None and (task.round, task.release) == (0, None)
    assert task.layout_json == LAYOUT.to_json()
    assert np.array_equal(await client.model(task), model_values())
    other = ModelCandidate("fall", LAYOUT.to_json(), PROGRAM, model_values().tobytes())
    with pytest.raises(Rejected, match="not_our_task"):
        await client.approve(other)
    async with asyncio.timeout(10):
        for number in range(GATEWAYS):
            while (view := await client.gateway(f"gateway-{number}")) is None:
                await client.wait_height(await client.height(), 1)
            assert (view.public_key, view.patients) == (gateways[number].public_key, 3)


async def first_round(client: ChainClient, coordinator: PemSigner, gateways: list[PemSigner], running: Network) -> None:
    task = await client.task(TASK)
    assert task is not None
    await open_round(client, coordinator, 1, 1_500)
    work = (submit_update(client, key, n, 1, task.model_digest) for n, key in enumerate(gateways))
    files = await asyncio.gather(*work)
    assert await ended(client, 1) == "settled"
    settlement = await client.settlement(TASK, 1)
    assert settlement.commits == {f"gateway-{n}": update_digest(data) for n, data in enumerate(files)}
    weights = np.array([settlement.weights[f"gateway-{n}"] for n in range(GATEWAYS)], np.int64)
    rows = np.stack([values(n, 1) for n in range(GATEWAYS)])
    names = [f"gateway-{n}" for n in range(GATEWAYS)]
    combined, _ = aggregate(AggregationRule("clipped_mean", 1 << 23), rows, weights, names)
    wanted = apply_aggregate(model_values(), combined, LAYOUT.indices(SHARED))
    assert np.array_equal(await client.model(settlement.model_after), wanted)
    assert settlement.model_before == task.model_digest
    await only_the_owner_gets_an_update(client, files[0], gateways)
    verify_from_two_files(running, await client.settlement_proof(TASK, 1))


async def only_the_owner_gets_an_update(client: ChainClient, data: bytes, gateways: list[PemSigner]) -> None:
    assert await client.blob(update_digest(data), gateways[0]) == data
    for stranger in (gateways[1], None):
        with pytest.raises(Rejected, match="not_yours"):
            await client.blob(update_digest(data), stranger)


def verify_from_two_files(running: Network, proof: bytes) -> None:
    path = running.folder / "proof.cbor"
    for data, code in [(proof, 0), (proof[:-1] + bytes([proof[-1] ^ 1]), 1)]:
        path.write_bytes(data)
        command = [sys.executable, "-m", "salus_chain", "verify", str(path), "--genesis"]
        done = subprocess.run([*command, str(running.founded.genesis_path)], capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stdout + done.stderr


async def a_release_is_approved_and_fetched(client: ChainClient, running: Network) -> None:
    task = await client.task(TASK)
    assert task is not None and await client.release(TASK) is None
    key, flat = PemSigner.load(running.founded.release_key), await client.model(task)
    model = tflite(quantised(flat))
    changes = {"settled_model_digest": task.model_digest, "chain_id": client.genesis.chain_id}
    made = manifest(model, **changes, settled_round=1)
    with pytest.raises(Rejected, match="bad_release_signature"):
        await client.approve(signed(made, model, PemSigner.load(running.founded.coordinator_key)))
    other = tflite(quantised(flat + (1 << 20)))
    with pytest.raises(Rejected, match="off_model"):
        await client.approve(signed(manifest(other, **changes), other, key))
    assert await client.release(TASK) is None
    candidate = signed(made, model, key)
    height = await client.wait_final(await client.submit(await client.approve(candidate)), 10)
    release = await client.release(TASK)
    assert release is not None
    assert (release.version, release.model, release.height) == (1, model, height)
    assert release.signed_manifest == candidate.signed_manifest
    with pytest.raises(Rejected, match="old_version"):
        await client.approve(candidate)


async def second_round_with_a_killed_validator(
    client: ChainClient, coordinator: PemSigner, gateways: list[PemSigner], running: Network
) -> None:
    task = await client.task(TASK)
    assert task is not None
    await open_round(client, coordinator, 2, 2_500)
    await submit_update(client, gateways[0], 0, 2, task.model_digest)
    running.processes[0].kill()
    running.processes[0].wait()
    later = [submit_update(client, gateways[n], n, 2, task.model_digest) for n in (1, 2)]
    working = [asyncio.create_task(each) for each in later]
    await asyncio.sleep(0.3)
    running.start(0)
    await asyncio.gather(*working)
    assert await ended(client, 2) == "settled"
    height = await client.height()
    async with ChainClient(client.genesis, [client.genesis.validators[0].url]) as revived:
        await ready(revived, height)
        assert await revived.settlement(TASK, 2) == await client.settlement(TASK, 2)


async def bad_updates_change_nothing(
    client: ChainClient, coordinator: PemSigner, gateways: list[PemSigner], running: Network
) -> None:
    task = await client.task(TASK)
    assert task is not None
    hospital = PemSigner.load(running.founded.genesis_path.parent / "keys" / "validator-3.pem")
    chain_id = client.genesis.chain_id
    nonce = await client.next_nonce(hospital.public_key)
    await client.wait_final(await client.submit(revoke_tx(chain_id, hospital, nonce, "gateway-3")), 10)
    await open_round(client, coordinator, 3, 6_000)  # it stays open until the last refusal, also on a busy machine
    good = UpdateHeader(chain_id, TASK, 3, "gateway-0", task.model_digest, LAYOUT.digest, 1, D)
    cases: dict[str, tuple[dict[str, Any], PemSigner]] = {
        "wrong_round": ({"round": 2}, gateways[0]),
        "wrong_model": ({"base_model_digest": bytes(32)}, gateways[0]),
        "wrong_shape": ({"d": D + 1}, gateways[0]),
        "wrong_weight": ({"weight": 4}, gateways[0]),
        "unknown_gateway": ({"gateway": "gateway-9"}, gateways[0]),
        "revoked_gateway": ({"gateway": "gateway-3"}, gateways[3]),
        "bad_signature": ({}, gateways[1]),
    }
    for code, (changes, key) in cases.items():
        header = replace(good, **changes)
        with pytest.raises(Rejected) as refused:
            await client.put_update(encode_update(header, np.zeros(header.d, np.int32)), key)
        assert refused.value.code == code
    with pytest.raises(Rejected, match="malformed"):
        await client.put_update(b"junk", gateways[0])
    nonce = await client.next_nonce(gateways[0].public_key)
    with pytest.raises(Rejected, match="too_few_receipts"):
        await client.submit(commit_tx(chain_id, gateways[0], nonce, good, bytes(32), ()))
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{client.genesis.validators[1].url}/blobs/00")
        assert answer.status_code == 409 and answer.json()["code"] == "malformed"
    assert await ended(client, 3) == "expired"
    after = await client.task(TASK)
    assert after is not None and after.model_digest == task.model_digest
    with pytest.raises(Rejected, match="not_settled"):
        await client.settlement_proof(TASK, 3)


def ends_cleanly(running: Network) -> None:
    for process in running.processes.values():
        os.kill(process.pid, signal.SIGTERM)
    assert [process.wait(5) for process in running.processes.values()] == [0, 0, 0, 0]
