"""What a proof must hold, and what no proof may."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salus_chain import keys, trie
from salus_chain.codec import decode, encode, fields
from salus_chain.errors import DecodeError, ProofError
from salus_chain.light import auditor
from salus_chain.light.auditor import audit
from salus_chain.light.council import Verify, genesis_checkpoint
from salus_chain.light.pieces import StateEntry
from salus_chain.light.proofs import Proof, ProofKind, check_proof, consent_key, make_proof
from salus_chain.rules.state import Table, entry_key, entry_value
from salus_chain.rules.transactions import Consent, Settle, Withdraw
from tests.chain.federation import MODEL_DIGEST, PROGRAM, TASK, federation
from tests.chain.light.trail import (
    CLOSED,
    COMMITS,
    MEMBERS,
    PROOF,
    PROOFS,
    UPDATE,
    WITHDRAWAL,
    F,
    H,
    Trail,
    settlement,
    withdrawal_proof,
)


@pytest.mark.parametrize("verify", [keys.verify, auditor.verify])
@pytest.mark.parametrize("kind", ProofKind)
def test_each_kind_is_proven_by_the_genesis_alone(kind: ProofKind, verify: Verify) -> None:
    assert check_proof(F.genesis, PROOFS[kind], verify).kind is kind


def test_the_checks_are_told_in_turn() -> None:
    said: list[str] = []
    proven = check_proof(F.genesis, PROOF, keys.verify, said.append)
    assert proven.body == F.settle_body(CLOSED)
    assert (proven.height, proven.checkpoint) == (CLOSED.height + 1, genesis_checkpoint(F.genesis))
    wanted = ["format", "chain", "finality", "inclusion", "statement", "commits"]
    assert [line.split(":")[0] for line in said] == wanted
    said.clear()
    check_proof(F.genesis, PROOFS[ProofKind.UPDATE], keys.verify, said.append)
    assert [line for line in said if line.startswith("validators")] == [
        "validators: 5 from block 12 on, as the set before announced",
        "validators: 4 from block 14 on, as the set before announced",
    ]


TOLD = {
    ProofKind.SETTLEMENT: ["task activity, round 1, settled at height", "aggregate", "model after"],
    ProofKind.UPDATE: ["counts the update of gateway-2 with weight 3", "model after"],
    ProofKind.RELEASE: ["release 1, approved at height", MODEL_DIGEST.hex()],
    ProofKind.MODEL: ["approval 2 of a model, at height", MODEL_DIGEST.hex(), PROGRAM.hex()],
    ProofKind.MEMBERS: ["who takes part after block 8", "seat 4: hospital-4", "coordinator: "],
    ProofKind.WITHDRAWAL: ["is withdrawn since height 35, and so it was after block 39"],
}


@pytest.mark.parametrize("kind", ProofKind)
def test_the_auditor_tells_what_is_proven(kind: ProofKind) -> None:
    said: list[str] = []
    audit(F.genesis, PROOFS[kind], said.append)
    text = "\n".join(said)
    assert all(part in text for part in TOLD[kind]), text


def test_a_settlements_digests_are_told() -> None:
    said: list[str] = []
    body = audit(F.genesis, PROOF, said.append).body
    assert isinstance(body, Settle)
    text = "\n".join(said)
    for digest in [body.model_before, body.model_after, body.aggregate_digest, *(row[1] for row in COMMITS)]:
        assert digest.hex() in text


VALUES = st.recursive(
    st.binary(max_size=40) | st.integers(0, 1 << 40),
    lambda inner: st.lists(inner, max_size=8).map(tuple),
    max_leaves=30,
)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_single_flipped_bit_of_a_settlement_makes_it_fail_with_a_reason() -> None:
    for bit in range(8 * len(PROOF)):
        with pytest.raises(ProofError, match=r"\w+: .{10,}"):
            check_proof(F.genesis, flipped(PROOF, bit), keys.verify)


@pytest.mark.parametrize("kind", ProofKind)
def test_flipped_bits_of_any_proof_make_it_fail(kind: ProofKind) -> None:
    data, random = PROOFS[kind], Random(7)
    for bit in random.sample(range(8 * len(data)), 800):
        with pytest.raises(ProofError, match=r"\w+: .{10,}"):
            check_proof(F.genesis, flipped(data, bit), keys.verify)


@pytest.mark.parametrize("kind", ProofKind)
def test_flipped_bits_fail_under_the_auditors_own_verifier_too(kind: ProofKind) -> None:
    for bit in range(0, 8 * len(PROOFS[kind]), 997):
        with pytest.raises(ProofError):
            audit(F.genesis, flipped(PROOFS[kind], bit))


def test_no_byte_may_be_missing_or_added() -> None:
    for wrong in [b"", PROOF[:-1], PROOF + b"\0", PROOF[1:], PROOF * 2]:
        with pytest.raises(ProofError, match="format"):
            check_proof(F.genesis, wrong, keys.verify)


@pytest.mark.parametrize("kind", ProofKind)
def test_another_federation_does_not_accept_it(kind: ProofKind) -> None:
    with pytest.raises(ProofError, match="not of this genesis"):
        check_proof(federation(max_weight=7).genesis, PROOFS[kind], keys.verify)
    strangers = replace(F.genesis, validators=federation(5).genesis.validators)
    with pytest.raises(ProofError):
        check_proof(strangers, PROOFS[kind], keys.verify)


@pytest.mark.parametrize("seats", [2, 4])
def test_a_certificate_has_exactly_a_quorum(seats: int) -> None:
    with pytest.raises(ProofError, match="3 signatures of distinct seats"):
        check_proof(F.genesis, settlement(seats=seats), keys.verify)


def test_other_commits_than_the_settled_ones_do_not_pass() -> None:
    block, _ = F.block(CLOSED, F.quorum(F.settle_body(CLOSED)))
    for commits in [COMMITS[:2], COMMITS[::-1], [*COMMITS, COMMITS[0]], []]:
        with pytest.raises(ProofError, match="commits"):
            check_proof(F.genesis, make_proof(block, F.certify(block), 0, commits), keys.verify)


def refused(proof: Proof, match: str) -> None:
    with pytest.raises(ProofError, match=match):
        check_proof(F.genesis, proof.encode(), keys.verify)


def test_certificates_of_other_blocks_do_not_serve() -> None:
    committed, settled = UPDATE.inclusions
    swapped = (replace(committed, certificate=settled.certificate), settled)
    refused(replace(UPDATE, inclusions=swapped), r"signature of .* does not verify")
    later = replace(committed, certificate=replace(committed.certificate, round=1))
    refused(replace(UPDATE, inclusions=(later, settled)), r"signature of .* does not verify")


def test_an_update_is_proven_only_by_its_own_commit_and_settlement() -> None:
    committed, settled = UPDATE.inclusions
    refused(replace(UPDATE, inclusions=(settled, committed)), "order: ")
    refused(replace(UPDATE, inclusions=(committed,), changes=(), commits=()), "commit is no proof of a update")
    refused(replace(UPDATE, commits=UPDATE.commits[:2]), "commits: ")
    trail = Trail(CLOSED)
    first = trail.piece(F.quorum(F.settle_body(CLOSED)))
    trail.state = F.opened(trail.state)
    second = trail.piece(F.commit(trail.state, 0))
    refused(Proof(ProofKind.UPDATE, (), (first, second), commits=tuple(COMMITS)), "settle, commit is no proof")
    earlier = Trail(F.opened(F.enrolled()))
    foreign = earlier.piece(F.commit(earlier.state, 0, weight=2))
    uncounted = Proof(ProofKind.UPDATE, (), (foreign, first), commits=tuple(COMMITS))
    refused(uncounted, "does not count this update of gateway-0")


def test_a_commit_of_another_round_than_the_settlement_proves_nothing() -> None:
    trail = Trail(F.apply(CLOSED, at_ms=CLOSED.rounds[TASK].open.settle_deadline_ms))
    trail.state = F.opened(trail.state)
    trail.state = F.apply(trail.state, at_ms=trail.state.rounds[TASK].open.deadline_ms)
    assert trail.state.rounds[TASK].reason == "too_few_updates"
    trail.state = F.opened(trail.state)
    for number in range(2):
        trail.block(F.commit(trail.state, number))
    third = trail.piece(F.commit(trail.state, 2))
    settled = Proof.decode(PROOF).inclusions[0]
    late = replace(settled, header=replace(settled.header, height=third.header.height + 1))
    late = replace(late, certificate=F.certify(F.block(CLOSED)[0]))
    refused(Proof(ProofKind.UPDATE, (), (third, late), commits=tuple(COMMITS)), "signature of .* does not verify")
    signed = replace(F.block(CLOSED)[0], header=late.header)
    late = replace(late, certificate=F.certify(signed))
    refused(Proof(ProofKind.UPDATE, (), (third, late), commits=tuple(COMMITS)), "of another round")


def test_a_withdrawal_may_come_without_a_state_and_never_with_a_wrong_one() -> None:
    proven = check_proof(F.genesis, withdrawal_proof(still=False).encode(), keys.verify)
    assert isinstance(proven.body, Withdraw) and proven.still_height == 0
    entry = WITHDRAWAL.entries[0]
    other = consent_key(sha256(b"\x08").digest())
    refused(replace(WITHDRAWAL, entries=(replace(entry, key=other),)), "not in the state after block")
    refused(replace(WITHDRAWAL, entries=(replace(entry, path=entry.path[:-1]),)), "not in the state after block")
    refused(replace(WITHDRAWAL, entries=(replace(entry, entry=entry.entry[:-1] + b"\0"),)), "not in the state")
    refused(replace(WITHDRAWAL, entries=(replace(entry, header=replace(entry.header, state_root=H)),)), "signature")
    assert consent_key(H) == entry_key(Table.CONSENTS, H)


def test_another_entry_of_the_state_proves_no_withdrawal() -> None:
    consent = sha256(b"\x07").digest()
    trail = Trail(F.enrolled())
    for each in [consent, H]:
        trail.block(F.sign(F.validators[0], trail.state, Consent(each, H)))
    withdrawn = trail.piece(F.sign(F.validators[0], trail.state, Withdraw(consent)))
    block, before = trail.block()

    def entry(table: Table, key: bytes | str, value: bytes) -> StateEntry:
        name = entry_key(table, key)
        path = trie.prove(trail.state.tree, sha256(name).digest()).siblings
        return StateEntry(block.header, F.certify(block, before=before), name, value, path)

    gateway = entry(Table.GATEWAYS, "gateway-0", entry_value(trail.state.gateways["gateway-0"]))
    refused(Proof(ProofKind.WITHDRAWAL, (), (withdrawn,), (gateway,)), "state: ")
    alive = entry(Table.CONSENTS, H, entry_value(trail.state.consents[H]))
    refused(Proof(ProofKind.WITHDRAWAL, (), (withdrawn,), (alive,)), "does not say that this consent is withdrawn")


@pytest.mark.parametrize("kind", ProofKind)
def test_a_proof_of_one_kind_passes_for_no_other(kind: ProofKind) -> None:
    for other in set(ProofKind) - {kind}:
        refused(replace(Proof.decode(PROOFS[kind]), kind=other), r"content|commits")


def test_pieces_that_a_kind_does_not_have_are_refused() -> None:
    trail = Trail(CLOSED)
    settled = trail.piece(F.quorum(F.settle_body(CLOSED)))
    block, before = trail.block()
    key = entry_key(Table.ROUNDS, TASK)
    path = trie.prove(trail.state.tree, sha256(key).digest()).siblings
    entry = StateEntry(block.header, F.certify(block, before=before), key, entry_value(trail.state.rounds[TASK]), path)
    proof = Proof(ProofKind.SETTLEMENT, (), (settled,), (entry,), tuple(COMMITS))
    refused(proof, "a proof of a settlement has no entry of the state")
    release = Proof.decode(PROOFS[ProofKind.RELEASE])
    refused(replace(release, commits=tuple(COMMITS)), "only a settlement lists commits")
    refused(Proof(ProofKind.RELEASE, (), ()), "nothing is no proof of a release")
    refused(replace(MEMBERS, inclusions=(settled,)), r"content|order|decided")
    refused(replace(MEMBERS, entries=(), changes=()), "is their entry of the state, and nothing else")
    refused(replace(MEMBERS, entries=(entry,), changes=()), "is their entry of the state, and nothing else")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Proof.decode(data)


@given(st.data())
def test_a_proof_with_anything_in_place_of_a_part_raises_only_proof_errors(data: st.DataObject) -> None:
    """The outer form is kept, so that what is inside gets read."""
    parts = list(fields(decode(PROOFS[data.draw(st.sampled_from(ProofKind))]), 6, "proof"))
    place, value = data.draw(st.integers(1, 5)), data.draw(VALUES)
    assume(value != parts[place])
    parts[place] = value
    with pytest.raises(ProofError):
        check_proof(F.genesis, encode(tuple(parts)), keys.verify)
