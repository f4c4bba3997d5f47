from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.codec import encode
from salus_chain.errors import DecodeError
from salus_chain.genesis import Validator
from salus_chain.keys import verify
from salus_chain.rules.transactions import (
    BODIES,
    CACHED_TX_BYTES,
    KINDS,
    QUORUM_KINDS,
    TX_DOMAIN,
    ApproveModel,
    ApproveRelease,
    Attest,
    Authorize,
    Body,
    Change,
    Commit,
    Consent,
    Deauthorize,
    Enrol,
    Evidence,
    Kind,
    OpenRound,
    Receipt,
    Revoke,
    Settle,
    SetValidators,
    SignedVote,
    Statement,
    Withdraw,
    commit_set_root,
    evidence_transaction,
    quorum_transaction,
    read_transaction,
    sign_transaction,
)
from salus_chain.updates import UpdateHeader
from tests.chain.federation import signer

CHAIN, H = bytes([5]) * 32, bytes([6]) * 32
KEY = signer(1).public_key
ALONE: list[Body] = [
    Enrol("gateway-1", KEY, 12),
    Revoke("gateway-1"),
    Consent(H, CHAIN, CHAIN, ("fall", "heartrate")),
    Withdraw(H),
    OpenRound("fall", 4, "feature", H, CHAIN, ("a/b", "c"), "fedrep", (("mu", -3),), "mean", 9, 3, 5, 10, 20),
    Attest("gateway-1", 700, H),
    Commit(UpdateHeader(CHAIN, "fall", 4, "gateway-1", H, CHAIN, 2, 7), H, (Receipt(KEY, bytes(64)),)),
]
TOGETHER: list[Statement] = [
    Settle("fall", 4, H, CHAIN, H, CHAIN),
    ApproveModel("fall", 1, '[["a",[2],"base"]]', H, CHAIN),
    ApproveRelease("fall", 2, H, CHAIN, H),
    Authorize(1, KEY),
    Deauthorize(2, KEY),
    SetValidators(3, Change.ADMIT, Validator("new", KEY, "host:1", "https://host:2")),
]
VOTE = SignedVote(H, 3, 7, 0, -1, CHAIN, bytes(64))
EVIDENCE = Evidence(KEY, VOTE, replace(VOTE, digest=H))


@pytest.mark.parametrize("body", ALONE, ids=lambda body: type(body).__name__)
def test_a_signed_transaction_is_read_back(body: Body) -> None:
    data = sign_transaction(CHAIN, signer(1), 3, body)
    tx = read_transaction(data)
    assert (tx.chain_id, tx.sender, tx.nonce, tx.body, tx.kind) == (CHAIN, KEY, 3, body, KINDS[type(body)])
    assert verify(KEY, tx.signature, TX_DOMAIN, tx.signed_bytes)
    assert tx.id == sha256(data).digest()


@pytest.mark.parametrize("body", TOGETHER, ids=lambda body: type(body).__name__)
def test_a_quorums_transaction_takes_the_lowest_seats_in_order(body: Statement) -> None:
    signatures = {3: b"d" * 64, 0: b"a" * 64, 2: b"c" * 64, 1: b"b" * 64}
    tx = read_transaction(quorum_transaction(CHAIN, body, signatures, 3))
    assert [(seal.seat, seal.signature[:1]) for seal in tx.seals] == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert (tx.sender, tx.nonce, tx.signature, tx.body) == (b"", 0, b"", body)


def test_evidence_needs_no_sender_and_carries_no_signature_beside_its_own() -> None:
    tx = read_transaction(evidence_transaction(CHAIN, EVIDENCE))
    assert (tx.kind, tx.sender, tx.nonce, tx.signature, tx.seals) == (Kind.EVIDENCE, b"", 0, b"", ())
    assert tx.body == EVIDENCE
    for sender, nonce, seals in [(KEY, 0, ()), (b"", 1, ()), (b"", 0, ((0, bytes(64)),))]:
        with pytest.raises(DecodeError):
            read_transaction(encode((CHAIN, int(Kind.EVIDENCE), sender, nonce, EVIDENCE.value(), seals)))


def test_every_kind_has_one_body() -> None:
    assert {type(body) for body in [*ALONE, *TOGETHER, EVIDENCE]} == set(KINDS)
    assert set(KINDS.values()) == set(Kind) == set(BODIES)
    assert {KINDS[type(body)] for body in TOGETHER} == QUORUM_KINDS


def test_an_unknown_kind_or_change_is_refused() -> None:
    with pytest.raises(DecodeError, match="not known here"):
        read_transaction(encode((CHAIN, 6, KEY, 0, (), bytes(64))))
    body = (1, 6, Validator("new", KEY, "host:1", "https://host:2").value())
    with pytest.raises(DecodeError, match="set_validators"):
        read_transaction(encode((CHAIN, int(Kind.SET_VALIDATORS), b"", 0, body, ())))


def test_a_transaction_too_large_to_be_kept_is_read_alike() -> None:
    body = ApproveModel("fall", 1, "x" * CACHED_TX_BYTES, H, CHAIN)
    assert read_transaction(quorum_transaction(CHAIN, body, {0: bytes(64)}, 1)).body == body


def test_a_quorums_transaction_has_no_sender_and_no_nonce() -> None:
    settle = TOGETHER[0].value()
    for sender, nonce in [(KEY, 0), (b"", 1)]:
        with pytest.raises(DecodeError):
            read_transaction(encode((CHAIN, int(Kind.SETTLE), sender, nonce, settle, ())))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        read_transaction(data)


@given(st.sampled_from([*ALONE]), st.data())
def test_a_flipped_bit_changes_the_id_and_breaks_the_signature(body: Body, data: st.DataObject) -> None:
    raw = bytearray(sign_transaction(CHAIN, signer(1), 3, body))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with suppress(DecodeError):
        tx = read_transaction(bytes(raw))
        assert not verify(tx.sender, tx.signature, TX_DOMAIN, tx.signed_bytes)


def test_the_commit_set_does_not_depend_on_order() -> None:
    rows = [("b", H, 1, -1), ("a", CHAIN, 2, 700)]
    assert commit_set_root(rows) == commit_set_root(rows[::-1])
    assert commit_set_root(rows) != commit_set_root([("b", H, 1, 0), ("a", CHAIN, 2, 700)])
    assert commit_set_root(rows) != commit_set_root([("b", H, 2, -1), ("a", CHAIN, 2, 700)])
