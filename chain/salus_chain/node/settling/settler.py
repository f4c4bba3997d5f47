"""What follows a round's close, outside consensus: recompute the aggregate, gather a quorum that agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus_chain.aggregation.aggregate import aggregate, apply_aggregate, explain
from salus_chain.aggregation.registry import read_rule
from salus_chain.aggregation.report import Report
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.errors import Rejected
from salus_chain.fixed import Int32s
from salus_chain.keys import verify
from salus_chain.rules.models import layout
from salus_chain.rules.state import CommitEntry, Round, State, Task
from salus_chain.rules.transactions import STATEMENT_DOMAIN, Settle, statement_bytes
from salus_chain.updates import UpdateDigest, UpdateHeader, aggregate_digest, decode_model, decode_update, encode_model
from salus_chain.updates import model_digest as digest_of_model

RoundKey: TypeAlias = tuple[str, int]  # task, round


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A closed round's outcome: what to sign, the new model's file, who was clipped."""

    settle: Settle
    model: bytes
    report: Report


def recompute(task: Task, each: Round, model: bytes, updates: Mapping[UpdateDigest, bytes]) -> Recomputed:
    """Aggregate the committed updates (digest → file) onto the model file before.

    Raises DecodeError, or Rejected `wrong_update` when a file is not what its commit says.
    """
    shape = layout(task.layout_json)
    combined, report = aggregate(*_given(each, updates))
    _, before = decode_model(model)
    after = apply_aggregate(before, combined, shape.indices(each.open.variables))
    settle = Settle(
        task.id,
        each.open.round,
        each.commits_root,
        each.model_before,
        aggregate_digest(combined),
        digest_of_model(shape.digest, after),
    )
    return Recomputed(settle, encode_model(shape.digest, after), report)


def explained(each: Round, updates: Mapping[UpdateDigest, bytes]) -> Report:
    """The report on a round's updates with each one's contribution. Raises as `recompute`."""
    return explain(*_given(each, updates))


def _given(
    each: Round, updates: Mapping[UpdateDigest, bytes]
) -> tuple[AggregationRule, Int32s, NDArray[np.int64], list[str], list[int]]:
    """The rule, updates int32 (n, d), weights int64 (n,), gateways and scores."""
    rows = np.empty((len(each.commits), each.d), np.int32)
    for row, commit in enumerate(each.commits):
        rows[row] = _values(each, commit, updates[UpdateDigest(commit.digest)])
    rule = read_rule(each.open.rule, each.open.norm_bound, each.open.parameters)
    weights = np.array([commit.weight for commit in each.commits], np.int64)
    names = [commit.gateway for commit in each.commits]
    return rule, rows, weights, names, [commit.score for commit in each.commits]


def _values(each: Round, commit: CommitEntry, data: bytes) -> Int32s:
    header, values = decode_update(data)
    wanted = UpdateHeader(
        header.chain_id,
        each.open.task,
        each.open.round,
        commit.gateway,
        each.model_before,
        each.layout_digest,
        commit.weight,
        each.d,
    )
    if header != wanted:
        raise Rejected("wrong_update", f"gateway {commit.gateway}: its update's header is not what it committed to")
    return values


def missing(each: Round, held: Sequence[bytes]) -> tuple[bytes, ...]:
    """The committed digests that are not among `held`."""
    return tuple(commit.digest for commit in each.commits if commit.digest not in held)


@dataclass
class Statements:
    """Signatures on settlements of the validators that decide the next block, until a quorum agrees.

    A seat has one word on a round, its latest; so nobody's words push out another's.
    """

    chain_id: bytes
    validators: tuple[bytes, ...]
    votes: dict[RoundKey, dict[int, tuple[Settle, bytes]]] = field(default_factory=dict)

    def follow(self, validators: tuple[bytes, ...]) -> bool:
        """Whether the set is another than before; signatures under the old one then count no more."""
        if validators == self.validators:
            return False
        self.validators = validators
        self.votes.clear()
        return True

    def add(self, state: State, statement: Settle, seat: int, signature: bytes) -> bool:
        """Keep a signature that verifies, on a round that is or may soon be closed; whether it is new."""
        key = (statement.task, statement.round)
        if not 0 <= seat < len(self.validators) or not _may_close(state, key):
            return False
        if self.votes.get(key, {}).get(seat, (None,))[0] == statement:
            return False
        message = statement_bytes(self.chain_id, self.validators, statement)
        if not verify(self.validators[seat], signature, STATEMENT_DOMAIN, message):
            return False
        self.votes.setdefault(key, {})[seat] = (statement, signature)
        return True

    def agreed(self, key: RoundKey, wanted: int) -> tuple[Settle, dict[int, bytes]] | None:
        """The settlement that at least `wanted` seats signed, and their signatures by seat."""
        said = self.votes.get(key, {})
        for statement in {each for each, _ in said.values()}:
            seats = {seat: signature for seat, (each, signature) in said.items() if each == statement}
            if len(seats) >= wanted:
                return statement, seats
        return None

    def forget_settled(self, state: State) -> None:
        """Drop rounds that are over."""
        self.votes = {key: said for key, said in self.votes.items() if _may_close(state, key)}


def _may_close(state: State, key: RoundKey) -> bool:
    """Whether a round is a task's latest and active, or, as another validator may be a block ahead, its next."""
    task, number = key
    each, known = state.rounds.get(task), state.tasks.get(task)
    if known is None or not known.round <= number <= known.round + 1:
        return False
    return number > known.round or (each is not None and each.active)
