"""A federation of processes that is made to fail: what was done to it, and every vote that its members logged."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from salus_chain import ChainClient, ChainError, GatewaySeat, PemSigner, Policy, Unreachable
from salus_chain.bench.network import LocalNetwork, free_ports
from salus_chain.codec import decode, items, octets
from salus_chain.config import beside
from salus_chain.genesis import faults, quorum
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.storage.records import Slot, read_records
from salus_chain.node.validator import read_validator, write_validator
from tests.chain.system.proxy import Proxies

LIAR: Final = Path(__file__).with_name("byzantine.py")
PATIENCE_S: Final = 240.0  # for what takes a second or two on a machine that is not busy
ANSWER_S: Final = 2.0  # a validator that takes longer to answer is taken for down
POLL_S: Final = 0.05
STILL_S: Final = 0.6  # longer than a tick, after which validators say again what may be lost


class BreakableNetwork(LocalNetwork):
    """An asynchronous context. The seats of `liars` are Byzantine processes; gateways belong to the honest seats in
    turn. With `proxied`, what peers say to each other goes through `proxies`.
    """

    def __init__(
        self,
        folder: Path,
        validators: int = 4,
        *,
        gateways: int = 4,
        liars: Sequence[int] = (),
        proxied: bool = False,
        seed: int = 0,
    ) -> None:
        self.liars = tuple(liars)
        self.honest = [seat for seat in range(validators) if seat not in self.liars]
        self.gateways = [PemSigner.generate(folder / f"gateway-{number}.pem") for number in range(gateways)]
        rows: dict[int, list[GatewaySeat]] = {}
        for number, key in enumerate(self.gateways):
            row = GatewaySeat(id=f"gateway-{number}", public_key=key.public_key.hex(), patients=3)
            rows.setdefault(self.honest[number % len(self.honest)], []).append(row)
        super().__init__(folder, validators, policy=Policy(min_duration_ms=100), gateways=rows)
        self.proxies = Proxies(self._behind_proxies() if proxied else {}, self._pids, seed)
        self.paused: set[int] = set()
        self.kills = self.pauses = self.restarts = 0
        self.votes: dict[int, dict[Slot, bytes]] = {seat: {} for seat in self.seats}  # all that were ever logged
        self.outages: list[tuple[float, float]] = []  # when there was no quorum, monotonic
        self._contexts = AsyncExitStack()
        self._clients: dict[int, ChainClient] = {}

    async def __aenter__(self) -> Self:
        await self._contexts.enter_async_context(self.proxies)
        for seat in self.seats:
            self._clients[seat] = await self._contexts.enter_async_context(self.client(seat, timeout_s=ANSWER_S))
            self.launch(seat)
        await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
        await self._contexts.aclose()
        if error is not None:
            print(self.logs())

    @property
    def faults(self) -> int:
        """How many may fail or lie."""
        return faults(len(self.seats))

    @property
    def living(self) -> list[int]:
        """The honest seats whose process runs."""
        return [seat for seat in self.honest if seat in self.processes and seat not in self.paused]

    def signer(self, seat: int) -> PemSigner:
        """The key of a hospital."""
        path = self.founded.validators[seat]
        return PemSigner.load(beside(path, read_validator(path).key))

    def data(self, seat: int) -> Path:
        """The folder of a validator's database and vote log."""
        path = self.founded.validators[seat]
        return beside(path, read_validator(path).folder)

    def one(self, seat: int) -> ChainClient:
        """A client of this validator alone."""
        return self._clients[seat]

    def launch(self, seat: int) -> None:
        """Start a validator, or the liar of that seat."""
        if seat in self.honest:
            self.start(seat)
        else:
            self.start(seat, (str(LIAR),))

    def lie(self, seat: int, *lies: str) -> None:
        """Have the liar of that seat tell these lies from now on; see `byzantine`."""
        self.founded.validators[seat].with_suffix(".lies").write_text(",".join(lies))

    def kill(self, seat: int) -> None:
        super().kill(seat)
        self.paused.discard(seat)
        self.kills += 1
        self.remember_votes(seat)

    def restart(self, seat: int) -> None:
        self.launch(seat)
        self.restarts += 1

    def pause(self, seat: int) -> None:
        super().pause(seat)
        self.paused.add(seat)
        self.pauses += 1

    def go_on(self, seat: int) -> None:
        super().go_on(seat)
        self.paused.discard(seat)

    def stop(self) -> None:
        """End all in order."""
        self.__exit__(None, None, None)
        for seat in self.processes:
            self.remember_votes(seat)
        self.processes.clear()

    def remember_votes(self, seat: int) -> None:
        """Add what a stopped validator's log holds to what it held before: a slot has one message for ever."""
        for record in read_records(self.data(seat) / VOTES_FILE):
            known = self.votes[seat].setdefault(record.slot, record.message)
            assert known == record.message, f"validator {seat} logged two votes at {record.slot}"

    async def heights(self) -> dict[int, int]:
        """Of the living seats that answer."""
        asked = self.living
        answers = await asyncio.gather(*map(self._height, asked))
        return {seat: height for seat, height in zip(asked, answers, strict=True) if height is not None}

    async def _height(self, seat: int) -> int | None:
        try:
            return await self.one(seat).height()
        except ChainError:
            return None

    async def quorum(self) -> None:
        """Until as many validators answer as the chain needs. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while sum(height is not None for height in await self._all_heights()) < quorum(len(self.seats)):
                await asyncio.sleep(POLL_S)

    async def _all_heights(self) -> list[int | None]:
        return await asyncio.gather(*map(self._height, self._pids()))

    async def caught_up(self, *seats: int) -> None:
        """Until these seats, all living ones by default, have what any living one has now. Raises TimeoutError."""
        wanted = max((await self.heights()).values(), default=0)
        async with asyncio.timeout(PATIENCE_S):
            for seat in seats or self.living:
                while (await self._height(seat) or 0) < wanted:
                    await asyncio.sleep(POLL_S)

    async def seated(self, *seats: int) -> None:
        """Until exactly these of the genesis decide, as every honest validator's database says. Raises TimeoutError."""
        keys = [self.founded.genesis.keys[seat] for seat in seats]
        async with asyncio.timeout(PATIENCE_S):
            for seat in self.honest:
                while _deciding(self.data(seat) / DATABASE_FILE) != tuple(keys):
                    await asyncio.sleep(POLL_S)

    async def quiet(self) -> int:
        """Until all honest seats stand at one height and stay there; that height. Raises Unreachable."""
        deadline = time.monotonic() + PATIENCE_S
        before: dict[int, int] = {}
        while time.monotonic() < deadline:
            now = await self.heights()
            if now == before and len(now) == len(self.honest) and len(set(now.values())) == 1:
                return max(now.values())
            before = now
            await asyncio.sleep(STILL_S)
        raise Unreachable(f"the validators stand at {before} after {PATIENCE_S:g} s")

    def _pids(self) -> dict[int, int]:
        return {seat: process.pid for seat, process in self.processes.items()}

    def _behind_proxies(self) -> dict[int, tuple[int, int]]:
        """Have each validator listen elsewhere than where the genesis says; both ports by seat."""
        routes = {}
        for seat, port in zip(self.seats, free_ports(len(self.seats)), strict=True):
            path = self.founded.validators[seat]
            config = msgspec.structs.replace(read_validator(path), listen_peer=f"127.0.0.1:{port}")
            write_validator(path, config)
            public = int(self.founded.genesis.validators[seat].peer.rpartition(":")[2])
            routes[seat] = (public, port)
        return routes


def _deciding(database: Path) -> tuple[bytes, ...]:
    """The newest validator set in the database of a validator that may run."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT keys FROM sets ORDER BY height DESC LIMIT 1").fetchone()
    return items(decode(row[0]), lambda key: octets(key, "key"), "keys") if row else ()


def slowness() -> float:
    """How many times longer than on an idle machine things may take here, going by its load."""
    return 1.0 + os.getloadavg()[0] / (os.cpu_count() or 1)
