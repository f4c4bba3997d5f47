"""A node's answers to its clients."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from salus_chain.candidates import decode_candidate
from salus_chain.codec import encode
from salus_chain.errors import Rejected
from salus_chain.genesis import Validator, quorum
from salus_chain.inspection import (
    BlockList,
    ConsentView,
    Event,
    Names,
    ReportView,
    RoundList,
    Submitted,
    ValidatorsView,
)
from salus_chain.keys import verify
from salus_chain.node.foresight import foresee_batch
from salus_chain.node.http.feed import Feed
from salus_chain.node.http.metrics import Metrics, Reading, Traffic
from salus_chain.node.http.outcomes import Outcomes
from salus_chain.node.http.prover import Prover
from salus_chain.node.http.showing import (
    block_line,
    consent_view,
    gateway_view,
    report_view,
    round_line,
    round_view,
    task_view,
    validators_view,
)
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.state import RoundStatus, State
from salus_chain.rules.transactions import Receipt, TxId
from salus_chain.signing import FETCH_DOMAIN
from salus_chain.standing import unready, with_report
from salus_chain.views import (
    Approval,
    GatewayView,
    RoundView,
    SeatView,
    Status,
    TaskView,
    TxStatus,
)

if TYPE_CHECKING:
    from salus_chain.node.process import Node

FETCH_AGE_MS: Final = 60_000  # how far a request's time may be from the clock
SILENT_MS: Final = 3_000  # peers speak twice a second
HEARTBEAT_S: Final = 10.0
KEPT_REPORTS: Final = 16
BLOB_BYTES_AGE_S: Final = 60.0  # how old a count of the blobs may be
LIST_BYTES: Final = 32 << 20  # of blocks that are read for one list


class NodeService:
    """`clients.Service` of a running node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.meter = Metrics()
        self.proofs = Prover(node.store, lambda: node.ledger.state)
        self._feed = Feed(node.store)
        self._outcomes = Outcomes(self._known)
        self._reports: OrderedDict[tuple[str, int], ReportView] = OrderedDict()
        self._blob_bytes = (0, float("-inf"))  # and when they were counted
        node.ledger.listeners.append(self._advanced)

    def _advanced(self, state: State) -> None:
        self.meter.became_final(self._node.ledger.mempool.finality_ms())
        self._outcomes.changed()

    def stop(self) -> None:
        """Let those go who wait."""
        self._outcomes.stop()

    @property
    def _state(self) -> State:
        return self._node.ledger.state

    def status(self) -> Status:
        ledger, state, now_ms = self._node.ledger, self._state, _now_ms()
        return with_report(
            Status(
                ledger.identity.name,
                state.genesis.chain_id,
                state.height,
                state.time_ms,
                ledger.round,
                now_ms,
                ledger.started_ms,
                -1 if ledger.seat is None else ledger.seat,
                quorum(len(state.validators)),
                len(ledger.mempool),
                "",
                tuple(self._seat(each, now_ms) for each in state.seats),
            )
        )

    def _seat(self, each: Validator, now_ms: int) -> SeatView:
        """Where a validator stands: this one itself, or another as it said last."""
        ledger = self._node.ledger
        names = (each.name, each.public_key, each.url)
        if each.public_key == ledger.identity.signer.public_key:
            return SeatView(*names, ledger.state.height, ledger.round, now_ms, there=True)
        heard = ledger.positions.get(each.public_key)
        if heard is None:
            return SeatView(*names, 0, 0, 0, there=False)
        there = now_ms - heard.heard_ms <= SILENT_MS
        return SeatView(*names, heard.height - 1, heard.round, heard.heard_ms, there)

    def unready(self) -> str:
        return unready(self.status())

    async def wait(self, above: int, timeout_s: float) -> Status:
        deadline = time.monotonic() + timeout_s
        while self._state.height <= above and await self._next_block(deadline):
            pass
        return self.status()

    async def _next_block(self, deadline: float) -> bool:
        """Whether a block came before the deadline, a monotonic time, and the node goes on."""
        changed, remaining_s = self._node.changed, deadline - time.monotonic()
        if remaining_s <= 0 or self._node.stopping.is_set():
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(remaining_s):
                await changed.wait()
        return changed.is_set()

    def next_nonce(self, public_key: bytes) -> int:
        return self._node.ledger.mempool.next_nonce(public_key)

    def submit(self, data: bytes) -> bytes:
        return self._node.ledger.submit(data)

    async def submit_batch(self, batch: Sequence[bytes]) -> tuple[Submitted, ...]:
        """All at once; their signatures a few at a time before that, while votes come and go."""
        mempool = self._node.ledger.mempool
        await foresee_batch(batch, lambda sender: mempool.spare(sender, _now_ms()))
        return tuple(
            Submitted(None, each.code, each.reason) if isinstance(each, Rejected) else Submitted(each)
            for each in self._node.ledger.submit_batch(batch)
        )

    async def transaction(self, tx_id: bytes, timeout_s: float) -> TxStatus:
        return await self._outcomes.of(tx_id, timeout_s)

    def _known(self, tx_id: bytes) -> TxStatus:
        height = self._node.store.height_of(tx_id)
        if height is not None:
            return TxStatus("final", height)
        mempool = self._node.ledger.mempool
        if tx_id in mempool:
            return TxStatus("pending")
        reason = mempool.dropped.get(TxId(tx_id))
        return TxStatus("dropped", 0, reason.code, reason.reason) if reason else TxStatus("unknown")

    def block(self, height: int) -> tuple[Block, Certificate] | None:
        return self._node.store.block(height)

    def blocks(self, first: int, limit: int) -> BlockList:
        stored = self._node.store.range(first, limit, LIST_BYTES)
        lines = tuple(block_line(block, certificate) for block, certificate in stored)
        return BlockList(self._state.height, lines)

    def tasks(self) -> Names:
        return Names(tuple(sorted(self._state.tasks)))

    def task(self, task: str) -> TaskView | None:
        return task_view(self._state, task)

    def round(self, task: str, number: int) -> RoundView | None:
        known = self._node.store.round(task, number)
        return None if known is None else round_view(known, self._is_missing)

    def _is_missing(self, digest: bytes) -> bool:
        """Whether an update's bytes should be here and are not: erased ones should not."""
        return not self._node.blobs.has(digest) and self._node.store.erased_ms(digest) is None

    def rounds(self, task: str, limit: int) -> RoundList | None:
        known = self._state.tasks.get(task)
        if known is None:
            return None
        numbers = range(known.round, max(known.round - limit, 0), -1)
        rounds = (self._node.store.round(task, number) for number in numbers)
        return RoundList(tuple(round_line(each) for each in rounds if each is not None))

    async def report(self, task: str, number: int) -> ReportView | None:
        """Recomputed from the updates' bytes, and kept for who asks next."""
        each, key = self._node.store.round(task, number), (task, number)
        if each is None or each.status not in (RoundStatus.CLOSED, RoundStatus.SETTLED):
            return None
        if key not in self._reports:
            made = await self._node.clerk.report(each)
            if made is None:
                return None
            self._reports[key] = report_view(each, made)
            while len(self._reports) > KEPT_REPORTS:
                self._reports.popitem(last=False)
        return self._reports[key]

    def gateways(self) -> Names:
        return Names(tuple(sorted(self._state.gateways)))

    def gateway(self, gateway: str) -> GatewayView | None:
        return gateway_view(self._state, gateway)

    def consent(self, consent: bytes) -> ConsentView | None:
        return consent_view(self._state, consent)

    def validators(self) -> ValidatorsView:
        return validators_view(self._state)

    async def take_update(self, data: bytes, signature: bytes) -> Receipt:
        return await self._node.clerk.take_update(data, signature)

    async def blob(self, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bytes | None:
        """Models and releases for anyone; an update for validators and for its own gateway alone."""
        gateway = self._node.store.uploader(digest)
        committed = gateway is not None or self._committed(digest)
        if committed and not self._may_read(gateway, digest, key, time_ms, signature):
            raise Rejected("not_yours", "an update is served to validators, and to a gateway its own, by signature")
        data = await asyncio.to_thread(self._node.blobs.get, digest)
        erased_ms = self._node.store.erased_ms(digest) if data is None else None
        if erased_ms is not None:
            when = datetime.fromtimestamp(erased_ms / 1_000, UTC).isoformat(timespec="seconds")
            raise Rejected("erased", f"the bytes of this update were erased on {when}, as agreed; its round is over")
        return data

    def _committed(self, digest: bytes) -> bool:
        rounds = self._state.rounds.values()
        return any(commit.digest == digest for each in rounds for commit in each.commits)

    def _may_read(self, gateway: str | None, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bool:
        state = self._state
        owner = state.gateways.get(gateway or "")
        known = key in state.validators or (owner is not None and key == owner.public_key)
        fresh = abs(_now_ms() - time_ms) <= FETCH_AGE_MS
        message = encode((state.genesis.chain_id, digest, time_ms))
        return known and fresh and verify(key, signature, FETCH_DOMAIN, message)

    async def approve(self, candidate: bytes) -> Approval:
        return await self._node.clerk.approve(decode_candidate(candidate))

    async def events(self, height: int, position: int) -> AsyncIterator[tuple[Event, ...]]:
        """Those after event `height-position`, block by block, until the node stops; an empty batch now and then."""
        while not self._node.stopping.is_set():
            met = False
            for batch in self._feed.after(height - 1, self._state):
                met = True
                fresh = tuple(each for each in batch if int(each.id.partition("-")[2]) > position)
                height, position = height + 1, -1
                if fresh:
                    yield fresh
            if not met and not await self._next_block(time.monotonic() + HEARTBEAT_S):
                yield ()

    async def metrics(self) -> bytes:
        ledger, state = self._node.ledger, self._state
        convicted = sum(1 for standing in state.standings.values() if standing.convicted_height)
        reading = Reading(
            state.height,
            ledger.round,
            max(0, _now_ms() - ledger.started_ms) / 1_000,
            len(self._node.peers.reachable),
            len(ledger.mempool),
            ledger.mempool.size_bytes,
            ledger.round_changes,
            convicted,
            await self._count_blobs(),
            tuple(self._traffic()),
        )
        return self.meter.text(reading)

    def _traffic(self) -> Iterator[Traffic]:
        members = self._state.members
        for key, each in self._node.peers.counters().items():
            name = members[key].name if key in members else key.hex()[:16]
            yield Traffic(name, each.frames_in, each.frames_out, each.bytes_in, each.bytes_out)

    async def _count_blobs(self) -> int:
        size, counted_s = self._blob_bytes
        if time.monotonic() - counted_s > BLOB_BYTES_AGE_S:
            size = await asyncio.to_thread(self._node.blobs.size_bytes)
            self._blob_bytes = (size, time.monotonic())
        return size


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
