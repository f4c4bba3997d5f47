"""A round's life: open → commit → close by block time → settle by a quorum's recomputation, or expire."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from salus_chain.aggregation.registry import RULES, check_parameters, counted
from salus_chain.aggregation.rule import MAX_NORM_BOUND, MAX_WEIGHT_SUM
from salus_chain.errors import Rejected
from salus_chain.genesis import faults
from salus_chain.keys import verify
from salus_chain.rules.models import layout, require_task
from salus_chain.rules.state import CommitEntry, Gateway, Round, RoundStatus, Row, State, Table, Task, write
from salus_chain.rules.transactions import (
    NO_SCORE,
    RECEIPT_DOMAIN,
    ROUND_KINDS,
    Commit,
    OpenRound,
    Settle,
    receipt_bytes,
)
from salus_chain.updates import UpdateHeader


def advance(state: State) -> State:
    """Close and expire what is due at `state.time_ms`."""
    moved = [(each, _advance(each, state)) for each in state.rounds.values() if each.active]
    changed: list[Row] = [(Table.ROUNDS, each.open.task, after) for each, after in moved if after is not each]
    return write(state, *changed) if changed else state


def _advance(each: Round, state: State) -> Round:
    if each.status is RoundStatus.OPEN and state.time_ms >= each.open.deadline_ms:
        reason = _lack(each)
        status = RoundStatus.EXPIRED if reason else RoundStatus.CLOSED
        each = replace(each, status=status, closed_height=state.height, reason=reason)
    if each.status is RoundStatus.CLOSED and state.time_ms >= each.open.settle_deadline_ms:
        each = replace(each, status=RoundStatus.EXPIRED, reason="not_settled")
    return each


def _lack(each: Round) -> str:
    """Why a round that is due cannot be settled: what its rule could not combine must not close it."""
    if len(each.commits) < each.open.min_updates:
        return "too_few_updates"
    if sum(commit.weight for commit in each.commits) > MAX_WEIGHT_SUM:
        return "too_much_weight"
    taken = counted(each.open.rule, (commit.score for commit in each.commits))
    return "too_few_for_rule" if taken < each.open.min_updates else ""


def next_due_ms(state: State) -> int | None:
    """When the next round closes or expires: a block is due then, even without transactions."""
    due = [
        each.open.deadline_ms if each.status is RoundStatus.OPEN else each.open.settle_deadline_ms
        for each in state.rounds.values()
        if each.active
    ]
    return min(due, default=None)


def open_round(state: State, sender: bytes, body: OpenRound) -> State:
    """A coordinator asks, within the policy, for updates of some of the task's variables."""
    if sender not in state.coordinators:
        raise Rejected("not_a_coordinator", f"{sender.hex()[:16]} may not open rounds in this federation")
    task = require_task(state, body.task)
    if body.task in state.rounds and state.rounds[body.task].active:
        raise Rejected("round_active", f"task {body.task}: round {task.round} is not over")
    if body.round != task.round + 1:
        raise Rejected("wrong_round", f"task {body.task}: round {body.round} where {task.round + 1} is next")
    if body.program_digest != task.program_digest:
        raise Rejected("wrong_program", f"task {body.task}: another training program than the approved one")
    _check_policy(state, body)
    shared = _shared_size(task, body)
    opened = Round(body, RoundStatus.OPEN, layout(task.layout_json).digest, shared, task.model_digest, state.height)
    return write(state, (Table.TASKS, body.task, replace(task, round=body.round)), (Table.ROUNDS, body.task, opened))


def _check_policy(state: State, body: OpenRound) -> None:
    policy, duration_ms = state.genesis.policy, body.deadline_ms - state.time_ms
    settle_ms = body.settle_deadline_ms - body.deadline_ms
    names = [name for name, _ in body.parameters]
    wrong = {
        "wrong_kind": body.kind not in ROUND_KINDS,
        "wrong_rule": body.rule not in policy.rules or body.rule not in RULES,
        "wrong_norm_bound": not 0 < body.norm_bound <= MAX_NORM_BOUND,
        "wrong_min_updates": body.min_updates < policy.min_updates,
        "wrong_w_max": not 0 < body.w_max <= policy.max_weight,
        "wrong_parameters": names != sorted(set(names)),
        "wrong_deadline": not policy.min_duration_ms <= duration_ms <= policy.max_duration_ms,
        "wrong_settle_deadline": not policy.min_duration_ms <= settle_ms <= policy.max_duration_ms,
    }
    for code, breaks in wrong.items():
        if breaks:
            raise Rejected(code, f"task {body.task}, round {body.round}: outside the genesis policy {policy}")
    check_parameters(body.rule, body.norm_bound, body.parameters, body.min_updates, policy.min_updates)


def _shared_size(task: Task, body: OpenRound) -> int:
    """How many numbers an update has."""
    variables = layout(task.layout_json).variables
    wanted = set(body.variables)
    shared = [variable for variable in variables if variable.name in wanted]
    if not shared or tuple(variable.name for variable in shared) != body.variables:
        raise Rejected(
            "wrong_variables", f"task {body.task}: variables are names of the layout, once each, in its order"
        )
    if body.kind == "feature" and any(variable.group == "base" for variable in shared):
        raise Rejected("wrong_variables", f"task {body.task}: a feature round leaves the base as it is")
    return sum(variable.size for variable in shared)


def check_update(state: State, header: UpdateHeader) -> tuple[Round, Gateway]:
    """Whether the open round takes an update with this header; a commit and an upload are judged alike.

    Raises Rejected `wrong_chain`, `unknown_task`, `no_open_round`, `wrong_round`, `unknown_gateway`,
    `revoked_gateway`, `wrong_model`, `wrong_layout`, `wrong_shape` or `wrong_weight`.
    """
    where = f"task {header.task}, round {header.round}, gateway {header.gateway}"
    if header.chain_id != state.genesis.chain_id:
        raise Rejected("wrong_chain", f"{where}: the update is for another chain")
    require_task(state, header.task)
    each = state.rounds.get(header.task)
    if each is None or each.status is not RoundStatus.OPEN:
        raise Rejected("no_open_round", f"{where}: no round of this task is open")
    if each.open.round != header.round:
        raise Rejected("wrong_round", f"{where}: round {each.open.round} is open")
    gateway = state.gateways.get(header.gateway)
    if gateway is None:
        raise Rejected("unknown_gateway", f"{where}: not enrolled by any hospital")
    if gateway.revoked:
        raise Rejected("revoked_gateway", f"{where}: revoked by its hospital")
    if header.base_model_digest != each.model_before:
        raise Rejected("wrong_model", f"{where}: not trained from the task's current model")
    if header.layout_digest != each.layout_digest:
        raise Rejected("wrong_layout", f"{where}: another layout of variables")
    if header.d != each.d:
        raise Rejected("wrong_shape", f"{where}: {header.d} numbers where the round shares {each.d}")
    most = min(gateway.patients, each.open.w_max)
    if not 0 < header.weight <= most:
        raise Rejected("wrong_weight", f"{where}: weight {header.weight} where 1 to {most} is allowed")
    return each, gateway


def commit(state: State, sender: bytes, body: Commit) -> State:
    """One commit per gateway and round, with receipts of at least f+1 validators: an honest one has the bytes and
    saw that their header is this one.
    """
    header = body.header
    each, gateway = check_update(state, header)
    where = f"task {body.task}, round {body.round}, gateway {body.gateway}"
    if gateway.public_key != sender:
        raise Rejected("wrong_sender", f"{where}: committed by another key than the gateway's")
    at = bisect_left(each.commits, body.gateway, key=_gateway)
    if at < len(each.commits) and each.commits[at].gateway == body.gateway:
        raise Rejected("duplicate_commit", f"{where}: has committed already")
    holders = tuple(receipt.public_key for receipt in body.receipts)
    wanted = faults(len(state.validators)) + 1
    if len(holders) < wanted:
        raise Rejected("too_few_receipts", f"{where}: {len(holders)} receipts where {wanted} are needed")
    if holders != tuple(sorted(set(holders))):
        raise Rejected("duplicate_receipt", f"{where}: receipts are of distinct validators, sorted by key")
    message = receipt_bytes(header, body.digest)
    for receipt in body.receipts:
        valid = verify(receipt.public_key, receipt.signature, RECEIPT_DOMAIN, message)
        if receipt.public_key not in state.validators or not valid:
            raise Rejected("bad_receipt", f"{where}: {receipt.public_key.hex()[:16]} gave no such receipt")
    attested = state.attestations.get(body.gateway)
    score = NO_SCORE if attested is None else attested.score
    entry = CommitEntry(body.gateway, body.digest, header.weight, score, holders)
    commits = (*each.commits[:at], entry, *each.commits[at:])
    return write(state, (Table.ROUNDS, body.task, replace(each, commits=commits)))


def _gateway(entry: CommitEntry) -> str:
    return entry.gateway


def settle(state: State, sender: bytes, body: Settle) -> State:
    """The closed round's new model; that a quorum recomputed it is what the signatures say."""
    task, where = require_task(state, body.task), f"task {body.task}, round {body.round}"
    each = state.rounds.get(body.task)
    if each is None or each.open.round != body.round:
        raise Rejected("wrong_round", f"{where}: not the task's latest round")
    if each.status is RoundStatus.SETTLED:
        raise Rejected("already_settled", f"{where}: settled at height {each.settled_height}")
    if each.status is not RoundStatus.CLOSED:
        raise Rejected("round_not_closed", f"{where}: the round is {each.status}")
    if body.commits_root != each.commits_root:
        raise Rejected("wrong_commit_set", f"{where}: not the round's commits")
    if body.model_before != each.model_before or task.model_digest != each.model_before:
        raise Rejected("wrong_model", f"{where}: not from the task's current model")
    settled = replace(
        each,
        status=RoundStatus.SETTLED,
        settled_height=state.height,
        model_after=body.model_after,
        aggregate_digest=body.aggregate_digest,
    )
    return write(
        state,
        (Table.TASKS, body.task, replace(task, model_digest=body.model_after)),
        (Table.ROUNDS, body.task, settled),
    )
