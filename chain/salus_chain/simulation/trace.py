"""A run in words."""

from __future__ import annotations

from salus_chain.consensus.core import Get
from salus_chain.consensus.messages import Decided, Message
from salus_chain.rules.blocks import NEVER, Block
from salus_chain.simulation.plan import Fault, Plan, Trigger


class Trace:
    """Lines of a run, as they happen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, at_ms: int, who: str, text: str) -> None:
        self.lines.append(f"{at_ms / 1000:8.3f} s  {who:>4}  {text}")


def describe(what: Message | Decided | Block | Get | bytes | Fault) -> str:
    """In one line."""
    match what:
        case Message():
            lock = f" prepared in {what.prepared}" if what.prepared != NEVER else ""
            proof = f" with {len(what.changes)} changes, {len(what.certificate)} seals" if what.block else ""
            place = f"({what.height}, {what.round})"
            return f"{what.type.name} {place} {what.digest[:3].hex()}{lock}{proof} of seat {what.seat}"
        case Decided():
            header = what.block.header
            return f"DECIDED {header.height} {header.digest[:3].hex()} of round {what.certificate.round}"
        case Block():
            return f"BODY {what.header.height} {what.digest[:3].hex()}"
        case Get():
            return f"GET {what.height}" + (f" body {what.digest[:3].hex()}" if what.digest else "")
        case bytes():
            return f"TX {what[:24]!r}"
        case Fault():
            return _fault(what)


def _fault(fault: Fault) -> str:
    when = f"on {fault.at.count} × {fault.at.type.name}" if isinstance(fault.at, Trigger) else f"at {fault.at} ms"
    parts = [fault.kind, when, f"for {fault.lasts_ms} ms" if fault.lasts_ms >= 0 else "for good"]
    if fault.who:
        parts.append("of " + " ".join(f"n{index}" for index in fault.who))
    if fault.other:
        parts.append("to " + " ".join(f"n{index}" for index in fault.other))
    if fault.kind == "lose":
        parts.append(fault.type.name)
    if fault.kind == "crash":
        parts.append(f"({fault.where})")
    if fault.amount:
        parts.append(f"by {fault.amount}")
    return " ".join(parts)


def title(plan: Plan) -> list[str]:
    """What a plan has in store."""
    signatures = "P-256" if plan.curve else "fast signatures"
    lines = [f"seed {plan.seed}: {plan.style}; {plan.seats} seats, {plan.observers} observers, {signatures}"]
    lines += [
        f"  timers {plan.timing.first_ms} to {plan.timing.most_ms} ms, tick {plan.tick_ms} ms, loss {plan.loss} ‰",
        f"  delays {plan.delay_ms[0]} to {plan.delay_ms[1]} ms; heals at {plan.heal_ms} ms, bound {plan.bound_ms} ms",
    ]
    lines += [f"  n{index} lies: {', '.join(tricks)}" for index, tricks in plan.liars]
    lines += [f"  n{index} has a twin, n{plan.seats + plan.observers + at}" for at, index in enumerate(plan.twins)]
    lines += [f"  n{index} stops for good" for index in plan.lost]
    lines += [f"  at {at} ms the seats become {list(members)}" for at, _, members in plan.changes]
    lines += [f"  {describe(fault)}" for fault in plan.faults]
    return lines
