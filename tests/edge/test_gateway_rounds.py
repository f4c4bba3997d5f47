"""A real gateway and a real validator: release, rounds, settlement, and a restart in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from salus.processes import Processes, free_ports, listening
from salus_chain.candidates import RELEASE_DOMAIN, ModelCandidate, ReleaseCandidate
from salus_chain.client import ChainClient, open_round_tx
from salus_chain.fixed import SCALE
from salus_chain.founding import Founded, init_chain
from salus_chain.genesis import Policy
from salus_chain.keys import PemSigner
from salus_chain.node.validator import GatewaySeat
from salus_chain.proto import release_pb2
from salus_chain.rules.transactions import OpenRound
from salus_chain.updates import model_digest, update_digest
from salus_chain.views import RoundView
from salus_edge.config import Settings, read_settings
from salus_edge.evaluate import evaluate
from salus_edge.store import Database, models, rounds
from salus_edge.training.schedules import Parameters
from tests.edge.world import first_model, live, write_world

pytestmark = pytest.mark.system
ROUND = Parameters(shared_epochs=2, personal_epochs=10, lr_shared=0.02, lr_personal=0.1, momentum=0.5, clip=2.0)
PATIENCE_S = 25.0


@dataclass(frozen=True)
class Federation:
    """One hospital, its gateway, and the keys to direct them."""

    founded: Founded
    settings: Settings

    def client(self) -> ChainClient:
        return ChainClient(self.founded.genesis)

    @property
    def coordinator(self) -> PemSigner:
        return PemSigner.load(self.founded.coordinator_key)


@pytest.fixture
def federation(tmp_path: Path, package_folder: Path) -> Iterator[Federation]:
    key = PemSigner.generate(tmp_path / "keys" / "gateway.pem")
    founded = init_chain(
        tmp_path,
        validators=1,
        federation="test",
        ports=free_ports(2),
        policy=Policy(min_updates=1, min_duration_ms=200),
        gateways={0: [GatewaySeat(id="gateway-0", public_key=key.public_key.hex(), patients=2)]},
        test=True,
    )
    settings = read_settings(write_world(tmp_path, package_folder))
    with Processes(tmp_path / "logs") as processes:
        path = os.pathsep.join(sys.path)
        command = [sys.executable, "-m", "salus_chain", "run", str(founded.validators[0])]
        processes.start("validator", command, environment={"PYTHONPATH": path})
        port = int(founded.genesis.validators[0].url.rsplit(":", 1)[1])
        processes.wait_until(lambda: listening(port), "the validator", 20)
        yield Federation(founded, settings)


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with (settings.path.parent / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "salus_edge", "run", str(settings.path)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until(ask: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await ask():
        assert time.monotonic() < deadline, f"{what} did not come"
        await asyncio.sleep(0.05)


async def approve(federation: Federation, client: ChainClient) -> None:
    """The first model of both arms, and release 1 of the main task."""
    package = federation.settings.package
    values = first_model(federation.settings).astype("<i4").tobytes()
    for arm in federation.settings.arms:
        candidate = ModelCandidate(arm.task, package.layout.to_json(), package.program_digest, values)
        await client.wait_final(await client.submit(await client.approve(candidate)), PATIENCE_S)
    manifest = release_pb2.Manifest.FromString(package.manifest)
    manifest.chain_id = federation.founded.genesis.chain_id
    manifest.settled_model_digest = model_digest(package.layout.digest, first_model(federation.settings))
    data = manifest.SerializeToString(deterministic=True)
    signature = PemSigner.load(federation.founded.release_key).sign(RELEASE_DOMAIN, data)
    signed = release_pb2.SignedManifest(manifest=data, signature=signature).SerializeToString()
    tx = await client.approve(ReleaseCandidate(signed, package.base))
    await client.wait_final(await client.submit(tx), PATIENCE_S)


async def open_round(
    federation: Federation, client: ChainClient, task: str, number: int, algorithm: str, open_s: float = 9.0
) -> None:
    package = federation.settings.package
    groups = ("trunk",) if algorithm == "fedrep" else ("trunk", "head")
    deadline_ms = time.time_ns() // 1_000_000 + round(open_s * 1000)
    body = OpenRound(
        task,
        number,
        "feature",
        package.base_sha256,
        package.program_digest,
        package.layout.names(groups),  # type: ignore[arg-type]
        algorithm,
        ROUND.to_chain(),
        "clipped_mean",
        2 * SCALE,
        1,
        100,
        deadline_ms,
        deadline_ms + 20_000,
    )
    signer = federation.coordinator
    nonce = await client.next_nonce(signer.public_key)
    tx = open_round_tx(federation.founded.genesis.chain_id, signer, nonce, body)
    await client.wait_final(await client.submit(tx), PATIENCE_S)


async def ended(client: ChainClient, task: str, number: int) -> RoundView:
    async def over() -> bool:
        view = await client.round(task, number)
        return view is not None and view.status in ("settled", "expired")

    await until(over, f"the end of round {number} of {task}")
    view = await client.round(task, number)
    assert view is not None
    return view


async def test_both_arms_settle_and_are_taken_over(federation: Federation) -> None:
    settings, base = federation.settings, federation.settings.package.base_sha256
    with Database(settings.store) as database:
        live(settings, database, "anna", ("setup", "diary", "reference"), twist=0.6)
        live(settings, database, "bert", ("setup", "diary", "reference"), twist=-0.6)
    async with federation.client() as client:
        await approve(federation, client)
        settings.boot_counter.write_text("0\n")
        with running(settings) as gateway:
            await open_round(federation, client, "wave", 1, "fedrep")
            await open_round(federation, client, "wave-60", 1, "fedavg")
            views = [await ended(client, task, 1) for task in ("wave", "wave-60")]
            assert [view.status for view in views] == ["settled", "settled"]
            assert [dict(view.weights) for view in views] == [{"gateway-0": 2}] * 2
            with Database(settings.store) as database:

                async def taken_over() -> bool:
                    found = [models.model(database, view.task, base) for view in views]
                    digests = [each.digest if each else b"" for each in found]
                    return digests == [view.model_after for view in views]

                await until(taken_over, "the settled models")
                await open_round(federation, client, "wave", 2, "fedrep")
                assert (await ended(client, "wave", 2)).status == "settled"
            gateway.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(gateway.wait, 10) == 0
    with Database(settings.store) as database:
        assert rounds.records(database, "wave")[0].status == "settled"
        assert models.releases(database, "wave")[0].base == base
        scores = {(each.patient, each.arm, each.labels): each for each in evaluate(settings, database)}
        assert {arm for _, arm, _ in scores} == {"release", "local", "wave", "wave-60"}
        assert scores["anna", "wave", ("setup",)].algorithm == "fedrep"
        assert scores["anna", "wave-60", ("setup", "diary")].train_windows == 120
        assert scores["anna", "release", ()].train_windows == 0
        assert all(each.windows == 60 for each in scores.values())


async def test_killed_after_training_it_sends_the_same_bytes(federation: Federation) -> None:
    settings = federation.settings
    with Database(settings.store) as database:
        live(settings, database, "anna")
        live(settings, database, "bert")
    settings.boot_counter.write_text("0\n")
    async with federation.client() as client:
        await approve(federation, client)
        await open_round(federation, client, "wave", 1, "fedrep", open_s=12.0)
        with running(settings) as gateway, Database(settings.store) as database:

            async def trained() -> bool:
                record = rounds.record(database, "wave", 1)
                return record is not None and record.file is not None

            await until(trained, "the update")
            gateway.kill()
            record = rounds.record(database, "wave", 1)
            assert record is not None
            assert record.file is not None
        with Database(settings.store) as database:
            live(settings, database, "anna", ("setup", "diary"), twist=1.0)  # other data by now
        with running(settings):
            view = await ended(client, "wave", 1)
        assert view.status == "settled"
        assert view.commits == {"gateway-0": update_digest(record.file)}
        assert sha256(record.file).digest() == view.commits["gateway-0"]


async def test_without_labels_it_sits_out(federation: Federation) -> None:
    settings = federation.settings
    async with federation.client() as client:
        await approve(federation, client)
        settings.boot_counter.write_text("0\n")
        with Database(settings.store) as database, running(settings):
            await open_round(federation, client, "wave", 1, "fedrep", open_s=5.0)

            async def noted() -> bool:
                return rounds.record(database, "wave", 1) is not None

            await until(noted, "the record of the round")
            record = rounds.record(database, "wave", 1)
            assert record is not None
            assert (record.status, record.reason) == ("sat_out", "no labelled data")
            view = await ended(client, "wave", 1)
            assert (view.status, view.reason) == ("expired", "too_few_updates")
