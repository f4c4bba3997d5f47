"""What any validator says about the chain, for orientation: nothing here is proven."""

from __future__ import annotations

import time
from typing import Final

from salus_chain.client.asking import Asking
from salus_chain.views import GatewayView, RoundView, Status, TaskView, from_json

POLL_S: Final = 20.0  # the longest that one question waits at a validator


class Reading(Asking):
    """Reads."""

    async def status(self) -> Status:
        return from_json((await self._any("/status")).content, Status)

    async def status_of(self, url: str) -> Status:
        """Of this very validator. Raises Unreachable."""
        return from_json((await self._ask(url.rstrip("/"), "/status")).content, Status)

    async def height(self) -> int:
        return (await self.status()).height

    async def wait_height(self, above: int, timeout_s: float) -> int:
        """The height as soon as it is greater than `above`, or whatever it is after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = min(POLL_S, max(0.0, deadline - time.monotonic()))
            query = {"above": str(above), "timeout_s": f"{wait_s:.3f}"}
            status = from_json((await self._any("/wait", query, wait_s=wait_s)).content, Status)
            if status.height > above or time.monotonic() >= deadline:
                return status.height

    async def next_nonce(self, public_key: bytes) -> int:
        """The nonce for this key's next transaction, counting those that wait in the validator's mempool."""
        return int((await self._any(f"/nonces/{public_key.hex()}")).content)

    async def task(self, task: str) -> TaskView | None:
        answer = await self._maybe("/task", {"task": task})
        return None if answer is None else from_json(answer, TaskView)

    async def round(self, task: str, round: int) -> RoundView | None:
        answer = await self._maybe("/round", {"task": task, "round": str(round)})
        return None if answer is None else from_json(answer, RoundView)

    async def gateway(self, gateway: str) -> GatewayView | None:
        """A gateway's enrolment; None when no hospital has enrolled it."""
        answer = await self._maybe("/gateway", {"gateway": gateway})
        return None if answer is None else from_json(answer, GatewayView)
