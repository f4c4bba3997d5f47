"""What runs between a start and the next cut: an enrolled wearable with a model, measuring what is injected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.proto.release_pb2 import ReleaseMessage
from salus_edge.errors import Refused
from salus_edge.frontend import Chunk, FrontEnd, State, joined
from salus_edge.link import BootCounter, Connection, Label, Sealer, Will, derive_keys, encode_labels, topic
from salus_edge.proto.console_pb2 import Frame, InjectReply, InjectSamples
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.task import Task
from salus_hil.fake.network import SerialConnection
from salus_hil.virtual.config import Wearable
from salus_hil.virtual.device import Calls, Device
from salus_hil.virtual.engine import load_tflm
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.listener import Listener
from salus_hil.virtual.outbox import Outbox
from salus_hil.virtual.ring import Ring
from salus_hil.virtual.speaker import Speaker

DOWN: Final = ("release", "command", "ack")
SILENCE_S: Final = 2.0

Send = Callable[[Frame], None]


class Session:
    """One boot of one wearable."""

    def __init__(self, task: Task, flash: Flash, boots: BootCounter, config: Wearable, serial: Send | None) -> None:
        file = config.file
        self.task, self.flash, self.boot = task, flash, boots.next()
        self.ring = Ring(flash, file.ring_packets)
        keys = derive_keys(config.link_secret, config.chain_id, file.device)
        self.speaker = Speaker(flash, self.ring, Sealer(keys.up, self.boot), file.federation, file.device)
        self.outbox = Outbox(self.ring, self._publish_packet, self._publish_state, file.ack_timeout_s)
        calls = Calls(self.outbox.stir, self.outbox.state_changed, lambda: None)
        self.device = Device(config, FrontEnd.of(task), flash, self.ring, self.speaker, load_tflm, calls)
        self._per_packet, self.capacity = file.features_per_packet, file.ring_packets
        self._listener = Listener(
            flash, keys.down, file.device, self.device.on_ack, self.device.on_command, self.release
        )
        topics = [topic(file.federation, file.device, kind) for kind in DOWN]
        client, will = f"salus-{file.federation}-{file.device}", Will(self.speaker.topic("state"), b"lost")
        self.serial = (
            SerialConnection(file.mqtt, client, topics, will, self.outbox.reconnected, serial) if serial else None
        )
        self._link: Connection | SerialConnection = self.serial or Connection(
            config.broker, client, topics, will, self.outbox.reconnected
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._front: State | None = None
        self._piece_ms, self._next_sample, self._position = -1, 0, 0
        self._ready = self.device.front_end.none
        self._heard_s = time.monotonic()
        self.heard = 0
        self.windows = 0

    @property
    def connected(self) -> bool:
        return self._link.connected.is_set()

    def connect(self) -> None:
        """Let the link come up, and stay up."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            runs = (self._link.run(self._hear), self.outbox.run(self._link.connected), self._nag())
            self._tasks = [loop.create_task(run) for run in runs]

    def disconnect(self) -> None:
        """Drop the link; the broker says the last will."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    def inject(self, message: InjectSamples) -> InjectReply:
        """Raises Refused: `malformed`, `gap`."""
        values = np.asarray(message.values, np.float64)
        if message.channels != len(self.task.channels) or len(values) % message.channels:
            raise Refused("malformed", f"{len(values)} values of {message.channels} channels")
        samples = values.reshape(-1, message.channels)
        if message.start_ms != self._piece_ms:
            if message.first_sample:
                raise Refused("gap", f"a piece begins with sample 0, not {message.first_sample}")
            self._piece_ms, self._next_sample, self._front = message.start_ms, 0, None
            self._ready = self.device.front_end.none
        if message.first_sample > self._next_sample:
            raise Refused("gap", f"sample {message.first_sample} where {self._next_sample} is next")
        if message.first_sample == self._next_sample:
            self._measure(samples, message.ends_piece)
        return InjectReply(
            next_sample=self._next_sample,
            clock_ms=self.device.clock_ms,
            ring_packets=len(self.ring),
            ring_capacity_packets=self.capacity,
            windows=self.windows,
        )

    def _measure(self, samples: NDArray[np.float64], ends: bool) -> None:
        if len(samples):
            t0_ms = self._piece_ms + self._next_sample * 1000.0 / self.task.rate_hz
            self._front, new = self.device.front_end.step(self._front, Chunk(samples, t0_ms, self.task.rate_hz))
            self._next_sample += len(samples)
            self.windows += len(new.start_ms)
            self._ready = joined(self._ready, new)
        while len(self._ready.start_ms) >= self._per_packet or (ends and len(self._ready.start_ms)):
            group = self._ready.part(slice(self._per_packet))
            self._ready = self._ready.part(slice(self._per_packet, None))
            self._position += len(group.start_ms)
            self.device.measure(group, self._position)

    def say(self, labels: Sequence[Label]) -> None:
        self.speaker.say("label", encode_labels(labels))
        self.outbox.stir()

    def release(self, message: ReleaseMessage) -> ReleaseStatus | None:
        """As if the gateway had sent it; what it hears of it, None when that is nothing."""
        return self.device.on_release(message)

    def stop(self) -> None:
        """As a power cut: the flash stays as it is."""
        self.disconnect()
        self.flash.close()

    async def _hear(self, name: str, payload: bytes) -> None:
        self._listener.hear(name, payload)
        self.heard += 1
        self._heard_s = time.monotonic()
        self.outbox.stir()

    async def _nag(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_S / 4)
            if time.monotonic() - self._heard_s > SILENCE_S and self.connected:
                self.device.repeat_release_status()
                self.outbox.stir()
                self._heard_s = time.monotonic()

    async def _publish_packet(self, kind: str, payload: bytes) -> None:
        await self._link.publish(self.speaker.topic(kind), payload)

    async def _publish_state(self) -> None:
        await self._link.publish(self.speaker.topic("state"), self.device.say_state(False), retain=True)
