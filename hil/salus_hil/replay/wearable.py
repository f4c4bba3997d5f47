"""One wearable's replay: its program, provisioned by its console, its recordings injected piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from salus_chain.proto.release_pb2 import SignedManifest
from salus_coordinator.data import DataSet, Split
from salus_edge.link import Label, encode_labels
from salus_edge.link.release_sender import Transfer, next_messages
from salus_edge.proto import console_pb2 as pb
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_hil.console import Console
from salus_hil.errors import RigError
from salus_hil.replay.place import Place
from salus_hil.replay.report import facts, progress
from salus_hil.rig.frames import piece_frames
from salus_hil.rig.runners import NativeRunner
from salus_hil.virtual import report
from salus_hil.virtual.config import Phase, Wearable
from salus_hil.virtual.schedule import Piece, schedule
from salus_hil.virtual.slots import read_package

READY_S: Final = 30.0
POLL_S: Final = 0.05
LABELS_PER_FRAME: Final = 32
SERIAL_LOG: Final = "serial.log"

log = structlog.get_logger(__name__)


class ReplayedWearable:
    """`run` ends when all phases are replayed and acknowledged. After it was killed, it may be run again: the wearable
    goes on as after a power cut, and what it had not sealed by then is lost."""

    def __init__(self, config: Wearable, dataset: DataSet, program: Path, split: Split | None = None) -> None:
        """Raises ConfigError: no such package or subject."""
        self._config, file = config, config.file
        self._task, self._manifest, self._model = read_package(config.model)
        self._phases = file.replay.phases
        split = split or Split(gap_samples=self._task.window.samples)
        self._plan = schedule(self._task, dataset, file.replay.subject, self._phases, file.replay.start_ms, split)
        self._place = Place.read(config.state)
        self._runner = NativeRunner(program, config.state)
        self._console = Console("", log=config.state / SERIAL_LOG)

    async def run(self) -> None:
        """Replay all phases, wait for every ack, say goodbye, write the report."""
        config, name = self._config, self._config.file.device
        try:
            self._console.url = await asyncio.to_thread(self._runner.start)
            await self._console.wait_ready(READY_S)
            await self._enrol()
            await self._replay()
            said = facts(name, await self._console.statistics())
            await self._console.close()
            await asyncio.to_thread(self._runner.stop)
            report.write(config.state / report.REPORT, said)
            log.info("done", **said)
        finally:
            await self._console.close()
            await asyncio.shield(asyncio.to_thread(self._runner.stop))

    async def _enrol(self) -> None:
        """What a factory and a nurse do, once: who it is, its broker, its first model. Its clock is set at each start:
        it has no battery."""
        console = self._console
        fresh = (await console.hello()).model_version == 0
        if fresh:
            await console.control_link(False)  # its first State is to name its model and its time
        await console.provision(_provision(self._config))
        await console.set_clock(self._place.clock_ms or self._config.file.replay.start_ms)
        if fresh:
            await self._first_model()
            await console.control_link(True)

    async def _first_model(self) -> None:
        """By the console, which a factory has: unsigned, as the package holds it."""
        unsigned = SignedManifest(manifest=self._manifest).SerializeToString(deterministic=True)
        transfer, status = Transfer(unsigned, self._model), None
        messages = next_messages(transfer, None)
        while messages:
            status = ReleaseStatus.FromString(await self._console.release(messages[0]))
            messages = next_messages(transfer, status)
        if status is None or status.progress != ReleaseStatus.ACTIVE:
            why = status.code if status else "it says nothing"
            raise RigError(f"{self._config.file.device}: its first model is refused: {why}")

    async def _replay(self) -> None:
        name, folder, place = self._config.file.device, self._config.state, self._place
        for number in range(place.phase, len(self._phases)):
            phase, pieces = self._phases[number], self._plan[number]
            log.info("phase_waits", device=name, phase=number, after_version=phase.after_version)
            await self._until(lambda said, phase=phase: _may_start(phase, said))  # type: ignore[misc]
            log.info("phase_starts", device=name, phase=number, pieces=len(pieces))
            for index in range(self._place.piece, len(pieces)):
                await self._play(pieces[index])
                self._keep(piece=index + 1, sample=0)
            status = await self._until(lambda said: said.ring_packets == 0)
            self._keep(phase=number + 1, piece=0)
            said = progress(name, number + 1, len(self._phases), status, await self._console.statistics())
            report.write(folder / report.PROGRESS, said)
            log.info("phase_done", **said)

    def _keep(self, **changes: int) -> None:
        self._place = replace(self._place, **changes)
        self._place.keep(self._config.state)

    async def _play(self, piece: Piece) -> None:
        """Inject it and say its labels. What was injected before a restart is not injected again, but as a new piece
        from there on: the place is kept before a frame goes out, so no window is ever made twice."""
        speed, rate_hz = self._config.file.speed, self._task.rate_hz
        done = self._place.sample
        t0_ms, samples = piece.t0_ms + round(done * 1000.0 / rate_hz), piece.samples[done:]
        began_s = time.monotonic()
        for message in piece_frames(samples, t0_ms):
            end = message.first_sample + len(message.values) // message.channels
            if speed:
                await asyncio.sleep(max(0.0, began_s + end / rate_hz / speed - time.monotonic()))
            self._keep(sample=done + end, clock_ms=t0_ms + round(end * 1000.0 / rate_hz))
            reply = await self._console.inject(message)
            if not speed and _full(reply):
                await self._until(lambda said: not _full(said))
        for first in range(0, len(piece.labels), LABELS_PER_FRAME):
            await self._say(piece.labels[first : first + LABELS_PER_FRAME])

    async def _say(self, labels: tuple[Label, ...]) -> None:
        await self._console.say_labels(encode_labels(labels))

    async def _until(self, holds: Callable[[pb.Status], bool]) -> pb.Status:
        """Poll until it is so; for ever, while the wearable answers."""
        while not holds(status := await self._console.status()):  # noqa: ASYNC110  nobody else knows
            await asyncio.sleep(POLL_S)
        return status


def _may_start(phase: Phase, said: pb.Status) -> bool:
    calibrating, personal = said.clock_ms < said.calibrate_until_ms, said.personal_version > 0
    there = (calibrating or not phase.wait_for_calibration) and (personal or not phase.wait_for_personal)
    return there and said.model_version >= phase.after_version


def _full(said: pb.InjectReply | pb.Status) -> bool:
    """Faster than real time the person waits for the ring; in real time nobody waits, and the oldest drop."""
    return said.ring_packets > said.ring_capacity_packets // 2


def _provision(config: Wearable) -> pb.Provision:
    file, broker = config.file, config.broker
    message = pb.Provision(
        device=file.device,
        federation=file.federation,
        broker_url=file.mqtt.split("?")[0],  # its files go as PEM
        chain_id=config.chain_id,
        link_secret=config.link_secret,
        release_public_key=config.release_public_key,
        gateway_public_key=config.gateway_public_key,
        ring_packets=file.ring_packets,
        features_per_packet=file.features_per_packet,
        windows_per_packet=file.windows_per_packet,
        ack_timeout_ms=round(file.ack_timeout_s * 1000),
    )
    if broker.ca:
        message.broker_ca_pem = Path(broker.ca).read_bytes()
    if broker.cert:
        message.client_certificate_pem = Path(broker.cert).read_bytes()
        message.client_key_pem = Path(broker.key).read_bytes()
    return message
