"""Makes the proofs that `light.proofs` checks, from a validator's store."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from salus_chain import trie
from salus_chain.light.council import Change
from salus_chain.light.pieces import Inclusion, StateEntry
from salus_chain.light.proofs import ROSTER_KEY, Proof, ProofKind, consent_key
from salus_chain.node.storage.recent import Place
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State, entry_value
from salus_chain.rules.transactions import CommitRow, Kind


class Prover:
    """Proofs of one chain. Each method gives None where there is nothing to prove."""

    def __init__(self, store: Store, state: Callable[[], State]) -> None:
        self._store = store
        self._state = state  # after the last block of the store

    def settlement(self, task: str, round_: int) -> bytes | None:
        return self._proof(ProofKind.SETTLEMENT, [self._store.settlement(task, round_)], self._rows(task, round_))

    def update(self, task: str, round_: int, gateway: str) -> bytes | None:
        """That a gateway's commit is final and counts in the round's settlement."""
        committed = self._store.marked(Kind.COMMIT, f"{task}/{gateway}", round_)
        places = [committed, self._store.settlement(task, round_)]
        return self._proof(ProofKind.UPDATE, places, self._rows(task, round_))

    def release(self, task: str) -> bytes | None:
        """The approval of a task's newest release."""
        return self._proof(ProofKind.RELEASE, [self._store.newest_release(task)])

    def model(self, task: str) -> bytes | None:
        """The approval of the task's model, the latest."""
        known = self._state().tasks.get(task)
        place = self._store.marked(Kind.APPROVE_MODEL, task, known.sequence) if known else None
        return self._proof(ProofKind.MODEL, [place])

    def withdrawal(self, consent: bytes) -> bytes | None:
        """That a consent was withdrawn, and still is in the state after the last block."""
        place, state = self._store.marked(Kind.WITHDRAW, consent.hex()), self._state()
        if place is None:
            return None
        still = self._entry(state, consent_key(consent), entry_value(state.consents[consent]))
        return self._proof(ProofKind.WITHDRAWAL, [place], entries=(still,))

    def members(self) -> bytes | None:
        """Who takes part after the last block."""
        state = self._state()
        if not state.height:
            return None
        return self._proof(ProofKind.MEMBERS, [], entries=(self._entry(state, ROSTER_KEY, entry_value(state.roster)),))

    def _entry(self, state: State, key: bytes, entry: bytes) -> StateEntry:
        stored = self._store.block(state.height)
        assert stored is not None, f"the store has no block {state.height}, after which the state is"
        path = trie.prove(state.tree, sha256(key).digest()).siblings
        return StateEntry(stored[0].header, stored[1], key, entry, path)

    def _rows(self, task: str, round_: int) -> tuple[CommitRow, ...]:
        known = self._store.round(task, round_)
        return tuple(commit.row for commit in known.commits) if known else ()

    def _proof(
        self,
        kind: ProofKind,
        places: list[Place | None],
        commits: tuple[CommitRow, ...] = (),
        entries: tuple[StateEntry, ...] = (),
    ) -> bytes | None:
        pieces = [self._piece(*place) for place in places if place is not None]
        if len(pieces) < len(places):
            return None
        proof = Proof(kind, (), tuple(pieces), entries, commits)
        changes = tuple(self.changes(before=proof.last_height))
        return Proof(kind, changes, proof.inclusions, entries, commits).encode()

    def _piece(self, height: int, position: int) -> Inclusion:
        stored = self._store.block(height)
        assert stored is not None, f"the store has a place in block {height}, but not the block"
        return Inclusion.of(*stored, position)

    def changes(self, before: int) -> list[Change]:
        """The changes of validators whose headers come before this height."""
        found = []
        for height, keys in self._store.set_changes(before):
            stored = self._store.block(height)
            assert stored is not None, f"the store has a change in block {height}, but not the block"
            found.append(Change(stored[0].header, stored[1], keys))
        return found
