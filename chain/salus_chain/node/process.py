"""The validator's process: one event loop, one group of named tasks, ended by SIGTERM.

Heavy imports (FastAPI, httpx) happen when it runs, not when this module is imported.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Final

import structlog

from salus_chain.config import beside
from salus_chain.consensus import core
from salus_chain.consensus.messages import Decided, Message
from salus_chain.errors import ConfigError
from salus_chain.founding import BLOBS_FOLDER
from salus_chain.genesis import Genesis, read_genesis
from salus_chain.node.ledger import Identity, Ledger
from salus_chain.node.network import wire
from salus_chain.node.network.peers import Peers
from salus_chain.node.registrar import Registrar
from salus_chain.node.storage.blobs import Blobs, FolderBlobs, UrlBlobs
from salus_chain.node.storage.holdings import open_holdings
from salus_chain.node.storage.retention import DAY_MS, keep_sweeping
from salus_chain.node.validator import ValidatorConfig, config_file, read_validator
from salus_chain.passphrases import open_key
from salus_chain.rules.rounds import next_due_ms
from salus_chain.rules.state import State

TICK_S: Final = 0.5
REGISTER_S: Final = 1.0
COLLECT: Final = (50_000, 50, 100)  # nearly all that a transaction makes is freed by counting references
ROUND_DOUBLINGS: Final = 4  # a round's timer grows to 16 times the first
CONNECT_S: Final = 0.3  # before registering, so that the first transactions reach the peers at once

log = structlog.get_logger()


def clock_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Node:
    """One validator or observer, put together from its configuration; the parts' listener."""

    def __init__(
        self, config: ValidatorConfig, genesis: Genesis, folder: Path, identity: Identity, blobs: Blobs
    ) -> None:
        from salus_chain.node.network.fetch import Fetcher
        from salus_chain.node.settling.clerk import Clerk

        self.genesis = genesis
        self._config = config
        self.listen_http = config.listen_http
        self.store, votes = open_holdings(folder, genesis, identity.signer.public_key)
        timing = core.Timing(config.round_ms, config.round_ms << ROUND_DOUBLINGS)
        self.ledger = Ledger(identity, self.store, votes, self.send, self._set_timer, clock_ms, timing, _later)
        own = self.ledger.state.members.get(identity.signer.public_key)
        rng = Random(os.urandom(16))  # noqa: S311  (spreads reconnections, guards nothing)
        self.peers = Peers(
            genesis.chain_id, identity.signer, config.listen_peer or (own.peer if own else ""), self, rng
        )
        self.peers.members(self.ledger.state.members)
        self.fetcher = Fetcher(genesis.chain_id, identity.signer)
        self.fetcher.trust(self.ledger.state.members)
        self.clerk = Clerk(self.ledger, blobs, self.fetcher, config.tasks, self.send)
        self.blobs = blobs
        self.changed = asyncio.Event()  # set at each block, and then replaced
        self.stopping = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fault: asyncio.Future[None] | None = None
        self._woken = asyncio.Event()
        self.ledger.listeners.append(self._advanced)

    def send(self, peer: bytes | None, frame: wire.Sent) -> None:
        """Queue a frame for one peer, or for all."""
        self.peers.send(peer, frame)

    def received(self, peer: bytes, frame: wire.Frame) -> None:
        match frame:
            case Message():
                self.ledger.handle(core.Received(frame))
            case Decided():
                self.ledger.handle(core.ReceivedDecided(frame))
            case wire.Get(height, round_, digest):
                self.ledger.stands(peer, height, round_)
                self.ledger.handle(core.Asked(peer, height, digest))
                if height > self.ledger.state.height + 1:
                    self.send(peer, wire.Get(self.ledger.state.height + 1, self.ledger.round))
            case wire.Body(block):
                self.ledger.handle(core.ReceivedBody(block))
            case wire.Txs(transactions):
                self.ledger.gossiped(transactions)
            case wire.Stated():
                self.clerk.stated(frame)

    def connected(self, peer: bytes) -> None:
        self.ledger.handle(core.Connected(peer))
        self.clerk.remind()

    def _set_timer(self, timer: core.Timer) -> None:
        if self._timer is not None:
            self._timer.cancel()
        timeout = core.Timeout(timer.height, timer.round)
        self._timer = asyncio.get_running_loop().call_later(timer.after_ms / 1_000, self._timed_out, timeout)

    def _timed_out(self, timeout: core.Timeout) -> None:
        """A fault here ends `run`, as one in a task would."""
        try:
            self.ledger.handle(timeout)
        except Exception as error:
            if self._fault is not None and not self._fault.done():
                self._fault.set_exception(error)

    def _advanced(self, state: State) -> None:
        """A block became final: wake whoever waits, and start settling what it closed."""
        self.peers.members(state.members)
        self.fetcher.trust(state.members)
        self.changed.set()
        self.changed = asyncio.Event()
        self._woken.set()
        self._settle_due(state)
        self.clerk.submit_settlements()

    def _settle_due(self, state: State) -> None:
        for each in self.clerk.due(state):
            if self._tasks is not None:
                name = f"settle {each.open.task} {each.open.round}"
                self._tasks.create_task(self.clerk.settle(each), name=name)

    async def run(self) -> None:
        """Until `stopping` is set. Raises ConfigError when an address cannot be listened on."""
        self._fault = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                parts: dict[str, Coroutine[Any, Any, None]] = {
                    "peers": self.peers.run(),
                    "clock": self._clock(),
                    "registrar": self._register(),
                    "sweeper": keep_sweeping(
                        self.store,
                        self.blobs,
                        lambda: self.ledger.state,
                        clock_ms,
                        self._config.keep_updates_days * DAY_MS,
                    ),
                    "fault": self._raise_fault(self._fault),
                }
                running = [tasks.create_task(part, name=name) for name, part in parts.items()]
                http = tasks.create_task(self._serve(), name="http")
                self.ledger.resume()
                self._settle_due(self.ledger.state)
                await self.stopping.wait()
                await http
                for task in running:
                    task.cancel()
                self._tasks = None
                _cancel_all("settle ")
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self.fetcher.close()
            self.store.close()

    async def _serve(self) -> None:
        """The chain goes on while the HTTP interface is still loading."""
        server = await asyncio.to_thread(import_module, "salus_chain.node.http.server")
        await server.serve(self)

    async def _raise_fault(self, fault: asyncio.Future[None]) -> None:
        await fault

    async def _clock(self) -> None:
        """Tick twice a second, and exactly when a round is due."""
        ticked = time.monotonic()
        while True:
            due_ms = next_due_ms(self.ledger.state)
            wait_s = TICK_S - (time.monotonic() - ticked)
            if due_ms is not None and due_ms > clock_ms():
                wait_s = min(wait_s, (due_ms - clock_ms()) / 1_000)
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s, 0.001)):
                    await self._woken.wait()
            self.ledger.work_if_due()
            if time.monotonic() - ticked >= TICK_S:
                ticked = time.monotonic()
                self.ledger.tick()
                self.clerk.remind()

    async def _register(self) -> None:
        await asyncio.sleep(CONNECT_S)
        registrar = Registrar(self._config, self.ledger)
        while registrar.submit():  # noqa: ASYNC110  (the clock is what it waits for)
            await asyncio.sleep(REGISTER_S)


def _later(after_ms: int, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(after_ms / 1_000, act)


def _cancel_all(prefix: str) -> None:
    for task in asyncio.all_tasks():
        if task.get_name().startswith(prefix):
            task.cancel()


def load_node(path: Path, passphrase_file: Path | None = None) -> Node:
    """Put a validator together. Raises ConfigError naming what is wrong with its configuration or folder."""
    path = config_file(path)
    config = read_validator(path)
    genesis = read_genesis(beside(path, config.genesis))
    signer = open_key(beside(path, config.key), passphrase_file)
    if signer.public_key not in genesis.keys and not (config.listen_peer and config.listen_http):
        raise ConfigError(
            f"{path}: key: {config.key} has no seat in {config.genesis}; a node that joins a running chain needs"
            " listen_peer and listen_http, and becomes a member by the validators' vote"
        )
    identity = Identity(config.name, signer)
    folder = beside(path, config.folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; `salus chain init` makes it")
    blobs: Blobs = UrlBlobs(config.blobs) if config.blobs else FolderBlobs(folder / BLOBS_FOLDER)
    return Node(config, genesis, folder, identity, blobs)


async def run_validator(path: Path, passphrase_file: Path | None = None) -> None:
    """Run a validator until SIGTERM or SIGINT."""
    gc.disable()
    node = load_node(path, passphrase_file)
    gc.freeze()  # what a start loads stays: to walk through 100,000 consents takes the collector a third of a second
    gc.set_threshold(*COLLECT)
    gc.enable()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stopping.set)
    log.info("validator", name=node.ledger.identity.name, height=node.ledger.state.height)
    await node.run()
