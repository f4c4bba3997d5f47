"""A virtual wearable on the network: one asyncio task that replays a person's day through the real code path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from salus_coordinator.data import DataSet, Split
from salus_edge.frontend import FrontEnd
from salus_edge.link import BootCounter, Connection, Sealer, Will, derive_keys, topic
from salus_hil.errors import FlashError
from salus_hil.virtual import report
from salus_hil.virtual.config import Phase, Wearable
from salus_hil.virtual.device import Calls, Device
from salus_hil.virtual.engine import Load
from salus_hil.virtual.flash import FLASH, Flash
from salus_hil.virtual.listener import Listener
from salus_hil.virtual.measure import groups
from salus_hil.virtual.outbox import Outbox
from salus_hil.virtual.ring import Ring
from salus_hil.virtual.schedule import Piece, schedule
from salus_hil.virtual.slots import Slots, read_package
from salus_hil.virtual.speaker import Speaker

SILENCE_S: Final = 15.0  # of the gateway in a release transfer, before the wearable says where it stands
LEAVE_S: Final = 10.0
DOWN: Final = ("release", "command", "ack")

log = structlog.get_logger(__name__)


class VirtualWearable:
    """Everything of one device. `run` ends when all phases are replayed and acknowledged."""

    def __init__(self, config: Wearable, dataset: DataSet, load: Load, split: Split | None = None) -> None:
        """Read the flash, or provision it on the first start. Raises ConfigError, FlashError, MissingEngine."""
        self._config, file = config, config.file
        task, manifest, model = read_package(config.model)
        keys = derive_keys(config.link_secret, config.chain_id, file.device)
        self._phases = file.replay.phases
        split = split or Split(gap_samples=task.window.samples)
        self._plan = schedule(task, dataset, file.replay.subject, self._phases, file.replay.start_ms, split)
        boots = _boots(config.state)
        self._flash = Flash.open(config.state, file.device.encode() + config.chain_id + config.link_secret)
        Slots(self._flash).provision(manifest, model)
        boot = boots.next()
        ring = Ring(self._flash, file.ring_packets)
        speaker = Speaker(self._flash, ring, Sealer(keys.up, boot), file.federation, file.device)
        self._outbox = Outbox(ring, self._publish_packet, self._publish_state, file.ack_timeout_s)
        self._stirred = asyncio.Event()
        self._heard_s = time.monotonic()
        self._leaving = False
        calls = Calls(self._outbox.stir, self._outbox.state_changed, self._stirred.set)
        self.device = Device(config, FrontEnd.of(task), self._flash, ring, speaker, load, calls)
        device = self.device
        self._listener = Listener(
            self._flash, keys.down, file.device, device.on_ack, device.on_command, device.on_release
        )
        self._speaker = speaker
        self._connection = Connection(
            config.broker,
            f"salus-{file.federation}-{file.device}",
            [topic(file.federation, file.device, kind) for kind in DOWN],
            will=Will(speaker.topic("state"), b"lost"),
            on_connect=self._outbox.reconnected,
        )

    async def run(self) -> None:
        """Replay all phases, wait for every ack, say goodbye, write the report."""
        name = self._config.file.device
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(self._connection.run(self._hear), name=f"{name} link"),
                    group.create_task(self._outbox.run(self._connection.connected), name=f"{name} outbox"),
                    group.create_task(self._nag(), name=f"{name} release"),
                ]
                await self._replay()
                await self._leave()
                for helper in helpers:
                    helper.cancel()
            facts = report.facts(name, self.device, self._outbox.resent)
            report.write(self._config.state / report.REPORT, facts)
            log.info("done", **facts)
        finally:
            self._flash.close()

    async def _replay(self) -> None:
        name, flash = self._config.file.device, self._flash
        for number in range(flash.counter("phase"), len(self._phases)):
            phase = self._phases[number]
            log.info("phase_waits", device=name, phase=number, after_version=phase.after_version)
            await self._until(lambda phase=phase: self._may_start(phase))  # type: ignore[misc]
            log.info("phase_starts", device=name, phase=number, pieces=len(self._plan[number]))
            for piece in self._plan[number][flash.counter("piece") :]:
                await self._play(piece)
            await self._until(lambda: not len(self.device.ring))
            self.device.end_phase()
            progress = report.progress(name, self.device, len(self._phases))
            report.write(self._config.state / report.PROGRESS, progress)
            log.info("phase_done", **progress)
        await self._until(lambda: not len(self.device.ring))

    def _may_start(self, phase: Phase) -> bool:
        version = self.device.slots.active.manifest.version
        return version >= phase.after_version and (self.device.calibrating or not phase.wait_for_calibration)

    async def _play(self, piece: Piece) -> None:
        """Replay a piece from where an earlier start left it: windows already in packets are not said again."""
        file, done = self._config.file, self._flash.counter("position")
        began_s, seen = time.monotonic(), 0
        for group in groups(self.device.front_end, piece, file.features_per_packet):
            seen += len(group.start_ms)
            if seen <= done:
                continue
            if file.speed:
                due_s = (int(group.start_ms[-1]) - piece.t0_ms) / 1000.0 / file.speed
                await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
            else:
                await self._until(self._room)
            self.device.measure(group, seen)
            await asyncio.sleep(0)
        self.device.end_piece(piece.labels)

    def _room(self) -> bool:
        """Faster than real time the person waits for the ring; in real time nobody waits, and the oldest drop."""
        file = self._config.file
        group = 2 + file.features_per_packet // file.windows_per_packet
        return len(self.device.ring) + group <= max(file.ring_packets, group)

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Until something heard makes it true."""
        while not holds():
            self._stirred.clear()
            await self._stirred.wait()

    async def _hear(self, name: str, payload: bytes) -> None:
        self._listener.hear(name, payload)
        self._heard_s = time.monotonic()
        self._outbox.stir()
        self._stirred.set()

    async def _nag(self) -> None:
        """A gateway that was restarted in a transfer is told again where to go on."""
        while True:
            await asyncio.sleep(SILENCE_S / 3)
            if time.monotonic() - self._heard_s > SILENCE_S and self._connection.connected.is_set():
                self.device.repeat_release_status()
                self._outbox.stir()
                self._heard_s = time.monotonic()

    async def _leave(self) -> None:
        """A last State, so that the will's `lost` is not taken for news."""
        self._leaving = True
        self._outbox.state_changed()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._outbox.state_said.wait()
        except TimeoutError:
            log.warning("left_unsaid", device=self._config.file.device)

    async def _publish_packet(self, kind: str, payload: bytes) -> None:
        await self._connection.publish(self._speaker.topic(kind), payload)

    async def _publish_state(self) -> None:
        payload = self.device.say_state(self._leaving)
        await self._connection.publish(self._speaker.topic("state"), payload, retain=True)


def _boots(state: Path) -> BootCounter:
    """The boot counter; made on the very first start, before there is a flash, and never again.

    Raises FlashError when the flash was erased: what it knew of replays is lost, so the link secret must change.
    """
    path, flash = state / "boot", state / FLASH
    if not path.exists() and not flash.exists():
        return BootCounter.create(path)
    if not flash.exists() and path.read_text() != "0\n":
        raise FlashError(f"{flash}: gone, but its boot counter is there; enrol again, in an empty folder")
    return BootCounter(path)
