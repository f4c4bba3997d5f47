"""Members of a small chain, and what each heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from salus_chain.genesis import Validator
from salus_chain.keys import KeySigner
from salus_chain.node.network.link import Limits
from salus_chain.node.network.peers import Peers
from salus_chain.node.network.wire import Frame
from tests.chain.federation import signer
from tests.chain.ports import free_ports

CHAIN = bytes([4]) * 32


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, Frame]] = []
        self.keys: list[bytes] = []

    def received(self, key: bytes, frame: Frame) -> None:
        self.frames.append((key, frame))

    def connected(self, key: bytes) -> None:
        self.keys.append(key)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def members(n: int) -> dict[bytes, Validator]:
    keys = [signer(1 + seat).public_key for seat in range(n)]
    return {
        key: Validator(f"hospital-{seat}", key, f"127.0.0.1:{port}", "")
        for seat, (key, port) in enumerate(zip(keys, free_ports(n), strict=True))
    }


def make(
    known: dict[bytes, Validator],
    seat: int,
    heard: Heard,
    limits: Limits | None = None,
    chain_id: bytes = CHAIN,
    key: KeySigner | None = None,
) -> Peers:
    own = list(known.values())[seat]
    peers = Peers(chain_id, key or signer(1 + seat), own.peer, heard, Random(seat), limits)
    peers.members(known)
    return peers


@asynccontextmanager
async def running(*peers: Peers) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in peers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


KEYS = [signer(1 + seat).public_key for seat in range(4)]


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
