"""Whole validators without sockets: real stores and vote logs, frames handed over in memory, a clock we turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from salus_chain.consensus import core
from salus_chain.consensus.messages import Decided, Message
from salus_chain.founding import prepare_folder
from salus_chain.node.ledger import Identity, Ledger
from salus_chain.node.network import wire
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import VoteLog
from salus_chain.rules.state import state_root
from salus_chain.rules.transactions import ApproveModel, Consent
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, START_MS, TASK, Federation, federation

APPROVE = ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)


class World:
    """n ledgers in folders of `path`; frames wait in `wires` until `deliver`."""

    def __init__(self, path: Path, n: int = 4) -> None:
        self.f: Federation = federation(n)
        self.path = path
        self.now_ms = START_MS + 1_000
        self.wires: deque[tuple[int, int, wire.Frame]] = deque()
        self.ledgers: dict[int, Ledger] = {}
        self.logs: dict[int, VoteLog] = {}
        self.timers: dict[int, tuple[int, core.Timeout]] = {}
        self.looks: dict[int, tuple[int, Callable[[], None]]] = {}  # at what its clients handed in, and nobody took
        for seat in range(n):
            prepare_folder(path / str(seat), self.f.genesis)
            self.start(seat)

    def start(self, seat: int) -> None:
        folder = self.path / str(seat)
        store = Store.open(folder / DATABASE_FILE, self.f.genesis)
        self.logs[seat] = VoteLog.open(folder / VOTES_FILE)
        keys = self.f.genesis.keys

        def send(to: bytes | None, frame: wire.Sent) -> None:
            others = [other for other in range(len(keys)) if other != seat]
            sent = wire.decode_frame(frame.data) if isinstance(frame, wire.Recorded) else frame
            self.wires.extend((seat, other, sent) for other in others if to in (None, keys[other]))

        def set_timer(timer: core.Timer) -> None:
            self.timers[seat] = (self.now_ms + timer.after_ms, core.Timeout(timer.height, timer.round))

        def later(after_ms: int, act: Callable[[], None]) -> None:
            self.looks[seat] = (self.now_ms + after_ms, act)

        who, timing = Identity(f"hospital-{seat}", self.f.validators[seat]), core.Timing(400, 6_400)
        ledger = Ledger(who, store, self.logs[seat], send, set_timer, lambda: self.now_ms, timing, later)
        self.ledgers[seat] = ledger
        ledger.resume()

    def kill(self, seat: int) -> None:
        self.logs[seat].close()
        self.timers.pop(seat, None)
        self.looks.pop(seat, None)
        self.ledgers.pop(seat).store.close()

    def deliver(self) -> None:
        while self.wires:
            sender, to, frame = self.wires.popleft()
            if to not in self.ledgers:
                continue
            self.hand_over(sender, to, wire.decode_frame(wire.encode_frame(frame)))

    def hand_over(self, sender: int, to: int, frame: wire.Frame) -> None:
        """As `Node.received` does."""
        ledger, key = self.ledgers[to], self.f.genesis.keys[sender]
        match frame:
            case Message():
                ledger.handle(core.Received(frame))
            case Decided():
                ledger.handle(core.ReceivedDecided(frame))
            case wire.Get(height, round_, digest):
                ledger.stands(key, height, round_)
                ledger.handle(core.Asked(key, height, digest))
            case wire.Body(block):
                ledger.handle(core.ReceivedBody(block))
            case wire.Txs(transactions):
                for data in transactions:
                    ledger.gossiped((data,))

    def elapse(self, duration_ms: int) -> None:
        """Time passes; timers run out in their order, and a tick comes at the end."""
        end_ms = self.now_ms + duration_ms
        while due := [(what[seat][0], seat, what) for what in (self.timers, self.looks) for seat in what]:
            due_ms, seat, what = min(due, key=lambda each: each[:2])
            if due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            _, todo = what.pop(seat)
            if isinstance(todo, core.Timeout):
                self.ledgers[seat].handle(todo)
            else:
                todo()
            self.deliver()
        self.now_ms = end_ms
        self.tick()

    def tick(self) -> None:
        for ledger in self.ledgers.values():
            ledger.tick()
        self.deliver()

    def heights(self) -> list[int]:
        roots = {ledger.state.height: state_root(ledger.state) for ledger in self.ledgers.values()}
        assert all(state_root(each.state) == roots[each.state.height] for each in self.ledgers.values())
        return [ledger.state.height for ledger in self.ledgers.values()]


def consent(world: World, number: int) -> bytes:
    state = world.ledgers[1].mempool.pending
    return world.f.sign(world.f.validators[0], state, Consent(bytes([number]) * 32, bytes(32)))
