"""What a Byzantine seat can do at all: put its own signature on anything, and say it to whomever it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salus_chain.consensus.messages import Message, Type
from salus_chain.rules.blocks import NEVER, Block
from salus_chain.rules.transactions import Seal
from salus_chain.simulation.forgery import VOTES
from salus_chain.simulation.keyring import Intent
from salus_chain.simulation.node import Node, Payload
from salus_chain.simulation.toychain import CHAIN_ID, Chain

if TYPE_CHECKING:
    from salus_chain.simulation.world import World


class Speaker(Node):
    """A node that need not say what its core says. `bag` holds all that was heard."""

    def __init__(self, world: World, index: int, key: bytes, genesis: Chain) -> None:
        super().__init__(world, index, key, genesis, honest=False)
        self.rng = world.rng
        self.bag = world.bag

    @property
    def seat(self) -> int:
        assert self.state.seat is not None
        return self.state.seat

    def _used(self, name: str) -> None:
        self.world.count[f"trick {name}"] += 1

    def _others(self) -> list[int]:
        return [index for index in range(len(self.world.nodes)) if index != self.index]

    def _half(self) -> list[int]:
        others = self._others()
        return self.rng.sample(others, self.rng.randint(0, len(others)))

    def _spread(self, payload: Payload) -> None:
        """To everyone, or to some."""
        for index in self._others() if self.rng.random() < 0.5 else self._half():
            self.world.carry(self.index, index, payload)

    def _say(
        self,
        type_: Type,
        round_: int,
        digest: bytes,
        *,
        height: int | None = None,
        prepared: int = NEVER,
        block: Block | None = None,
        certificate: tuple[Seal, ...] = (),
        changes: tuple[Message, ...] = (),
    ) -> Message:
        """Its own signature on anything."""
        assert self.state.seat is not None
        at = self.state.height if height is None else height
        council = self.state.council if at == self.state.height else self.state.later
        intent = Intent(self.key, CHAIN_ID, council.hash, int(type_), at, round_, prepared, digest)
        signature = self.world.sign(intent)
        return Message(type_, at, round_, digest, self.state.seat, signature, prepared, block, certificate, changes)

    def _seal(self, type_: Type, round_: int, digest: bytes) -> Seal:
        message = self._say(type_, round_, digest)
        self.bag.add(message)
        return Seal(message.seat, message.signature)

    def _vote_for(self, round_: int, digest: bytes) -> None:
        for type_ in VOTES:
            vote = self._say(type_, round_, digest)
            self.bag.add(vote)
            self._spread(vote)
