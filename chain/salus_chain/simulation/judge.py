"""What must hold after every event, checked without the code under test where it could be wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from salus_chain.consensus.core import Accuse, Effects, Event, Received, Restored, Started, State, Timer, Vote
from salus_chain.consensus.messages import Decided, Message, Type
from salus_chain.rules.blocks import NEVER
from salus_chain.simulation.keyring import Intent, Keyring, set_name
from salus_chain.simulation.toychain import CHAIN_ID, Chain

if TYPE_CHECKING:
    from salus_chain.simulation.node import Node

TYPES: Final = len(Type)


class Violation(Exception):
    """An invariant that does not hold; `name` is one of the keys below."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


def quorum(seats: int) -> int:
    """ceil(2n/3), in the judge's own words."""
    return (2 * seats + 2) // 3


class Judge:
    """Sees all that is signed, sent and decided. `honest` are the keys whose node runs the core."""

    def __init__(self, keyring: Keyring, honest: frozenset[bytes], genesis: Chain) -> None:
        self._keyring = keyring
        self._honest = honest
        self.sets = {1: genesis.validators, 2: genesis.later}  # who decides a height
        self.final: dict[int, bytes] = {}
        self._signed: dict[tuple[int, int, int, bytes], list[bytes]] = {}  # (type, height, round, digest) -> keys
        self._slots: dict[tuple[bytes, int, int, int], tuple[bytes, int]] = {}
        self._rounds: dict[tuple[bytes, int], int] = {}
        self._furthest: dict[int, int] = {}  # the latest round of an honest seat, by height
        self._locks: dict[tuple[bytes, int], tuple[int, bytes]] = {}
        self._locked: dict[int, dict[tuple[int, bytes], int]] = {}  # by height: honest COMMITs of (round, digest)

    # What is signed.

    def lied(self, intent: Intent) -> None:
        """A liar signed this."""
        seats = self.sets.get(intent.height, ())
        if intent.chain_id == CHAIN_ID and intent.key in seats and intent.validators == set_name(seats):
            self._signed_by(intent.key, intent.type, intent.height, intent.round, intent.digest)

    def _signed_by(self, key: bytes, type_: int, height: int, round_: int, digest: bytes) -> None:
        keys = self._signed.setdefault((type_, height, round_, digest), [])
        if key not in keys:
            keys.append(key)
        if type_ == Type.COMMIT and len(keys) >= quorum(len(self.sets[height])):
            self._finalize(height, digest, f"a quorum committed in round {round_}")

    def asked(self, node: Node, vote: Vote) -> None:
        """The core of an honest node asks for a signature."""
        name = f"{node.name} in ({vote.type.name}, {vote.height}, {vote.round})"
        before = node.asked.setdefault((vote.type, vote.height, vote.round), (vote.digest, vote.prepared))
        if before != (vote.digest, vote.prepared):
            raise Violation("equivocation", f"{name} asks to sign a second content")
        seats = self.sets[vote.height]
        if node.key not in seats:
            raise Violation("seat", f"{name} has no seat")
        if vote.type is Type.PREPARE:
            if vote.digest not in node.valid:
                raise Violation("validity", f"{name} prepares a block that it did not find valid")
            self._justified(node.state, name)
        elif vote.type is Type.COMMIT and vote.lock is None:
            raise Violation("lock rule", f"{name} commits without a lock")

    def published(self, key: bytes, message: Message) -> None:
        """An honest seat's vote is durable: from here on it may be sent."""
        seats, place = self.sets[message.height], (message.height, message.round)
        name = f"{key[1:4].hex()} in ({message.type.name}, {message.height}, {message.round})"
        content = (message.digest, message.prepared)
        if self._slots.setdefault((key, *place, message.type), content) != content:
            raise Violation("equivocation", f"{name} signed two contents")
        if self._rounds.get((key, message.height), 0) > message.round:
            raise Violation("regression", f"{name} signed after a later round")
        furthest = self._furthest.get(message.height, 0)
        if message.round > furthest + 1:
            raise Violation("round", f"{name}: no honest seat was beyond round {furthest}")
        self._furthest[message.height] = max(furthest, message.round)
        self._rounds[key, message.height] = message.round
        self._signed_by(key, message.type, *place, message.digest)
        if message.type is Type.COMMIT:
            self._commits(key, message, name)
        elif message.type is Type.PREPARE:
            spare = len(seats) - quorum(len(seats))
            for (round_, digest), count in self._locked.get(message.height, {}).items():
                if round_ < message.round and digest != message.digest and count > spare:
                    raise Violation("lock rule", f"{name} prepares another block than the one locked in {round_}")
        elif message.type is Type.ROUND_CHANGE:
            lock = self._locks.get((key, message.height), (NEVER, bytes(32)))
            if (message.prepared, message.digest) != lock:
                raise Violation("lock rule", f"{name} names {message.prepared} for its lock of round {lock[0]}")

    def _commits(self, key: bytes, message: Message, name: str) -> None:
        if not self._backed(message.height, message.round, message.digest):
            raise Violation("lock rule", f"{name} commits without a quorum of PREPAREs")
        self._locks[key, message.height] = (message.round, message.digest)
        locked = self._locked.setdefault(message.height, {})
        locked[message.round, message.digest] = locked.get((message.round, message.digest), 0) + 1

    def _backed(self, height: int, round_: int, digest: bytes) -> bool:
        """Whether a quorum really signed PREPAREs of this round."""
        keys = self._signed.get((Type.PREPARE, height, round_, digest), [])
        return len(keys) >= quorum(len(self.sets[height]))

    def _justified(self, state: State, name: str) -> None:
        """The proposal that is about to be PREPAREd is its proposer's, and repeats what was prepared last."""
        proposal, seats = state.proposal, self.sets[state.height]
        if proposal is None or proposal.seat != (state.height + proposal.round) % len(seats):
            raise Violation("justification", f"{name}: not from the round's proposer")
        if proposal.round == 0:
            return
        changes = {change.seat: change for change in proposal.changes}
        if len(changes) < quorum(len(seats)):
            raise Violation("justification", f"{name}: fewer ROUND-CHANGEs than a quorum")
        for change in changes.values():
            if (change.type, change.height, change.round) != (Type.ROUND_CHANGE, state.height, proposal.round):
                raise Violation("justification", f"{name}: a ROUND-CHANGE of another place")
            self._genuine(seats, change, name)
        last = max(change.prepared for change in changes.values())
        if last != NEVER and not self._backed(state.height, last, proposal.digest):
            raise Violation("justification", f"{name}: not the block that was prepared in round {last}")

    # What is received.

    def stepped(self, node: Node, before: State, event: Event, effects: Effects) -> None:
        """An honest node's core took a step."""
        state = node.state
        match event:
            case Received(message):
                self._received(node, before, message, effects)
            case Started() | Restored():
                self._all_genuine(state.council.keys, state.votes.values(), node.name)
            case _:
                pass
        for effect in effects:
            if isinstance(effect, Timer):
                self._timed(node, effect)
            if isinstance(effect, Accuse):
                self._accused(effect)

    def _timed(self, node: Node, timer: Timer) -> None:
        """A timer is capped, and after round 0 it runs only where a quorum may be."""
        where = f"{node.name} in ({timer.height}, {timer.round})"
        if not 0 < timer.after_ms <= node.timing.most_ms:
            raise Violation("timer", f"{where} waits for {timer.after_ms} ms")
        seats = self.sets[timer.height]
        there = [
            key
            for key in seats
            if key == node.key or key not in self._honest or self._rounds.get((key, timer.height), 0) >= timer.round
        ]
        if timer.round > 0 and len(there) < quorum(len(seats)):
            raise Violation("timer", f"{where}: of {len(seats)} seats only {len(there)} are there")

    def _received(self, node: Node, before: State, message: Message, effects: Effects) -> None:
        state, place = node.state, (message.type, message.seat)
        for votes, seats in ((state.votes, state.council.keys), (state.ahead, state.later.keys)):
            if votes.get(place) is message:
                self._genuine(seats, message, node.name)
                if len(votes) > TYPES * len(seats):
                    raise Violation("bound", f"{node.name} holds {len(votes)} votes of {len(seats)} seats")
        if len(state.bodies) > len(state.council.keys):
            raise Violation("bound", f"{node.name} holds {len(state.bodies)} bodies")
        if message.type is Type.ROUND_CHANGE and message.round > state.round and state.votes.get(place) is message:
            self._drawn(node)
        early = message.height == before.height + 1
        held = (before.ahead if early else before.votes).get(place)
        if held is None or (held.height, held.round) != (message.height, message.round) or before.decided:
            return
        differs = (held.digest, held.prepared) != (message.digest, message.prepared)
        council = before.later if early else before.council
        if differs and self._is_genuine(council.keys, message):
            if not any(isinstance(effect, Accuse) for effect in effects):
                raise Violation("evidence", f"{node.name} saw two votes of seat {message.seat} in one slot")
            node.world.count["evidence"] += 1

    def _drawn(self, node: Node) -> None:
        """Once f + 1 other seats have left for later rounds, one of them honest, this one follows."""
        state = node.state
        rounds = [
            vote.round
            for (type_, seat), vote in state.votes.items()
            if type_ is Type.ROUND_CHANGE and seat != state.seat and vote.round > state.round
        ]
        if len(rounds) > (len(state.council.keys) - 1) // 3 and not state.decided:
            raise Violation("round", f"{node.name} stays in round {state.round} while others left for {sorted(rounds)}")

    def _all_genuine(self, seats: tuple[bytes, ...], messages: Iterable[Message], name: str) -> None:
        for message in messages:
            self._genuine(seats, message, name)

    def _genuine(self, seats: tuple[bytes, ...], message: Message, name: str) -> None:
        """A held vote was signed by its seat with exactly these fields and bytes, and what it claims is so."""
        place = f"{name} holds ({message.type.name}, {message.height}, {message.round}) of seat {message.seat}"
        if not self._is_genuine(seats, message):
            raise Violation("unforgeability", f"{place}, which never signed it")
        if message.type is Type.ROUND_CHANGE and message.prepared != NEVER and message.certificate:
            if not self._backed(message.height, message.prepared, message.digest):
                raise Violation("justification", f"{place} with a certificate that no quorum signed")
            for seal in message.certificate:
                vote = Message(
                    Type.PREPARE, message.height, message.prepared, message.digest, seal.seat, seal.signature
                )
                if not self._is_genuine(seats, vote):
                    raise Violation("unforgeability", f"{place} with a PREPARE that seat {seal.seat} never signed")

    def _is_genuine(self, seats: tuple[bytes, ...], message: Message) -> bool:
        if not 0 <= message.seat < len(seats):
            return False
        meant = Intent(
            seats[message.seat],
            CHAIN_ID,
            set_name(seats),
            int(message.type),
            message.height,
            message.round,
            message.prepared,
            message.digest,
        )
        return meant in self._keyring.meant(message.signature)

    def _accused(self, effect: Accuse) -> None:
        first, second = effect.first, effect.second
        if effect.key in self._honest:
            raise Violation("evidence", f"an honest seat is accused of {first} and {second}")
        same = (first.type, first.height, first.round) == (second.type, second.height, second.round)
        if not same or (first.digest, first.prepared) == (second.digest, second.prepared):
            raise Violation("evidence", f"{first} and {second} prove nothing")
        seats = self.sets[first.height]
        if seats[first.seat] != effect.key or not all(self._is_genuine(seats, each) for each in (first, second)):
            raise Violation("evidence", f"{first} and {second} were not both signed by the accused")

    # What is decided.

    def decided(self, decided: Decided, after: Chain, name: str) -> None:
        """An honest node takes a block for final, and it executed to `after`."""
        height, digest, certificate = after.height, decided.block.digest, decided.certificate
        seats = self.sets[height]
        numbers = [seal.seat for seal in certificate.seals]
        if len(numbers) != quorum(len(seats)) or numbers != sorted(set(numbers)):
            raise Violation("certificate", f"{name}, height {height}: seats {numbers} of {len(seats)}")
        for seal in certificate.seals:
            vote = Message(Type.COMMIT, height, certificate.round, digest, seal.seat, seal.signature)
            if not self._is_genuine(seats, vote):
                raise Violation("certificate", f"{name}, height {height}: seat {seal.seat} never signed its COMMIT")
        if not decided.block.whole:
            raise Violation("validity", f"{name}, height {height}: other transactions than the header's")
        self._finalize(height, digest, f"{name} decides")
        self.sets[height + 2] = after.later

    def _finalize(self, height: int, digest: bytes, why: str) -> None:
        if self.final.setdefault(height, digest) != digest:
            raise Violation("agreement", f"two final blocks at height {height}: {why}")
