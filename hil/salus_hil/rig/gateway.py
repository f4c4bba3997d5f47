"""A small gateway for one wearable: opens, remembers and acknowledges what it hears; commands, and sends releases.

It is the test's side of the link, on a thread of its own; `wait` is how a test waits for what it expects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from salus_edge.errors import Refused
from salus_edge.link import FeatureBatch, Label, Sealer, WindowBatch, decode_labels, open_packet
from salus_edge.link.release_sender import Transfer, next_messages
from salus_edge.link.topics import UPWARD, parse
from salus_edge.proto.link_pb2 import Ack, Calibrate, Command, Event, Range, Refusal, ReleaseStatus, RequestState, State
from salus_hil.errors import RigError
from salus_hil.rig.broker import Mosquitto
from salus_hil.rig.identity import Identity

WAIT_S: Final = 20.0
LOST: Final = b"lost"  # the wearable's last will

Key = tuple[int, int]


class RigGateway:
    """What it heard is in the lists below, each packet once; `raw` holds every payload as it came."""

    def __init__(self, broker: Mosquitto, identity: Identity) -> None:
        self.identity = identity
        self.acking = True
        self.refusing = ""  # a code: refuse every packet with it
        self.seen: dict[Key, str] = {}
        self.duplicates = 0
        self.unopened: list[Refused] = []
        self.lost = 0
        self.raw: list[tuple[str, bytes]] = []
        self.features: list[FeatureBatch] = []
        self.windows: list[WindowBatch] = []
        self.labels: list[Label] = []
        self.states: list[State] = []
        self.events: list[Event] = []
        self._keys, self._sealer = identity.keys, Sealer(identity.keys.down, 1)
        self._transfer: Transfer | None = None
        self._changed = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"gateway-{identity.device}", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_message = self._heard
        self._port = broker.port
        self._there = False

    def __enter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self._port, keepalive=10)
        self._client.loop_start()
        self.wait(lambda: self._there, "the gateway's own connection to the broker")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def statuses(self) -> list[ReleaseStatus]:
        """What the wearable said of releases, in order."""
        return [event.release for event in self.events if event.kind == Event.RELEASE]

    @property
    def feature_count(self) -> int:
        return sum(len(batch.start_ms) for batch in self.features)

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
        """Until something heard makes it true. Raises RigError, which names `what`."""
        with self._changed:
            deadline = time.monotonic() + timeout_s
            while not holds():
                left_s = deadline - time.monotonic()
                if left_s <= 0.0 or (not self._changed.wait(min(left_s, 1.0)) and time.monotonic() >= deadline):
                    raise RigError(f"{what}: not within {timeout_s:g} s; heard {self.heard()}")

    def heard(self) -> str:
        """How much of what, for messages."""
        kinds = list(self.seen.values())
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in UPWARD) + f", {len(self.unopened)} unreadable"

    def send(self, kind: str, plaintext: bytes) -> bytes:
        """Seal and publish; the payload, for a test that says it again."""
        name = self.identity.topic(kind)
        with self._changed:
            payload = self._sealer.seal(name, plaintext).payload
        self.publish(name, payload)
        return payload

    def publish(self, name: str, payload: bytes, retain: bool = False) -> None:
        """What anyone could do who has the broker's address."""
        self._client.publish(name, payload, qos=1, retain=retain)

    def calibrate(self, until_ms: int, consent: bytes, base_sha256: bytes) -> None:
        """Ask for windows, until the wearable's clock is there; 0 ends it."""
        order = Calibrate(until_ms=until_ms, consent=consent, base_sha256=base_sha256)
        self.send("command", Command(calibrate=order).SerializeToString())

    def request_state(self) -> None:
        self.send("command", Command(request_state=RequestState()).SerializeToString())

    def offer(self, transfer: Transfer) -> None:
        """Offer a release, and send its chunks as the wearable asks for them."""
        with self._changed:
            self._transfer = transfer
        for message in next_messages(transfer, None):
            self.send("release", message)

    def acknowledge_all(self) -> None:
        """Acknowledge everything that was ever heard: after a time with `acking` off."""
        with self._changed:
            keys = sorted(self.seen)
        for first in range(0, len(keys), 64):
            ranges = [Range(boot=b, first_sequence=s, last_sequence=s) for b, s in keys[first : first + 64]]
            self.send("ack", Ack(ranges=ranges).SerializeToString())

    def _connected(self, client: Client, *_: object) -> None:
        for kind in UPWARD:
            client.subscribe(self.identity.topic(kind), qos=1)
        with self._changed:
            self._there = True
            self._changed.notify_all()

    def _heard(self, client: Client, data: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        with self._changed:
            self.raw.append((message.topic, payload))
            answers = self._take(message.topic, payload)
            self._changed.notify_all()
        for kind, plaintext in answers:
            self.send(kind, plaintext)

    def _take(self, name: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Remember it; what to answer."""
        if payload == LOST:
            self.lost += 1
            return []
        try:
            opened = open_packet(self._keys.up, name, payload)
            kind, key = parse(name).kind, (opened.boot, opened.sequence)
            fresh = key not in self.seen
            if fresh:
                self._remember(kind, opened.plaintext)
        except Refused as error:
            self.unopened.append(error)
            return []
        self.seen[key] = kind
        self.duplicates += not fresh
        answers = [("ack", self._ack(key))] if kind != "state" and (self.acking or self.refusing) else []
        if fresh and kind == "event" and self._transfer is not None and self.events[-1].kind == Event.RELEASE:
            chunks = next_messages(self._transfer, self.events[-1].release)
            answers += [("release", message) for message in chunks]
        return answers

    def _ack(self, key: Key) -> bytes:
        boot, sequence = key
        if self.refusing:
            return Ack(refusals=[Refusal(boot=boot, sequence=sequence, code=self.refusing)]).SerializeToString()
        return Ack(ranges=[Range(boot=boot, first_sequence=sequence, last_sequence=sequence)]).SerializeToString()

    def _remember(self, kind: str, data: bytes) -> None:
        match kind:
            case "feature":
                self.features.append(FeatureBatch.decode(data))
            case "window":
                self.windows.append(WindowBatch.decode(data))
            case "label":
                self.labels.extend(decode_labels(data))
            case "state":
                self.states.append(State.FromString(data))
            case _:
                self.events.append(Event.FromString(data))
