"""A node's answers to clients, and the HTTP server that carries them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import uvicorn

from salus_chain.candidates import decode_candidate
from salus_chain.codec import encode
from salus_chain.errors import ConfigError, Rejected
from salus_chain.keys import verify
from salus_chain.light.proofs import make_proof
from salus_chain.node.rpc import create_app
from salus_chain.rules.state import Release, Round
from salus_chain.rules.transactions import CommitRow, Receipt, TxId
from salus_chain.signing import FETCH_DOMAIN
from salus_chain.views import Approval, GatewayView, ReleaseView, RoundView, Status, TaskView, TxStatus

if TYPE_CHECKING:
    from salus_chain.node.process import Node

FETCH_AGE_MS: Final = 60_000  # how far a request's time may be from the clock


class NodeService:
    """`rpc.Service` of a running node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def status(self) -> Status:
        state = self._node.ledger.state
        return Status(self._node.ledger.identity.name, state.genesis.chain_id, state.height, state.time_ms)

    async def wait(self, above: int, timeout_s: float) -> Status:
        deadline = time.monotonic() + timeout_s
        while self._node.ledger.state.height <= above and await self._next_block(deadline):
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

    async def transaction(self, tx_id: bytes, timeout_s: float) -> TxStatus:
        deadline = time.monotonic() + timeout_s
        while True:
            height = self._node.store.height_of(tx_id)
            if height is not None:
                return TxStatus("final", height)
            reason = self._node.ledger.mempool.dropped.get(TxId(tx_id))
            if reason is not None:
                return TxStatus("dropped", 0, reason.code, reason.reason)
            if not await self._next_block(deadline):
                return TxStatus("pending")

    def task(self, task: str) -> TaskView | None:
        known = self._node.ledger.state.tasks.get(task)
        if known is None:
            return None
        return TaskView(
            task,
            known.round,
            known.model_digest,
            known.layout_json,
            known.program_digest,
            known.sequence,
            _release_view(known.release),
        )

    def round(self, task: str, number: int) -> RoundView | None:
        known = self._node.store.round(task, number)
        return None if known is None else self._round_view(known)

    def _round_view(self, each: Round) -> RoundView:
        return RoundView(
            each.open.task,
            each.open.round,
            each.status.value,
            each.open,
            each.layout_digest,
            each.d,
            each.opened_height,
            each.closed_height or None,
            each.settled_height or None,
            each.model_before,
            each.model_after or None,
            each.aggregate_digest or None,
            {commit.gateway: commit.digest for commit in each.commits},
            {commit.gateway: commit.weight for commit in each.commits},
            tuple(commit.digest for commit in each.commits if not self._node.blobs.has(commit.digest)),
            each.reason,
        )

    def gateway(self, gateway: str) -> GatewayView | None:
        known = self._node.ledger.state.gateways.get(gateway)
        if known is None:
            return None
        return GatewayView(known.id, known.public_key, known.patients, known.revoked)

    async def take_update(self, data: bytes, signature: bytes) -> Receipt:
        return await self._node.clerk.take_update(data, signature)

    async def blob(self, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bytes | None:
        """Models and releases for anyone; an update for validators and for its own gateway alone."""
        gateway = self._node.store.uploader(digest)
        committed = gateway is not None or self._committed(digest)
        if committed and not self._may_read(gateway, digest, key, time_ms, signature):
            raise Rejected("not_yours", "an update is served to validators, and to a gateway its own, by signature")
        return await asyncio.to_thread(self._node.blobs.get, digest)

    def _committed(self, digest: bytes) -> bool:
        rounds = self._node.ledger.state.rounds.values()
        return any(commit.digest == digest for each in rounds for commit in each.commits)

    def _may_read(self, gateway: str | None, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bool:
        state = self._node.ledger.state
        owner = state.gateways.get(gateway or "")
        known = key in state.validators or (owner is not None and key == owner.public_key)
        fresh = abs(time.time_ns() // 1_000_000 - time_ms) <= FETCH_AGE_MS
        message = encode((state.genesis.chain_id, digest, time_ms))
        return known and fresh and verify(key, signature, FETCH_DOMAIN, message)

    async def approve(self, candidate: bytes) -> Approval:
        return await self._node.clerk.approve(decode_candidate(candidate))

    def settlement_proof(self, task: str, number: int) -> bytes | None:
        known = self._node.store.round(task, number)
        if known is None:
            return None
        commits = [commit.row for commit in known.commits]
        return self._proof(self._node.store.settlement(task, number), commits)

    def release_proof(self, task: str) -> bytes | None:
        return self._proof(self._node.store.newest_release(task), [])

    def _proof(self, place: tuple[int, int] | None, commits: list[CommitRow]) -> bytes | None:
        stored = self._node.store.block(place[0]) if place else None
        return make_proof(*stored, place[1], commits) if stored and place else None


def _release_view(release: Release) -> ReleaseView | None:
    if not release.version:
        return None
    return ReleaseView(release.version, release.blob_digest, release.model_sha256, release.settled_model_digest)


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(node: Node) -> None:
    """Serve HTTP at the seat's URL until the node stops. Raises ConfigError when the port is taken."""
    own = node.ledger.identity.signer.public_key
    url = urlsplit(next(each.url for each in node.genesis.validators if each.public_key == own))
    config = uvicorn.Config(
        create_app(NodeService(node)),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with _listen(url.hostname or "", url.port or 80) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await node.stopping.wait()
        node.changed.set()
        server.should_exit = True
        await running


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise ConfigError(f"cannot listen for clients on {host}:{port}: {error.strerror}") from None
