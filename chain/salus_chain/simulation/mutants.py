"""Deliberate breakages, each of which the simulator must catch: the proof that it would notice the like.

A mutant is text replaced in a copy of this package; the very `fuzz` that tests the real core then runs on the copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from salus_chain.errors import ChainError

CORE: Final = "consensus/core.py"
MESSAGES: Final = "consensus/messages.py"
BLOCKS: Final = "rules/blocks.py"
GENESIS: Final = "genesis.py"
KEYS: Final = "keys.py"
DISK: Final = "simulation/disk.py"
PACKAGE: Final = Path(__file__).resolve().parent.parent
_UNCAPPED: Final = "return self.first_ms << round_"
_ACROSS: Final = "if vote.type is type_ and"
COVERED: Final = "encode_trusted((chain_id, validators_hash, int(type_), height, round_, prepared, digest))"


class StaleMutant(ChainError):
    """The code has moved on, and a mutant's text does not stand in it exactly once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in `file`, a path below the package."""

    name: str
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the simulator noticed, after how long, by which seed and invariant."""

    name: str
    killed: bool
    seconds: float
    seed: int
    invariant: str


def _unbound(field: str, constant: str) -> str:
    return COVERED.replace(f" {field},", f" {constant},").replace(f"({field},", f"({constant},")


MUTANTS: Final = (
    Mutant("quorum 2f+1", GENESIS, "return -(-2 * seats // 3)", "return 2 * faults(seats) + 1"),
    Mutant("no vote log", DISK, "self.durable |= self.appended", "self.durable = {}"),
    Mutant("votes not restored", CORE, "return _restore(state, messages, prepared)", "return state, NOTHING"),
    Mutant("lock not restored", CORE, "votes=votes, asked=asked, prepared=prepared)", "votes=votes, asked=asked)"),
    Mutant("lock not written", CORE, "proposal.digest, lock=lock)", "proposal.digest)"),
    Mutant("lock dropped at a round change", CORE, "    lock = state.prepared\n", "    lock = None\n"),
    Mutant(
        "prepared certificate not checked",
        MESSAGES,
        "return has_quorum(council, change.certificate, covered)",
        "return True",
    ),
    Mutant(
        "certificate of a proposal not checked",
        MESSAGES,
        "return has_quorum(council, proposal.certificate, covered)",
        "return True",
    ),
    Mutant("justification not checked", MESSAGES, " and _is_justified(council, message)", ""),
    Mutant("earliest prepared block repeated", MESSAGES, "highest = max(change", "highest = min(change"),
    Mutant("proposer not checked", MESSAGES, " or message.seat != council.proposer(message.height, message.round)", ""),
    Mutant("no f+1 jump", CORE, "if len(further) > state.council.faults:", "if False:"),
    Mutant("jump after one seat", CORE, "further[state.council.faults]", "further[0]"),
    Mutant("timer without a cap", CORE, "return min(self.first_ms << min(round_, 32), self.most_ms)", _UNCAPPED),
    Mutant("timer without a quorum", CORE, "state.round > 0 and arrived >= state.council.quorum:", "state.round > 0:"),
    Mutant("signature not bound to its chain", BLOCKS, COVERED, _unbound("chain_id", 'b""')),
    Mutant("signature not bound to its validator set", BLOCKS, COVERED, _unbound("validators_hash", 'b""')),
    Mutant("signature not bound to its type", BLOCKS, COVERED, _unbound("int(type_)", "0")),
    Mutant("signature not bound to its height", BLOCKS, COVERED, _unbound("height", "0")),
    Mutant("signature not bound to its round", BLOCKS, COVERED, _unbound("round_", "0")),
    Mutant("signature not bound to its prepared round", BLOCKS, COVERED, _unbound("prepared", "0")),
    Mutant("stale validator set", CORE, "State(state.key, own, next_one,", "State(state.key, state.council, next_one,"),
    Mutant("high s accepted", KEYS, "0 < s <= ORDER // 2", "0 < s < ORDER"),
    Mutant("a vote asked for twice", CORE, "asked=state.asked | {type_}), (vote,)", "asked=frozenset()), (vote,)"),
    Mutant("COMMITs counted across rounds", CORE, "if vote.type is type_ and vote.round == round_ and", _ACROSS),
    Mutant("DECIDED by fewer than a quorum", MESSAGES, "len(seats) != council.quorum", "not seats"),
    Mutant("block decided before its quorum", CORE, "not _has_quorum(state, Type.C", "not _alike(state, Type.C"),
    Mutant("COMMIT before a quorum of PREPAREs", CORE, "asked and _has_quorum(", "asked and _alike("),
    Mutant("PREPARE before the block is executed", CORE, "and state.checked == proposal.digest:", "and True:"),
    Mutant("transactions not those of the header", MESSAGES, "return decided.block.whole and", "return"),
    Mutant("equivocation not reported", CORE, "return None, (Accuse(", "return None, NOTHING and (Accuse("),
    Mutant("final blocks not served", CORE, "return (Serve(peer, height),)", "return NOTHING"),
    Mutant("votes not sent again", CORE, "return (Send(peer, due), get) if due else (get,)", "return (get,)"),
)


def mutate(mutant: Mutant, folder: Path) -> None:
    """Write a copy of the package with this mutant into the folder. Raises StaleMutant."""
    target = folder / PACKAGE.name
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    file = target / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        times = f"{text.count(mutant.old)} times in {mutant.file}"
        raise StaleMutant(f"mutant {mutant.name!r}: {mutant.old!r} stands {times}; bring it up to date")
    file.write_text(text.replace(mutant.old, mutant.new))


def trial(mutant: Mutant, seconds: float) -> Verdict:
    """Fuzz one mutant until a violation or the limit. Raises StaleMutant."""
    with TemporaryDirectory(prefix="salus-mutant-") as name:
        folder = Path(name)
        mutate(mutant, folder)
        result = folder / "result.json"
        command = [sys.executable, "-m", "salus_chain", "fuzz", "--seeds", "1000000", "--stop", "--json", str(result)]
        environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        started = monotonic()
        try:
            done = subprocess.run(
                command, env=environment, cwd=folder, timeout=seconds, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return Verdict(mutant.name, False, seconds, -1, "")
        took = monotonic() - started
        if not result.exists():
            raise ChainError(f"mutant {mutant.name!r} did not run: {done.stderr[-500:]}")
        found = json.loads(result.read_text())["found"][0]
        return Verdict(mutant.name, True, round(took, 1), found["seed"], found["invariant"])


def gate(seconds: float, jobs: int) -> Iterator[Verdict]:
    """All mutants, in order. Raises StaleMutant."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda mutant: trial(mutant, seconds), MUTANTS)
