from __future__ import annotations

from salus_chain.node.registrar import wanted
from salus_chain.node.validator import ConsentSeat, GatewaySeat, ValidatorConfig
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Consent, Enrol, Revoke
from tests.chain.federation import federation

F = federation()
KEY = F.validators[0].public_key
CONFIG = ValidatorConfig(
    name="ward",
    gateways=(GatewaySeat(id="gateway-0", public_key=F.gateway(0).public_key.hex(), patients=4),),
    consents=(ConsentSeat(consent="11" * 32, device="22" * 32),),
)
ENROL = Enrol("gateway-0", F.gateway(0).public_key, 4)
CONSENT = Consent(bytes.fromhex("11" * 32), bytes.fromhex("22" * 32))


def needed(state: State) -> list[Enrol | Consent]:
    return wanted(CONFIG, state, KEY)


def test_what_is_listed_and_not_on_chain_is_wanted() -> None:
    empty = F.enrolled(0)
    assert needed(empty) == [ENROL, CONSENT]
    enrolled = F.apply(empty, F.sign(F.validators[0], empty, ENROL))
    assert needed(enrolled) == [CONSENT]
    assert needed(F.apply(enrolled, F.sign(F.validators[0], enrolled, CONSENT))) == []


def test_a_changed_number_of_patients_and_a_revocation_are_seen() -> None:
    state = F.enrolled(1, patients=3)
    assert needed(state)[0] == ENROL
    state = F.enrolled(1, patients=4)
    assert needed(state) == [CONSENT]
    assert needed(F.apply(state, F.sign(F.hospital(0), state, Revoke("gateway-0"))))[0] == ENROL
