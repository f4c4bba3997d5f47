"""Four validators as four processes: a model, gateways, two rounds, a kill -9, a release, the auditor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from salus_chain import (
    ChainClient,
    ConsentSeat,
    GatewaySeat,
    ModelCandidate,
    OpenRound,
    PemSigner,
    Policy,
    Rejected,
    UpdateHeader,
    apply_aggregate,
    commit_tx,
    encode_update,
    open_round_tx,
    revoke_tx,
    update_digest,
)
from salus_chain.aggregation.aggregate import aggregate
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.bench.network import LocalNetwork
from salus_chain.fixed import Int32s
from salus_chain.tls import client_context
from tests.chain.federation import LAYOUT, PROGRAM, SHARED, TASK, D, model_values
from tests.chain.node.test_approvals import manifest, quantised, signed, tflite

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
GATEWAYS = 4


TOO_LATE = frozenset({"no_open_round", "wrong_deadline"})


@dataclass
class Scene:
    """A network with all who take part; `number` is the latest round's, `open_ms` how long the next is open."""

    running: LocalNetwork
    client: ChainClient
    coordinator: PemSigner
    gateways: list[PemSigner]
    number: int = 0
    open_ms: int = 1_500

    async def in_a_round(self, work: Callable[[bytes], Awaitable[None]]) -> str:
        """Open a round, do the work on its model before, and see how the round ends.

        When it closed before all was done, as on a busy machine, try again in one that is open for longer.
        """
        while True:
            try:
                task = await self.client.task(TASK)
                assert task is not None
                await self._open()
                await work(task.model_digest)
                return await self._ended()
            except Rejected as refused:
                if refused.code not in TOO_LATE:
                    raise
                if refused.code == "no_open_round":
                    await self._ended()
                self.open_ms *= 2

    async def _open(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        deadlines = now_ms + self.open_ms, now_ms + self.open_ms + 60_000
        parameters = (("epochs", 1),)
        body = OpenRound(
            TASK, self.number + 1, "feature", bytes(32), PROGRAM, SHARED, "fedavg", parameters, "clipped_mean",
            1 << 23, 3, 3, *deadlines,
        )  # fmt: skip
        tx = open_round_tx(self.client.genesis.chain_id, self.coordinator, self.number, body)
        await self.client.wait_final(await self.client.submit(tx), 60)
        self.number += 1

    async def _ended(self) -> str:
        async with asyncio.timeout(120):
            while True:
                height, view = await self.client.height(), await self.client.round(TASK, self.number)
                if view is not None and view.status in ("settled", "expired"):
                    return view.status
                await self.client.wait_height(height, 1)

    async def update(self, number: int, model: bytes) -> bytes:
        """Upload and commit a gateway's update of the open round; its file."""
        key, chain_id = self.gateways[number], self.client.genesis.chain_id
        gateway, weight = f"gateway-{number}", 1 + number % 3
        header = UpdateHeader(chain_id, TASK, self.number, gateway, model, LAYOUT.digest, weight, D)
        data = encode_update(header, values(number, self.number))
        receipts = await self.client.put_update(data, key)
        nonce = await self.client.next_nonce(key.public_key)
        tx = commit_tx(chain_id, key, nonce, header, update_digest(data), receipts)
        await self.client.wait_final(await self.client.submit(tx), 60)
        return data


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    gateways = [PemSigner.generate(folder / f"gateway-{number}.pem") for number in range(GATEWAYS)]
    rows = {
        number: [GatewaySeat(id=f"gateway-{number}", public_key=key.public_key.hex(), patients=3)]
        for number, key in enumerate(gateways)
    }
    network = LocalNetwork(
        folder,
        policy=Policy(min_duration_ms=100),
        tasks=["activity*"],
        gateways=rows,
        consents={2: [ConsentSeat(consent="11" * 32, device="22" * 32)]},
    )
    with network as running:
        try:
            await running.ready()
            async with running.client() as client:
                yield Scene(running, client, PemSigner.load(running.founded.coordinator_key), gateways)
        except BaseException:
            print(running.logs())
            raise


def values(number: int, round_: int) -> Int32s:
    return np.random.default_rng([number, round_]).integers(-(1 << 22), 1 << 22, D, dtype=np.int32)


async def test_four_processes_settle_rounds_and_survive_a_kill(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        candidate = ModelCandidate(TASK, LAYOUT.to_json(), PROGRAM, model_values().tobytes())
        await here.client.wait_final(await here.client.submit(await here.client.approve(candidate)), 60)
        await enrolled(here)
        await a_round_settles(here)
        await a_release_is_approved_and_fetched(here)
        await a_round_settles_although_a_validator_is_killed(here)
        await bad_updates_change_nothing(here)
        ends_cleanly(here.running)


async def enrolled(here: Scene) -> None:
    """The task stands as approved, and the validators enrol their own gateways by themselves."""
    client, task = here.client, await here.client.task(TASK)
    assert task is not None and (task.round, task.release) == (0, None)
    assert task.layout_json == LAYOUT.to_json()
    assert np.array_equal(await client.model(task), model_values())
    other = ModelCandidate("fall", LAYOUT.to_json(), PROGRAM, model_values().tobytes())
    with pytest.raises(Rejected, match="not_our_task"):
        await client.approve(other)
    async with asyncio.timeout(60):
        for number in range(GATEWAYS):
            while (view := await client.gateway(f"gateway-{number}")) is None:
                await client.wait_height(await client.height(), 1)
            assert (view.public_key, view.patients) == (here.gateways[number].public_key, 3)


async def a_round_settles(here: Scene) -> None:
    client, files = here.client, dict[int, bytes]()
    before = await client.task(TASK)
    assert before is not None

    async def all_commit(model: bytes) -> None:
        nonlocal before
        before = await client.task(TASK)
        await together(keep(files, number, here.update(number, model)) for number in range(GATEWAYS))

    assert await here.in_a_round(all_commit) == "settled"
    settlement = await client.settlement(TASK, here.number)
    names = [f"gateway-{number}" for number in range(GATEWAYS)]
    assert settlement.commits == {names[number]: update_digest(data) for number, data in files.items()}
    weights = np.array([settlement.weights[name] for name in names], np.int64)
    rows = np.stack([values(number, here.number) for number in range(GATEWAYS)])
    combined, _ = aggregate(AggregationRule("clipped_mean", 1 << 23), rows, weights, names)
    wanted = apply_aggregate(await client.model(before), combined, LAYOUT.indices(SHARED))
    assert np.array_equal(await client.model(settlement.model_after), wanted)
    assert settlement.model_before == before.model_digest
    await only_the_owner_gets_an_update(here, files[0])
    verify_from_two_files(here.running, await client.settlement_proof(TASK, here.number))


async def keep(files: dict[int, bytes], number: int, update: Awaitable[bytes]) -> None:
    files[number] = await update


async def together(work: Iterable[Awaitable[None]]) -> None:
    """All of it to its end, and then the first failure."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def only_the_owner_gets_an_update(here: Scene, data: bytes) -> None:
    assert await here.client.blob(update_digest(data), here.gateways[0]) == data
    for stranger in (here.gateways[1], None):
        with pytest.raises(Rejected, match="not_yours"):
            await here.client.blob(update_digest(data), stranger)


def verify_from_two_files(running: LocalNetwork, proof: bytes) -> None:
    path = running.folder / "proof.cbor"
    for data, code in [(proof, 0), (proof[:-1] + bytes([proof[-1] ^ 1]), 1)]:
        path.write_bytes(data)
        command = [sys.executable, "-m", "salus_chain", "verify", str(path), "--genesis"]
        done = subprocess.run([*command, str(running.founded.genesis_path)], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr


async def a_release_is_approved_and_fetched(here: Scene) -> None:
    client, founded = here.client, here.running.founded
    task = await client.task(TASK)
    assert task is not None and await client.release(TASK) is None
    key, flat = PemSigner.load(founded.release_key), await client.model(task)
    model = tflite(quantised(flat))
    changes = {"settled_model_digest": task.model_digest, "chain_id": client.genesis.chain_id}
    made = manifest(model, **changes, settled_round=here.number)
    with pytest.raises(Rejected, match="bad_release_signature"):
        await client.approve(signed(made, model, PemSigner.load(founded.coordinator_key)))
    other = tflite(quantised(flat + (1 << 20)))
    with pytest.raises(Rejected, match="off_model"):
        await client.approve(signed(manifest(other, **changes), other, key))
    assert await client.release(TASK) is None
    candidate = signed(made, model, key)
    height = await client.wait_final(await client.submit(await client.approve(candidate)), 60)
    release = await client.release(TASK)
    assert release is not None
    assert (release.version, release.model, release.height) == (1, model, height)
    assert release.signed_manifest == candidate.signed_manifest
    with pytest.raises(Rejected, match="old_version"):
        await client.approve(candidate)


async def a_round_settles_although_a_validator_is_killed(here: Scene) -> None:
    running = here.running

    async def three_commit(model: bytes) -> None:
        await here.update(0, model)
        running.kill(0)
        try:
            await together(keep({}, number, here.update(number, model)) for number in (1, 2))
        finally:
            running.start(0)

    assert await here.in_a_round(three_commit) == "settled"
    await running.ready(0, height=await here.client.height())
    async with running.client(0) as revived:
        theirs = await here.client.settlement(TASK, here.number)
        assert await revived.settlement(TASK, here.number) == theirs


async def bad_updates_change_nothing(here: Scene) -> None:
    client, gateways = here.client, here.gateways
    task = await client.task(TASK)
    assert task is not None
    hospital = PemSigner.load(here.running.founded.validators[3].with_name("key.pem"))
    chain_id = client.genesis.chain_id
    nonce = await client.next_nonce(hospital.public_key)
    await client.wait_final(await client.submit(revoke_tx(chain_id, hospital, nonce, "gateway-3")), 60)

    async def all_are_refused(model: bytes) -> None:
        good = UpdateHeader(chain_id, TASK, here.number, "gateway-0", model, LAYOUT.digest, 1, D)
        cases: dict[str, tuple[dict[str, Any], PemSigner]] = {
            "wrong_round": ({"round": here.number - 1}, gateways[0]),
            "wrong_model": ({"base_model_digest": bytes(32)}, gateways[0]),
            "wrong_shape": ({"d": D + 1}, gateways[0]),
            "wrong_weight": ({"weight": 4}, gateways[0]),
            "unknown_gateway": ({"gateway": "gateway-9"}, gateways[0]),
            "revoked_gateway": ({"gateway": "gateway-3"}, gateways[3]),
            "bad_signature": ({}, gateways[1]),
        }
        for code, (changes, key) in cases.items():
            header = replace(good, **changes)
            await refused(code, client.put_update(encode_update(header, np.zeros(header.d, np.int32)), key))
        await refused("malformed", client.put_update(b"junk", gateways[0]))
        nonce = await client.next_nonce(gateways[0].public_key)
        await refused("too_few_receipts", client.submit(commit_tx(chain_id, gateways[0], nonce, good, bytes(32), ())))

        await no_digest_is_malformed(client)

    assert await here.in_a_round(all_are_refused) == "expired"
    after = await client.task(TASK)
    assert after is not None and after.model_digest == task.model_digest
    with pytest.raises(Rejected, match="not_settled"):
        await client.settlement_proof(TASK, here.number)


async def no_digest_is_malformed(client: ChainClient) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=client_context(client.genesis.keys)) as http:
        answer = await http.get(f"{client.genesis.validators[1].url}/blobs/00")
        assert answer.status_code == 409 and answer.json()["code"] == "malformed"


async def refused(code: str, request: Awaitable[object]) -> None:
    """The request is refused with this code; that the round is over is no verdict on it."""
    with pytest.raises(Rejected) as refusal:
        await request
    if refusal.value.code in TOO_LATE:
        raise refusal.value
    assert refusal.value.code == code


def ends_cleanly(running: LocalNetwork) -> None:
    for process in running.processes.values():
        os.kill(process.pid, signal.SIGTERM)
    assert [process.wait(60) for process in running.processes.values()] == [0, 0, 0, 0]
