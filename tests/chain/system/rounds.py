"""Whole rounds over a network that fails: open, upload, commit, settle; every update is remembered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from salus_chain import (
    ChainClient,
    ModelCandidate,
    OpenRound,
    PemSigner,
    Receipt,
    Rejected,
    RoundView,
    Unreachable,
    UpdateHeader,
    commit_tx,
    encode_update,
    model_digest,
    open_round_tx,
    update_digest,
)
from salus_chain.fixed import Int32s
from tests.chain.federation import LAYOUT, PROGRAM, SHARED, TASK, D, model_values
from tests.chain.system.breakable import ANSWER_S, PATIENCE_S, POLL_S, BreakableNetwork

NORM_BOUND: Final = 1 << 23
TOO_LATE: Final = frozenset({"no_open_round", "wrong_round", "wrong_deadline", "wrong_model"})
NOT_YET: Final = frozenset({"round_active"})  # at a validator that is behind


@dataclass
class Rounds:
    """The rounds of one task, by a client that may ask any honest validator."""

    network: BreakableNetwork
    client: ChainClient
    uploaded: dict[bytes, tuple[UpdateHeader, Int32s]] = field(default_factory=dict)  # by digest
    settled: list[int] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    open_ms: int = 1_500
    _opened: int = 0
    _model: bytes = model_digest(LAYOUT.digest, model_values())

    async def found(self) -> None:
        """Have the task's first model approved by a quorum; all validators should be there."""
        candidate = ModelCandidate(TASK, LAYOUT.to_json(), PROGRAM, model_values().tobytes())
        await self._final(await self.client.approve(candidate))
        for number in range(len(self.network.gateways)):
            while await self.client.gateway(f"gateway-{number}") is None:
                await self.client.wait_height(await self.client.height(), 1.0)

    async def settle_one(self) -> int:
        """The number of a round that was settled with every gateway's update.

        A round that closes before all have committed, as on a busy machine, is followed by a longer one.
        """
        async with asyncio.timeout(2 * PATIENCE_S):
            while True:
                number = await self._open()
                whole = await self._all_commit(number)
                view = await self._ended(number)
                if view.model_after:
                    self.settled.append(number)
                    self._model = view.model_after
                    if whole:
                        return number
                else:
                    self.expired.append(number)
                self.open_ms *= 2

    async def _open(self) -> int:
        coordinator, number = PemSigner.load(self.network.founded.coordinator_key), self._opened + 1
        while True:
            now_ms = time.time_ns() // 1_000_000
            deadlines = now_ms + self.open_ms, now_ms + self.open_ms + int(PATIENCE_S * 1_000)
            body = OpenRound(
                TASK, number, "feature", bytes(32), PROGRAM, SHARED, "fedavg", (("epochs", 1),), "clipped_mean",
                NORM_BOUND, 3, 3, *deadlines,
            )  # fmt: skip
            try:
                await self._final(open_round_tx(self.client.genesis.chain_id, coordinator, number - 1, body))
            except Rejected as refused:
                if refused.code not in {"wrong_deadline", "wrong_nonce"}:
                    raise
                self.open_ms *= 2
            if await self._round(number) is not None:  # also one that was final although it was refused somewhere
                self._opened = number
                return number

    async def _round(self, number: int) -> RoundView | None:
        while True:
            try:
                return await self.client.round(TASK, number)
            except Unreachable:
                await asyncio.sleep(POLL_S)

    async def _all_commit(self, number: int) -> bool:
        """Whether all gateways' commits came in time."""
        work = (self._commit(number, gateway, self._model) for gateway in range(len(self.network.gateways)))
        return all(await asyncio.gather(*work))

    async def _commit(self, number: int, gateway: int, model: bytes) -> bool:
        key, chain_id = self.network.gateways[gateway], self.client.genesis.chain_id
        header = UpdateHeader(chain_id, TASK, number, f"gateway-{gateway}", model, LAYOUT.digest, 1 + gateway % 3, D)
        values = np.random.default_rng([gateway, number]).integers(-(1 << 22), 1 << 22, D, dtype=np.int32)
        data = encode_update(header, values)
        self.uploaded[update_digest(data)] = (header, values)
        try:
            receipts = await self._receipts(data, key)
            while True:
                nonce = await self._nonce(key)
                try:
                    await self._final(commit_tx(chain_id, key, nonce, header, update_digest(data), receipts))
                    return True
                except Rejected as refused:
                    if refused.code != "wrong_nonce":  # one of an earlier round was final although it seemed too late
                        raise
        except Rejected as refused:
            if refused.code not in {*TOO_LATE, "duplicate_commit"}:
                raise
            return refused.code == "duplicate_commit"

    async def _nonce(self, key: PemSigner) -> int:
        while True:
            try:
                return await self.client.next_nonce(key.public_key)
            except Unreachable:
                await asyncio.sleep(POLL_S)

    async def _receipts(self, data: bytes, key: PemSigner) -> tuple[Receipt, ...]:
        while True:
            try:
                return await self.client.put_update(data, key)
            except Unreachable:
                await asyncio.sleep(POLL_S)

    async def _final(self, tx: bytes) -> int:
        """Submit until it is final: a validator that took it may be gone the next moment. Raises Rejected."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self.client.wait_final(await self.client.submit(tx), ANSWER_S)
            except (Unreachable, TimeoutError, Rejected) as error:
                passing = not isinstance(error, Rejected) or error.code in NOT_YET
                if not passing or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_S)

    async def _ended(self, number: int) -> RoundView:
        while True:
            try:
                view = await self.client.round(TASK, number)
                if view is not None and view.status in ("settled", "expired"):
                    return view
                await self.client.wait_height(await self.client.height(), 1.0)
            except Unreachable:
                await asyncio.sleep(POLL_S)
