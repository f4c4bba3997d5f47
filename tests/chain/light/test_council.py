"""Following the validators: no change may be left out, forged, reordered or added."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain import keys
from salus_chain.errors import DecodeError, ProofError
from salus_chain.light.council import Change, Checkpoint
from salus_chain.light.pieces import Inclusion
from salus_chain.light.proofs import Proof, ProofKind, check_proof
from salus_chain.rules.transactions import ApproveRelease
from tests.chain.federation import MODEL_DIGEST, TASK
from tests.chain.light.trail import PROOF, PROOFS, UPDATE, F, H, Trail

RELEASE = ApproveRelease(TASK, 1, H, H, MODEL_DIGEST)
FIRST, SECOND = UPDATE.changes
STOLEN = replace(SECOND, validators=(*SECOND.validators[:3], F.joiner(3).public_key))
FORGED = replace(STOLEN, header=replace(STOLEN.header, next_validators_hash=H))
LATE = Change(UPDATE.inclusions[1].header, UPDATE.inclusions[1].certificate, SECOND.validators)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((), "decided by another set"),
        ((FIRST,), "decided by another set"),
        ((SECOND,), "decided by another set"),
        ((SECOND, FIRST), "decided by another set"),
        ((FIRST, FIRST, SECOND), "before block 12"),
        ((FIRST, replace(SECOND, validators=SECOND.validators[::-1])), "keys listed are not those"),
        ((FIRST, STOLEN), "keys listed are not those"),
        ((FIRST, FORGED), r"signature of .* does not verify"),
        ((FIRST, replace(SECOND, certificate=FIRST.certificate)), "4 signatures of distinct seats"),
        ((FIRST, SECOND, LATE), "after its last block"),
    ],
)
def test_a_wrong_list_of_changes_is_refused(changes: tuple[Change, ...], reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        check_proof(F.genesis, replace(UPDATE, changes=changes).encode(), keys.verify)


def test_a_header_that_changes_nothing_is_no_change() -> None:
    trail = Trail(F.enrolled())
    block, before = trail.block()
    idle = Change(block.header, F.certify(block, before=before), before.validators)
    piece = trail.piece(F.quorum(RELEASE))
    with pytest.raises(ProofError, match="announces no other set"):
        check_proof(F.genesis, Proof(ProofKind.RELEASE, (idle,), (piece,)).encode(), keys.verify)


def test_a_set_that_has_left_makes_nothing_final_for_one_who_knows_the_change_or_a_later_checkpoint() -> None:
    trail = Trail(F.enrolled())
    trail.seat_another()
    block, _ = F.block(F.enrolled(), F.quorum(RELEASE))
    stale = replace(block.header, height=trail.state.height + 1)
    certificate = F.certify(replace(block, header=stale))
    piece = replace(Inclusion.of(block, certificate, 0), header=stale)
    alone = Proof(ProofKind.RELEASE, (), (piece,))
    with pytest.raises(ProofError, match="decided by another set"):
        check_proof(F.genesis, replace(alone, changes=tuple(trail.changes)).encode(), keys.verify)
    known = Checkpoint(trail.state.height, trail.state.validators)
    with pytest.raises(ProofError, match="decided by another set"):
        check_proof(F.genesis, alone.encode(), keys.verify, checkpoint=known)
    # the old set lied about its own future: from the genesis alone that cannot be told, hence checkpoints
    assert check_proof(F.genesis, alone.encode(), keys.verify).height == stale.height


def test_a_later_checkpoint_makes_the_changes_before_it_unnecessary() -> None:
    proven = check_proof(F.genesis, PROOFS[ProofKind.RELEASE], keys.verify)
    assert len(proven.checkpoint.validators) == 5
    known = Checkpoint.from_bytes(F.genesis.chain_id, proven.checkpoint.to_bytes(F.genesis.chain_id))
    assert known == proven.checkpoint
    short = replace(Proof.decode(PROOFS[ProofKind.RELEASE]), changes=()).encode()
    assert check_proof(F.genesis, short, keys.verify, checkpoint=known).height == proven.height
    assert check_proof(F.genesis, PROOFS[ProofKind.RELEASE], keys.verify, checkpoint=known).checkpoint == known


def test_what_is_older_than_the_checkpoint_is_checked_from_the_genesis() -> None:
    with pytest.raises(ProofError, match="before block 1000000"):
        check_proof(F.genesis, PROOF, keys.verify, checkpoint=Checkpoint(10**6, F.genesis.keys))


def test_a_file_that_is_no_checkpoint_of_this_chain_is_refused() -> None:
    chain_id = F.genesis.chain_id
    data = Checkpoint(5, F.genesis.keys).to_bytes(chain_id)
    wrong = [b"", data[:-1], Checkpoint(5, ()).to_bytes(chain_id), Checkpoint(5, F.genesis.keys).to_bytes(H)]
    for each in [*wrong, Checkpoint(0, F.genesis.keys).to_bytes(chain_id)]:
        with pytest.raises(DecodeError):
            Checkpoint.from_bytes(chain_id, each)
