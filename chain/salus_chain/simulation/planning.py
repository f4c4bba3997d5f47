"""What one integer decides: the plan of a run."""

from __future__ import annotations

from random import Random
from typing import Final, TypeVar

from salus_chain.consensus.core import Timing
from salus_chain.consensus.messages import Type
from salus_chain.simulation.disk import CRASH_POINTS
from salus_chain.simulation.plan import Fault, Plan, Trigger

T = TypeVar("T")

STYLES: Final = {"storm": 28, "locks": 34, "churn": 12, "stall": 10, "calm": 16}
SIZES: Final = {1: 30, 2: 60, 3: 90, 4: 500, 5: 90, 6: 120, 7: 80, 8: 8, 9: 8, 10: 10, 13: 4}
CURVE_SHARE: Final = 10  # one seed of so many signs with P-256
TRICKS: Final = (
    "equivocate", "double", "withhold", "late", "amnesia", "stale", "forge", "alter", "recertify", "malleate",
    "replay", "elsewhere", "usurp", "spam", "churn", "invalid", "own lie", "fake final", "bodies",
)  # fmt: skip


def plan(seed: int) -> Plan:
    """The run of a seed."""
    rng = Random(seed)
    style = _pick(rng, STYLES)
    seats = _pick(rng, SIZES)
    curve = rng.randrange(CURVE_SHARE) == 0
    if style == "stall":
        seats = max(seats, 2)
    elif style == "churn":  # many rounds of many seats would take long
        seats = min(seats, 6)
    most = (seats - 1) // 3
    spare = seats - _quorum(seats)
    byzantine = 0 if style == "stall" or most == 0 or rng.random() < 0.15 else rng.randint(1, most)
    chosen = rng.sample(range(seats), byzantine)
    if chosen and style == "locks" and rng.random() < 0.5:  # the one that proposes after the first round
        chosen = [2 % seats, *(index for index in chosen if index != 2 % seats)][:byzantine]
    twins = tuple(sorted(chosen[:1])) if chosen and rng.random() < 0.2 else ()
    liars = tuple((index, _tricks(rng, style, curve)) for index in sorted(chosen[len(twins) :]))
    able = [index for index in range(seats) if index not in chosen]
    lost = (
        rng.sample(able, rng.randint(0, spare - byzantine))
        if style != "stall" and rng.random() < (0.8 if style == "churn" else 0.4)
        else []
    )
    observers = rng.choice((0, 0, 0, 0, 1, 2)) if style != "stall" else 0
    nodes = seats + observers + len(twins)
    heal_ms = rng.randint(1_000, 2_400) + (rng.randint(2_000, 5_000) if style in ("churn", "stall") else 0)
    first_ms = 200 if style in ("churn", "stall") else rng.choice((200, 300, 400))
    most_ms = first_ms * {"churn": 2, "stall": 16}.get(style, rng.choice((2, 4)))
    skew_ms = rng.choice((50, 300, 900))
    delay = (rng.randint(1, 5), rng.randint(8, 25))
    honest = able + list(range(seats, seats + observers))
    clean = style in ("stall", "calm")
    notes = [(rng.randrange(heal_ms), rng.choice(honest), b"note %d" % each) for each in range(rng.randint(3, 8))]
    faults = _faults(rng, style, seats, nodes, honest, lost, spare - byzantine, heal_ms)
    steady = style == "stall" or any(fault.kind == "doom" for fault in faults)
    changes = () if steady else _changes(rng, seats, observers, chosen, lost, honest, heal_ms)
    return Plan(
        seed,
        style,
        seats,
        observers,
        liars,
        twins,
        tuple(sorted(lost)),
        Timing(first_ms, most_ms),
        rng.choice((250, 500)),
        delay,
        0 if clean else rng.choice((0, 0, 10, 50, 200)),
        0 if style == "stall" else rng.choice((0, 0, 20, 100)),
        tuple(rng.randint(-skew_ms, skew_ms) for _ in range(nodes)),
        tuple(rng.randint(-5_000, 5_000) for _ in range(nodes)),
        faults,
        heal_ms,
        tuple(sorted(notes)),
        changes,
        curve and nodes <= 8,
    )


def _pick(rng: Random, weights: dict[T, int]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


def _quorum(seats: int) -> int:
    return (2 * seats + 2) // 3


def _tricks(rng: Random, style: str, curve: bool) -> tuple[str, ...]:
    chosen = rng.sample(TRICKS, rng.randint(3, 9)) + ["malleate"] * curve
    if style == "locks":  # against locks only a proposer can do harm
        chosen.append(rng.choice(("equivocate", "usurp")))
    return tuple(sorted(set(chosen)))


def _some(rng: Random, of: list[int], least: int = 1) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(of, rng.randint(min(least, len(of)), len(of)))))


def _faults(
    rng: Random, style: str, seats: int, nodes: int, honest: list[int], lost: list[int], spare: int, heal_ms: int
) -> tuple[Fault, ...]:
    everyone = list(range(nodes))
    gone = [Fault("crash", rng.randrange(heal_ms), -1, (index,), where=rng.choice(CRASH_POINTS)) for index in lost]
    match style:
        case "stall":
            down = rng.sample(range(seats), rng.randint(seats - _quorum(seats) + 1, seats))
            at = rng.randrange(heal_ms // 3)
            return (Fault("crash", at, heal_ms, tuple(sorted(down)), where=rng.choice(CRASH_POINTS)),)
        case "locks":
            faults = [_locked(rng, seats, everyone, honest) for _ in range(rng.randint(1, 3))]
            if spare > len(lost) and rng.random() < 0.7:
                moment = Trigger(rng.choice((Type.PROPOSAL, Type.PREPARE, Type.COMMIT)), rng.randint(1, 4))
                faults.append(Fault("doom", moment, rng.randint(200, 2_500), tuple(honest)))
        case "churn":
            at, lasts = rng.randrange(heal_ms // 4), heal_ms
            types = rng.choice(([Type.PROPOSAL], [Type.PREPARE], [Type.COMMIT], [Type.PROPOSAL, Type.COMMIT]))
            faults = [Fault("lose", at, lasts, other=tuple(everyone), type=type_) for type_ in types]
            faults += [_storm(rng, everyone, honest, heal_ms) for _ in range(rng.randint(0, 2))]
            if rng.random() < 0.8:
                alone = (rng.choice([index for index in honest if index not in lost and index < seats]),)
                faults.append(Fault(rng.choice(("isolate", "crash")), at, lasts, alone))
            gone = [Fault("crash", heal_ms - 1, -1, (index,)) for index in lost]
        case "storm":
            faults = [_storm(rng, everyone, honest, heal_ms) for _ in range(rng.randint(2, 6))]
        case _:
            faults = []
    return tuple(gone + faults)


def _storm(rng: Random, everyone: list[int], honest: list[int], heal_ms: int) -> Fault:
    kind = rng.choice(("split", "split", "isolate", "oneway", "lossy", "slow", "lose", "crash", "crash", "clock"))
    at, lasts = rng.randrange(heal_ms), rng.randint(50, 1_500)
    match kind:
        case "lossy":
            return Fault(kind, at, lasts, amount=rng.randint(50, 600))
        case "slow":
            return Fault(kind, at, lasts, amount=rng.randint(50, 2_000))
        case "lose":
            return Fault(kind, at, lasts, other=_some(rng, everyone), type=rng.choice(list(Type)))
        case "clock":
            return Fault(kind, at, heal_ms, (rng.choice(honest),), amount=rng.choice((-5_000, -2_500, 2_500, 5_000)))
        case "crash":
            who = _some(rng, honest) if rng.random() < 0.3 else (rng.choice(honest),)
            return Fault(kind, at, lasts, who, where=rng.choice(CRASH_POINTS))
        case "isolate":
            return Fault(kind, at, lasts, (rng.choice(everyone),))
        case _:
            return Fault(kind, at, lasts, _some(rng, everyone), _some(rng, everyone))


def _locked(rng: Random, seats: int, everyone: list[int], honest: list[int]) -> Fault:
    """Strike when some have locked a block, and few know that it is final."""
    count = rng.randint(1, max(1, min(len(honest), _quorum(seats))))
    at = Trigger(rng.choice((Type.COMMIT, Type.COMMIT, Type.COMMIT, Type.PREPARE, Type.ROUND_CHANGE)), count)
    lasts = rng.randint(200, 2_500)
    match rng.choice(("crash", "crash", "lose", "split", "isolate")):
        case "crash":
            who = tuple(honest) if rng.random() < 0.5 else _some(rng, honest)
            return Fault("crash", at, lasts, who, where=rng.choice(("now", "now", *CRASH_POINTS)))
        case "lose":
            few = tuple(each for each in everyone if each != rng.choice(everyone))
            return Fault("lose", at, lasts, other=rng.choice((few, tuple(everyone))), type=Type.COMMIT)
        case "isolate":
            return Fault("isolate", at, lasts, _some(rng, everyone))
        case _:
            return Fault("split", at, lasts, _some(rng, everyone))


def _changes(
    rng: Random, seats: int, observers: int, liars: list[int], lost: list[int], honest: list[int], heal_ms: int
) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Up to two changes of the set, each of which leaves liars and the lost few enough."""
    if rng.random() < 0.6:
        return ()
    changes = []
    for _ in range(rng.randint(1, 2)):
        members = list(range(seats + observers))
        match rng.choice(("rotate", "shuffle", "add", "drop")):
            case "rotate":
                members = [*range(1, seats), 0]
            case "shuffle":
                members = rng.sample(range(seats), seats)
            case "drop" if seats > 1:
                members = [index for index in range(seats) if index != rng.randrange(seats)]
        bad = sum(index in liars for index in members)
        down = sum(index in lost for index in members)
        count = len(members)
        if bad <= (count - 1) // 3 and count - bad - down >= _quorum(count):
            changes.append((rng.randrange(heal_ms), rng.choice(honest), tuple(members)))
    return tuple(sorted(changes))
