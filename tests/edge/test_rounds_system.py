"""A gateway, four validators and a broker as real processes: rounds, a release, and the gateway killed in between."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from salus.broker import start_broker
from salus.errors import MissingToolError
from salus.processes import Processes, free_ports, listening
from salus_chain.aggregation.aggregate import apply_aggregate
from salus_chain.candidates import Candidate, ModelCandidate
from salus_chain.client import ChainClient, open_round_tx
from salus_chain.fixed import SCALE, Int32s
from salus_chain.founding import Founded, init_chain
from salus_chain.genesis import Policy
from salus_chain.keys import PemSigner
from salus_chain.layout import Group
from salus_chain.node.validator import GatewaySeat
from salus_chain.proto import release_pb2
from salus_chain.rules.transactions import OpenRound
from salus_chain.updates import decode_update, update_digest
from salus_chain.views import RoundView
from salus_coordinator.model import package as model_package
from salus_coordinator.model.service import Builder
from salus_coordinator.order import Order
from salus_coordinator.releases import sign_release
from salus_edge.config import Settings, read_settings
from salus_edge.evaluate import Score
from salus_edge.link import FeatureBatch, Label, WindowBatch, encode_labels
from salus_edge.proto import link_pb2
from salus_edge.recompute import recompute
from salus_edge.store import Database, features, models, rounds
from salus_edge.store.rounds import RoundRecord
from salus_edge.training.schedules import Parameters
from tests.edge.people import CLASSES, make_windows
from tests.edge.wearable import Wearable
from tests.edge.world import CONSENT, START_MS, WINDOW_MS, write_world

pytestmark = [pytest.mark.system, pytest.mark.timeout(110)]

COUNT = 60  # windows of each label source
PARAMETERS = Parameters(shared_epochs=3, personal_epochs=5, lr_shared=0.01, lr_personal=0.05, momentum=0.9, clip=2.0)


@dataclass
class Ward:
    """Everything that runs, and the coordinator's hands."""

    processes: Processes
    settings: Settings
    founded: Founded
    client: ChainClient
    wearable: Wearable

    def start_gateway(self) -> None:
        command = [sys.executable, "-m", "salus_edge", "run", str(self.settings.path)]
        self.processes.start("gateway", command)

    def kill_gateway(self) -> None:
        child = self.processes.children.pop("gateway")
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()

    async def approve(self, candidate: Candidate) -> None:
        await self.client.wait_final(await self.client.submit(await self.client.approve(candidate)), 20)

    async def approve_model(self, task: str) -> None:
        package = self.settings.package
        model = package.fixed.astype("<i4").tobytes()
        await self.approve(ModelCandidate(task, package.layout.to_json(), package.program_digest, model))

    async def release(self, base: bytes, manifest: bytes) -> None:
        signer = PemSigner.load(self.founded.release_key)
        await self.approve(sign_release(signer, self.founded.genesis.chain_id, manifest, base))

    async def open(
        self, task: str, number: int, kind: str, algorithm: str, groups: tuple[Group, ...], base: bytes
    ) -> None:
        signer, package = PemSigner.load(self.founded.coordinator_key), self.settings.package
        deadline_ms = time.time_ns() // 1_000_000 + 8_000
        body = OpenRound(
            task,
            number,
            kind,
            base,
            package.program_digest,
            package.layout.names(groups),
            algorithm,
            PARAMETERS.to_chain(),
            "clipped_mean",
            2 * SCALE,
            1,
            100,
            deadline_ms,
            deadline_ms + 20_000,
        )
        nonce = await self.client.next_nonce(signer.public_key)
        tx = open_round_tx(self.founded.genesis.chain_id, signer, nonce, body)
        await self.client.wait_final(await self.client.submit(tx), 10)

    async def settled(self, task: str, number: int) -> RoundView:
        """The round once a quorum settled it."""
        async with asyncio.timeout(40):
            while True:
                height = await self.client.height()
                view = await self.client.round(task, number)
                if view is not None and view.status in ("settled", "expired"):
                    assert view.status == "settled", f"{view.reason}\n{self.log()}"
                    return view
                await self.client.wait_height(height, 5)

    async def until(self, reached: Callable[[Database], bool], what: str) -> None:
        """Until the gateway's store shows it."""
        deadline = time.monotonic() + 25
        while True:
            if self.settings.store.exists():
                with Database(self.settings.store) as database:
                    if reached(database):
                        return
            assert time.monotonic() < deadline, f"{what} did not come:\n{self.log()}"
            await asyncio.sleep(0.1)

    def record(self, task: str, number: int) -> RoundRecord:
        with Database(self.settings.store) as database:
            found = rounds.record(database, task, number)
        assert found is not None
        return found

    def log(self) -> str:
        return (self.processes.logs / "gateway.log").read_text()[-3_000:]


@pytest.fixture
async def ward(tmp_path: Path, package_folder: Path) -> AsyncIterator[Ward]:
    broker_port, *ports = free_ports(9)
    gateway_key = PemSigner.generate(tmp_path / "keys" / "gateway.pem").public_key.hex()
    founded = init_chain(
        tmp_path,
        federation="test",
        ports=ports,
        policy=Policy(min_updates=1, min_duration_ms=500),
        gateways={0: [GatewaySeat(id="gateway-0", public_key=gateway_key, patients=2)]},
        test=True,
    )
    settings = read_settings(write_world(tmp_path, package_folder, f"mqtt://127.0.0.1:{broker_port}"))
    with Processes(tmp_path / "logs") as processes:
        try:
            start_broker(processes, tmp_path / "broker", broker_port)
        except MissingToolError as error:
            pytest.skip(str(error))
        for path in founded.validators:
            processes.start(path.parent.name, [sys.executable, "-m", "salus_chain", "run", str(path)])
        processes.wait_until(lambda: all(map(listening, ports)), "validators", 30)
        with Wearable(settings, 0, broker_port) as wearable:
            async with ChainClient(founded.genesis) as client:
                yield Ward(processes, settings, founded, client, wearable)


def live(ward: Ward, base: bytes, manifest: bytes, version: int, first: int, source: str) -> None:
    """Anna's wearable sends features of `base`, windows (unless they only score) and labels of `COUNT` windows."""
    truth = np.random.default_rng(first).integers(0, len(CLASSES), COUNT)
    windows = make_windows(truth, np.random.default_rng(first + 1), twist=0.4)
    starts = START_MS + (first + np.arange(COUNT, dtype=np.int64)) * WINDOW_MS
    values = recompute(base, manifest, windows)
    none = np.empty((COUNT, 0), np.int16)
    batch = FeatureBatch("wave", version, sha256(base).digest(), starts, WINDOW_MS, values, none)
    ward.wearable.say("feature", batch.encode())
    if source != "reference":
        ward.wearable.say("window", WindowBatch("wave", starts, WINDOW_MS, windows, CONSENT).encode())
    labels = [
        Label(f"{source}-{at}", int(start), int(start) + WINDOW_MS, CLASSES[label], source, "wave")
        for at, (start, label) in enumerate(zip(starts, truth, strict=True))
    ]
    ward.wearable.say("label", encode_labels(labels))
    ward.wearable.drain()


def check_settled(ward: Ward, view: RoundView, before: Int32s, after: Int32s) -> None:
    """The settled model is the one before plus the gateway's own update, as the gateway stored it."""
    record = ward.record(view.task, view.round)
    assert record.file is not None
    assert view.commits == {"gateway-0": update_digest(record.file)}
    header, values = decode_update(record.file)
    assert header.weight == 1  # one of two patients has data
    layout = ward.settings.package.layout
    indices = layout.indices(view.open.variables)
    moved = apply_aggregate(before, values, indices)
    assert np.abs(after.astype(np.int64) - moved).max() <= 1  # of one step, where the validators clip by rounding
    others = np.delete(np.arange(layout.size), indices)
    assert np.array_equal(after[others], before[others])


async def take_release(ward: Ward, version: int) -> bytes:
    """Play the wearable: take the offer and all chunks; the model's bytes."""
    wearable, got = ward.wearable, bytearray()
    deadline = time.monotonic() + 20

    def messages() -> list[release_pb2.ReleaseMessage]:
        return [release_pb2.ReleaseMessage.FromString(each) for each in list(wearable.releases)]

    while not any(each.HasField("offer") for each in messages()):
        assert time.monotonic() < deadline, f"no offer:\n{ward.log()}"
        await asyncio.sleep(0.05)
    offer = next(each.offer for each in reversed(messages()) if each.HasField("offer"))
    manifest = release_pb2.Manifest.FromString(offer.manifest)
    assert manifest.version == version
    while len(got) < manifest.size_bytes:
        assert time.monotonic() < deadline, f"{len(got)} of {manifest.size_bytes} bytes came:\n{ward.log()}"
        said = link_pb2.ReleaseStatus(version=version, progress=link_pb2.ReleaseStatus.RECEIVING, next_offset=len(got))
        event = link_pb2.Event(kind=link_pb2.Event.RELEASE, release=said)
        wearable.say("event", event.SerializeToString())
        before = len(got)
        while len(got) == before and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            for chunk in (each.chunk for each in messages() if each.HasField("chunk")):
                if chunk.sha256 == manifest.sha256 and chunk.offset == len(got):
                    got += chunk.data
    assert sha256(got).digest() == manifest.sha256
    return bytes(got)


def state(base: bytes, version: int, kind: str = "ONLINE") -> bytes:
    link = link_pb2.State.Link.Value(kind)
    said = link_pb2.State(
        link=link, task="wave", model_version=version, base_sha256=base, clock_ms=START_MS, calibrating=version == 1
    )
    return said.SerializeToString()


async def test_a_gateways_life_with_a_federation(ward: Ward) -> None:
    package = ward.settings.package
    await ward.approve_model("wave")
    await ward.approve_model("wave-60")
    await ward.release(package.base, package.manifest)
    ward.start_gateway()
    ward.wearable.say("state", state(package.base_sha256, 1))
    live(ward, package.base, package.manifest, 1, 0, "setup")
    await ward.until(lambda database: len(models.releases(database, "wave")) == 1, "release 1")

    # A calibration round on windows; the gateway is killed as soon as its update is on disk.
    task = await ward.client.task("wave")
    assert task is not None
    before = await ward.client.model(task)
    await ward.open("wave", 1, "calibration", "fedavg", ("base", "trunk", "head"), package.base_sha256)
    await ward.until(lambda database: rounds.record(database, "wave", 1) is not None, "an update")
    ward.kill_gateway()
    first = ward.record("wave", 1).file
    ward.start_gateway()
    view = await ward.settled("wave", 1)
    assert ward.record("wave", 1).file == first
    assert view.model_before == task.model_digest
    calibrated = await ward.client.model(view.model_after or b"")
    check_settled(ward, view, before, calibrated)

    # The release that is made from it reaches the wearable; its windows become features of the new base.
    builder = Builder(model_package.read(package.program.parent))
    order = Order(calibrated.astype("<i4").tobytes(), view.model_after or b"", 1, 2, package.base_sha256)
    base, manifest = builder.requantise(order)
    new = sha256(base).digest()
    assert new != package.base_sha256
    await ward.release(base, manifest)
    assert await take_release(ward, 2) == base
    said = link_pb2.ReleaseStatus(version=2, progress=link_pb2.ReleaseStatus.ACTIVE)
    ward.wearable.say("event", link_pb2.Event(kind=link_pb2.Event.RELEASE, release=said).SerializeToString())
    ward.wearable.say("state", state(new, 2))
    await ward.until(lambda database: len(features.read(database, "anna", new)) == COUNT, "recomputed features")

    # Feature rounds of both arms at once on the new base, one of them with the diary's labels too.
    live(ward, base, manifest, 2, COUNT, "diary")
    await ward.open("wave", 2, "feature", "fedrep", ("trunk",), new)
    await ward.open("wave-60", 1, "feature", "fedavg", ("trunk", "head"), new)
    second, arm = await asyncio.gather(ward.settled("wave", 2), ward.settled("wave-60", 1))
    after = await ward.client.model(second.model_after or b"")
    check_settled(ward, second, calibrated, after)
    assert ward.record("wave-60", 1).status in ("committed", "settled")
    assert arm.weights == {"gateway-0": 1}
    await ward.until(lambda database: _model_is(database, "wave", new, second.model_after), "the settled model")
    await ward.until(
        lambda database: models.personal(database, "anna", "wave", new, "predict") is not None, "her own head"
    )

    # Later windows score what was learned; the gateway is stopped, and scored from its store.
    live(ward, base, manifest, 2, 2 * COUNT, "reference")
    child = ward.processes.children["gateway"].process
    child.send_signal(signal.SIGTERM)
    assert child.wait(15) == 0, ward.log()
    scores = evaluate(ward)
    assert {(score.arm, score.algorithm, score.labels) for score in scores} == {
        ("release", "release", ()),
        ("local", "local", ("setup",)),
        ("local", "local", ("setup", "diary")),
        ("wave", "fedrep", ("setup",)),
        ("wave-60", "fedavg", ("setup", "diary")),
    }
    assert {(score.patient, score.windows) for score in scores} == {("anna", COUNT)}
    assert {score.arm: score.train_windows for score in scores}["wave-60"] == 2 * COUNT
    assert all(score.accuracy > 0.4 for score in scores)  # three classes: better than chance, on what none trained


def _model_is(database: Database, arm: str, base: bytes, digest: bytes | None) -> bool:
    found = models.model(database, arm, base)
    return found is not None and found.digest == digest


def evaluate(ward: Ward) -> list[Score]:
    file = ward.settings.path.parent / "scores.json"
    command = [sys.executable, "-m", "salus_edge", "evaluate", str(ward.settings.path), "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [Score(**{**row, "labels": tuple(row["labels"])}) for row in json.loads(file.read_text())]
