"""The validator's work outside consensus: settle closed rounds, take in updates, examine candidates.

A slow aggregate or a missing blob holds up nothing but its own round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from salus_chain.aggregation.report import Report
from salus_chain.candidates import Candidate, ModelCandidate, ReleaseCandidate
from salus_chain.codec import encode
from salus_chain.errors import DecodeError, DiskFull, Rejected
from salus_chain.genesis import quorum
from salus_chain.node.ledger import Ledger
from salus_chain.node.network import wire
from salus_chain.node.network.fetch import Fetcher
from salus_chain.node.settling import approvals, settler
from salus_chain.node.storage.blobs import Blobs
from salus_chain.reports import RoundReport, decode_report, encode_report
from salus_chain.rules.rounds import check_update
from salus_chain.rules.state import Round, RoundStatus, State
from salus_chain.rules.transactions import (
    KINDS,
    STATEMENT_DOMAIN,
    ApproveModel,
    ApproveRelease,
    Receipt,
    Settle,
    Statement,
    quorum_transaction,
    sign_receipt,
    statement_bytes,
)
from salus_chain.updates import UpdateDigest, UpdateHeader, decode_model, decode_update, update_digest, verify_upload
from salus_chain.views import Approval

RETRY_S: Final = 0.5
DISK_FULL: Final = "this validator has no room left; ask another, and this one once its operator has freed space"
UPDATE_SLACK_BYTES: Final = 1_024  # an update's header and framing

log = structlog.get_logger()


class Clerk:
    """Works for one ledger, for the tasks that match the patterns `tasks`."""

    def __init__(
        self,
        ledger: Ledger,
        blobs: Blobs,
        fetcher: Fetcher,
        tasks: Sequence[str],
        send: Callable[[bytes | None, wire.Frame], None],
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._fetcher = fetcher
        self._tasks = tuple(tasks)
        self._send = send
        self._statements = settler.Statements(ledger.state.genesis.chain_id, ledger.state.validators)
        self._own: dict[tuple[str, int], wire.Stated] = {}
        self._working: set[tuple[str, int]] = set()

    def due(self, state: State) -> list[Round]:
        """Closed rounds that nobody here works on yet; the caller runs `settle` for each."""
        self._statements.forget_settled(state)
        closed = [each for each in state.rounds.values() if each.status is RoundStatus.CLOSED]
        keys = {(each.open.task, each.open.round) for each in closed}
        self._own = {key: stated for key, stated in self._own.items() if key in keys}
        changed = self._statements.follow(state.validators)
        if self._ledger.seat is None:
            self._own.clear()
            return []
        if changed:
            self._own = {key: self._sign(stated.statement) for key, stated in self._own.items()}
        fresh = [each for each in closed if (each.open.task, each.open.round) not in self._working]
        self._working |= keys
        return fresh

    async def settle(self, each: Round) -> None:
        """Fetch what is missing, recompute, sign, tell the others; try again until the round is over."""
        key = (each.open.task, each.open.round)
        while self._still_closed(each):
            try:
                outcome = await self._recompute(each)
                stated = self._sign(outcome.settle) if outcome else None
            except (DecodeError, Rejected) as error:
                log.error("round cannot be settled", task=key[0], round=key[1], reason=str(error))
                return
            if outcome is None or stated is None or not await self._kept(outcome.model):
                await asyncio.sleep(RETRY_S)
                continue
            self._own[key] = stated
            clipped = [row.gateway for row in outcome.report.rows if row.clipped]
            log.info("recomputed", task=key[0], round=key[1], updates=len(outcome.report.rows), clipped=clipped)
            self.stated(stated)
            self.remind()
            await self._keep_report(each, outcome.settle)
            return

    async def _kept(self, model: bytes) -> bool:
        """Whether there was room: who signs a settlement can serve the new model."""
        try:
            await self._keep(model)
        except Rejected:
            return False
        return True

    def remind(self) -> None:
        """Send own signatures on rounds that are not settled yet."""
        for stated in self._own.values():
            self._send(None, stated)

    def stated(self, frame: wire.Stated) -> None:
        """Take a validator's signature; with a quorum, submit the settlement."""
        statement = frame.statement
        state = self._ledger.state
        if not isinstance(statement, Settle):
            return
        if not self._statements.add(state, statement, frame.seat, frame.signature):
            return
        own = self._own.get((statement.task, statement.round))
        if own is not None and own.statement != statement:
            log.error("settlements differ", task=statement.task, round=statement.round, seat=frame.seat)
        self.submit_settlements()

    def submit_settlements(self) -> None:
        """Submit what has a quorum; a second one of the same round is refused, harmlessly."""
        state = self._ledger.state
        wanted = quorum(len(state.validators))
        for each in list(state.rounds.values()):
            agreed = self._statements.agreed((each.open.task, each.open.round), wanted)
            if agreed is None or each.status is not RoundStatus.CLOSED:
                continue
            try:
                self._ledger.submit(quorum_transaction(state.genesis.chain_id, *agreed, wanted))
            except Rejected as error:
                log.debug("settlement refused", code=error.code)

    async def take_update(self, data: bytes, signature: bytes) -> Receipt:
        """Store a gateway's update of the open round and give a receipt.

        Raises DecodeError, or Rejected as `check_update`, `too_large`, `bad_signature`, `already_uploaded`,
        `disk_full`.
        """
        state, digest = self._ledger.state, update_digest(data)
        header, _ = decode_update(data)
        each, gateway = check_update(state, header)
        if len(data) > 4 * each.d + UPDATE_SLACK_BYTES:
            raise Rejected("too_large", f"gateway {gateway.id}: {len(data)} bytes for {each.d} numbers")
        if not verify_upload(gateway.public_key, signature, digest):
            raise Rejected("bad_signature", f"gateway {gateway.id} did not sign this upload")
        self._require_same(header, digest)
        await self._keep(data)
        try:
            self._remember(header, digest)
        except Rejected:
            await asyncio.to_thread(self._blobs.erase, digest)  # nobody would know whose they are, or when to
            raise
        return sign_receipt(self._ledger.identity.signer, header, digest)

    async def _keep(self, data: bytes) -> None:
        """Store bytes durably. Raises Rejected `disk_full`, and then nothing is stored."""
        try:
            await asyncio.to_thread(self._blobs.put, data)
        except DiskFull as error:
            log.error("disk full", reason=str(error))
            raise Rejected("disk_full", DISK_FULL) from None

    def _remember(self, header: UpdateHeader, digest: UpdateDigest) -> None:
        """Whose update is stored now; of two that came at once, the first stays the only one."""
        try:
            self._ledger.store.add_upload(header.task, header.round, header.gateway, digest)
        except DiskFull:
            raise Rejected("disk_full", DISK_FULL) from None
        self._require_same(header, digest)

    def _require_same(self, header: UpdateHeader, digest: UpdateDigest) -> None:
        if self._ledger.store.upload(header.task, header.round, header.gateway) not in (None, digest):
            raise Rejected(
                "already_uploaded",
                f"gateway {header.gateway}: another update of round {header.round} is here already",
            )

    async def approve(self, candidate: Candidate) -> Approval:
        """Examine a candidate, keep its bytes, and sign the statement that a quorum may make of it."""
        if isinstance(candidate, ModelCandidate):
            statement: ApproveModel | ApproveRelease = approvals.approve_model(
                self._ledger.state, candidate, self._tasks
            )
        else:
            statement = await self._examine(candidate)
        await self._keep(candidate.blob)
        stated = self._sign(statement)
        log.info("approved", kind=KINDS[type(statement)].name.lower(), task=statement.task)
        body = encode(statement.value())
        return Approval(stated.seat, int(KINDS[type(statement)]), body, stated.signature)

    async def _examine(self, candidate: ReleaseCandidate) -> ApproveRelease:
        manifest = approvals.read_manifest(self._ledger.state.genesis, candidate)
        task = approvals.check_manifest(self._ledger.state, manifest, self._tasks)
        model = await self.blob(task.model_digest)
        if model is None:
            raise Rejected("no_model", f"task {task.id}: no validator has the settled model to check against")
        _, settled = decode_model(model)
        await asyncio.to_thread(approvals.check_weights, task, manifest, candidate.model, settled)
        return approvals.release_statement(manifest, candidate)

    async def blob(self, digest: bytes, urls: Sequence[str] = ()) -> bytes | None:
        """Bytes from the own store, else from the validators at `urls` (all others by default), then kept."""
        data = await asyncio.to_thread(self._blobs.get, digest)
        if data is not None:
            return data
        own = self._ledger.identity.signer.public_key
        members = self._ledger.state.members.values()
        others = [each.url for each in members if each.public_key != own]
        data = await self._fetcher.get(digest, urls or others)
        if data is not None:
            with suppress(Rejected):  # it serves once, also when there is no room to keep it
                await self._keep(data)
        return data

    async def report(self, each: Round) -> Report | None:
        """What became of each update of a round, and what it contributed.

        As it was kept when this validator recomputed the round, else made from the updates; None while bytes are
        missing.
        """
        digest = self._ledger.store.report(each.open.task, each.open.round)
        kept = None if digest is None else await asyncio.to_thread(self._blobs.get, digest)
        if kept is not None:
            return decode_report(kept).report
        updates = await self._updates(each)
        return await asyncio.to_thread(settler.explained, each, updates) if updates else None

    async def _keep_report(self, each: Round, settle: Settle) -> None:
        """Nobody waits for it, and it outlives the updates."""
        made = await self.report(each)
        if made is None:
            return
        try:
            digest = await asyncio.to_thread(self._blobs.put, encode_report(RoundReport(settle, made)))
            self._ledger.store.add_report(each.open.task, each.open.round, digest)
        except DiskFull as error:
            log.warning("no room for a report", task=each.open.task, round=each.open.round, reason=str(error))

    async def _recompute(self, each: Round) -> settler.Recomputed | None:
        """None while bytes are missing that no validator gives."""
        model, updates = await self.blob(each.model_before), await self._updates(each)
        if model is None or updates is None:
            return None
        task = self._ledger.state.tasks[each.open.task]
        return await asyncio.to_thread(settler.recompute, task, each, model, updates)

    async def _updates(self, each: Round) -> dict[UpdateDigest, bytes] | None:
        updates: dict[UpdateDigest, bytes] = {}
        members = self._ledger.state.members
        for commit in each.commits:
            data = await self.blob(commit.digest, [members[key].url for key in commit.holders if key in members])
            if data is not None:
                updates[UpdateDigest(commit.digest)] = data
        lacking = [digest.hex()[:16] for digest in settler.missing(each, tuple(updates))]
        if lacking:
            log.warning("bytes missing", task=each.open.task, round=each.open.round, updates=lacking)
        return None if lacking else updates

    def _still_closed(self, each: Round) -> bool:
        now = self._ledger.state.rounds.get(each.open.task)
        return now is not None and now.open.round == each.open.round and now.status is RoundStatus.CLOSED

    def _sign(self, statement: Statement) -> wire.Stated:
        genesis, seat = self._ledger.state.genesis, self._ledger.seat
        if seat is None:
            raise Rejected("no_seat", "an observer signs no statements; ask a validator")
        message = statement_bytes(genesis.chain_id, self._ledger.state.validators, statement)
        return wire.Stated(statement, seat, self._ledger.identity.signer.sign(STATEMENT_DOMAIN, message))
