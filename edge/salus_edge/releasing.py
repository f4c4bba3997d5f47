"""The releases of all wearables of a gateway: the task's base for each, then its patient's personal one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from salus_edge import bases, relay
from salus_edge.config import Patient, Settings
from salus_edge.downlink import Downlink
from salus_edge.link.release_sender import Transfer
from salus_edge.proto.link_pb2 import ReleaseStatus, State
from salus_edge.store import Database, models, personal_releases

LOOK_S: Final = 1.0


class Releasing:
    """A wearable takes one release at a time: a personal one is offered where the newest base runs."""

    def __init__(self, settings: Settings, database: Database, downlink: Downlink, patients: Iterable[Patient]) -> None:
        self._settings, self._database, self._downlink = settings, database, downlink
        self._patients = {each.device: each.patient for each in patients}
        self._bases = dict.fromkeys(self._patients, relay.Peer())
        self._personals = dict.fromkeys(self._patients, relay.Peer())
        self._offer_now = asyncio.Event()

    def offer_soon(self) -> None:
        """There may be a newer release."""
        self._offer_now.set()

    def lost(self, device: str) -> None:
        """The broker lost the wearable."""
        self._bases[device] = relay.on_lost(self._bases[device])
        self._personals[device] = relay.on_lost(self._personals[device])

    async def on_state(self, device: str, state: State) -> None:
        """The wearable came online, or leaves."""
        await self._send(self._bases, device, relay.on_state(self._bases[device], state, self._base(), _now_ms()))
        transfer = self._personal(device)
        step = relay.on_state(self._personals[device], state, transfer, _now_ms(), personal=True)
        await self._send(self._personals, device, step)

    async def on_status(self, device: str, status: ReleaseStatus) -> None:
        """What the wearable says of a release under way."""
        if status.personal:
            step = relay.on_status(self._personals[device], status, self._personal(device), _now_ms())
            await self._send(self._personals, device, step)
            return
        await self._send(self._bases, device, relay.on_status(self._bases[device], status, self._base(), _now_ms()))
        if status.progress == ReleaseStatus.ACTIVE:  # it has dropped the personal one of the base before
            self._personals[device] = relay.Peer(online=True)
            self._offer_now.set()

    async def run(self) -> None:
        """Offer what is new to all who are online, and again where an answer is overdue; for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._offer_now.wait()
            except TimeoutError:
                pass
            decide = relay.offer if self._offer_now.is_set() else relay.on_time
            self._offer_now.clear()
            for device in self._patients:
                await self._send(self._bases, device, decide(self._bases[device], self._base(), _now_ms()))
                personal = self._personal(device)
                await self._send(self._personals, device, decide(self._personals[device], personal, _now_ms()))

    async def _send(self, peers: dict[str, relay.Peer], device: str, step: relay.Step) -> None:
        peers[device] = step.peer
        for message in step.messages:
            if not await self._downlink.send(device, "release", message):
                return

    def _base(self) -> Transfer | None:
        found = models.releases(self._database, self._settings.arms[0].task)
        return Transfer(found[-1].signed_manifest, found[-1].model) if found else None

    def _personal(self, device: str) -> Transfer | None:
        current = bases.current(self._database, self._settings, self._settings.arms[0].task)
        if self._settings.alarm is None or self._bases[device].version != current.version:
            return None
        found = personal_releases.get(self._database, self._patients[device])
        return found.transfer if found is not None and found.base == current.base else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
