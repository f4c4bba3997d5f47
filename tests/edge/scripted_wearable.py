"""A scripted wearable: seals once, keeps each packet until a sealed ack names it, sends again until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from salus_edge.errors import Refused
from salus_edge.link import Sealer, derive_keys, open_packet, topic
from salus_edge.proto import link_pb2

RESEND_S = 0.4


class ScriptedWearable:
    """One device on 127.0.0.1. `heard` are the plaintexts of its other downward topics, with their kinds."""

    def __init__(self, port: int, federation: str, device: str, secret: bytes, chain_id: bytes) -> None:
        self._federation, self._device = federation, device
        self._keys = derive_keys(secret, chain_id, device)
        self._sealer = Sealer(self._keys.up, boot=1)
        self._lock = threading.Lock()
        self.ring: dict[tuple[int, int], tuple[str, bytes]] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.refusals: dict[int, str] = {}
        self.heard: list[tuple[str, bytes]] = []
        self.acks = 0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic("+"), qos=1)
        self._client.on_message = self._hear
        self._client.connect_async("127.0.0.1", port, keepalive=5)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, kind: str, plaintext: bytes) -> tuple[str, bytes]:
        """Seal a packet, keep it in the ring, publish it; (topic, payload)."""
        where = topic(self._federation, self._device, kind)
        with self._lock:
            sealed = self._sealer.seal(where, plaintext)
            self.ring[sealed.boot, sealed.sequence] = (where, sealed.payload)
            self.sent.append((where, sealed.payload))
        self.publish(where, sealed.payload)
        return where, sealed.payload

    def publish(self, where: str, payload: bytes) -> None:
        """What anyone could do who has the broker's address."""
        self._client.publish(where, payload, qos=1, retain=where.endswith("/state"))

    def replay(self) -> None:
        """Everything that was ever sent, the last packet first."""
        for where, payload in reversed(self.sent):
            self.publish(where, payload)

    def drain(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Send what is not acknowledged again and again until `until`. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while not until():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.ring)} packets are not acknowledged after {timeout_s} s")
            with self._lock:
                waiting = list(self.ring.values())
            for where, payload in waiting:
                self.publish(where, payload)
            pause = time.monotonic() + RESEND_S
            while time.monotonic() < pause and not until():
                time.sleep(0.02)

    def drain_acks(self, count: int, timeout_s: float) -> None:
        """Until `count` more acknowledgements came, or nothing is left to acknowledge."""
        wanted = self.acks + count
        self.drain(lambda: self.acks >= wanted or self.empty(), timeout_s)

    def empty(self) -> bool:
        with self._lock:
            return not self.ring

    def _topic(self, kind: str) -> str:
        return f"salus/1/{self._federation}/{self._device}/{kind}"

    def _hear(self, client: Client, data: object, message: MQTTMessage) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        if kind not in ("ack", "command", "release"):
            return
        try:
            plaintext = open_packet(self._keys.down, message.topic, bytes(message.payload)).plaintext
        except Refused:
            return
        if kind == "ack":
            self._delete(link_pb2.Ack.FromString(plaintext))
        else:
            self.heard.append((kind, plaintext))

    def _delete(self, ack: link_pb2.Ack) -> None:
        with self._lock:
            self.acks += 1
            for each in ack.ranges:
                for sequence in range(each.first_sequence, each.last_sequence + 1):
                    self.ring.pop((each.boot, sequence), None)
            for refusal in ack.refusals:
                self.ring.pop((refusal.boot, refusal.sequence), None)
                self.refusals[refusal.sequence] = refusal.code
