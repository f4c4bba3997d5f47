"""Who takes part, as a quorum states it: coordinators, and the members of the chain with their seats.

A change of seats in block h takes effect with block h+2, whose header's parent names the new set: one change
at a time, so that every block is decided by a set that its parent's header announced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from salus_chain.errors import Rejected
from salus_chain.genesis import Validator
from salus_chain.keys import is_public_key
from salus_chain.rules.bodies.quorums import Authorize, Change, Deauthorize, SetValidators
from salus_chain.rules.roster import Roster
from salus_chain.rules.state import Standing, State, Table, write

MAX_MEMBERS: Final = 128


def authorize(state: State, sender: bytes, body: Authorize) -> State:
    """A key may open rounds from here on."""
    _check_sequence(state, body.sequence)
    if not is_public_key(body.coordinator):
        raise Rejected("wrong_key", "authorize: the coordinator's key is not a point on P-256")
    if body.coordinator in state.coordinators:
        raise Rejected("known_coordinator", f"{body.coordinator.hex()[:16]} may open rounds already")
    return _with_roster(state, replace(state.roster, coordinators=(*state.coordinators, body.coordinator)))


def deauthorize(state: State, sender: bytes, body: Deauthorize) -> State:
    """A key may open no more rounds; those that it opened go on."""
    _check_sequence(state, body.sequence)
    if body.coordinator not in state.coordinators:
        raise Rejected("not_a_coordinator", f"{body.coordinator.hex()[:16]} is no coordinator's key")
    left = tuple(key for key in state.coordinators if key != body.coordinator)
    return _with_roster(state, replace(state.roster, coordinators=left))


def set_validators(state: State, sender: bytes, body: SetValidators) -> State:
    """One change of one member. Raises Rejected, by the change's own rules."""
    _check_sequence(state, body.sequence)
    return CHANGES[body.change](state, body.member)


def _check_sequence(state: State, sequence: int) -> None:
    if sequence != state.roster.sequence + 1:
        raise Rejected("wrong_sequence", f"statement {sequence} where {state.roster.sequence + 1} is next")


def _with_roster(state: State, roster: Roster) -> State:
    return write(state, (Table.ROSTER, b"", replace(roster, sequence=roster.sequence + 1)))


def _admit(state: State, member: Validator) -> State:
    where, key = f"admit {member.name}", member.public_key
    if not is_public_key(key):
        raise Rejected("wrong_key", f"{where}: the key is not a point on P-256")
    if key in state.members:
        raise Rejected("known_member", f"{where}: {key.hex()[:16]} is a member already")
    _check_convicted(state, key, where)
    _check_name(state, member, where)
    if len(state.members) >= MAX_MEMBERS:
        raise Rejected("too_many_members", f"{where}: {MAX_MEMBERS} members are the most")
    standing = state.standings.get(key) or Standing(key, state.height)
    admitted = replace(state.roster, members=(*state.roster.members, member))
    return write(_with_roster(state, admitted), (Table.STANDINGS, key, standing))


def _seat(state: State, member: Validator) -> State:
    where, roster = f"seat {member.name}", state.roster
    _check_known(state, member, where)
    if member not in roster.observers:
        raise Rejected("not_an_observer", f"{where}: has a seat already")
    _check_convicted(state, member.public_key, where)
    _check_pending(state, where)
    return _with_roster(state, replace(roster, next_validators=(*roster.next_validators, member.public_key)))


def _unseat(state: State, member: Validator) -> State:
    where, roster = f"unseat {member.name}", state.roster
    _check_known(state, member, where)
    _check_pending(state, where)
    if member.public_key not in roster.next_validators:
        raise Rejected("not_a_seat", f"{where}: has no seat")
    left = tuple(key for key in roster.next_validators if key != member.public_key)
    if not left:
        raise Rejected("last_seat", f"{where}: a chain without validators would stand still for ever")
    return _with_roster(state, replace(roster, next_validators=left))


def _dismiss(state: State, member: Validator) -> State:
    where = f"dismiss {member.name}"
    _check_known(state, member, where)
    if member not in state.observers:
        raise Rejected("not_an_observer", f"{where}: has a seat; unseat it first")
    left = tuple(each for each in state.roster.members if each != member)
    return _with_roster(state, replace(state.roster, members=left))


def _update(state: State, member: Validator) -> State:
    where, key = f"update {member.name}", member.public_key
    if key not in state.members:
        raise Rejected("not_a_member", f"{where}: {key.hex()[:16]} is no member")
    _check_name(state, member, where)
    members = tuple(member if each.public_key == key else each for each in state.roster.members)
    return _with_roster(state, replace(state.roster, members=members))


CHANGES: Final[dict[Change, Callable[[State, Validator], State]]] = {
    Change.ADMIT: _admit,
    Change.SEAT: _seat,
    Change.UNSEAT: _unseat,
    Change.DISMISS: _dismiss,
    Change.UPDATE: _update,
}


def _check_known(state: State, member: Validator, where: str) -> None:
    known = state.members.get(member.public_key)
    if known is None:
        raise Rejected("not_a_member", f"{where}: {member.public_key.hex()[:16]} is no member")
    if known != member:
        raise Rejected("wrong_member", f"{where}: the chain has another name or address for this key")


def _check_name(state: State, member: Validator, where: str) -> None:
    if not member.name or not member.peer or not member.url:
        raise Rejected("wrong_member", f"{where}: a name, a peer address and a URL are wanted")
    if any(each.name == member.name and each.public_key != member.public_key for each in state.members.values()):
        raise Rejected("name_used", f"{where}: another member has this name")


def _check_pending(state: State, where: str) -> None:
    if state.roster.pending:
        raise Rejected("change_pending", f"{where}: another change of seats takes effect first; try the next block")


def _check_convicted(state: State, key: bytes, where: str) -> None:
    standing = state.standings.get(key)
    if standing is not None and standing.convicted_height:
        at = standing.convicted_height
        raise Rejected("suspended_key", f"{where}: convicted of equivocation at height {at}; come back under a new key")
