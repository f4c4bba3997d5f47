"""A chain that is made block by block, its changes of validators noted as proofs list them; and proofs on it."""

from __future__ import annotations

from hashlib import sha256

from salus_chain import trie
from salus_chain.genesis import Validator
from salus_chain.light.council import Change as SetChange
from salus_chain.light.pieces import Inclusion, StateEntry
from salus_chain.light.proofs import ROSTER_KEY, Proof, ProofKind, consent_key, make_proof
from salus_chain.rules.blocks import Block
from salus_chain.rules.state import State, entry_value
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Change,
    Consent,
    SetValidators,
    Statement,
    Withdraw,
)
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation

F = federation()
CLOSED = F.closed()
COMMITS = [commit.row for commit in CLOSED.rounds[TASK].commits]
H = bytes([1]) * 32


class Trail:
    """`state` is after the last block."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.changes: list[SetChange] = []

    def block(self, *transactions: bytes) -> tuple[Block, State]:
        """The next block, with the state that decides it."""
        before = self.state
        block, self.state = F.block(before, *transactions)
        if self.state.validators != before.validators:
            certificate = F.certify(block, before=before)
            self.changes.append(SetChange(block.header, certificate, self.state.validators))
        return block, before

    def piece(self, *transactions: bytes) -> Inclusion:
        """The place of the last of these in the next block."""
        block, before = self.block(*transactions)
        return Inclusion.of(block, F.certify(block, before=before), len(transactions) - 1)

    def change(self, what: Change, member: Validator) -> None:
        """A change of members, and the block after it if seats change."""
        self.block(F.quorum(SetValidators(self.state.roster.sequence + 1, what, member), of=self.state))
        if self.state.roster.pending:
            self.block()

    def seat_another(self, number: int = 0) -> None:
        self.change(Change.ADMIT, F.joiner(number))
        self.change(Change.SEAT, F.joiner(number))


def settlement(state: State = CLOSED, seats: int | None = None, beside: int = 2) -> bytes:
    """The proof of a settlement in a block with `beside` other transactions."""
    others = [F.sign(F.validators[number], state, Consent(bytes([number]) * 32, bytes(32))) for number in range(beside)]
    block, _ = F.block(state, *others, F.quorum(F.settle_body(state)))
    return make_proof(block, F.certify(block, seats), beside, COMMITS)


def update_proof() -> Proof:
    """A gateway's commit, then a fifth validator, then one fewer, then the settlement."""
    trail = Trail(F.opened(F.enrolled()))
    for number in range(2):
        trail.block(F.commit(trail.state, number))
    committed = trail.piece(F.commit(trail.state, 2))
    trail.seat_another()
    trail.change(Change.UNSEAT, F.genesis.validators[1])
    trail.state = state = F.apply(trail.state, at_ms=trail.state.rounds[TASK].open.deadline_ms)
    settled = trail.piece(F.quorum(F.settle_body(state), of=state))
    rows = tuple(commit.row for commit in state.rounds[TASK].commits)
    return Proof(ProofKind.UPDATE, tuple(trail.changes), (committed, settled), commits=rows)


def withdrawal_proof(still: bool = True) -> Proof:
    """A consent's withdrawal, then a fifth validator, and the consent's entry in the state after that."""
    trail = Trail(F.enrolled())
    for number in range(30):
        trail.block(F.sign(F.validators[0], trail.state, Consent(sha256(bytes([number])).digest(), H)))
    consent = sha256(b"\x07").digest()
    withdrawn = trail.piece(F.sign(F.validators[0], trail.state, Withdraw(consent)))
    if not still:
        return Proof(ProofKind.WITHDRAWAL, (), (withdrawn,))
    trail.seat_another()
    block, before = trail.block()
    state, key = trail.state, consent_key(consent)
    path = trie.prove(state.tree, sha256(key).digest()).siblings
    entry = StateEntry(block.header, F.certify(block, before=before), key, entry_value(state.consents[consent]), path)
    return Proof(ProofKind.WITHDRAWAL, tuple(trail.changes), (withdrawn,), (entry,))


APPROVALS: dict[ProofKind, Statement] = {
    ProofKind.RELEASE: ApproveRelease(TASK, 1, H, H, MODEL_DIGEST),
    ProofKind.MODEL: ApproveModel(TASK, 2, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST),
}


def approval_proof(kind: ProofKind) -> Proof:
    """An approval under a set that the genesis does not name."""
    trail = Trail(F.enrolled())
    trail.seat_another()
    piece = trail.piece(F.quorum(APPROVALS[kind], of=trail.state))
    return Proof(kind, tuple(trail.changes), (piece,))


def members_proof(changed: bool = True) -> Proof:
    """Who takes part, after a fifth validator has come or before."""
    trail = Trail(F.enrolled())
    if changed:
        trail.seat_another()
    block, before = trail.block()
    path = trie.prove(trail.state.tree, sha256(ROSTER_KEY).digest()).siblings
    entry = entry_value(trail.state.roster)
    piece = StateEntry(block.header, F.certify(block, before=before), ROSTER_KEY, entry, path)
    return Proof(ProofKind.MEMBERS, tuple(trail.changes), (), (piece,))


PROOF = settlement()
MEMBERS, EARLY_MEMBERS = members_proof(), members_proof(changed=False)
UPDATE, WITHDRAWAL = update_proof(), withdrawal_proof()
PROOFS: dict[ProofKind, bytes] = {
    ProofKind.SETTLEMENT: PROOF,
    ProofKind.UPDATE: UPDATE.encode(),
    ProofKind.WITHDRAWAL: WITHDRAWAL.encode(),
    ProofKind.RELEASE: approval_proof(ProofKind.RELEASE).encode(),
    ProofKind.MODEL: approval_proof(ProofKind.MODEL).encode(),
    ProofKind.MEMBERS: MEMBERS.encode(),
}
