"""A wearable in a few lines: a ring of sealed packets that are sent until a sealed ack names them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from salus_edge.config import Settings
from salus_edge.link import Sealer, derive_keys, open_packet, topic
from salus_edge.proto import link_pb2


class Wearable:
    """One device of a gateway, connected to the broker while it is entered."""

    def __init__(self, settings: Settings, index: int, port: int) -> None:
        patient, self._port = settings.patients[index], port
        self.device, self._federation = patient.device, settings.genesis.federation
        self._keys = derive_keys(patient.link_secret, settings.genesis.chain_id, patient.device)
        self._sealer = Sealer(self._keys.up, 1)
        self.ring: dict[tuple[int, int], tuple[str, bytes]] = {}
        self.refused: dict[int, str] = {}
        self.commands: list[link_pb2.Command] = []
        self.releases: list[bytes] = []
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self.device)
        self._client.on_message = self._heard
        self._client.on_connect = self._subscribe

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.loop_stop()
        self._client.disconnect()

    def topic(self, kind: str) -> str:
        return topic(self._federation, self.device, kind)

    def say(self, kind: str, plaintext: bytes) -> None:
        """Seal once, keep, send."""
        where = self.topic(kind)
        sealed = self._sealer.seal(where, plaintext)
        with self._lock:
            self.ring[sealed.boot, sealed.sequence] = (where, sealed.payload)
        self.publish(where, sealed.payload)

    def publish(self, where: str, payload: bytes) -> None:
        self._client.publish(where, payload, qos=1, retain=where.endswith("/state"))

    def send_again(self) -> None:
        """What waits for an ack."""
        with self._lock:
            waiting = list(self.ring.values())
        for where, payload in waiting:
            self.publish(where, payload)

    def _subscribe(self, client: mqtt.Client, *_: object) -> None:
        for kind in ("ack", "command", "release"):
            client.subscribe(self.topic(kind), qos=1)

    def _heard(self, client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        opened = open_packet(self._keys.down, message.topic, bytes(message.payload))
        if message.topic.endswith("/command"):
            self.commands.append(link_pb2.Command.FromString(opened.plaintext))
            return
        if message.topic.endswith("/release"):
            self.releases.append(opened.plaintext)
            return
        ack = link_pb2.Ack.FromString(opened.plaintext)
        with self._lock:
            for refusal in ack.refusals:
                self.refused[refusal.sequence] = refusal.code
                self.ring.pop((refusal.boot, refusal.sequence), None)
            for span in ack.ranges:
                for sequence in range(span.first_sequence, span.last_sequence + 1):
                    self.ring.pop((span.boot, sequence), None)
