"""A federation in memory, for tests: fixed keys, a small task, and blocks made at a given time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.consensus.messages import Type
from salus_chain.fixed import Int32s
from salus_chain.genesis import Genesis, Policy, Validator, quorum, set_hash
from salus_chain.keys import KeySigner
from salus_chain.layout import Layout, Variable
from salus_chain.node.settling.settler import recompute
from salus_chain.rules.apply import apply_tx, begin, build_block
from salus_chain.rules.blocks import NEVER, VOTE_DOMAIN, Block, Certificate, vote_bytes
from salus_chain.rules.state import State, genesis_state
from salus_chain.rules.transactions import (
    STATEMENT_DOMAIN,
    ApproveModel,
    Body,
    Change,
    Enrol,
    Evidence,
    OpenRound,
    Receipt,
    Seal,
    Settle,
    SetValidators,
    SignedVote,
    Statement,
    evidence_transaction,
    quorum_transaction,
    read_transaction,
    sign_receipt,
    sign_transaction,
    statement_bytes,
)
from salus_chain.signing import commit_tx
from salus_chain.updates import UpdateHeader, encode_model, encode_update, model_digest, update_digest

TASK = "activity"
PROGRAM = bytes([7]) * 32
START_MS = 1_000_000
LAYOUT = Layout(
    (
        Variable("base0/kernel", (3, 2, 4), "base"),
        Variable("base0/bias", (4,), "base"),
        Variable("trunk0/kernel", (4, 5), "trunk"),
        Variable("head/kernel", (5, 3), "head"),
    )
)
SHARED = ("trunk0/kernel", "head/kernel")
D = 35
JOINERS = 10  # hospitals that may come after the genesis


def signer(number: int) -> KeySigner:
    """The same key for the same number, which is positive."""
    return KeySigner(ec.derive_private_key(number, ec.SECP256R1()))


def model_values() -> Int32s:
    return (np.arange(LAYOUT.size, dtype=np.int32) - 20) * 100_003


MODEL = encode_model(LAYOUT.digest, model_values())
MODEL_DIGEST = model_digest(LAYOUT.digest, model_values())


@dataclass(frozen=True)
class Federation:
    """Validators 1…n, coordinator 101, release key 102, gateways 201…"""

    genesis: Genesis

    @cached_property
    def validators(self) -> list[KeySigner]:
        return [signer(1 + seat) for seat in range(len(self.genesis.validators))]

    @cached_property
    def coordinator(self) -> KeySigner:
        return signer(101)

    @cached_property
    def release(self) -> KeySigner:
        return signer(102)

    def gateway(self, number: int) -> KeySigner:
        return signer(201 + number)

    def sign(self, who: KeySigner, state: State, body: Body, ahead: int = 0) -> bytes:
        """A transaction with this signer's next nonce, plus `ahead`."""
        nonce = state.nonces.get(who.public_key, 0) + ahead
        return sign_transaction(self.genesis.chain_id, who, nonce, body)

    @cached_property
    def signers(self) -> dict[bytes, KeySigner]:
        """By public key: the validators, and those after them who may join."""
        keys = [signer(1 + number) for number in range(len(self.validators) + JOINERS)]
        return {each.public_key: each for each in keys}

    def joiner(self, number: int = 0) -> Validator:
        """A hospital that the genesis does not name."""
        return seat_row(len(self.validators) + number)

    def quorum(self, body: Statement, seats: int | None = None, of: State | None = None) -> bytes:
        """A statement of a quorum of the genesis's validators, or of those that decide the block after `of`."""
        keys = self.genesis.keys if of is None else of.validators
        wanted = quorum(len(keys)) if seats is None else seats
        message = statement_bytes(self.genesis.chain_id, keys, body)
        signatures = {seat: self.signers[key].sign(STATEMENT_DOMAIN, message) for seat, key in enumerate(keys)}
        return quorum_transaction(self.genesis.chain_id, body, signatures, wanted)

    def changed(self, state: State, change: Change, member: Validator) -> State:
        """The state after one block with a change of members."""
        body = SetValidators(state.roster.sequence + 1, change, member)
        return self.apply(state, self.quorum(body, of=state))

    def vote(self, who: KeySigner, digest: bytes, **changes: object) -> SignedVote:
        """A signed COMMIT of height 5, round 0, under the genesis's set; `changes` are of the vote."""
        unsigned = SignedVote(set_hash(self.genesis.keys), 3, 5, 0, NEVER, digest, bytes(64))
        unsigned = replace(unsigned, **changes)  # type: ignore[arg-type]
        v = unsigned
        message = vote_bytes(self.genesis.chain_id, v.validators_hash, v.type, v.height, v.round, v.digest, v.prepared)
        return replace(unsigned, signature=who.sign(VOTE_DOMAIN, message))

    def evidence(self, who: KeySigner) -> bytes:
        """Proof that this key voted twice."""
        body = Evidence(who.public_key, self.vote(who, bytes(32)), self.vote(who, bytes([1]) * 32))
        return evidence_transaction(self.genesis.chain_id, body)

    def apply(self, state: State, *transactions: bytes, at_ms: int | None = None) -> State:
        """The state after one block of these, every one of which must be valid."""
        return self.block(state, *transactions, at_ms=at_ms)[1]

    def block(self, state: State, *transactions: bytes, at_ms: int | None = None) -> tuple[Block, State]:
        time_ms = state.time_ms + 1 if at_ms is None else at_ms
        inside = begin(state, time_ms)
        for data in transactions:
            inside = apply_tx(inside, read_transaction(data))
        block, after = build_block(state, map(read_transaction, transactions), time_ms)
        assert block.transactions == transactions
        return block, after

    def certify(self, block: Block, seats: int | None = None, before: State | None = None) -> Certificate:
        """A certificate of the genesis's validators, or of those that decide the block after `before`."""
        keys, header = self.genesis.keys if before is None else before.validators, block.header
        message = vote_bytes(self.genesis.chain_id, set_hash(keys), Type.COMMIT, header.height, 0, header.digest)
        count = quorum(len(keys)) if seats is None else seats
        signed = [self.signers[key].sign(VOTE_DOMAIN, message) for key in keys[:count]]
        return Certificate(0, tuple(Seal(seat, signature) for seat, signature in enumerate(signed)))

    def enrolled(self, gateways: int = 3, patients: int = 4) -> State:
        """A chain with an approved model, and gateways enrolled, each by the hospital of its number mod n."""
        state = genesis_state(self.genesis)
        model = ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)
        state = self.apply(state, self.quorum(model))
        for number in range(gateways):
            body = Enrol(f"gateway-{number}", self.gateway(number).public_key, patients)
            state = self.apply(state, self.sign(self.hospital(number), state, body))
        return state

    def hospital(self, gateway: int) -> KeySigner:
        return self.validators[gateway % len(self.validators)]

    def open_body(self, state: State, **changes: object) -> OpenRound:
        """A valid feature round that closes 1,000 ms after the state's time and settles 5,000 ms later."""
        body = OpenRound(
            task=TASK,
            round=state.tasks[TASK].round + 1,
            kind="feature",
            base_sha256=bytes(32),
            program_digest=PROGRAM,
            variables=SHARED,
            algorithm="fedavg",
            parameters=(("epochs", 2),),
            rule="clipped_mean",
            norm_bound=1 << 24,
            min_updates=3,
            w_max=3,
            deadline_ms=state.time_ms + 1_000,
            settle_deadline_ms=state.time_ms + 6_000,
        )
        return replace(body, **changes)  # type: ignore[arg-type]

    def opened(self, state: State, **changes: object) -> State:
        return self.apply(state, self.sign(self.coordinator, state, self.open_body(state, **changes)))

    def header(self, state: State, number: int, **changes: object) -> UpdateHeader:
        header = UpdateHeader(
            chain_id=self.genesis.chain_id,
            task=TASK,
            round=state.tasks[TASK].round,
            gateway=f"gateway-{number}",
            base_model_digest=state.tasks[TASK].model_digest,
            layout_digest=LAYOUT.digest,
            weight=1 + number % 3,
            d=D,
        )
        return replace(header, **changes)  # type: ignore[arg-type]

    def update(self, state: State, number: int, **changes: object) -> bytes:
        header = self.header(state, number, **changes)
        values = np.random.default_rng(number).integers(-(1 << 24), 1 << 24, header.d, dtype=np.int32)
        return encode_update(header, values)

    def receipts(self, header: UpdateHeader, digest: bytes, count: int = 2) -> tuple[Receipt, ...]:
        return tuple(sign_receipt(each, header, digest) for each in self.validators[:count])

    def commit(self, state: State, number: int, receipts: int = 2, **changes: object) -> bytes:
        """A commit transaction; `changes` are of the update's header."""
        header = self.header(state, number, **changes)
        digest = update_digest(self.update(state, number))
        key = self.gateway(number)
        nonce = state.nonces.get(key.public_key, 0)
        chain_id = self.genesis.chain_id
        return commit_tx(chain_id, key, nonce, header, digest, self.receipts(header, digest, receipts))

    def closed(self, gateways: int = 3) -> State:
        """A round with commits of all gateways, closed."""
        state = self.opened(self.enrolled(gateways))
        for number in range(gateways):
            state = self.apply(state, self.commit(state, number))
        return self.apply(state, at_ms=state.rounds[TASK].open.deadline_ms)

    def settle_body(self, state: State) -> Settle:
        """What honest validators recompute for the closed round of `closed`."""
        each = state.rounds[TASK]
        count = len(each.commits)
        updates = {update_digest(data): data for data in (self.update(state, n) for n in range(count))}
        return recompute(state.tasks[TASK], each, MODEL, updates).settle


def seat_row(number: int) -> Validator:
    return Validator(
        f"hospital-{number}",
        signer(1 + number).public_key,
        f"127.0.0.1:{7000 + number}",
        f"https://127.0.0.1:{8000 + number}",
    )


def federation(validators: int = 4, *, test: bool = False, **policy: object) -> Federation:
    """A federation of this many validators; `policy` replaces fields of the default Policy."""
    seats = tuple(map(seat_row, range(validators)))
    rules = replace(Policy(min_duration_ms=500, max_duration_ms=100_000, max_gateways=5), **policy)  # type: ignore[arg-type]
    keys = (signer(101).public_key,), (signer(102).public_key,)
    return Federation(Genesis("trial", START_MS, seats, *keys, rules, test))
