"""Everything the wearable says: sealed once, counted, and kept until the gateway has it."""

from __future__ import annotations

from salus_edge.link.seal import Sealer
from salus_edge.link.topics import topic
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.ring import Ring


class Speaker:
    """Seals for one device in one boot."""

    def __init__(self, flash: Flash, ring: Ring, sealer: Sealer, federation: str, device: str) -> None:
        self._flash, self._ring, self._sealer = flash, ring, sealer
        self._address = (federation, device)

    def say(self, kind: str, plaintext: bytes) -> None:
        """Seal into the ring; durable with the caller's transaction. Raises Refused `too_large`."""
        sealed = self._sealer.seal(self.topic(kind), plaintext)
        with self._flash.transaction():
            self._ring.append(sealed, kind)
            self._flash.add("packets", 1)
            self._flash.add(f"sent {kind}", len(sealed.payload))

    def once(self, kind: str, plaintext: bytes) -> bytes:
        """Seal what is not kept (a State, which the next one replaces): the payload to publish."""
        sealed = self._sealer.seal(self.topic(kind), plaintext)
        with self._flash.transaction():
            self._flash.add(f"sent {kind}", len(sealed.payload))
        return sealed.payload

    def topic(self, kind: str) -> str:
        return topic(*self._address, kind)
