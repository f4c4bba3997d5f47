"""A chain whose blocks go into a store, with a settled round and a change of validators, for tests."""

from __future__ import annotations

from pathlib import Path

from salus_chain.node.http.prover import Prover
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Attest,
    Change,
    Consent,
    Enrol,
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


def lived(folder: Path) -> Kept:
    """Enrolments, an attestation, a consent and its withdrawal, a settled round, a fifth validator, a release."""
    made = Kept(folder)
    made.block(F.quorum(ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)))
    for number in range(3):
        enrol = Enrol(f"gateway-{number}", F.gateway(number).public_key, 4)
        made.block(F.sign(F.hospital(number), made.state, enrol))
    made.block(F.sign(F.validators[0], made.state, Consent(H, H)))
    made.block(F.sign(F.validators[1], made.state, Attest("gateway-1", 800, H)))
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
