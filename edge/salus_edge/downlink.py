"""Sealing and publishing what the gateway says to its wearables."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

import structlog

from salus_edge.link import NotConnected, Sealer, topic

log = structlog.get_logger(__name__)


class Publish(Protocol):
    """Hands a payload to the broker. Raises NotConnected."""

    def __call__(self, topic: str, payload: bytes) -> Awaitable[None]: ...


class Downlink:
    """One sealer per device; a boot number is used in one process only."""

    def __init__(self, publish: Publish, federation: str, keys: Mapping[str, bytes], boot: int) -> None:
        self._publish, self._federation = publish, federation
        self._sealers = {device: Sealer(key, boot) for device, key in keys.items()}

    async def send(self, device: str, kind: str, plaintext: bytes) -> bool:
        """Whether the broker has it; when not, the wearable asks or sends again."""
        where = topic(self._federation, device, kind)
        try:
            await self._publish(where, self._sealers[device].seal(where, plaintext).payload)
        except NotConnected as error:
            log.info("not_sent", device=device, kind=kind, why=str(error))
            return False
        return True
