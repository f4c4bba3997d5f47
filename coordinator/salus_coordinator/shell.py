"""Runs a campaign: one task per lane looks at the chain, decides, acts; signatures and nonces are taken in
turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from salus_chain.candidates import Candidate, ModelCandidate
from salus_chain.client import ChainClient, open_round_tx
from salus_chain.errors import Rejected, Unreachable, first_of
from salus_chain.fixed import Int32s
from salus_chain.genesis import read_genesis
from salus_chain.keys import Signer
from salus_chain.passphrases import open_key
from salus_chain.rules.transactions import OpenRound
from salus_chain.updates import model_digest
from salus_coordinator.campaign import (
    ApproveModel,
    Done,
    Fail,
    Lane,
    MakeRelease,
    Open,
    Seen,
    Wait,
    arms_may_start,
    decide,
)
from salus_coordinator.config import CoordinatorConfig, beside, expand, read_config
from salus_coordinator.errors import CampaignError
from salus_coordinator.model.package import Package, read
from salus_coordinator.order import Order
from salus_coordinator.progress import Progress
from salus_coordinator.releases import Builder, sign_release

LOOK_S: Final = 5.0  # the longest between two looks at the chain
PAUSE_S: Final = 0.5
# What other lanes' or gateways' timing causes, and the next look resolves.
PASSING: Final = (
    "round_active",
    "wrong_round",
    "wrong_nonce",
    "stale_model",
    "old_version",
    "wrong_sequence",
)


@dataclass
class Campaign:
    """Everything a lane needs; `turn` keeps one nonce per transaction."""

    client: ChainClient
    config: CoordinatorConfig
    signer: Signer
    release_signer: Signer
    package: Package
    builder: Builder
    progress: Progress
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


def run(path: Path, watch: bool) -> None:
    """Run the campaign of a file. Raises ConfigError, ModelError, ChainError or CampaignError."""
    config = read_config(path)
    genesis = read_genesis(beside(path, config.genesis))
    package = read(beside(path, config.model))

    async def main() -> None:
        async with ChainClient(genesis, config.validators) as client:
            campaign = Campaign(
                client,
                config,
                open_key(beside(path, config.key)),
                open_key(beside(path, config.release_key)),
                package,
                Builder(config.builder),
                Progress(beside(path, config.progress)),
            )
            await run_campaign(campaign, watch)

    try:
        asyncio.run(main())
    except BaseExceptionGroup as group:
        raise first_of(group, (CampaignError, Rejected, Unreachable)) from None


async def run_campaign(campaign: Campaign, watch: bool) -> None:
    """The main lane and, once it is calibrated, the arms beside it."""
    main = Lane(campaign.package.task.name, expand(campaign.config.rounds), True, campaign.config.retries, watch)
    first = campaign.package.model
    ready: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(_run_lane(campaign, main, _known(first), ready), name=f"lane {main.task}")
        for arm in campaign.config.arms:
            lane = Lane(arm.task, expand(arm.rounds), False, campaign.config.retries, watch)
            group.create_task(_run_arm(campaign, lane, ready), name=f"lane {lane.task}")


async def _run_arm(campaign: Campaign, lane: Lane, ready: asyncio.Future[bytes]) -> None:
    digest = await asyncio.shield(ready)

    async def start() -> Int32s:
        return await campaign.client.model(digest)

    await _run_lane(campaign, lane, start, None)


async def _run_lane(
    campaign: Campaign,
    lane: Lane,
    first: Callable[[], Awaitable[Int32s]],
    ready: asyncio.Future[bytes] | None,
) -> None:
    """Look, decide, act, until the lane is done. What passes by itself is tried again for `timeout_s`."""
    failing_since: float | None = None
    while True:
        try:
            if await _act(campaign, lane, first, ready):
                return
            failing_since = None
        except (Rejected, Unreachable, CampaignError) as error:
            code = "unreachable" if isinstance(error, Unreachable) else error.code
            failing_since = failing_since or time.monotonic()
            if code not in PASSING or time.monotonic() - failing_since > campaign.config.timeout_s:
                raise
            await asyncio.sleep(PAUSE_S)


async def _act(
    campaign: Campaign,
    lane: Lane,
    first: Callable[[], Awaitable[Int32s]],
    ready: asyncio.Future[bytes] | None,
) -> bool:
    """One look and one action; True when the lane is done."""
    height = await campaign.client.height()
    seen = await look(campaign.client, lane.task)
    if ready is not None and not ready.done() and (digest := arms_may_start(lane, seen)) is not None:
        ready.set_result(digest)
    match decide(lane, seen):
        case Done():
            return True
        case Fail(code, reason):
            raise CampaignError(code, reason)
        case ApproveModel():
            await _approve_model(campaign, lane, await first())
        case MakeRelease(version, number):
            await _release(campaign, lane, seen, version, number)
        case Open() as action:
            await _open_and_wait(campaign, lane, action)
        case Wait(number):
            await _wait(campaign, lane, number, height)
    return False


async def look(client: ChainClient, task: str) -> Seen:
    """The lane's part of the chain. Rounds are few; each is asked for by number."""
    view = await client.task(task)
    if view is None:
        return Seen(None)
    rounds = [await client.round(task, number) for number in range(1, view.round + 1)]
    return Seen(view, tuple(each for each in rounds if each is not None))


async def _approve_model(campaign: Campaign, lane: Lane, model: Int32s) -> None:
    layout, program = campaign.package.layout, sha256(campaign.package.program).digest()
    with campaign.progress.stage("approve_model", lane.task) as stage:
        data = model.astype("<i4").tobytes()
        height = await _approve(campaign, ModelCandidate(lane.task, layout.to_json(), program, data))
        stage.add(height=height, model_digest=model_digest(layout.digest, model).hex())


async def _release(campaign: Campaign, lane: Lane, seen: Seen, version: int, number: int) -> None:
    assert seen.task is not None
    with campaign.progress.stage("release", lane.task, version=version, round=number) as stage:
        settled = await campaign.client.model(seen.task)
        parent = seen.task.release.model_sha256 if seen.task.release else b""
        order = Order(settled.astype("<i4").tobytes(), seen.task.model_digest, number, version, parent)
        base, manifest = await campaign.builder.requantise(order)
        candidate = sign_release(campaign.release_signer, campaign.client.genesis.chain_id, manifest, base)
        height = await _approve(campaign, candidate)
        stage.add(height=height, base_sha256=sha256(base).hexdigest(), bytes=len(base))
    await asyncio.sleep(campaign.config.settle_in_s)


async def _approve(campaign: Campaign, candidate: Candidate) -> int:
    tx = await campaign.client.approve(candidate)
    return await _final(campaign, await campaign.client.submit(tx))


async def _final(campaign: Campaign, tx_id: bytes) -> int:
    try:
        return await campaign.client.wait_final(tx_id, campaign.config.timeout_s)
    except TimeoutError as error:
        raise CampaignError("not_final", f"{error}; do enough validators run?") from None


async def _open_and_wait(campaign: Campaign, lane: Lane, action: Open) -> None:
    """Open a round and stay with it to its end, so that its stage is one line."""
    plan = action.plan
    with campaign.progress.stage(
        "round", lane.task, round=action.round, kind=plan.kind, algorithm=plan.algorithm
    ) as stage:
        stage.add(opened_height=await _open(campaign, lane, action))
        while True:
            height = await campaign.client.height()
            view = await campaign.client.round(lane.task, action.round)
            if view is not None and view.status in ("settled", "expired"):
                break
            await campaign.client.wait_height(height, LOOK_S)
        stage.add(status=view.status, updates=len(view.commits), reason=view.reason)
        stage.add(closed_height=view.closed_height or 0, settled_height=view.settled_height or 0)


async def _open(campaign: Campaign, lane: Lane, action: Open) -> int:
    plan, layout = action.plan, campaign.package.layout
    base = await _base(campaign)
    async with campaign.turn:
        status = await campaign.client.status()
        most_ms = campaign.client.genesis.policy.max_duration_ms
        open_ms, settle_ms = action.open_ms(most_ms), action.settle_ms(most_ms)
        deadline_ms = max(campaign.now_ms(), status.time_ms) + open_ms
        body = OpenRound(
            task=lane.task,
            round=action.round,
            kind=plan.kind,
            base_sha256=base,
            program_digest=sha256(campaign.package.program).digest(),
            variables=layout.names(plan.groups),
            algorithm=plan.algorithm,
            parameters=plan.parameters(),
            rule=plan.rule,
            norm_bound=plan.norm_bound,
            min_updates=plan.min_updates,
            w_max=plan.w_max,
            deadline_ms=deadline_ms,
            settle_deadline_ms=deadline_ms + settle_ms,
        )
        nonce = await campaign.client.next_nonce(campaign.signer.public_key)
        tx = open_round_tx(campaign.client.genesis.chain_id, campaign.signer, nonce, body)
        tx_id = await campaign.client.submit(tx)
    return await _final(campaign, tx_id)


async def _base(campaign: Campaign) -> bytes:
    """SHA-256 of the base in force, which gateways' features must be of: the main task's newest release."""
    view = await campaign.client.task(campaign.package.task.name)
    if view is None or view.release is None:
        raise CampaignError("no_release", f"task {campaign.package.task.name} has no release; approve version 1 first")
    return view.release.model_sha256


async def _wait(campaign: Campaign, lane: Lane, number: int, height: int) -> None:
    """After a restart: a round that an earlier run opened."""
    with campaign.progress.stage("wait", lane.task, round=number):
        await campaign.client.wait_height(height, LOOK_S)


def _known(model: Int32s) -> Callable[[], Awaitable[Int32s]]:
    async def first() -> Int32s:
        return model

    return first
