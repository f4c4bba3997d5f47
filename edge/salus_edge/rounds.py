"""The gateway's side of rounds: train when one opens, commit, and take over what is settled."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Final

import structlog

from salus_chain.client import ChainClient, commit_tx
from salus_chain.errors import ChainError, Rejected, Unreachable
from salus_chain.keys import Signer
from salus_chain.updates import decode_update, update_digest
from salus_chain.views import RoundView
from salus_edge.config import ArmConfig
from salus_edge.errors import EdgeError
from salus_edge.learner import Learner, round_key
from salus_edge.provenance import require_proven
from salus_edge.store import rounds

LATEST_START: Final = 0.6  # of a round's time that is left when training starts with whatever data there is
LOOK_S: Final = 0.3
PAUSE_S: Final = 0.5
FINAL_S: Final = 10.0

log = structlog.get_logger(__name__)


class Participant:
    """Takes this gateway's part in rounds, one transaction at a time."""

    def __init__(self, client: ChainClient, signer: Signer, learner: Learner) -> None:
        self._client, self._signer, self._learner = client, signer, learner
        self._turn = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()  # the rounds under way
        self.idle = asyncio.Event()  # while there is none
        self.idle.set()

    def start(self, group: asyncio.TaskGroup, arm: ArmConfig, view: RoundView) -> None:
        """Take part in a task of its own."""
        task = group.create_task(self.take_part(arm, view), name=f"round {view.round} of {arm.task}")
        self.tasks.add(task)
        self.idle.clear()
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not self.tasks:
            self.idle.set()

    async def take_part(self, arm: ArmConfig, view: RoundView) -> None:
        """From an open round to a final commit, or out with a reason in log and store. Never raises for a
        bad round.
        """
        key_log = log.bind(task=arm.task, round=view.round, kind=view.open.kind)
        while True:
            try:
                file = await self._train(arm, view)
                if file is not None:
                    await self._commit(arm, view, file)
                return
            except Unreachable as error:
                if _now_ms() >= view.open.deadline_ms:
                    key_log.warning("late", why=str(error))
                    return
                key_log.info("chain_away", why=str(error))
                await asyncio.sleep(PAUSE_S)
            except sqlite3.Error as error:  # a full disk, say; the wearables' packets need this process
                key_log.error("sat_out", why=str(error))
                return
            except (EdgeError, ChainError) as error:
                key_log.warning("sat_out", why=str(error))
                await self._sit_out(view, str(error))
                return

    async def _train(self, arm: ArmConfig, view: RoundView) -> bytes | None:
        kept = await asyncio.to_thread(rounds.record, self._learner.database, arm.task, view.round)
        if kept is not None and kept.file is not None:
            return kept.file
        if not await self._wait_for_data(arm, view):
            await self._sit_out(view, "no labelled data")
            log.info("sat_out", task=arm.task, round=view.round, why="no labelled data")
            return None
        learner = self._learner
        await require_proven(
            self._client, learner.database, learner.settings, arm.task, view.round - 1, view.model_before
        )
        model = await self._client.model(view.model_before)
        started = time.monotonic()
        file = await asyncio.to_thread(self._learner.train_round, arm, view, model)
        took_s = round(time.monotonic() - started, 3)
        log.info("trained", task=arm.task, round=view.round, kind=view.open.kind, seconds=took_s, bytes=len(file))
        return file

    async def _wait_for_data(self, arm: ArmConfig, view: RoundView) -> bool:
        """Until all patients have labelled rows, or the time is short; whether any has."""
        opened, everyone = view.open, len(self._learner.settings.patients)
        began_ms = _now_ms()
        latest_ms = opened.deadline_ms - LATEST_START * max(0, opened.deadline_ms - began_ms)
        last_ms = opened.deadline_ms - 0.25 * max(0, opened.deadline_ms - began_ms)
        while True:
            ready = await asyncio.to_thread(self._learner.ready, arm, round_key(view).kind, opened.base_sha256)
            now_ms = _now_ms()
            if ready == everyone or now_ms >= last_ms or (ready and now_ms >= latest_ms):
                return ready > 0
            await asyncio.sleep(LOOK_S)

    async def _commit(self, arm: ArmConfig, view: RoundView, file: bytes) -> None:
        """Send the stored bytes and commit to them, again and again until the commit is final or the round
        over.
        """
        header, digest = decode_update(file)[0], update_digest(file)
        while True:
            now = await self._client.round(arm.task, view.round)
            if now is not None and now.commits.get(self._learner.settings.gateway) == digest:
                await self._status(arm, view, "committed")
                log.info("committed", task=arm.task, round=view.round, weight=header.weight)
                return
            if now is None or now.status != "open":
                await self._status(arm, view, "trained", "late")
                log.warning(
                    "late",
                    task=arm.task,
                    round=view.round,
                    why="the round closed before the commit was final",
                )
                return
            try:
                receipts = await self._client.put_update(file, self._signer)
                async with self._turn:
                    nonce = await self._client.next_nonce(self._signer.public_key)
                    chain_id = self._learner.settings.genesis.chain_id
                    tx = commit_tx(chain_id, self._signer, nonce, header, digest, receipts)
                    tx_id = await self._client.submit(tx)
                await self._client.wait_final(tx_id, FINAL_S)
            except (Unreachable, TimeoutError) as error:
                log.info("commit_again", task=arm.task, round=view.round, why=str(error))
                await asyncio.sleep(PAUSE_S)
            except Rejected as error:
                if error.code not in ("wrong_nonce", "duplicate_commit", "no_open_round"):
                    raise
                await asyncio.sleep(PAUSE_S)

    async def _status(self, arm: ArmConfig, view: RoundView, status: rounds.Status, reason: str = "") -> None:
        await asyncio.to_thread(rounds.set_status, self._learner.database, arm.task, view.round, status, reason)

    async def _sit_out(self, view: RoundView, reason: str) -> None:
        try:
            key = round_key(view)
        except EdgeError:
            return
        await asyncio.to_thread(rounds.sit_out, self._learner.database, key, reason)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
