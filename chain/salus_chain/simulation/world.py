"""The run of a plan: events in order of virtual time, links and their faults, and the end that must come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final

from salus_chain.consensus.messages import Message, Type
from salus_chain.simulation.adversary import Liar
from salus_chain.simulation.forgery import Bag
from salus_chain.simulation.judge import Judge, Violation
from salus_chain.simulation.keyring import CurveKeyring, FastKeyring, Intent, Keyring
from salus_chain.simulation.node import Node, Payload
from salus_chain.simulation.plan import Fault, Plan, Trigger
from salus_chain.simulation.toychain import first, seats_change
from salus_chain.simulation.trace import describe

if TYPE_CHECKING:
    from salus_chain.simulation.trace import Trace

MOST_EVENTS: Final = 100_000  # of one run: more is a storm of messages
TRAP_MS: Final = 400  # a trap that nothing springs closes by itself


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. `waited_ms` is from healing to the end, of `bound_ms` at most."""

    seed: int
    violation: str  # empty when all held
    invariant: str
    simulated_ms: int
    waited_ms: int
    bound_ms: int
    counts: Counter[str]


class World:
    """All nodes, the network between them and the clock. Time is in ms from 0."""

    def __init__(self, plan: Plan, trace: Trace | None = None) -> None:
        self.plan, self._trace = plan, trace
        self.rng = Random(plan.seed ^ 0x5A1C5)
        self.now = 0
        self.count: Counter[str] = Counter()
        self.keyring: Keyring = CurveKeyring() if plan.curve else FastKeyring()
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._cuts: list[Fault] = []
        self._triggers = [fault for fault in plan.faults if isinstance(fault.at, Trigger)]
        self._published: Counter[tuple[Type, int]] = Counter()
        self.healed = False
        self.lost = set(plan.lost)
        self.bag = Bag()
        self._nodes_start()

    def _nodes_start(self) -> None:
        plan = self.plan
        keys = [self.keyring.key(index) for index in range(plan.seats + plan.observers)]
        keys += [keys[index] for index in plan.twins]
        genesis = first(tuple(keys[: plan.seats]))
        tricks = dict(plan.liars)
        dishonest = {keys[index] for index in plan.byzantine}
        self.honest_keys = honest = frozenset(keys) - dishonest
        self.judge = Judge(self.keyring, honest, genesis)
        self.nodes: list[Node] = [
            Liar(self, index, key, genesis, tricks[index])
            if index in tricks
            else Node(self, index, key, genesis, key in honest)
            for index, key in enumerate(keys)
        ]
        self.honest = [node for node in self.nodes if node.honest]
        self.indices: dict[bytes, list[int]] = {}
        for index, key in enumerate(keys):
            self.indices.setdefault(key, []).append(index)

    # Time.

    def after(self, delay_ms: int, action: Callable[..., None], *arguments: Any) -> None:
        """Do something later."""
        self._number += 1
        heappush(self._queue, (self.now + delay_ms, self._number, action, arguments))

    def run(self) -> Outcome:
        """To the first violation, or until all are well."""
        plan = self.plan
        deadline = plan.heal_ms + plan.bound_ms
        invariant = violation = ""
        try:
            self._begin()
            while not self._done():
                if not self._queue or self._queue[0][0] > deadline:
                    raise Violation("liveness", self._stuck())
                if self._number > MOST_EVENTS:
                    raise Violation("bound", f"more than {MOST_EVENTS} events")
                self.now, _, action, arguments = heappop(self._queue)
                action(*arguments)
        except Violation as error:
            invariant, violation = error.name, str(error)
        except (AssertionError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
            invariant, violation = "crash", f"crash: {type(error).__name__}: {error}, at {_place(error)}"
        waited = self.now - plan.heal_ms if self.healed else 0
        return Outcome(plan.seed, violation, invariant, self.now, waited, plan.bound_ms, self.count)

    def _begin(self) -> None:
        plan = self.plan
        for node in self.nodes:
            node.start()
            self.after(self.rng.randrange(plan.tick_ms), self._tick, node)
        for at, index, note in plan.notes:
            self.after(at, self.nodes[index].submit, note)
        for at, index, members in plan.changes:
            seats = seats_change([self.keyring.key(member) for member in members])
            self.after(at, self.nodes[index].submit, seats)
        for fault in plan.faults:
            if isinstance(fault.at, int):
                self.after(fault.at, self._strike, fault)
        self.after(plan.heal_ms, self._heal)

    def _tick(self, node: Node) -> None:
        if node.up:
            node.tick()
        self.after(self.plan.tick_ms, self._tick, node)

    # The end.

    def _heal(self) -> None:
        self.healed = True
        self._cuts.clear()
        self._triggers.clear()
        self.note(None, "all has healed")
        for node in self.nodes:
            node.skew_ms = self.plan.skew_ms[node.index]
            node.trap = None
            if node.index in self.lost and node.up:
                node.crash()
            self._restart(node)
        self._living = [node for node in self.honest if node.index not in self.lost]
        self.target = max(node.chain.height for node in self._living) + 1
        for node in self._living:
            node.submit(b"the last note")

    def _done(self) -> bool:
        return self.healed and all(node.chain.height >= self.target for node in self._living)

    def _stuck(self) -> str:
        where = ", ".join(f"{node.name} at ({node.state.height}, {node.state.round})" for node in self._living)
        return f"{self.plan.bound_ms} ms after all had healed block {self.target} is not final everywhere: {where}"

    # Faults.

    def _strike(self, fault: Fault, actor: int | None = None) -> None:
        if self.healed:
            return
        self.note(None, f"fault: {describe(fault)}")
        self.count[f"fault {fault.kind}"] += 1
        if actor is not None and fault.kind == "doom":
            self.lost.add(actor)
            self._crash(self.nodes[actor], fault)
        if fault.kind in ("crash", "doom"):
            for index in fault.who:
                self._crash(self.nodes[index], fault)
            return
        if fault.kind == "clock":
            for index in fault.who:
                self.nodes[index].skew_ms += fault.amount
            return
        self._cuts.append(fault)
        self.after(fault.lasts_ms, self._mend, fault)

    def _crash(self, node: Node, fault: Fault) -> None:
        if fault.where == "now" and node.up:
            node.crash()
        elif node.up:
            node.trap = (fault.where, self.now)
            self.after(TRAP_MS, self._spring, node)
        if node.index not in self.lost:
            self.after(fault.lasts_ms + TRAP_MS + self.rng.randrange(100), self._restart, node)

    def _spring(self, node: Node) -> None:
        if node.up and node.trap is not None:
            node.crash()

    def _restart(self, node: Node) -> None:
        if node.up or node.index in self.lost:
            return
        self.note(node, "starts again")
        self.count["restarts"] += 1
        node.start()
        for other in self.nodes:
            if other is not node and other.up and not self._blocked(node.index, other.index, None):
                self.after(self.rng.randint(*self.plan.delay_ms), other.connected, node.key)
                self.after(self.rng.randint(*self.plan.delay_ms), node.connected, other.key)

    def _mend(self, fault: Fault) -> None:
        if fault not in self._cuts:
            return
        self._cuts.remove(fault)
        if fault.kind in ("split", "isolate") and self.rng.random() < 0.5:
            for node in self.nodes:
                if node.index in fault.who:
                    for other in self.nodes:
                        if other is not node and not self._blocked(node.index, other.index, None):
                            self.after(self.rng.randint(*self.plan.delay_ms), other.connected, node.key)
                            self.after(self.rng.randint(*self.plan.delay_ms), node.connected, other.key)

    def published(self, node: Node, message: Message) -> None:
        """An honest vote may be sent from here on."""
        self.note(node, f"signs {describe(message)}")
        self.judge.published(node.key, message)
        self.count[f"signed {message.type.name}"] += 1
        self.count["highest round"] = max(self.count["highest round"], message.round)
        place = message.type, message.height
        self._published[place] += 1
        for fault in [each for each in self._triggers if isinstance(each.at, Trigger)]:
            assert isinstance(fault.at, Trigger)
            if fault.at.type is message.type and self._published[place] >= fault.at.count:
                self._triggers.remove(fault)
                self.after(0, self._strike, fault, node.index)

    # The network.

    def send(self, sender: int, to: bytes | None, payload: Payload) -> None:
        """To all nodes of a key, or to everyone else."""
        for index in range(len(self.nodes)) if to is None else self.indices.get(to, ()):
            if index != sender:
                self.carry(sender, index, payload)

    def carry(self, sender: int, index: int, payload: Payload, later_ms: int = 0) -> None:
        """Over one link."""
        plan, rng = self.plan, self.rng
        if self._cuts and self._blocked(sender, index, payload):
            return
        least, most = plan.delay_ms
        delay = later_ms + least + int(rng.random() * (most - least + 1))
        if not self.healed:
            if plan.loss and rng.random() * 1_000 < plan.loss:
                self.count["lost"] += 1
                return
            for cut in self._cuts:
                if cut.kind == "slow":
                    delay += int(rng.random() * cut.amount)
            if plan.twice and rng.random() * 1_000 < plan.twice:
                self.count["twice"] += 1
                self.after(delay + rng.randrange(400), self._arrive, sender, index, payload)
        self.after(delay, self._arrive, sender, index, payload)

    def _arrive(self, sender: int, index: int, payload: Payload) -> None:
        node = self.nodes[index]
        if not node.up or (self._cuts and self._blocked(sender, index, payload)):
            return
        if self._trace is not None:
            self.note(node, f"gets {describe(payload)} from {self.nodes[sender].name}")
        node.deliver(self.nodes[sender].key, payload)

    def _blocked(self, sender: int, index: int, payload: Payload | None) -> bool:
        for cut in self._cuts:
            match cut.kind:
                case "split":
                    blocked = (sender in cut.who) != (index in cut.who)
                case "isolate":
                    blocked = sender in cut.who or index in cut.who
                case "oneway":
                    blocked = sender in cut.who and index in cut.other
                case "lossy":
                    blocked = payload is not None and self.rng.random() * 2_000 < cut.amount
                case "lose":
                    blocked = isinstance(payload, Message) and payload.type is cut.type and index in cut.other
                case _:
                    blocked = False
            if blocked:
                return True
        return False

    # Signatures and the trace.

    def sign(self, intent: Intent) -> bytes:
        """Any signature of anyone."""
        signature = self.keyring.sign(intent)
        if intent.key not in self.honest_keys:
            self.judge.lied(intent)
        return signature

    def note(self, node: Node | None, text: str) -> None:
        if self._trace is not None:
            self._trace.add(self.now, node.name if node else "", text)


def _place(error: Exception) -> str:
    """The innermost line of the code that failed."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
