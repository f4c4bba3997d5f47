"""Proofs from a store: every kind, across a change of validators."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.keys import verify
from salus_chain.light.proofs import ProofKind, Proven, check_proof
from salus_chain.node.prover import Prover
from salus_chain.node.store import Store
from salus_chain.rules.roster import Roster
from salus_chain.rules.state import State
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Change,
    Consent,
    Enrol,
    Settle,
    SetValidators,
    Withdraw,
)
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation

F = federation()
H = bytes([1]) * 32


class Kept:
    """A chain whose blocks go into a store."""

    def __init__(self, folder: Path) -> None:
        Store.create(folder / "chain.sqlite", F.genesis)
        self.store = Store.open(folder / "chain.sqlite", F.genesis)
        self.state: State = self.store.load()
        self.prover = Prover(self.store, lambda: self.state)

    def block(self, *transactions: bytes, at_ms: int | None = None) -> None:
        before = self.state
        block, self.state = F.block(before, *transactions, at_ms=at_ms)
        self.store.append(block, F.certify(block, before=before), before, self.state)

    def change(self, what: Change, number: int) -> None:
        self.block(F.quorum(SetValidators(self.state.roster.sequence + 1, what, F.joiner(number)), of=self.state))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.block(F.quorum(ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)))
    for number in range(3):
        enrol = Enrol(f"gateway-{number}", F.gateway(number).public_key, 4)
        made.block(F.sign(F.hospital(number), made.state, enrol))
    made.block(F.sign(F.validators[0], made.state, Consent(H, H)))
    made.block(F.sign(F.coordinator, made.state, F.open_body(made.state)))
    for number in range(3):
        made.block(F.commit(made.state, number))
    made.change(Change.ADMIT, 0)
    made.change(Change.SEAT, 0)
    made.block(F.sign(F.validators[0], made.state, Withdraw(H)))
    made.block(at_ms=made.state.rounds[TASK].open.deadline_ms)
    made.block(F.quorum(F.settle_body(made.state), of=made.state))
    release = ApproveRelease(TASK, 1, H, H, made.state.tasks[TASK].model_digest)
    made.block(F.quorum(release, of=made.state))
    return made


def proven(data: bytes | None) -> Proven:
    assert data is not None
    return check_proof(F.genesis, data, verify)


def test_every_kind_is_made_from_the_store_and_holds(kept: Kept) -> None:
    settled = proven(kept.prover.settlement(TASK, 1))
    assert isinstance(settled.body, Settle) and len(settled.commits) == 3
    assert len(settled.checkpoint.validators) == 5
    updated = proven(kept.prover.update(TASK, 1, "gateway-1"))
    assert updated.commit is not None and updated.commit.gateway == "gateway-1"
    released = proven(kept.prover.release(TASK))
    assert released.kind is ProofKind.RELEASE and released.height == kept.state.height
    withdrawn = proven(kept.prover.withdrawal(H))
    assert withdrawn.still_height == kept.state.height
    known = proven(kept.prover.members())
    assert isinstance(known.body, Roster) and known.body == kept.state.roster
    model = proven(kept.prover.model(TASK))
    assert isinstance(model.body, ApproveModel) and len(model.checkpoint.validators) == 4


def test_before_the_first_block_nobody_proves_who_takes_part(tmp_path: Path) -> None:
    assert Kept(tmp_path).prover.members() is None


def test_there_is_no_proof_of_what_did_not_happen(kept: Kept) -> None:
    prover = kept.prover
    missing = [
        prover.settlement(TASK, 2),
        prover.settlement("other", 1),
        prover.update(TASK, 1, "gateway-9"),
        prover.update(TASK, 2, "gateway-0"),
        prover.release("other"),
        prover.withdrawal(bytes(32)),
        prover.model("other"),
    ]
    assert missing == [None] * len(missing)
