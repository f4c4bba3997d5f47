"""Everything the wearable hears: opened, checked against replay, and carried out in one transaction."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from salus_chain.proto.release_pb2 import ReleaseMessage
from salus_edge.errors import Refused
from salus_edge.link.messages import read
from salus_edge.link.seal import Opened, open_packet
from salus_edge.link.topics import parse
from salus_edge.proto.link_pb2 import Ack, Command
from salus_hil.virtual.flash import Flash

log = structlog.get_logger(__name__)

Act = Callable[[bytes], object]


class Listener:
    """Opens downward packets; `on_*` carry them out, and may raise Refused, which changes nothing."""

    def __init__(
        self,
        flash: Flash,
        key: bytes,
        device: str,
        on_ack: Callable[[Ack], None],
        on_command: Callable[[Command], None],
        on_release: Callable[[ReleaseMessage], object],
    ) -> None:
        self._flash, self._key, self._device = flash, key, device
        self._acts: dict[str, Act] = {
            "ack": lambda data: on_ack(read(Ack, data)),
            "command": lambda data: on_command(read(Command, data)),
            "release": lambda data: on_release(read(ReleaseMessage, data)),
        }

    def hear(self, topic: str, payload: bytes) -> None:
        """Carry out one packet, or refuse, count and log it."""
        try:
            kind = parse(topic).kind
            opened = open_packet(self._key, topic, payload)
            with self._flash.transaction():
                self._accept(kind, opened)
                self._acts[kind](opened.plaintext)
        except Refused as error:
            self._flash.add(f"refused {error.code}", 1)
            log.warning("refused", device=self._device, topic=topic, code=error.code, reason=error.reason)

    def _accept(self, kind: str, opened: Opened) -> None:
        """Raises Refused `replayed` unless the packet is newer than every one before on its topic.

        Each topic for itself: MQTT keeps order within a topic only, and a packet opens on no other than its own.
        """
        newest = self._flash.counter(f"heard {kind} boot"), self._flash.counter(f"heard {kind} sequence")
        if (opened.boot, opened.sequence) <= newest:
            raise Refused("replayed", f"packet {opened.boot}/{opened.sequence} is not newer than {newest}")
        if opened.sequence >= 1 << 63:
            raise Refused("malformed", f"sequence {opened.sequence} cannot be kept")
        self._flash.set(f"heard {kind} boot", opened.boot)
        self._flash.set(f"heard {kind} sequence", opened.sequence)
