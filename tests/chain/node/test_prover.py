"""Proofs from a store: every kind, across a change of validators."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.keys import verify
from salus_chain.light.proofs import ProofKind, Proven, check_proof
from salus_chain.rules.roster import Roster
from salus_chain.rules.transactions import (
    ApproveModel,
    Settle,
)
from tests.chain.federation import TASK
from tests.chain.kept import F, H, Kept, lived


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return lived(tmp_path)


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
