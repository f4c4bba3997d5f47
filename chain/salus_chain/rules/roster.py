"""Who takes part: members of the chain, which of them decide the next two blocks, and the coordinators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from salus_chain.codec import Value, fields, integer, items, octets
from salus_chain.errors import DecodeError
from salus_chain.genesis import Genesis, Validator


@dataclass(frozen=True)
class Roster:
    """As of the state after a block h: `validators` decide h+1, `next_validators` h+2.

    `members` are all that may connect as peers; those without a seat are observers. `sequence` counts
    authorisations and changes of members.
    """

    members: tuple[Validator, ...]
    validators: tuple[bytes, ...]
    next_validators: tuple[bytes, ...]
    coordinators: tuple[bytes, ...]
    sequence: int = 0

    @cached_property
    def by_key(self) -> dict[bytes, Validator]:
        return {member.public_key: member for member in self.members}

    @cached_property
    def seats(self) -> tuple[Validator, ...]:
        return tuple(self.by_key[key] for key in self.validators)

    @cached_property
    def next_seats(self) -> tuple[Validator, ...]:
        return tuple(self.by_key[key] for key in self.next_validators)

    @cached_property
    def observers(self) -> tuple[Validator, ...]:
        seated = {*self.validators, *self.next_validators}
        return tuple(member for member in self.members if member.public_key not in seated)

    @property
    def pending(self) -> bool:
        """Whether a change of seats waits to take effect."""
        return self.validators != self.next_validators

    def value(self) -> Value:
        members = tuple(member.value() for member in self.members)
        return (members, self.validators, self.next_validators, self.coordinators, self.sequence)

    @classmethod
    def read(cls, value: Value) -> Roster:
        f = fields(value, 5, "roster")
        roster = cls(
            items(f[0], Validator.read, "members"),
            _keys(f[1], "validators"),
            _keys(f[2], "next_validators"),
            _keys(f[3], "coordinators"),
            integer(f[4], "sequence"),
        )
        if not {*roster.validators, *roster.next_validators} <= set(roster.by_key):
            raise DecodeError("roster: a seat's key is no member's")
        return roster


def genesis_roster(genesis: Genesis) -> Roster:
    """Who takes part before the first block."""
    return Roster(genesis.validators, genesis.keys, genesis.keys, genesis.coordinators)


def _keys(value: Value, what: str) -> tuple[bytes, ...]:
    return items(value, lambda key: octets(key, what, 33), what)
