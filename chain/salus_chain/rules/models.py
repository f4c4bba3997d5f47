"""What a quorum approves: a task's model, and its releases for wearables."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from salus_chain.errors import DecodeError, Rejected
from salus_chain.layout import Layout
from salus_chain.rules.state import NO_RELEASE, Release, State, Table, Task, write
from salus_chain.rules.transactions import ApproveModel, ApproveRelease


def approve_model(state: State, sender: bytes, body: ApproveModel) -> State:
    """The task starts, or starts again with another model; its rounds and releases count on."""
    known = state.tasks.get(body.task)
    if body.sequence != (known.sequence if known else 0) + 1:
        raise Rejected("wrong_sequence", f"task {body.task}: approval {body.sequence} is not the next one")
    if body.task in state.rounds and state.rounds[body.task].active:
        raise Rejected("round_active", f"task {body.task}: wait until round {state.tasks[body.task].round} ends")
    try:
        layout(body.layout_json)
    except DecodeError as error:
        raise Rejected("wrong_layout", f"task {body.task}: {error}") from None
    task = Task(
        body.task,
        known.round if known else 0,
        body.sequence,
        body.layout_json,
        body.program_digest,
        body.model_digest,
        known.release if known else NO_RELEASE,
    )
    return write(state, (Table.TASKS, body.task, task))


def approve_release(state: State, sender: bytes, body: ApproveRelease) -> State:
    """Versions only go up, and a release is made from the task's model as it stands."""
    task = require_task(state, body.task)
    if body.version <= task.release.version:
        raise Rejected("old_version", f"task {body.task}: version {body.version} is not above {task.release.version}")
    if body.settled_model_digest != task.model_digest:
        raise Rejected("stale_model", f"task {body.task}: the release is not made from the settled model")
    release = Release(body.version, body.blob_digest, body.model_sha256, body.settled_model_digest)
    return write(state, (Table.TASKS, body.task, replace(task, release=release)))


def require_task(state: State, task: str) -> Task:
    if task not in state.tasks:
        raise Rejected("unknown_task", f"task {task} has no approved model on this chain")
    return state.tasks[task]


@lru_cache(maxsize=256)
def layout(layout_json: str) -> Layout:
    """Raises DecodeError."""
    return Layout.from_json(layout_json)
