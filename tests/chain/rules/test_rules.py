"""Each rule's rejection, by its code; and that a rejection changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from salus_chain.errors import Rejected
from salus_chain.rules import apply as rules
from salus_chain.rules import evidence, governance, members, models, rounds
from salus_chain.rules.apply import apply_block, build_block, check_tx
from salus_chain.rules.blocks import Block
from salus_chain.rules.state import RoundStatus, State, entries, genesis_state, state_root
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Commit,
    Consent,
    Enrol,
    Receipt,
    Revoke,
    Withdraw,
    quorum_transaction,
    read_transaction,
    sign_receipt,
    sign_transaction,
)
from salus_chain.updates import update_digest
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, Federation, federation, signer
from tests.chain.rules.membership_cases import MEMBERSHIP_CASES, Case

F = federation()
EMPTY = genesis_state(F.genesis)
ENROLLED = F.enrolled()
OPENED = F.opened(ENROLLED)
COMMITTED = F.apply(OPENED, F.commit(OPENED, 0))
CLOSED = F.closed()
H = bytes([1]) * 32
CONSENTED = F.apply(ENROLLED, F.sign(F.validators[0], ENROLLED, Consent(H, H)))
WITHDRAWN = F.apply(CONSENTED, F.sign(F.validators[0], CONSENTED, Withdraw(H)))
REVOKED = F.apply(OPENED, F.sign(F.hospital(0), OPENED, Revoke("gateway-0")))
SETTLED = F.apply(CLOSED, F.quorum(F.settle_body(CLOSED)))
RELEASED = F.apply(ENROLLED, F.quorum(ApproveRelease(TASK, 3, H, H, MODEL_DIGEST)))
FULL = F.enrolled(gateways=20)  # five of each hospital


def enrol(name: str, key: int, who: int = 0, patients: int = 2) -> Callable[[State], bytes]:
    return lambda state: F.sign(F.validators[who], state, Enrol(name, signer(key).public_key, patients))


def opening(**changes: object) -> Callable[[State], bytes]:
    return lambda state: F.sign(F.coordinator, state, F.open_body(state, **changes))


def committing(number: int = 0, receipts: int = 2, **changes: object) -> Callable[[State], bytes]:
    return lambda state: F.commit(state, number, receipts, **changes)


def settling(seats: int | None = None, **changes: object) -> Callable[[State], bytes]:
    return lambda state: F.quorum(replace(F.settle_body(CLOSED), **changes), seats)  # type: ignore[arg-type]


def approving(**changes: object) -> Callable[[State], bytes]:
    body = ApproveModel(TASK, 2, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)
    return lambda state: F.quorum(replace(body, **changes))  # type: ignore[arg-type]


def with_receipts(change: Callable[[tuple[Receipt, ...]], tuple[Receipt, ...]]) -> Callable[[State], bytes]:
    def make(state: State) -> bytes:
        body = read_transaction(F.commit(state, 0)).body
        assert isinstance(body, Commit)
        return F.sign(F.gateway(0), state, replace(body, receipts=change(body.receipts)))

    return make


def release(**changes: object) -> Callable[[State], bytes]:
    body = ApproveRelease(TASK, 4, H, H, MODEL_DIGEST)
    return lambda state: F.quorum(replace(body, **changes))  # type: ignore[arg-type]


CASES: dict[str, list[Case]] = {
    "wrong_chain": [
        (ENROLLED, lambda s: sign_transaction(H, F.validators[0], 1, Consent(H, H))),
    ],
    "wrong_nonce": [
        (ENROLLED, lambda s: F.sign(F.validators[0], s, Consent(H, H), ahead=1)),
        (CONSENTED, lambda s: F.sign(F.validators[0], s, Consent(bytes(32), H), ahead=-1)),
    ],
    "bad_signature": [
        (ENROLLED, lambda s: F.sign(F.validators[0], s, Consent(H, H))[:-64] + bytes(64)),
        (CLOSED, lambda s: settling()(s)[:-64] + bytes(64)),
    ],
    "no_quorum": [(CLOSED, settling(seats=2)), (CLOSED, settling(seats=4))],
    "not_a_validator": [
        (ENROLLED, lambda s: F.sign(F.coordinator, s, Enrol("g", signer(9).public_key, 1))),
        (ENROLLED, lambda s: F.sign(F.gateway(0), s, Revoke("gateway-0"))),
        (ENROLLED, lambda s: F.sign(F.coordinator, s, Consent(H, H))),
        (CONSENTED, lambda s: F.sign(F.coordinator, s, Withdraw(H))),
    ],
    "not_your_gateway": [
        (ENROLLED, enrol("gateway-0", 9, who=1)),
        (ENROLLED, lambda s: F.sign(F.validators[1], s, Revoke("gateway-0"))),
    ],
    "wrong_key": [(ENROLLED, lambda s: F.sign(F.validators[0], s, Enrol("g", b"\x02" + b"\xff" * 32, 1)))],
    "too_many_patients": [(ENROLLED, enrol("g", 9, patients=10_001))],
    "too_many_gateways": [(FULL, enrol("one-more", 9))],
    "key_used": [(ENROLLED, enrol("g", 201)), (REVOKED, enrol("gateway-0", 201))],
    "unknown_gateway": [
        (ENROLLED, lambda s: F.sign(F.validators[0], s, Revoke("nobody"))),
        (OPENED, committing(gateway="nobody")),
    ],
    "revoked_gateway": [
        (REVOKED, lambda s: F.sign(F.hospital(0), s, Revoke("gateway-0"))),
        (REVOKED, committing()),
    ],
    "consent_used": [(CONSENTED, lambda s: F.sign(F.validators[1], s, Consent(H, H)))],
    "unknown_consent": [
        (ENROLLED, lambda s: F.sign(F.validators[0], s, Withdraw(H))),
        (CONSENTED, lambda s: F.sign(F.validators[1], s, Withdraw(H))),
    ],
    "withdrawn": [(WITHDRAWN, lambda s: F.sign(F.validators[0], s, Withdraw(H)))],
    "not_a_coordinator": [(ENROLLED, lambda s: F.sign(F.validators[0], s, F.open_body(s)))],
    "unknown_task": [(ENROLLED, opening(task="other")), (ENROLLED, release(task="other"))],
    "round_active": [(OPENED, opening()), (CLOSED, opening()), (OPENED, approving())],
    "wrong_round": [
        (ENROLLED, opening(round=2)),
        (OPENED, committing(round=2)),
        (CLOSED, settling(round=2)),
    ],
    "wrong_program": [(ENROLLED, opening(program_digest=H))],
    "wrong_kind": [(ENROLLED, opening(kind="mixed"))],
    "wrong_rule": [(ENROLLED, opening(rule="krum"))],
    "wrong_norm_bound": [(ENROLLED, opening(norm_bound=0)), (ENROLLED, opening(norm_bound=1 << 31))],
    "wrong_min_updates": [(ENROLLED, opening(min_updates=2))],
    "wrong_w_max": [(ENROLLED, opening(w_max=0)), (ENROLLED, opening(w_max=10_001))],
    "wrong_parameters": [(ENROLLED, opening(parameters=(("b", 1), ("a", 1))))],
    "wrong_deadline": [
        (ENROLLED, opening(deadline_ms=ENROLLED.time_ms + 499)),
        (
            ENROLLED,
            opening(deadline_ms=ENROLLED.time_ms + 100_002, settle_deadline_ms=ENROLLED.time_ms + 200_000),
        ),
    ],
    "wrong_settle_deadline": [(ENROLLED, opening(settle_deadline_ms=ENROLLED.time_ms + 1_100))],
    "wrong_variables": [
        (ENROLLED, opening(variables=())),
        (ENROLLED, opening(variables=("head/kernel", "trunk0/kernel"))),
        (ENROLLED, opening(variables=("trunk0/kernel", "nothing"))),
        (ENROLLED, opening(variables=("base0/kernel", "trunk0/kernel"))),
    ],
    "no_open_round": [(ENROLLED, committing(round=1)), (CLOSED, committing())],
    "wrong_model": [(OPENED, committing(base_model_digest=H)), (CLOSED, settling(model_before=H))],
    "wrong_layout": [(OPENED, committing(layout_digest=H)), (ENROLLED, approving(layout_json="[]"))],
    "wrong_shape": [(OPENED, committing(d=36)), (OPENED, committing(d=34))],
    "wrong_weight": [(OPENED, committing(weight=0)), (OPENED, committing(weight=4))],
    "wrong_sender": [(OPENED, lambda s: F.sign(F.gateway(1), s, read_transaction(F.commit(s, 0)).body))],
    "duplicate_commit": [(COMMITTED, committing())],
    "too_few_receipts": [(OPENED, committing(receipts=0)), (OPENED, committing(receipts=1))],
    "duplicate_receipt": [
        (OPENED, with_receipts(lambda receipts: (receipts[0], receipts[0]))),
        (OPENED, with_receipts(lambda receipts: receipts[::-1])),
    ],
    "bad_receipt": [
        (OPENED, with_receipts(lambda receipts: (receipts[0], replace(receipts[1], signature=bytes(64))))),
        (OPENED, with_receipts(lambda receipts: foreign_receipts())),
        (OPENED, with_receipts(lambda receipts: receipts_for_another_header())),
    ],
    "already_settled": [(SETTLED, settling())],
    "round_not_closed": [(OPENED, settling())],
    "wrong_commit_set": [(CLOSED, settling(commits_root=H))],
    "wrong_sequence": [(ENROLLED, approving(sequence=1)), (ENROLLED, approving(sequence=3))],
    "old_version": [(RELEASED, release(version=3)), (RELEASED, release(version=2))],
    "stale_model": [(ENROLLED, release(settled_model_digest=H))],
}
for code, more in MEMBERSHIP_CASES.items():
    CASES.setdefault(code, []).extend(more)


def foreign_receipts() -> tuple[Receipt, ...]:
    """Two good signatures, of keys that have no seat."""
    digest = update_digest(F.update(OPENED, 0))
    made = [sign_receipt(signer(number), F.header(OPENED, 0), digest) for number in (301, 302)]
    return tuple(sorted(made, key=lambda receipt: receipt.public_key))


def receipts_for_another_header() -> tuple[Receipt, ...]:
    """The validators saw a weight of 2 in the update; its gateway commits with 1."""
    return F.receipts(F.header(OPENED, 0, weight=2), update_digest(F.update(OPENED, 0)))


@pytest.mark.parametrize(("code", "case"), [(code, n) for code, cases in CASES.items() for n in range(len(cases))])
def test_a_rule_refuses_with_its_code_and_changes_nothing(code: str, case: int) -> None:
    state, make = CASES[code][case]
    before, data = dict(entries(state)), make(state)
    with pytest.raises(Rejected) as refused:
        check_tx(state, read_transaction(data), state.time_ms + 1)
    assert refused.value.code == code
    assert len(refused.value.reason) > 10
    block, after = build_block(state, [read_transaction(data)], state.time_ms + 1)
    assert block.transactions == () and dict(entries(state)) == before
    assert state_root(after) == state_root(build_block(state, [], state.time_ms + 1)[1])


@pytest.mark.parametrize(("code", "case"), [(code, n) for code, cases in CASES.items() for n in range(len(cases))])
def test_a_block_that_holds_what_the_mempool_refuses_is_refused_alike(code: str, case: int) -> None:
    state, make = CASES[code][case]
    empty, _ = build_block(state, [], state.time_ms + 1)
    with pytest.raises(Rejected) as refused:
        apply_block(state, Block(empty.header, (make(state),)))
    assert refused.value.code == code


def test_a_round_goes_from_open_to_settled_and_moves_the_model() -> None:
    assert OPENED.rounds[TASK].status is RoundStatus.OPEN
    assert CLOSED.rounds[TASK].status is RoundStatus.CLOSED
    settled, body = SETTLED.rounds[TASK], F.settle_body(CLOSED)
    assert (settled.status, settled.settled_height) == (RoundStatus.SETTLED, SETTLED.height)
    assert SETTLED.tasks[TASK].model_digest == body.model_after != MODEL_DIGEST
    assert F.opened(SETTLED).tasks[TASK].round == 2


def test_a_settlement_with_a_wrong_digest_changes_nothing() -> None:
    forged = replace(F.settle_body(CLOSED), aggregate_digest=H, model_after=H)
    honest = read_transaction(F.quorum(F.settle_body(CLOSED)))
    signatures = {seal.seat: seal.signature for seal in honest.seals}
    data = quorum_transaction(F.genesis.chain_id, forged, signatures, 3)
    with pytest.raises(Rejected, match="bad_signature"):
        check_tx(CLOSED, read_transaction(data), CLOSED.time_ms + 1)
    assert CLOSED.tasks[TASK].model_digest == MODEL_DIGEST


def test_the_first_block_at_the_deadline_closes_before_its_transactions_apply() -> None:
    state = OPENED
    for number in range(3):
        state = F.apply(state, F.commit(state, number))
    late = F.sign(F.validators[0], state, Revoke("gateway-0"))
    deadline_ms = state.rounds[TASK].open.deadline_ms
    assert F.apply(state, late, at_ms=deadline_ms - 1).rounds[TASK].status is RoundStatus.OPEN
    after = F.apply(state, late, at_ms=deadline_ms)
    assert after.rounds[TASK].status is RoundStatus.CLOSED
    assert after.rounds[TASK].closed_height == after.height
    commit = read_transaction(F.commit(COMMITTED, 1))
    with pytest.raises(Rejected, match="no_open_round"):
        check_tx(F.apply(COMMITTED), commit, deadline_ms)


def test_too_few_updates_expire_the_round_and_block_nothing() -> None:
    after = F.apply(COMMITTED, at_ms=COMMITTED.rounds[TASK].open.deadline_ms)
    assert (after.rounds[TASK].status, after.rounds[TASK].reason) == (RoundStatus.EXPIRED, "too_few_updates")
    assert F.opened(after).rounds[TASK].open.round == 2


def test_a_round_that_nobody_settles_expires() -> None:
    after = F.apply(CLOSED, at_ms=CLOSED.rounds[TASK].open.settle_deadline_ms)
    assert (after.rounds[TASK].status, after.rounds[TASK].reason) == (RoundStatus.EXPIRED, "not_settled")
    with pytest.raises(Rejected, match="round_not_closed"):
        check_tx(after, read_transaction(settling()(after)), after.time_ms + 1)
    assert after.tasks[TASK].model_digest == MODEL_DIGEST


def test_enrolling_again_changes_patients_and_a_revoked_gateway_returns_with_a_new_key() -> None:
    more = F.apply(ENROLLED, enrol("gateway-0", 201, patients=9)(ENROLLED))
    assert more.gateways["gateway-0"].patients == 9
    back = F.apply(REVOKED, enrol("gateway-0", 77)(REVOKED))
    assert not back.gateways["gateway-0"].revoked
    assert back.gateways["gateway-0"].public_key == signer(77).public_key


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("wrong_parent", {"parent": H}),
        ("wrong_parent", {"height": 9}),
        ("wrong_time", {"time_ms": EMPTY.time_ms}),
        ("wrong_header", {"state_root": H}),
        ("wrong_header", {"transactions_root": H}),
        ("wrong_header", {"validators_hash": H}),
        ("wrong_header", {"next_validators_hash": H}),
        ("wrong_header", {"chain_id": H}),
    ],
)
def test_a_wrong_header_is_refused(code: str, change: dict[str, object]) -> None:
    block, _ = F.block(EMPTY)
    with pytest.raises(Rejected) as refused:
        apply_block(EMPTY, replace(block, header=replace(block.header, **change)))  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_block_with_malformed_or_too_many_transactions_is_refused() -> None:
    block, _ = F.block(EMPTY)
    with pytest.raises(Rejected, match="malformed"):
        apply_block(EMPTY, replace(block, transactions=(b"junk",)))
    with pytest.raises(Rejected, match="too_large"):
        apply_block(EMPTY, replace(block, transactions=(b"junk",) * 2_001))


def test_what_is_built_applies_to_the_same_state() -> None:
    block, after = F.block(ENROLLED, F.sign(F.coordinator, ENROLLED, F.open_body(ENROLLED)))
    assert apply_block(ENROLLED, block) == after


@pytest.mark.parametrize("validators", [1, 2, 3, 7])
def test_a_round_settles_with_any_number_of_validators(validators: int) -> None:
    other: Federation = federation(validators)
    state = other.opened(other.enrolled())
    for number in range(3):
        state = other.apply(state, other.commit(state, number, receipts=validators))
    state = other.apply(state, at_ms=state.rounds[TASK].open.deadline_ms)
    state = other.apply(state, other.quorum(other.settle_body(state)))
    assert state.rounds[TASK].status is RoundStatus.SETTLED


def test_every_code_in_the_rules_has_a_case_here() -> None:
    sources = [rules, members, models, rounds, governance, evidence]
    text = "".join(Path(str(module.__file__)).read_text() for module in sources)
    codes = set(re.findall(r'Rejected\(\s*"(\w+)"', text)) | set(re.findall(r'^        "(\w+)": ', text, re.M))
    headers = {"wrong_parent", "wrong_time", "wrong_header", "malformed", "too_large"}
    assert codes == set(CASES) | headers
