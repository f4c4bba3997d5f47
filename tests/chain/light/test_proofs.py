from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from salus_chain import keys
from salus_chain.errors import ProofError
from salus_chain.light import auditor
from salus_chain.light.auditor import audit
from salus_chain.light.proofs import Verify, check_proof, make_proof
from salus_chain.rules.state import State
from salus_chain.rules.transactions import ApproveRelease, Consent, Settle
from tests.chain.federation import MODEL_DIGEST, TASK, Federation, federation

F = federation()
CLOSED = F.closed()
COMMITS = [commit.row for commit in CLOSED.rounds[TASK].commits]
Change = Callable[[Federation, State], bytes]


def settlement(state: State = CLOSED, seats: int | None = None, beside: int = 2) -> bytes:
    """The proof of a settlement in a block with `beside` other transactions."""
    others = [F.sign(F.validators[number], state, Consent(bytes([number]) * 32, bytes(32))) for number in range(beside)]
    block, _ = F.block(state, *others, F.quorum(F.settle_body(state)))
    return make_proof(block, F.certify(block, seats), beside, COMMITS)


PROOF = settlement()


@pytest.mark.parametrize("verify", [keys.verify, auditor.verify])
def test_a_settlement_is_proven_by_the_genesis_alone(verify: Verify) -> None:
    said: list[str] = []
    proven = check_proof(F.genesis, PROOF, verify, said.append)
    assert proven.transaction.body == F.settle_body(CLOSED)
    assert proven.height == CLOSED.height + 1
    assert [line.split(":")[0] for line in said] == [
        "format",
        "chain",
        "finality",
        "inclusion",
        "statement",
        "commits",
    ]


def test_the_auditor_tells_what_was_settled() -> None:
    said: list[str] = []
    body = audit(F.genesis, PROOF, said.append).transaction.body
    assert isinstance(body, Settle)
    text = "\n".join(said)
    for digest in [body.model_before, body.model_after, body.aggregate_digest, *(row[1] for row in COMMITS)]:
        assert digest.hex() in text


def test_every_single_flipped_bit_makes_it_fail_with_a_reason() -> None:
    for bit in range(8 * len(PROOF)):
        flipped = bytearray(PROOF)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofError, match=r"\w+: .{10,}"):
            check_proof(F.genesis, bytes(flipped), keys.verify)


def test_flipped_bits_fail_under_the_auditors_own_verifier_too() -> None:
    for bit in range(0, 8 * len(PROOF), 97):
        flipped = bytearray(PROOF)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofError):
            audit(F.genesis, bytes(flipped))


def test_no_byte_may_be_missing_or_added() -> None:
    for wrong in [b"", PROOF[:-1], PROOF + b"\0", PROOF[1:], PROOF * 2]:
        with pytest.raises(ProofError, match="format"):
            check_proof(F.genesis, wrong, keys.verify)


def test_another_federation_does_not_accept_it() -> None:
    with pytest.raises(ProofError, match="not of this genesis"):
        check_proof(federation(max_weight=7).genesis, PROOF, keys.verify)
    strangers = replace(F.genesis, validators=federation(5).genesis.validators)
    with pytest.raises(ProofError):
        check_proof(strangers, PROOF, keys.verify)


@pytest.mark.parametrize("seats", [2, 4])
def test_a_certificate_has_exactly_a_quorum(seats: int) -> None:
    with pytest.raises(ProofError, match="3 signatures of distinct seats"):
        check_proof(F.genesis, settlement(seats=seats), keys.verify)


def test_other_commits_than_the_settled_ones_do_not_pass() -> None:
    block, _ = F.block(CLOSED, F.quorum(F.settle_body(CLOSED)))
    for commits in [COMMITS[:2], COMMITS[::-1], [*COMMITS, COMMITS[0]], []]:
        with pytest.raises(ProofError, match="commits"):
            check_proof(F.genesis, make_proof(block, F.certify(block), 0, commits), keys.verify)


def test_a_release_is_proven_alike_and_is_no_settlement() -> None:
    state = F.enrolled()
    body = ApproveRelease(TASK, 1, bytes(32), bytes(32), MODEL_DIGEST)
    block, _ = F.block(state, F.quorum(body))
    proof = make_proof(block, F.certify(block), 0)
    assert check_proof(F.genesis, proof, keys.verify).transaction.body == body
    with pytest.raises(ProofError, match="not a settlement"):
        audit(F.genesis, proof)
    with pytest.raises(ProofError, match="only a settlement lists commits"):
        check_proof(F.genesis, make_proof(block, F.certify(block), 0, COMMITS), keys.verify)
