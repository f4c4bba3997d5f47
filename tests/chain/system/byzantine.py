"""A validator that lies: the real node, whose words are twisted on their way out.

    python byzantine.py validator-0/validator.toml

It lies as long as the file beside its configuration, validator.lies, names lies. Its own state, vote log and
database are those of an honest node; only what others hear is not.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

from salus_chain.consensus.messages import Council, Decided, Message, Type
from salus_chain.keys import verify
from salus_chain.node import process
from salus_chain.node.network import wire
from salus_chain.rules.apply import build_block
from salus_chain.rules.blocks import VOTE_DOMAIN
from salus_chain.rules.transactions import STATEMENT_DOMAIN, Settle, read_transaction, statement_bytes

FLOOD_S: Final = 0.1
STALE: Final = 500
GARBAGE_BYTES: Final = 2_048

Said: TypeAlias = tuple[bytes | None, wire.Frame]


class Liar(process.Node):
    """`script` holds names of LIES, of FLOODS, or `forget`, with commas between them; it may change at any time."""

    script = Path()

    def __init__(self, *parts: Any) -> None:
        self.rng = Random(0)
        self.twins: dict[bytes, wire.Frame] = {}
        self.old: deque[Message] = deque(maxlen=STALE)
        super().__init__(*parts)
        keep = self.blobs.put
        self.blobs.put = lambda data: _forget(data) if "forget" in self.lies else keep(data)  # type: ignore[method-assign]

    def send(self, peer: bytes | None, frame: wire.Sent) -> None:
        if isinstance(frame, wire.Recorded):
            frame = wire.decode_frame(frame.data)
        if isinstance(frame, Message):
            self.old.append(frame)
        said: list[Said] = [(peer, frame)]
        for name in self.lies:
            if name in LIES:
                said = [lie for each in said for lie in LIES[name](self, *each)]
        for to, each in said:
            super().send(to, each)

    async def run(self) -> None:
        flooding = asyncio.create_task(self._flood(), name="flood")
        try:
            await super().run()
        finally:
            flooding.cancel()

    @property
    def lies(self) -> list[str]:
        try:
            return self.script.read_text().split(",")
        except FileNotFoundError:
            return []

    async def _flood(self) -> None:
        while True:
            await asyncio.sleep(FLOOD_S)
            for name in self.lies:
                if name in FLOODS:
                    FLOODS[name](self)

    @property
    def others(self) -> list[bytes]:
        """The other members, in an order that stays."""
        own = self.ledger.identity.signer.public_key
        return sorted(key for key in self.ledger.state.members if key != own)

    def signed(self, message: Message) -> Message:
        """The same with a signature that verifies; it is in no vote log."""
        state = self.ledger.state
        council = Council.of(state.genesis.chain_id, state.validators, verify)
        m = message
        covered = council.covered(m.type, m.height, m.round, m.digest, m.prepared)
        return replace(m, signature=self.ledger.identity.signer.sign(VOTE_DOMAIN, covered))


def equivocate(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """Two blocks, and votes for both: half of the others hear one, half the other, the last hears both."""
    others = liar.others
    return _twice(liar, peer, frame, others[: len(others) // 2], others[len(others) // 2 :], others[-1:])


def divide(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """As `equivocate`, but nobody hears both: nothing proves it."""
    others = liar.others
    return _twice(liar, peer, frame, others[: len(others) // 2], others[len(others) // 2 :], [])


def _twice(
    liar: Liar, peer: bytes | None, frame: wire.Frame, some: list[bytes], rest: list[bytes], both: list[bytes]
) -> Iterator[Said]:
    if not isinstance(frame, Message) or frame.height != liar.ledger.state.height + 1:
        yield peer, frame
        return
    twin = _twin(liar, frame)
    for key in some + rest:
        if peer in (None, key):
            if key in some + both:
                yield key, frame
            if key in rest:
                yield key, twin


def _twin(liar: Liar, message: Message) -> Message:
    """Another vote for the same slot: for another valid block where one can be made."""
    known = liar.twins.get(message.digest + bytes([message.type]) + message.round.to_bytes(8))
    if isinstance(known, Message):
        return known
    block = message.block
    digest = sha256(b"another block than " + message.digest).digest()
    if block is not None:
        transactions = list(map(read_transaction, block.transactions))
        block, _ = build_block(liar.ledger.state, transactions, block.header.time_ms + 1)
        digest = block.digest
        liar.twins[message.digest] = wire.Body(block)
    elif isinstance(made := liar.twins.get(message.digest), wire.Body):
        digest = made.block.digest
    twin = liar.signed(replace(message, digest=digest, block=block))
    liar.twins[message.digest + bytes([message.type]) + message.round.to_bytes(8)] = twin
    return twin


def misvote(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """PREPAREs and COMMITs for blocks that nobody proposed."""
    if isinstance(frame, Message) and frame.type in (Type.PREPARE, Type.COMMIT):
        frame = liar.signed(replace(frame, digest=sha256(frame.digest).digest()))
    yield peer, frame


def withhold(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """It proposes to one other alone, and votes every second time."""
    if isinstance(frame, Message):
        if frame.type is Type.PROPOSAL and frame.round == 0:
            peer = liar.others[0]
        elif frame.height % 2:
            return
    yield peer, frame


def forge(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """Blocks that were never decided, in answer to whoever asks: other transactions, or signatures of its own."""
    if isinstance(frame, Decided):
        header = replace(frame.block.header, time_ms=frame.block.header.time_ms + 1)
        yield peer, Decided(replace(frame.block, header=header), frame.certificate)
        yield peer, Decided(replace(frame.block, transactions=frame.block.transactions[1:]), frame.certificate)
        own = liar.ledger.identity.signer.sign(VOTE_DOMAIN, b"whatever")
        seals = tuple(replace(seal, signature=own) for seal in frame.certificate.seals)
        yield peer, Decided(frame.block, replace(frame.certificate, seals=seals))
    elif isinstance(frame, wire.Body):
        header = replace(frame.block.header, time_ms=frame.block.header.time_ms + 1)
        yield peer, wire.Body(replace(frame.block, header=header))
    else:
        yield peer, frame


def missettle(liar: Liar, peer: bytes | None, frame: wire.Frame) -> Iterator[Said]:
    """Signatures on models that do not follow from the updates: another at each time, and then the right one."""
    if isinstance(frame, wire.Stated) and isinstance(frame.statement, Settle):
        state = liar.ledger.state
        wrong = replace(frame.statement, model_after=liar.rng.randbytes(32))
        message = statement_bytes(state.genesis.chain_id, state.validators, wrong)
        signature = liar.ledger.identity.signer.sign(STATEMENT_DOMAIN, message)
        yield peer, replace(frame, statement=wrong, signature=signature)
    yield peer, frame


def garbage(liar: Liar) -> None:
    """Frames that are none, until it is cut off."""
    for peer in list(liar.peers._peers.values()):
        if peer.links:
            peer.links[-1].send(liar.rng.randbytes(liar.rng.randrange(1, GARBAGE_BYTES)))


def stale(liar: Liar) -> None:
    """What it said long ago, again and again, and votes for heights and rounds that are far off."""
    for message in list(liar.old)[:10]:
        process.Node.send(liar, None, message.bare)
        far = replace(message.bare, height=message.height + liar.rng.randrange(1, 1_000), round=message.round + 1_000)
        process.Node.send(liar, None, liar.signed(far))
    process.Node.send(liar, None, wire.Txs((liar.rng.randbytes(300),)))


LIES: Final[dict[str, Callable[[Liar, bytes | None, wire.Frame], Iterator[Said]]]] = {
    "equivocate": equivocate,
    "divide": divide,
    "misvote": misvote,
    "withhold": withhold,
    "forge": forge,
    "missettle": missettle,
}
FLOODS: Final[dict[str, Callable[[Liar], None]]] = {"garbage": garbage, "stale": stale}


def _forget(data: bytes) -> bytes:
    """It gives receipts for updates, and keeps none."""
    return sha256(data).digest()


def main() -> None:
    config = Path(sys.argv[1])
    Liar.script = config.with_suffix(".lies")
    process.Node = Liar  # type: ignore[misc, assignment]
    asyncio.run(process.run_validator(config))


if __name__ == "__main__":
    main()
