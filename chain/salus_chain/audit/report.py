"""What an audit tells, as lines for people and as one document for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from salus_chain.audit.lineage import Approved, Settled, Step, lineage
from salus_chain.audit.recompute import Outcome, again
from salus_chain.audit.replay import Replay
from salus_chain.errors import AuditError
from salus_chain.node.storage.blobs import Blobs
from salus_chain.rules.state import state_root
from salus_chain.rules.transactions import NO_SCORE

Origin: TypeAlias = "tuple[Told, ...]"  # of a model, newest first


@dataclass(frozen=True, slots=True)
class Told:
    """A step of a model's making, and how a settlement is known to be right."""

    step: Step
    outcome: Outcome | None


def made(replay: Replay, model: str, task: str, blobs: Blobs | None) -> Origin:
    """How the model of this digest, or this task's, was made; empty when neither is asked for.

    Raises AuditError: no such model or task, or bytes that give another result.
    """
    if task and not model:
        known = replay.state.tasks.get(task)
        if known is None:
            raise AuditError(f"task {task}: this chain has no such task")
        model = known.model_digest.hex()
    if not model:
        return ()
    try:
        steps = lineage(replay.steps, bytes.fromhex(model.removeprefix("0x")))
    except ValueError:
        raise AuditError(f"model {model}: not a digest in hexadecimal") from None
    if not steps or (task and steps[0].task != task):
        raise AuditError(f"model {model}: nothing on this chain {f'of task {task} ' if task else ''}made it")
    return tuple(Told(step, again(step, blobs) if isinstance(step, Settled) else None) for step in steps)


def lines(replay: Replay, origin: Origin) -> Iterator[str]:
    """What was replayed, then how the model was made."""
    state, kinds = replay.state, sorted(replay.kinds.items())
    yield f"ok  chain {state.genesis.federation}, {state.genesis.chain_id.hex()[:16]}"
    yield f"ok  {state.height} blocks, each final by its validators, and executed to the state root it names"
    counted = ", ".join(f"{count} {kind.name.lower()}" for kind, count in kinds)
    yield f"ok  {replay.transactions} transactions{': ' if counted else ''}{counted}"
    yield f"ok  state root {state_root(state).hex()} after block {state.height}"
    for height, count in replay.set_changes:
        yield f"    from block {height} on {count} validators decided"
    for key, height in replay.convicted.items():
        yield f"    {_name(replay, key)} was convicted of equivocation at height {height}"
    for told in origin:
        yield from _step(told)


def _step(told: Told) -> Iterator[str]:
    step = told.step
    if isinstance(step, Approved):
        yield f"model {step.model.hex()}"
        yield f"    task {step.task}, approval {step.body.sequence} by a quorum at height {step.height}"
        return
    rule, sums = step.closed.open, told.outcome
    yield f"model {step.model.hex()}"
    yield f"    task {step.task}, round {rule.round} by {rule.rule}, settled at height {step.height} ({sums}), from"
    for part in step.parts:
        score = "" if part.score == NO_SCORE else f", score {part.score}"
        yield (
            f"    update {part.digest.hex()} of {part.gateway} ({part.hospital}), weight {part.weight}{score},"
            f" committed at height {part.height}"
        )
    yield f"    and model {step.body.model_before.hex()}"


def document(replay: Replay, origin: Origin) -> dict[str, Any]:
    """The same as JSON values; digests and keys in hexadecimal."""
    state = replay.state
    return {
        "chain_id": state.genesis.chain_id.hex(),
        "height": state.height,
        "state_root": state_root(state).hex(),
        "transactions": {kind.name.lower(): count for kind, count in sorted(replay.kinds.items())},
        "set_changes": [{"height": height, "validators": count} for height, count in replay.set_changes],
        "convicted": [{"key": key.hex(), "height": height} for key, height in replay.convicted.items()],
        "origin": [_document(told) for told in origin],
    }


def _document(told: Told) -> dict[str, Any]:
    step = told.step
    common = {"task": step.task, "height": step.height, "model": step.model.hex()}
    if isinstance(step, Approved):
        return {**common, "approval": step.body.sequence}
    return {
        **common,
        "round": step.body.round,
        "rule": step.closed.open.rule,
        "model_before": step.body.model_before.hex(),
        "aggregate": step.body.aggregate_digest.hex(),
        "sums": str(told.outcome),
        "updates": [
            {
                "gateway": part.gateway,
                "hospital": part.hospital,
                "digest": part.digest.hex(),
                "weight": part.weight,
                "score": None if part.score == NO_SCORE else part.score,
                "height": part.height,
            }
            for part in step.parts
        ],
    }


def _name(replay: Replay, key: bytes) -> str:
    known = replay.state.members.get(key)
    return f"{known.name} ({key.hex()[:16]})" if known else key.hex()[:16]
