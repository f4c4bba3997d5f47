"""Executes a chain from its genesis, block by block, believing nothing: certificates, rules, state roots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from salus_chain.audit.lineage import Approved, Part, Settled, Step
from salus_chain.consensus.messages import Decided
from salus_chain.errors import AuditError, Rejected
from salus_chain.genesis import Genesis
from salus_chain.node.recovery.resync import check_next
from salus_chain.rules.state import State, genesis_state
from salus_chain.rules.transactions import ApproveModel, Commit, Kind, Settle, read_transaction


@dataclass
class Replay:
    """What has been replayed so far. `steps` are what changed a task's model, by height."""

    state: State
    kinds: Counter[Kind] = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)
    set_changes: list[tuple[int, int]] = field(default_factory=list)  # from which block on, how many validators
    _committed: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)  # of active rounds: heights

    @classmethod
    def of(cls, genesis: Genesis) -> Replay:
        return cls(genesis_state(genesis))

    @property
    def transactions(self) -> int:
        return self.kinds.total()

    @property
    def convicted(self) -> dict[bytes, int]:
        """Keys convicted of equivocation, with the height."""
        standings = self.state.standings.items()
        return {key: each.convicted_height for key, each in standings if each.convicted_height}

    def add(self, decided: Decided) -> None:
        """The next block. Raises AuditError saying why it cannot be this chain's."""
        before, height = self.state, decided.block.header.height
        try:
            self.state = check_next(before, decided)
        except Rejected as error:
            raise AuditError(f"block {height}: {error}") from None
        for data in decided.block.transactions:
            tx = read_transaction(data)
            self.kinds[tx.kind] += 1
            match tx.body:
                case Commit(header):
                    self._committed.setdefault((header.task, header.round), {})[header.gateway] = height
                case ApproveModel():
                    self.steps.append(Approved(height, tx.body))
                case Settle():
                    self.steps.append(self._settled(before, height, tx.body))
        if self.state.validators != before.validators:
            self.set_changes.append((height + 1, len(self.state.validators)))
        self._forget()

    def _settled(self, before: State, height: int, body: Settle) -> Settled:
        """The round had all its commits before the block that settles it."""
        closed, heights = before.rounds[body.task], self._committed[body.task, body.round]
        parts = tuple(
            Part(
                commit.gateway,
                _hospital(before, before.gateways[commit.gateway].validator),
                commit.digest,
                commit.weight,
                commit.score,
                heights[commit.gateway],
            )
            for commit in closed.commits
        )
        return Settled(height, body, parts, before.tasks[body.task], closed)

    def _forget(self) -> None:
        """Heights of commits are needed until their round is over."""
        for task, number in list(self._committed):
            each = self.state.rounds[task]
            if each.open.round != number or not each.active:
                del self._committed[task, number]


def _hospital(state: State, key: bytes) -> str:
    known = state.members.get(key)
    return known.name if known else key.hex()[:16]
