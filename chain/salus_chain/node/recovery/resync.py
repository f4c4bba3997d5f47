"""Getting the chain from others, believing nobody: every certificate is checked and every block executed.

A block is taken from the first source that gives a valid one. After each batch the other sources are asked for its
last block: one that a quorum signed and that differs is a fork, which more than a third of the validators must have
signed on purpose; then nothing is decided here, people must look. Blocks are stored as they come, so that what is
interrupted goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from salus_chain.consensus.messages import Council, Decided, is_decided
from salus_chain.errors import ChainError, Rejected, Unreachable
from salus_chain.genesis import Genesis
from salus_chain.keys import verify
from salus_chain.node.recovery.sources import Source
from salus_chain.node.storage.store import Appended, Store
from salus_chain.rules.apply import apply_block
from salus_chain.rules.state import State

BATCH_BLOCKS: Final = 32  # asked for at once, and stored in one step

Progress: TypeAlias = Callable[[int, int], None]  # height now, and the highest that a source names


class Forked(ChainError):
    """Two quorums signed different blocks of one height. `first` and `second` prove it."""

    def __init__(self, names: Sequence[str], first: tuple[str, Decided], second: tuple[str, Decided]) -> None:
        self.first, self.second = first[1], second[1]
        seats = [{seal.seat for seal in each.certificate.seals} for each in (self.first, self.second)]
        both = [names[seat] for seat in sorted(seats[0] & seats[1])]
        said = "\n".join(_certificate_lines(names, where, each) for where, each in (first, second))
        super().__init__(
            f"FORK at height {self.first.block.header.height}: two blocks with a quorum each; signed both: "
            f"{', '.join(both)}. Stop all validators, and find out who did:\n{said}"
        )


def check_next(state: State, decided: Decided) -> State:
    """The state after a final block, which the validators that decide it signed and which executes here. Pure.

    Raises Rejected: `wrong_height`, `not_final`, or as `apply_block`.
    """
    height = decided.block.header.height
    if height != state.height + 1:
        raise Rejected("wrong_height", f"block {height} where {state.height + 1} is next")
    if not is_final(state.genesis.chain_id, state.validators, decided):
        raise Rejected("not_final", f"block {height} is not signed by a quorum of its validators")
    return apply_block(state, decided.block)


def is_final(chain_id: bytes, keys: tuple[bytes, ...], decided: Decided) -> bool:
    """Whether a quorum of the keys that decide its height signed this block."""
    return is_decided(Council.of(chain_id, keys, verify), decided)


async def sync_from(
    store: Store, genesis: Genesis, sources: Sequence[Source], progress: Progress = lambda height, target: None
) -> State:
    """Fetch, check and store all blocks that the sources have after the store's last; the state then.

    The sources' order is their preference. Raises Unreachable when no source can be asked or none gives a
    valid next block, Forked, Stopped.
    """
    state = store.load()
    assert state.genesis.chain_id == genesis.chain_id, "the store is opened with this genesis"
    last = store.block(state.height)
    if last is not None:
        await _compare(state, store.validators(state.height), ("here", Decided(*last)), sources)
    target = await _target(sources)
    while True:
        progress(state.height, max(target, state.height))
        rows = await _batch(state, sources, target)
        if not rows:
            return state
        block, certificate, before, after = rows[-1]
        await _compare(after, before.validators, ("a source", Decided(block, certificate)), sources)
        store.append_all(rows)
        state = after


async def _target(sources: Sequence[Source]) -> int:
    """The highest height that a source names. Raises Unreachable when none answers."""
    heights, errors = [], []
    for answer in await asyncio.gather(*(source.height() for source in sources), return_exceptions=True):
        if isinstance(answer, int):
            heights.append(answer)
        elif isinstance(answer, Unreachable):
            errors.append(str(answer))
        else:
            raise answer
    if not heights:
        raise Unreachable(f"no source of blocks answers: {'; '.join(errors) or 'none is named'}")
    return max(heights)


async def _batch(state: State, sources: Sequence[Source], target: int) -> list[Appended]:
    """The next blocks from the first source with a valid one; none when nobody has any."""
    errors, at_end = [], False
    count = min(BATCH_BLOCKS, max(1, target - state.height))
    for source in sources:
        heights = range(state.height + 1, state.height + 1 + count)
        answers = await asyncio.gather(*(source.block(height) for height in heights), return_exceptions=True)
        rows: list[Appended] = []
        for answer in answers:
            try:
                after = _take(state, answer)
            except (Unreachable, Rejected) as error:
                errors.append(f"{source.name}: {error}")
                break
            if after is None:
                at_end = at_end or not rows
                break
            assert isinstance(answer, Decided)
            rows.append((answer.block, answer.certificate, state, after))
            state = after
        if rows:
            return rows
    if at_end:
        return []
    raise Unreachable(f"no source has a valid block {state.height + 1}: {'; '.join(errors)}")


def _take(state: State, answer: Decided | BaseException | None) -> State | None:
    if isinstance(answer, BaseException):
        raise answer
    return None if answer is None else check_next(state, answer)


async def _compare(state: State, keys: tuple[bytes, ...], own: tuple[str, Decided], sources: Sequence[Source]) -> None:
    """Raises Forked when a source has another block of this height with a quorum of the keys that decide it."""
    block = own[1].block
    answers = await asyncio.gather(*(source.block(block.header.height) for source in sources), return_exceptions=True)
    names = [state.members[key].name if key in state.members else key.hex()[:16] for key in keys]
    for source, answer in zip(sources, answers, strict=True):
        if not isinstance(answer, Decided) or answer.block.digest == block.digest:
            continue
        if answer.block.header.height == block.header.height and is_final(state.genesis.chain_id, keys, answer):
            raise Forked(names, own, (source.name, answer))


def _certificate_lines(names: Sequence[str], where: str, decided: Decided) -> str:
    header, certificate = decided.block.header, decided.certificate
    title = f"  {where}: block {header.digest.hex()}, parent {header.parent.hex()}, round {certificate.round}"
    seals = (f"    {names[seal.seat]} {seal.signature.hex()}" for seal in certificate.seals)
    return "\n".join((title, *seals))
