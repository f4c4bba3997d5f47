"""The wearable itself, without its network: what it measures, says, hears and keeps. Synchronous; one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from salus_chain.proto.release_pb2 import ReleaseMessage
from salus_edge.errors import Refused
from salus_edge.frontend import FrontEnd, Windows
from salus_edge.link.messages import Label, encode_labels
from salus_edge.proto.link_pb2 import Ack, Command, Event, ReleaseStatus, State
from salus_hil.virtual.config import Wearable
from salus_hil.virtual.engine import Load
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.measure import RawCost, before, duration_ms, feature_batch, window_packets
from salus_hil.virtual.ring import Ring
from salus_hil.virtual.slots import Slots
from salus_hil.virtual.speaker import Speaker
from salus_hil.virtual.update import Update

LABELS_PER_PACKET = 64
CONSENT_BYTES = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Calls:
    """Whom the device tells: that the ring changed, that its State did, that it heard something."""

    ring_changed: Callable[[], None]
    state_changed: Callable[[], None]
    heard: Callable[[], None]


class Device:
    """Owns the flash. The position in the replay moves in the same transaction as the packets it produced."""

    def __init__(
        self,
        config: Wearable,
        front_end: FrontEnd,
        flash: Flash,
        ring: Ring,
        speaker: Speaker,
        load: Load,
        calls: Calls,
    ) -> None:
        self._config, self._load, self._calls = config, load, calls
        self.front_end, self.flash, self.ring, self._speaker = front_end, flash, ring, speaker
        self.task = front_end.task
        self.slots = Slots(flash)
        self._update = Update(flash, self.slots, self.task, config.release_public_key, config.chain_id, load)
        self._cost = RawCost(speaker.topic("window"))
        self._start_engine()

    @property
    def clock_ms(self) -> int:
        """UTC, as this wearable believes it: the end of what was measured last."""
        return max(self.flash.counter("clock_ms"), self._config.file.replay.start_ms)

    @property
    def calibrating(self) -> bool:
        """Whether windows may leave now, by the consent of the last Calibrate."""
        return self.clock_ms < self.flash.counter("calibrate until_ms")

    def measure(self, windows: Windows, position: int) -> None:
        """Windows become packets, and the replay moves to `position` windows into its piece. Durable on return."""
        was = self.calibrating
        file, until_ms = self._config.file, self.flash.counter("calibrate until_ms")
        length_ms = duration_ms(self.task)
        batch = feature_batch(self.task, self._manifest, self.engine, windows)
        raw_bytes = self._cost.of(self.task, windows, file.windows_per_packet)
        consented = before(windows, until_ms, length_ms)
        consent = self.flash.blob("calibrate consent")
        with self.flash.transaction():
            self._speaker.say("feature", batch.encode())
            for plaintext in window_packets(self.task, consented, file.windows_per_packet, consent):
                self._speaker.say("window", plaintext)
            self.flash.add("features", len(windows.start_ms))
            self.flash.add("windows", len(consented.start_ms))
            self.flash.add("raw_window_bytes", raw_bytes)
            self.flash.set("clock_ms", int(windows.start_ms[-1]) + length_ms)
            self.flash.set("position", position)
        self._calls.ring_changed()
        if was != self.calibrating:
            self._calls.state_changed()

    def end_piece(self, labels: tuple[Label, ...]) -> None:
        """Say the piece's labels and go on to the next. Durable on return."""
        with self.flash.transaction():
            for first in range(0, len(labels), LABELS_PER_PACKET):
                self._speaker.say("label", encode_labels(labels[first : first + LABELS_PER_PACKET]))
            self.flash.add("piece", 1)
            self.flash.set("position", 0)
        self._calls.ring_changed()

    def end_phase(self) -> None:
        """Go on to the next phase. Durable on return."""
        with self.flash.transaction():
            self.flash.add("phase", 1)
            self.flash.set("piece", 0)

    def say_state(self, leaving: bool) -> bytes:
        """The sealed State as of now."""
        state = State(
            link=State.LEAVING if leaving else State.ONLINE,
            task=self.task.name,
            model_version=self._manifest.version,
            base_sha256=self._manifest.sha256,
            ring_packets=len(self.ring),
            dropped_packets=self.ring.dropped,
            clock_ms=self.clock_ms,
            calibrating=self.calibrating,
        )
        return self._speaker.once("state", state.SerializeToString(deterministic=True))

    def repeat_release_status(self) -> None:
        """Say again where a transfer stands, when one is under way."""
        if (status := self._update.status()) is not None:
            self._say_release(status)

    def on_ack(self, ack: Ack) -> None:
        self.ring.acknowledge(ack)

    def on_command(self, command: Command) -> None:
        """Raises Refused: `malformed` (no command, or a Calibrate without consent), `other_base`."""
        which = command.WhichOneof("command")
        if which is None:
            raise Refused("malformed", "a command of no known kind")
        if which == "calibrate":
            consent, until_ms = command.calibrate.consent, command.calibrate.until_ms
            if until_ms and (len(consent) != CONSENT_BYTES or until_ms >= 1 << 63):
                raise Refused("malformed", "calibrate needs a 32-byte consent digest and a time")
            if until_ms and command.calibrate.base_sha256 != self._manifest.sha256:
                raise Refused("other_base", "calibrate is for another base than the active one: nothing is sent")
            self.flash.set("calibrate until_ms", until_ms)
            self.flash.put("calibrate consent", consent)
        self._calls.state_changed()

    def on_release(self, message: ReleaseMessage) -> ReleaseStatus | None:
        """The status that was said of it, if any. Raises Refused `malformed` for a message of no known kind."""
        which = message.WhichOneof("message")
        if which is None:
            raise Refused("malformed", "a release message of no known kind")
        if which == "offer":
            answer = self._update.offer(message.offer)
            self._say_release(answer)
            return answer
        status = self._update.chunk(message.chunk)
        if status is not None:
            self._finish(status)
        return status

    def _finish(self, status: ReleaseStatus) -> None:
        self._say_release(status)
        if status.progress == ReleaseStatus.ACTIVE:
            self.flash.set("calibrate until_ms", 0)  # a base release ends the campaign that led to it
            self._start_engine()
            self._calls.state_changed()

    def _say_release(self, status: ReleaseStatus) -> None:
        event = Event(kind=Event.RELEASE, at_ms=self.clock_ms, code=status.code, release=status)
        self._speaker.say("event", event.SerializeToString(deterministic=True))
        name = ReleaseStatus.Progress.Name(status.progress).lower()
        log.info(
            f"release_{name}",
            device=self._config.file.device,
            version=status.version,
            next_offset=status.next_offset,
            code=status.code,
        )

    def _start_engine(self) -> None:
        slot = self.slots.active
        self._manifest = slot.manifest
        self.engine = self._load(slot.model, self.task.budget.arena_bytes)
