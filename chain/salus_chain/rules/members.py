"""What hospitals do: enrol, revoke and attest their own gateways, write and withdraw consents."""

from __future__ import annotations

from dataclasses import replace

from salus_chain.errors import Rejected
from salus_chain.keys import is_public_key
from salus_chain.rules.state import Attestation, ConsentEntry, Gateway, State, Table, write
from salus_chain.rules.transactions import Attest, Consent, Enrol, Revoke, Withdraw


def enrol(state: State, sender: bytes, body: Enrol) -> State:
    """A new gateway, a new key for a gateway, or another number of patients.

    A key serves one gateway, once.
    """
    require_validator(state, sender)
    known = state.gateways.get(body.gateway)
    if known is not None and known.validator != sender:
        raise Rejected("not_your_gateway", f"gateway {body.gateway} belongs to another hospital")
    if not is_public_key(body.public_key):
        raise Rejected("wrong_key", f"gateway {body.gateway}: its public key is not a point on P-256")
    if body.patients > state.genesis.policy.max_weight:
        raise Rejected("too_many_patients", f"gateway {body.gateway}: {body.patients} exceed the policy's W_max")
    current = known is not None and not known.revoked and known.public_key == body.public_key
    if body.public_key in state.keys and not current:
        raise Rejected("key_used", f"gateway {body.gateway}: this key was enrolled before; make a new one")
    fresh = known is None or known.revoked
    own = state.enrolled.get(sender, 0)
    if fresh and own >= state.genesis.policy.max_gateways:
        raise Rejected("too_many_gateways", f"the policy allows a hospital {own} gateways")
    entry = Gateway(body.gateway, sender, body.public_key, body.patients, revoked=False)
    after = write(state, (Table.GATEWAYS, body.gateway, entry), (Table.KEYS, body.public_key, body.gateway))
    return replace(after, enrolled=state.enrolled.set(sender, own + 1)) if fresh else after


def revoke(state: State, sender: bytes, body: Revoke) -> State:
    """From this block on the gateway can neither upload nor commit; what it committed before stays."""
    require_member(state, sender)
    known = _own_gateway(state, sender, body.gateway)
    if known.revoked:
        raise Rejected("revoked_gateway", f"gateway {body.gateway} is revoked already")
    after = write(state, (Table.GATEWAYS, body.gateway, replace(known, revoked=True)))
    return replace(after, enrolled=state.enrolled.set(sender, state.enrolled[sender] - 1))


def attest(state: State, sender: bytes, body: Attest) -> State:
    """The latest attestation counts, in the commits that come after it."""
    require_validator(state, sender)
    if _own_gateway(state, sender, body.gateway).revoked:
        raise Rejected("revoked_gateway", f"gateway {body.gateway} is revoked; there is nothing to attest")
    entry = Attestation(body.gateway, body.score, body.statement, state.height)
    return write(state, (Table.ATTESTATIONS, body.gateway, entry))


def consent(state: State, sender: bytes, body: Consent) -> State:
    """A salted digest is used once: consenting again after a withdrawal takes a new salt."""
    require_validator(state, sender)
    if body.consent in state.consents:
        raise Rejected("consent_used", f"consent {body.consent.hex()[:16]} is on chain already; take a new salt")
    entry = ConsentEntry(body.consent, body.device, sender, withdrawn=False)
    return write(state, (Table.CONSENTS, body.consent, entry))


def withdraw(state: State, sender: bytes, body: Withdraw) -> State:
    """Only the hospital that wrote a consent withdraws it."""
    require_member(state, sender)
    known = state.consents.get(body.consent)
    if known is None or known.validator != sender:
        raise Rejected("unknown_consent", f"this hospital wrote no consent {body.consent.hex()[:16]}")
    if known.withdrawn:
        raise Rejected("withdrawn", f"consent {body.consent.hex()[:16]} is withdrawn already")
    return write(state, (Table.CONSENTS, body.consent, replace(known, withdrawn=True)))


def require_validator(state: State, sender: bytes) -> None:
    if sender not in state.validators:
        raise Rejected("not_a_validator", f"{sender.hex()[:16]} has no seat; only a hospital may do this")


def require_member(state: State, sender: bytes) -> None:
    """To end what is its own a hospital needs no seat any more: a patient may withdraw whatever became of it."""
    if sender not in state.members:
        raise Rejected("not_a_validator", f"{sender.hex()[:16]} is no member; only a hospital may do this")


def _own_gateway(state: State, sender: bytes, gateway: str) -> Gateway:
    known = state.gateways.get(gateway)
    if known is None:
        raise Rejected("unknown_gateway", f"gateway {gateway} is not enrolled")
    if known.validator != sender:
        raise Rejected("not_your_gateway", f"gateway {gateway} belongs to another hospital")
    return known
