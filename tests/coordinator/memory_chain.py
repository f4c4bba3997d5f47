"""A chain in memory behind the client's face: the real rules and approvals, gateways that always answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from salus_chain.candidates import Candidate, ModelCandidate
from salus_chain.client import ChainClient
from salus_chain.fixed import Int32s
from salus_chain.node.settling import approvals
from salus_chain.node.settling.settler import recompute
from salus_chain.rules.apply import apply_tx, begin
from salus_chain.rules.state import Round, State, genesis_state
from salus_chain.rules.transactions import Enrol, Statement, read_transaction
from salus_chain.signing import commit_tx
from salus_chain.updates import UpdateDigest, UpdateHeader, decode_model, encode_update, update_digest
from salus_chain.views import ReleaseView, RoundView, Status, TaskView
from tests.chain.federation import Federation, federation


@dataclass
class MemoryChain:
    """One state for all clients. `answers` says whether gateways commit to this opened round."""

    gateways: int = 3
    answers: Callable[[str, int], bool] = lambda task, number: True
    federation: Federation = field(default_factory=federation)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    history: dict[tuple[str, int], Round] = field(default_factory=dict)
    submitted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state: State = genesis_state(self.federation.genesis)
        for number in range(self.gateways):
            body = Enrol(f"gateway-{number}", self.federation.gateway(number).public_key, 2)
            self.block(self.federation.sign(self.federation.hospital(number), self.state, body))

    def block(self, *transactions: bytes, at_ms: int | None = None) -> None:
        time_ms = max(self.state.time_ms + 1, at_ms or 0)
        inside = begin(self.state, time_ms)
        for data in transactions:
            inside = apply_tx(inside, read_transaction(data))
        self.state = inside
        self.history.update({(task, each.open.round): each for task, each in inside.rounds.items()})

    def live(self, task: str) -> None:
        """What gateways and validators do about an open round: commit, close, recompute, settle; or let it expire."""
        opened = self.state.rounds[task]
        if self.answers(task, opened.open.round):
            updates = dict(self._commit(task, opened, number) for number in range(self.gateways))
            self.block(at_ms=opened.open.deadline_ms)
            done = recompute(self.state.tasks[task], self.state.rounds[task], self.blobs[opened.model_before], updates)
            self.blobs[done.settle.model_after] = done.model
            self.block(self.federation.quorum(done.settle))
        else:
            self.block(at_ms=opened.open.deadline_ms)

    def _commit(self, task: str, opened: Round, number: int) -> tuple[UpdateDigest, bytes]:
        header = UpdateHeader(
            self.federation.genesis.chain_id, task, opened.open.round, f"gateway-{number}",
            opened.model_before, opened.layout_digest, 2, opened.d,
        )  # fmt: skip
        values = np.random.default_rng(number).integers(-(1 << 18), 1 << 18, opened.d, dtype=np.int32)
        data = encode_update(header, values)
        digest, key = update_digest(data), self.federation.gateway(number)
        nonce = self.state.nonces.get(key.public_key, 0)
        chain_id = self.federation.genesis.chain_id
        self.block(commit_tx(chain_id, key, nonce, header, digest, self.federation.receipts(header, digest)))
        return digest, data


class MemoryClient(ChainClient):
    """`ChainClient` without a network."""

    def __init__(self, chain: MemoryChain) -> None:
        super().__init__(chain.federation.genesis)
        self.chain = chain

    async def status(self) -> Status:
        state = self.chain.state
        return Status("memory", state.genesis.chain_id, state.height, state.time_ms)

    async def wait_height(self, above: int, timeout_s: float) -> int:
        """A round that is under way goes on, as it would while one waits."""
        for task, each in list(self.chain.state.rounds.items()):
            if each.active:
                self.chain.live(task)
        return self.chain.state.height

    async def next_nonce(self, public_key: bytes) -> int:
        return self.chain.state.nonces.get(public_key, 0)

    async def submit(self, tx: bytes) -> bytes:
        self.chain.block(tx)
        self.chain.submitted.append(tx)
        return sha256(tx).digest()

    async def wait_final(self, tx_id: bytes, timeout_s: float) -> int:
        return self.chain.state.height

    async def task(self, task: str) -> TaskView | None:
        held = self.chain.state.tasks.get(task)
        if held is None:
            return None
        release = held.release
        view = ReleaseView(release.version, release.blob_digest, release.model_sha256, release.settled_model_digest)
        return TaskView(
            task, held.round, held.model_digest, held.layout_json, held.program_digest, held.sequence,
            view if release.version else None,
        )  # fmt: skip

    async def round(self, task: str, round: int) -> RoundView | None:
        each = self.chain.history.get((task, round))
        if each is None:
            return None
        return RoundView(
            task, round, each.status.value, each.open, each.layout_digest, each.d, each.opened_height,
            each.closed_height, each.settled_height, each.model_before, each.model_after, each.aggregate_digest,
            {entry.gateway: entry.digest for entry in each.commits},
            {entry.gateway: entry.weight for entry in each.commits}, (), each.reason,
        )  # fmt: skip

    async def model(self, model: TaskView | bytes) -> Int32s:
        digest = model.model_digest if isinstance(model, TaskView) else model
        return decode_model(self.chain.blobs[digest])[1]

    async def approve(self, candidate: Candidate) -> bytes:
        """What honest validators check and sign. Raises Rejected as they would."""
        state, statement = self.chain.state, self._statement(candidate)
        if isinstance(candidate, ModelCandidate):
            self.chain.blobs[sha256(candidate.blob).digest()] = candidate.blob
        assert state is self.chain.state
        return self.chain.federation.quorum(statement)

    def _statement(self, candidate: Candidate) -> Statement:
        state = self.chain.state
        if isinstance(candidate, ModelCandidate):
            return approvals.approve_model(state, candidate, ["*"])
        manifest = approvals.read_manifest(state.genesis, candidate)
        task = approvals.check_manifest(state, manifest, ["*"])
        approvals.check_weights(task, manifest, candidate.model, decode_model(self.chain.blobs[task.model_digest])[1])
        return approvals.release_statement(manifest, candidate)
