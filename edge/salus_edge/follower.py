"""Following the chain: rounds that open, models that are settled, releases that are approved, all taken
over by proof.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final

import structlog

from salus_chain.client import ChainClient
from salus_chain.errors import ChainError, ProofError, Unreachable
from salus_chain.fixed import Int32s
from salus_chain.proto import release_pb2
from salus_chain.views import ApprovedRelease, RoundView, TaskView
from salus_edge import bases
from salus_edge.config import ArmConfig
from salus_edge.errors import EdgeError
from salus_edge.learner import Learner, round_key
from salus_edge.provenance import require_proven
from salus_edge.rounds import PAUSE_S, Participant
from salus_edge.store import models, rounds
from salus_edge.store.models import StoredRelease

WAIT_S: Final = 20.0

log = structlog.get_logger(__name__)


class Follower:
    """Looks at every arm after each block. `refit(arm)` is called when personal heads are to be fitted anew,
    `changed(release)` when predictions may be others now. Neither waits: a round may open with the next block.
    """

    def __init__(
        self,
        client: ChainClient,
        learner: Learner,
        participant: Participant,
        group: asyncio.TaskGroup,
        refit: Callable[[ArmConfig], None],
        changed: Callable[[StoredRelease | None], None],
    ) -> None:
        self._client, self._learner, self._participant = client, learner, participant
        self._group, self._refit, self._changed = group, refit, changed
        self._joined: set[tuple[str, int]] = set()
        self._ended: set[tuple[str, int]] = set()
        self._seen: dict[str, tuple[bytes, bytes]] = {}

    async def run(self) -> None:
        """For ever; while no validator answers it waits."""
        height = -1
        while True:
            try:
                reached = await self._client.wait_height(height, WAIT_S)
                for arm in self._learner.settings.arms:
                    await self._look(arm)
                height = reached
            except Unreachable as error:
                log.info("chain_away", why=str(error))
                await asyncio.sleep(PAUSE_S)

    async def _look(self, arm: ArmConfig) -> None:
        try:
            task = await self._client.task(arm.task)
            if task is None:
                return
            await self._follow_release(arm, task)
            await self._follow_model(arm, task)
            await self._follow_round(arm, task)
        except Unreachable:
            raise
        except (ChainError, EdgeError, sqlite3.Error) as error:  # looked at again after the next block
            log.warning("not_taken_over", task=arm.task, why=str(error))

    async def _follow_round(self, arm: ArmConfig, task: TaskView) -> None:
        if not task.round or (arm.task, task.round) in self._ended:
            return
        view = await self._client.round(arm.task, task.round)
        if view is None:
            return
        if view.status == "open" and (arm.task, view.round) not in self._joined:
            self._joined.add((arm.task, view.round))
            self._participant.start(self._group, arm, view)
        if view.status in ("settled", "expired"):
            self._ended.add((arm.task, view.round))
            await asyncio.to_thread(self._note_end, view)

    def _note_end(self, view: RoundView) -> None:
        database = self._learner.database
        rounds.sit_out(database, round_key(view), "not seen open")  # keeps what a refit needs; a record stays
        record = rounds.record(database, view.task, view.round)
        if record is not None and record.file is not None:
            ended: rounds.Status = "settled" if view.status == "settled" else "expired"
            rounds.set_status(database, view.task, view.round, ended, view.reason)

    async def _follow_release(self, arm: ArmConfig, task: TaskView) -> None:
        database = self._learner.database
        own = models.releases(database, arm.task)
        if task.release is None or (own and own[-1].version >= task.release.version):
            return
        approved = await self._client.release(arm.task)
        if approved is None or (own and own[-1].version >= approved.version):
            return
        release, settled_digest = _stored(approved, arm.task)
        values = await self._model(settled_digest)
        number = release_pb2.Manifest.FromString(release.manifest).settled_round
        models.put_release(database, arm.task, release, values, approved.height)
        models.put_model(database, arm.task, release.base, number, settled_digest, values)
        log.info("release", task=arm.task, version=release.version, base=release.base.hex()[:16])
        for each in self._learner.settings.arms:
            if bases.current(database, self._learner.settings, each.task).base == release.base:
                self._refit(each)
        self._changed(release if arm is self._learner.settings.arms[0] else None)

    async def _follow_model(self, arm: ArmConfig, task: TaskView) -> None:
        database, settings = self._learner.database, self._learner.settings
        base = bases.current(database, settings, arm.task).base
        if self._seen.get(arm.task) == (task.model_digest, base):
            return
        origin = await require_proven(self._client, database, settings, task.task, task.round, task.model_digest)
        kind = origin.open.kind if origin else "approved"
        home = origin.open.base_sha256 if origin and kind == "feature" else base
        if kind == "calibration":  # goes with no base yet: the release that is made from it will say which
            log.info("settled", task=arm.task, round=task.round, kind=kind)
        else:
            wanted = [each for each in dict.fromkeys((home, base)) if self._lacks(arm, each, home, task.model_digest)]
            if wanted:
                await self._adopt(arm, task, origin, wanted)
        self._seen[arm.task] = (task.model_digest, base)

    def _lacks(self, arm: ArmConfig, base: bytes, home: bytes, digest: bytes) -> bool:
        """Whether this digest must become the model of `base`: it is made for it, or that has none."""
        found = models.model(self._learner.database, arm.task, base)
        return found is None or (base == home and found.digest != digest)

    async def _adopt(self, arm: ArmConfig, task: TaskView, origin: RoundView | None, wanted: list[bytes]) -> None:
        values = await self._model(task.model_digest)
        number = origin.round if origin else 0
        for base in wanted:
            models.put_model(self._learner.database, arm.task, base, number, task.model_digest, values)
        if origin is not None:
            await asyncio.to_thread(self._note_end, origin)
        log.info("settled", task=arm.task, round=number, digest=task.model_digest.hex()[:16])
        self._refit(arm)
        self._changed(None)

    async def _model(self, digest: bytes) -> Int32s:
        values = await self._client.model(digest)
        size = self._learner.program.layout.size
        if values.shape != (size,):
            raise ProofError(f"content: a model of {values.shape} weights where the layout has {size}")
        return values


def _stored(approved: ApprovedRelease, task: str) -> tuple[StoredRelease, bytes]:
    """What is kept of a release, and the digest of the settled model that it was made from. Raises
    ProofError.
    """
    signed = release_pb2.SignedManifest.FromString(approved.signed_manifest)
    manifest = release_pb2.Manifest.FromString(signed.manifest)
    if manifest.version != approved.version or manifest.task != task:
        raise ProofError(f"content: the manifest is of {manifest.task} version {manifest.version}")
    release = StoredRelease(
        approved.version, manifest.sha256, signed.manifest, approved.signed_manifest, approved.model
    )
    return release, manifest.settled_model_digest
