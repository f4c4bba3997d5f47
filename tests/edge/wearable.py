"""A wearable in a few lines: a ring of sealed packets that are sent until a sealed ack names them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from salus_edge.config import Settings
from salus_edge.link import Sealer, derive_keys, open_packet, topic
from salus_edge.proto import link_pb2

RESEND_S: Final = 0.4


class Wearable:
    """One device of a gateway, connected while it is entered; the broker keeps its session."""

    def __init__(self, settings: Settings, index: int, port: int) -> None:
        patient, self._port = settings.patients[index], port
        self.device, self._federation = patient.device, settings.genesis.federation
        self._keys = derive_keys(patient.link_secret, settings.genesis.chain_id, patient.device)
        self._sealer = Sealer(self._keys.up, 1)
        self.ring: dict[tuple[int, int], tuple[str, bytes]] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.refused: dict[int, str] = {}
        self.commands: list[link_pb2.Command] = []
        self.releases: list[bytes] = []
        self.acks = 0
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=self.device, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._heard
        self._client.on_connect = self._subscribe

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port, keepalive=5)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def topic(self, kind: str) -> str:
        return topic(self._federation, self.device, kind)

    def say(self, kind: str, plaintext: bytes) -> tuple[str, bytes]:
        """Seal once, keep, send; (topic, payload)."""
        where = self.topic(kind)
        with self._lock:
            sealed = self._sealer.seal(where, plaintext)
            self.ring[sealed.boot, sealed.sequence] = (where, sealed.payload)
            self.sent.append((where, sealed.payload))
        self.publish(where, sealed.payload)
        return where, sealed.payload

    def publish(self, where: str, payload: bytes) -> None:
        """What anyone could do who has the broker's address."""
        self._client.publish(where, payload, qos=1, retain=where.endswith("/state"))

    def send_again(self) -> None:
        """What waits for an ack."""
        with self._lock:
            waiting = list(self.ring.values())
        for where, payload in waiting:
            self.publish(where, payload)

    def replay(self) -> None:
        """Everything that was ever sent, the last packet first."""
        for where, payload in reversed(self.sent):
            self.publish(where, payload)

    def drain(self, until: Callable[[], bool] | None = None, timeout_s: float = 25.0) -> None:
        """Send what waits again and again, until `until` or the ring is empty. Raises TimeoutError."""
        reached = until or (lambda: not self.ring)
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.device}: {len(self.ring)} packets wait after {timeout_s} s")
            self.send_again()
            pause = time.monotonic() + RESEND_S
            while time.monotonic() < pause and not reached():
                time.sleep(0.02)

    def drain_acks(self, count: int) -> None:
        """Until `count` more acknowledgements came, or nothing waits for one."""
        wanted = self.acks + count
        self.drain(lambda: self.acks >= wanted or not self.ring)

    def _subscribe(self, client: Client, *_: object) -> None:
        for kind in ("ack", "command", "release"):
            client.subscribe(self.topic(kind), qos=1)

    def _heard(self, client: Client, data: object, message: MQTTMessage) -> None:
        plaintext = open_packet(self._keys.down, message.topic, bytes(message.payload)).plaintext
        match message.topic.rsplit("/", 1)[1]:
            case "command":
                self.commands.append(link_pb2.Command.FromString(plaintext))
            case "release":
                self.releases.append(plaintext)
            case _:
                self._delete(link_pb2.Ack.FromString(plaintext))

    def _delete(self, ack: link_pb2.Ack) -> None:
        with self._lock:
            self.acks += 1
            for refusal in ack.refusals:
                self.refused[refusal.sequence] = refusal.code
                self.ring.pop((refusal.boot, refusal.sequence), None)
            for span in ack.ranges:
                for sequence in range(span.first_sequence, span.last_sequence + 1):
                    self.ring.pop((span.boot, sequence), None)
