"""What is refused of attestations, of changes of members and coordinators, and of evidence: by code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from salus_chain.genesis import Validator
from salus_chain.rules.governance import MAX_MEMBERS
from salus_chain.rules.state import State, Table, sealed, write
from salus_chain.rules.transactions import (
    Attest,
    Authorize,
    Change,
    Deauthorize,
    Evidence,
    Revoke,
    SetValidators,
    SignedVote,
    evidence_transaction,
)
from tests.chain.federation import Federation, federation, signer

Case: TypeAlias = tuple[State, Callable[[State], bytes]]

F = federation()
ENROLLED = F.enrolled()
H = bytes([1]) * 32
NO_POINT = b"\x02" + b"\xff" * 32
SEAT_0, SEAT_3, NEW = F.genesis.validators[0], F.genesis.validators[3], F.joiner()
WITH_NEW = F.changed(ENROLLED, Change.ADMIT, NEW)
PENDING = F.changed(ENROLLED, Change.UNSEAT, SEAT_3)  # takes effect after one more block
UNSEATED = F.apply(PENDING)
CONVICTED = F.apply(F.apply(ENROLLED, F.evidence(F.validators[3])))
GONE = F.changed(UNSEATED, Change.DISMISS, SEAT_3)
CONVICTED_LATER = F.apply(GONE, F.evidence(F.validators[3]))
REVOKED = F.apply(ENROLLED, F.sign(F.hospital(0), ENROLLED, Revoke("gateway-0")))
ALONE: Federation = federation(1)
SEVEN: Federation = federation(7)
SEVEN_PENDING = SEVEN.changed(SEVEN.enrolled(), Change.UNSEAT, SEVEN.genesis.validators[6])
STRANGERS = tuple(
    replace(NEW, name=f"stranger-{n}", public_key=bytes([2]) + n.to_bytes(32, "big")) for n in range(MAX_MEMBERS - 4)
)
FULL_ROSTER = replace(ENROLLED.roster, members=(*ENROLLED.roster.members, *STRANGERS))
CROWD = sealed(write(ENROLLED, (Table.ROSTER, b"", FULL_ROSTER)))


def changing(change: Change, member: Validator = NEW, ahead: int = 1, **changes: object) -> Callable[[State], bytes]:
    def make(state: State) -> bytes:
        body = SetValidators(state.roster.sequence + ahead, change, replace(member, **changes))  # type: ignore[arg-type]
        return F.quorum(body, of=state)

    return make


def authorizing(key: bytes, ahead: int = 1) -> Callable[[State], bytes]:
    return lambda state: F.quorum(Authorize(state.roster.sequence + ahead, key), of=state)


def deauthorizing(key: bytes, ahead: int = 1) -> Callable[[State], bytes]:
    return lambda state: F.quorum(Deauthorize(state.roster.sequence + ahead, key), of=state)


def attesting(gateway: str, who: int = 0) -> Callable[[State], bytes]:
    return lambda state: F.sign(F.validators[who], state, Attest(gateway, 500, H))


def showing(first: SignedVote, second: SignedVote, key: int = 3) -> Callable[[State], bytes]:
    body = Evidence(F.validators[key].public_key, first, second)
    return lambda state: evidence_transaction(F.genesis.chain_id, body)


def voted(digest: bytes = H, who: int = 3, **changes: object) -> SignedVote:
    return F.vote(F.validators[who], digest, **changes)


MEMBERSHIP_CASES: dict[str, list[Case]] = {
    "wrong_sequence": [
        (ENROLLED, changing(Change.ADMIT, ahead=0)),
        (WITH_NEW, changing(Change.SEAT, ahead=2)),
        (ENROLLED, authorizing(signer(103).public_key, ahead=2)),
        (WITH_NEW, deauthorizing(F.coordinator.public_key, ahead=0)),
    ],
    "wrong_key": [(ENROLLED, changing(Change.ADMIT, public_key=NO_POINT)), (ENROLLED, authorizing(NO_POINT))],
    "known_coordinator": [(ENROLLED, authorizing(F.coordinator.public_key))],
    "not_a_coordinator": [(ENROLLED, deauthorizing(signer(103).public_key))],
    "known_member": [
        (ENROLLED, changing(Change.ADMIT, SEAT_0)),
        (WITH_NEW, changing(Change.ADMIT)),
        (WITH_NEW, changing(Change.ADMIT, name="other")),
    ],
    "name_used": [
        (ENROLLED, changing(Change.ADMIT, name="hospital-0")),
        (WITH_NEW, changing(Change.UPDATE, name="hospital-0")),
    ],
    "too_many_members": [(CROWD, changing(Change.ADMIT))],
    "suspended_key": [
        (CONVICTED, changing(Change.SEAT, SEAT_3)),
        (CONVICTED_LATER, changing(Change.ADMIT, SEAT_3)),
    ],
    "not_an_observer": [
        (ENROLLED, changing(Change.SEAT, SEAT_0)),
        (ENROLLED, changing(Change.DISMISS, SEAT_0)),
        (PENDING, changing(Change.SEAT, SEAT_3)),
        (PENDING, changing(Change.DISMISS, SEAT_3)),
    ],
    "not_a_seat": [(WITH_NEW, changing(Change.UNSEAT)), (UNSEATED, changing(Change.UNSEAT, SEAT_3))],
    "last_seat": [
        (
            ALONE.enrolled(),
            lambda s: ALONE.quorum(SetValidators(1, Change.UNSEAT, ALONE.genesis.validators[0])),
        )
    ],
    "not_a_member": [
        (ENROLLED, changing(Change.SEAT)),
        (ENROLLED, changing(Change.UNSEAT)),
        (ENROLLED, changing(Change.DISMISS)),
        (ENROLLED, changing(Change.UPDATE)),
        (WITH_NEW, lambda s: F.evidence(signer(999))),
    ],
    "wrong_member": [
        (WITH_NEW, changing(Change.SEAT, url="http://elsewhere")),
        (ENROLLED, changing(Change.UNSEAT, SEAT_0, name="another")),
        (WITH_NEW, changing(Change.DISMISS, peer="elsewhere:1")),
        (ENROLLED, changing(Change.ADMIT, name="")),
        (ENROLLED, changing(Change.UPDATE, SEAT_0, url="")),
    ],
    "change_pending": [
        (PENDING, changing(Change.UNSEAT, SEAT_0)),
        (F.changed(WITH_NEW, Change.UNSEAT, SEAT_3), changing(Change.SEAT)),
        (
            SEVEN_PENDING,
            lambda s: SEVEN.evidence(SEVEN.validators[2]),
        ),
    ],
    "known_evidence": [(CONVICTED, lambda s: F.evidence(F.validators[3]))],
    "no_conflict": [
        (ENROLLED, showing(voted(), voted())),
        (ENROLLED, showing(voted(), voted(bytes(32), height=6))),
        (ENROLLED, showing(voted(), voted(bytes(32), round=1))),
        (ENROLLED, showing(voted(), voted(bytes(32), type=2))),
        (ENROLLED, showing(voted(), voted(bytes(32), validators_hash=H))),
    ],
    "bad_signature": [
        (ENROLLED, showing(voted(), replace(voted(bytes(32)), signature=bytes(64)))),
        (ENROLLED, showing(voted(), voted(bytes(32), who=2))),
        (ENROLLED, showing(voted(who=2), voted(bytes(32), who=2))),
        (ENROLLED, showing(voted(), replace(voted(bytes(32)), digest=bytes([9]) * 32))),
        (ENROLLED, showing(voted(), replace(voted(), prepared=2))),
    ],
    "unknown_gateway": [(ENROLLED, attesting("nobody"))],
    "not_your_gateway": [(ENROLLED, attesting("gateway-0", who=1))],
    "revoked_gateway": [(REVOKED, attesting("gateway-0"))],
}
