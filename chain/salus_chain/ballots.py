"""A statement that hospitals sign one after another, as a file that goes from one to the next.

JSON, so that it may be mailed and read: the chain, the validators that decide, the statement's canonical bytes, and
the signatures so far. What is shown and signed is read from the bytes, never from what stands beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from salus_chain.codec import decode, encode
from salus_chain.errors import ConfigError, DecodeError, Rejected
from salus_chain.genesis import Genesis, quorum
from salus_chain.keys import Signer, verify
from salus_chain.rules.transactions import (
    BODIES,
    KINDS,
    STATEMENT_DOMAIN,
    Authorize,
    Deauthorize,
    Kind,
    SetValidators,
    quorum_transaction,
    statement_bytes,
)

Motion = SetValidators | Authorize | Deauthorize
MOTIONS: Final = (Kind.SET_VALIDATORS, Kind.AUTHORIZE, Kind.DEAUTHORIZE)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    chain: str
    validators: tuple[str, ...]
    kind: str
    body: str
    signatures: dict[str, str] = {}


@dataclass(frozen=True)
class Ballot:
    """A motion before the validators of one set, by seat; `signatures` are by public key and verify."""

    chain_id: bytes
    validators: tuple[bytes, ...]
    motion: Motion
    signatures: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def message(self) -> bytes:
        return statement_bytes(self.chain_id, self.validators, self.motion)

    @property
    def wanted(self) -> int:
        """How many signatures decide."""
        return quorum(len(self.validators))

    @property
    def words(self) -> str:
        """What is asked for."""
        motion, number = self.motion, f"(change {self.motion.sequence})"
        if isinstance(motion, SetValidators):
            member = motion.member
            where = f"key {member.public_key.hex()}, peers at {member.peer}, clients at {member.url}"
            return f"{motion.change.name.lower()} {member.name}, {where} {number}"
        return f"{KINDS[type(motion)].name.lower()} coordinator {motion.coordinator.hex()} {number}"


def signed(ballot: Ballot, signer: Signer) -> Ballot:
    """The ballot with one more signature. Raises Rejected when the key has no vote in it."""
    if signer.public_key not in ballot.validators:
        raise Rejected("not_a_validator", f"{signer.public_key.hex()[:16]} is none of the validators that decide")
    signature = signer.sign(STATEMENT_DOMAIN, ballot.message)
    return replace(ballot, signatures={**ballot.signatures, signer.public_key: signature})


def gathered(ballots: Sequence[Ballot]) -> Ballot:
    """One ballot with the signatures of all. Raises Rejected when they are not about the same."""
    first = ballots[0]
    for each in ballots[1:]:
        if each.message != first.message:
            raise Rejected("other_motion", f"{each.words} is not {first.words}, or other validators decide")
    return replace(first, signatures={key: mark for each in ballots for key, mark in each.signatures.items()})


def transaction(ballot: Ballot) -> bytes:
    """The quorum's transaction. Raises Rejected `no_quorum` while signatures are missing."""
    seats = {seat: ballot.signatures[key] for seat, key in enumerate(ballot.validators) if key in ballot.signatures}
    if len(seats) < ballot.wanted:
        raise Rejected("no_quorum", f"{len(seats)} of {ballot.wanted} signatures; let more hospitals sign")
    return quorum_transaction(ballot.chain_id, ballot.motion, seats, ballot.wanted)


def write_ballot(path: Path, ballot: Ballot) -> None:
    """Write what `read_ballot` reads back, with the words for whoever opens the file."""
    made = _File(
        ballot.chain_id.hex(),
        tuple(key.hex() for key in ballot.validators),
        KINDS[type(ballot.motion)].name.lower(),
        encode(ballot.motion.value()).hex(),
        {key.hex(): signature.hex() for key, signature in ballot.signatures.items()},
    )
    path.write_text(json.dumps(msgspec.to_builtins(made), indent=2) + "\n")


def read_ballot(path: Path, genesis: Genesis) -> Ballot:
    """Raises ConfigError: no such file, not a ballot, another chain's, or a signature in it does not verify."""
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=_File)
        kind = Kind[raw.kind.upper()]
        motion = BODIES[kind].read(decode(bytes.fromhex(raw.body)))
        validators = tuple(map(bytes.fromhex, raw.validators))
        signatures = {bytes.fromhex(key): bytes.fromhex(mark) for key, mark in raw.signatures.items()}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, KeyError, ValueError, DecodeError) as error:
        raise ConfigError(f"{path}: not a ballot: {error}") from None
    if not isinstance(motion, Motion) or not validators:
        raise ConfigError(f"{path}: not a ballot: a {raw.kind} is not decided by one")
    if bytes.fromhex(raw.chain) != genesis.chain_id:
        raise ConfigError(f"{path}: a ballot of chain {raw.chain[:16]}, not of this genesis")
    ballot = Ballot(genesis.chain_id, validators, motion, signatures)
    for key, signature in signatures.items():
        if key not in validators or not verify(key, signature, STATEMENT_DOMAIN, ballot.message):
            raise ConfigError(f"{path}: the signature of {key.hex()[:16]} does not verify")
    return ballot


def as_fields(motion: Motion) -> dict[str, object]:
    """The motion by field, for a program."""
    return {"kind": KINDS[type(motion)].name.lower(), **asdict(motion)}
