"""Proofs of what became final, checked from the genesis, or a later checkpoint, alone.

A proof is canonical CBOR [tag, kind, changes, inclusions, entries, commits]. Its blocks are checked by height,
each under the set of validators that the changes before it lead to; then what the kind claims must follow from
its pieces. A settlement, and an update's part in one, also list the round's commits, whose root it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from salus_chain.codec import Value, decode, encode, fields, identifier, integer, items, octets
from salus_chain.errors import DecodeError, ProofError
from salus_chain.genesis import Genesis
from salus_chain.light.council import Change, Checkpoint, Say, Verify, Witness, genesis_checkpoint
from salus_chain.light.pieces import Inclusion, StateEntry
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.entries import ConsentEntry
from salus_chain.rules.roster import Roster
from salus_chain.rules.transactions import (
    NO_SCORE,
    ApproveModel,
    ApproveRelease,
    Body,
    Commit,
    CommitRow,
    Settle,
    Transaction,
    Withdraw,
    commit_set_root,
    read_transaction,
)

PROOF_TAG: Final = b"salus/proof/2"
MAX_PROOF_BYTES: Final = 16 << 20


class ProofKind(StrEnum):
    """What a proof may show."""

    SETTLEMENT = "settlement"  # a quorum settled a round
    UPDATE = "update"  # a gateway's commit is final, and the round's settlement counts it
    RELEASE = "release"  # a quorum approved a release
    WITHDRAWAL = "withdrawal"  # a consent was withdrawn, and maybe that it still is in a later state
    MODEL = "model"  # a quorum approved a task's model
    MEMBERS = "members"  # who takes part after a block: members, seats and coordinators, from the state


@dataclass(frozen=True, slots=True)
class Proof:
    """Changes and pieces stand by height."""

    kind: ProofKind
    changes: tuple[Change, ...]
    inclusions: tuple[Inclusion, ...]
    entries: tuple[StateEntry, ...] = ()
    commits: tuple[CommitRow, ...] = ()

    @property
    def pieces(self) -> tuple[Inclusion | StateEntry, ...]:
        """In the order in which they are checked."""
        return (*self.inclusions, *self.entries)

    @property
    def last_height(self) -> int:
        return max((piece.header.height for piece in self.pieces), default=0)

    def encode(self) -> bytes:
        """The proof file."""
        return encode(
            (
                PROOF_TAG,
                self.kind.encode(),
                tuple(change.value() for change in self.changes),
                tuple(piece.value() for piece in self.inclusions),
                tuple(piece.value() for piece in self.entries),
                tuple((gateway.encode(), digest, weight, score) for gateway, digest, weight, score in self.commits),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Proof:
        """Raises DecodeError."""
        f = fields(decode(data, MAX_PROOF_BYTES), 6, "proof")
        if f[0] != PROOF_TAG:
            raise DecodeError("proof: not a proof file of this version")
        try:
            kind = ProofKind(identifier(f[1], "kind"))
        except ValueError as error:
            raise DecodeError(f"proof: {error}") from None
        return cls(
            kind,
            items(f[2], Change.read, "changes"),
            items(f[3], Inclusion.read, "inclusions", 2),
            items(f[4], StateEntry.read, "entries", 1),
            items(f[5], _commit_row, "commits"),
        )


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof that holds says.

    `body` is the transaction's that it is about, final at `height`, or who takes part after that block; `commit` is
    an update's; `still_height` is that of the state in which a withdrawal still stands, 0 when that is not part of
    the proof. With `checkpoint` a later proof may be checked from here.
    """

    chain_id: bytes
    kind: ProofKind
    height: int
    time_ms: int
    body: Body | Roster
    commits: tuple[CommitRow, ...]
    commit: Commit | None
    still_height: int
    checkpoint: Checkpoint


def make_proof(
    block: Block,
    certificate: Certificate,
    index: int,
    commits: Sequence[CommitRow] = (),
    changes: Sequence[Change] = (),
) -> bytes:
    """The proof file of transaction `index` of a final block; its kind is the transaction's."""
    kind = KINDS[type(read_transaction(block.transactions[index]).body)]
    piece = Inclusion.of(block, certificate, index)
    return Proof(kind, tuple(changes), (piece,), commits=tuple(commits)).encode()


KINDS: Final[dict[type, ProofKind]] = {
    Settle: ProofKind.SETTLEMENT,
    ApproveRelease: ProofKind.RELEASE,
    ApproveModel: ProofKind.MODEL,
    Withdraw: ProofKind.WITHDRAWAL,
}


def check_proof(
    genesis: Genesis,
    data: bytes,
    verify: Verify,
    say: Say = lambda line: None,
    checkpoint: Checkpoint | None = None,
) -> Proven:
    """Every check in turn, each told to `say` when it holds.

    Raises ProofError naming the first that does not.
    """
    try:
        proof = Proof.decode(data)
    except DecodeError as error:
        raise ProofError(f"format: {error}") from None
    say(f"format: canonical bytes of a proof of a {proof.kind}")
    say(f"chain: {genesis.federation}, {genesis.chain_id.hex()[:16]}, {len(genesis.validators)} validators at first")
    transactions, at = _check_pieces(Witness(genesis, verify), proof, checkpoint or genesis_checkpoint(genesis), say)
    commit: Commit | None = None
    still_height = 0
    body: Body | Roster
    if proof.kind is ProofKind.MEMBERS:
        body, header = _check_members(proof, say), proof.entries[0].header
    else:
        commit = _check_content(proof, transactions, say)
        body, header = transactions[-1].body, proof.inclusions[-1].header
        still_height = proof.entries[0].header.height if proof.entries else 0
    place = genesis.chain_id, proof.kind, header.height, header.time_ms
    return Proven(*place, body, proof.commits, commit, still_height, at)


def _check_pieces(witness: Witness, proof: Proof, at: Checkpoint, say: Say) -> tuple[list[Transaction], Checkpoint]:
    """Pieces by height, each under the set that decided it, with the changes in between."""
    changes = [change for change in proof.changes if change.header.height >= at.height]
    transactions: list[Transaction] = []
    last_height = 0
    for piece in proof.pieces:
        height = piece.header.height
        if height < last_height:
            raise ProofError("order: the proof's blocks do not stand by height")
        last_height = height
        while changes and changes[0].header.height < height:
            at = witness.follow(at, changes.pop(0))
            say(f"validators: {len(at.validators)} from block {at.height} on, as the set before announced")
        if isinstance(piece, Inclusion):
            transactions.append(piece.check(witness, at, say))
        else:
            piece.check(witness, at, say)
    if changes:
        raise ProofError("changes: the proof lists a change of validators after its last block")
    return transactions, at


def _check_content(proof: Proof, transactions: Sequence[Transaction], say: Say) -> Commit | None:
    """That the pieces are what the kind claims, and no more; an update's commit. Raises ProofError."""
    if proof.commits and proof.kind not in (ProofKind.SETTLEMENT, ProofKind.UPDATE):
        raise ProofError("commits: only a settlement lists commits")
    if proof.entries and proof.kind is not ProofKind.WITHDRAWAL:
        raise ProofError(f"content: a proof of a {proof.kind} has no entry of the state")
    match proof.kind, [tx.body for tx in transactions]:
        case ProofKind.SETTLEMENT, [Settle() as settle]:
            _check_commits(proof, settle, say)
        case ProofKind.UPDATE, [Commit() as commit, Settle() as settle]:
            _check_commits(proof, settle, say)
            _check_counted(proof, commit, settle, say)
            return commit
        case ProofKind.WITHDRAWAL, [Withdraw(consent)]:
            _check_still_withdrawn(proof, consent, say)
        case (ProofKind.RELEASE, [ApproveRelease()]) | (ProofKind.MODEL, [ApproveModel()]):
            pass
        case kind, _:
            kinds = ", ".join(tx.kind.name.lower() for tx in transactions) or "nothing"
            raise ProofError(f"content: {kinds} is no proof of a {kind}")
    return None


def _check_members(proof: Proof, say: Say) -> Roster:
    if len(proof.entries) != 1 or proof.inclusions or proof.commits or proof.entries[0].key != ROSTER_KEY:
        raise ProofError("content: a proof of the members is their entry of the state, and nothing else")
    try:
        roster = Roster.read(decode(proof.entries[0].entry))
    except DecodeError as error:
        raise ProofError(f"state: {error}") from None
    say(f"members: {len(roster.members)}, of whom {len(roster.validators)} are validators")
    return roster


def _check_commits(proof: Proof, settle: Settle, say: Say) -> None:
    if list(proof.commits) != sorted(proof.commits) or commit_set_root(proof.commits) != settle.commits_root:
        raise ProofError("commits: the updates listed are not those that were settled")
    say(f"commits: {len(proof.commits)} updates, as the settlement names them")


def _check_counted(proof: Proof, commit: Commit, settle: Settle, say: Say) -> None:
    """That the commit is of the settled round and among its updates."""
    if (commit.task, commit.round) != (settle.task, settle.round):
        raise ProofError("update: the commit is of another round than the settlement")
    counted = (commit.gateway, commit.digest, commit.header.weight)
    if all(row[:3] != counted for row in proof.commits):
        raise ProofError(f"update: the settlement does not count this update of {commit.gateway}")
    say(f"update: the update of {commit.gateway} is among those that were settled")


def _check_still_withdrawn(proof: Proof, consent: bytes, say: Say) -> None:
    for piece in proof.entries:
        try:
            entry = ConsentEntry.read(decode(piece.entry))
        except DecodeError as error:
            raise ProofError(f"state: {error}") from None
        if piece.key != consent_key(consent) or entry.consent != consent or not entry.withdrawn:
            raise ProofError("state: the entry does not say that this consent is withdrawn")
        say(f"state: after block {piece.header.height} the consent is still withdrawn")


ROSTER_KEY: Final = encode((b"roster", b""))  # see `state.entry_key`


def consent_key(consent: bytes) -> bytes:
    """The canonical key of a consent's entry; see `state.entry_key`."""
    return encode((b"consents", consent))


def _commit_row(value: Value) -> CommitRow:
    gateway, digest, weight, score = fields(value, 4, "commit")
    return (
        identifier(gateway, "gateway"),
        octets(digest, "digest", 32),
        integer(weight, "weight"),
        integer(score, "score", low=NO_SCORE),
    )
