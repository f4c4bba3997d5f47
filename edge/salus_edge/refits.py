"""Personal heads fitted anew in the background; rounds, which have a deadline, go first."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

import structlog

from salus_edge import bases
from salus_edge.config import ArmConfig
from salus_edge.errors import EdgeError
from salus_edge.learner import Learner

log = structlog.get_logger(__name__)


class Refits:
    """What is to be fitted, one patient at a time, whenever no round is under way."""

    def __init__(self, learner: Learner, idle: asyncio.Event, changed: Callable[[], None]) -> None:
        self._learner, self._idle, self._changed = learner, idle, changed
        self._wanted: dict[str, ArmConfig] = {}
        self._some = asyncio.Event()

    def want(self, arm: ArmConfig) -> None:
        """Fit an arm's personal heads for its current base, soon."""
        self._wanted[arm.task] = arm
        self._some.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._some.wait()
            await self._idle.wait()
            if not self._wanted:
                self._some.clear()
                continue
            arm = self._wanted.pop(next(iter(self._wanted)))
            try:
                await self._fit(arm)
            except (EdgeError, sqlite3.Error) as error:  # what predicted until now goes on predicting
                log.error("not_refitted", task=arm.task, why=str(error))

    async def _fit(self, arm: ArmConfig) -> None:
        learner, valid = self._learner, 0
        base = bases.current(learner.database, learner.settings, arm.task).base
        for each in learner.settings.patients:
            await self._idle.wait()
            await asyncio.to_thread(bases.fill, learner.database, learner.settings, each.patient, base)
            valid += await asyncio.to_thread(learner.refit_patient, arm, each.patient, base)
        log.info("refitted", task=arm.task, base=base.hex()[:16], personal=valid)
        self._changed()
