"""Clients that write consents one after another, change to another validator when one fails, and forget nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from salus_chain import PemSigner, Rejected, Unreachable, consent_tx
from tests.chain.system.breakable import ANSWER_S, PATIENCE_S, BreakableNetwork

TRY_AGAIN: Final = frozenset({"mempool_full", "nonce_gap", "too_fast", "too_many_waiting"})


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A transaction that a validator reported final, how long its client waited for that, and when it heard."""

    tx_id: bytes
    height: int
    latency_s: float
    at_s: float  # monotonic


class Load:
    """One client for each hospital of `writers`, until `stop`."""

    def __init__(self, network: BreakableNetwork, writers: list[int]) -> None:
        self.confirmed: list[Confirmed] = []
        self.refused: list[str] = []
        self._network = network
        self._writers = writers
        self._stopping = False
        self._more = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for writer in self._writers:
                clients.create_task(self._write(writer), name=f"client of hospital {writer}")

    def stop(self) -> None:
        """Each client sees its last transaction final and ends."""
        self._stopping = True

    async def progress(self, count: int, timeout_s: float) -> None:
        """Until this many more are final. Raises TimeoutError."""
        wanted = len(self.confirmed) + count
        async with asyncio.timeout(timeout_s):
            while len(self.confirmed) < wanted:
                await self._more.wait()

    async def _write(self, writer: int) -> None:
        signer = self._network.signer(writer)
        chain_id, turn = self._network.founded.genesis.chain_id, self._network.honest.index(writer)
        nonce = await self._nonce(writer, signer)
        while not self._stopping:
            name = sha256(b"%d %d" % (writer, nonce)).digest()
            data = consent_tx(chain_id, signer, nonce, name, bytes(32))
            began_s = time.monotonic()
            height, turn = await self._see_final(data, turn)
            now_s = time.monotonic()
            self.confirmed.append(Confirmed(sha256(data).digest(), height, now_s - began_s, now_s))
            self._more.set()
            self._more = asyncio.Event()
            nonce += 1

    async def _see_final(self, data: bytes, turn: int) -> tuple[int, int]:
        """Its height, and whose turn it is to be asked first the next time: the validator that answered."""
        seats = self._network.honest
        while True:
            client = self._network.one(seats[turn])
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await client.wait_final(await client.submit(data), ANSWER_S), turn
            except (Unreachable, TimeoutError):
                await asyncio.sleep(0.01)
            except Rejected as refused:
                if refused.code not in TRY_AGAIN:
                    raise
                self.refused.append(refused.code)
                await asyncio.sleep(0.05)
            turn = (turn + 1) % len(seats)

    async def _nonce(self, writer: int, signer: PemSigner) -> int:
        """The first, once its hospital has registered what it registers by itself."""
        wanted = [number for number in range(len(self._network.gateways)) if self._belongs(number, writer)]
        client = self._network.one(writer)
        for number in wanted:
            while await client.gateway(f"gateway-{number}") is None:
                await client.wait_height(await client.height(), 1.0)
        return await client.next_nonce(signer.public_key)

    def _belongs(self, gateway: int, writer: int) -> bool:
        honest = self._network.honest
        return honest[gateway % len(honest)] == writer


@asynccontextmanager
async def under_load(network: BreakableNetwork, writers: list[int]) -> AsyncIterator[Load]:
    """Clients write as long as the context lasts, and see all of it final."""
    load = Load(network, writers)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(), name="load")
        try:
            await load.progress(len(writers), PATIENCE_S)
            yield load
        finally:
            load.stop()
