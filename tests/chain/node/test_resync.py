from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from salus_chain.codec import encode
from salus_chain.consensus.messages import Decided
from salus_chain.errors import Rejected, Unreachable
from salus_chain.node.recovery.resync import BATCH_BLOCKS, Forked, check_next, sync_from
from salus_chain.node.recovery.sources import HttpSource, Source
from salus_chain.node.storage.store import Store
from salus_chain.rules.blocks import Certificate
from salus_chain.rules.state import State, genesis_state
from salus_chain.rules.transactions import Consent
from salus_chain.views import Status, to_json
from tests.chain.federation import Federation, federation

F = federation()
BLOCKS = BATCH_BLOCKS + 8


def chain(f: Federation, blocks: int = BLOCKS, branch: int = 0, at: int = 1) -> tuple[list[Decided], State]:
    """Final blocks, of which those from height `at` on differ by `branch`; the state after them."""
    state, made = genesis_state(f.genesis), []
    for height in range(1, blocks + 1):
        salt = bytes([height, branch if height >= at else 0]).ljust(32, b"\1")
        block, state = f.block(state, f.sign(f.validators[0], state, Consent(salt, bytes(32))))
        made.append(Decided(block, f.certify(block)))
    return made, state


CHAIN, LAST = chain(F)


class Copy:
    """A source in memory; None stands for no block, an exception for what goes wrong."""

    def __init__(self, name: str, blocks: Sequence[Decided | Unreachable]) -> None:
        self.name = name
        self.blocks = list(blocks)
        self.asked: list[int] = []

    async def height(self) -> int:
        return len(self.blocks)

    async def block(self, height: int) -> Decided | None:
        self.asked.append(height)
        if height > len(self.blocks):
            return None
        answer = self.blocks[height - 1]
        if isinstance(answer, Unreachable):
            raise answer
        return answer


class Silent:
    name = "silent"

    async def height(self) -> int:
        raise Unreachable("silent: no answer")

    async def block(self, height: int) -> Decided | None:
        raise Unreachable("silent: no answer")


def empty(tmp_path: Path) -> Store:
    Store.create(tmp_path / "chain.sqlite", F.genesis)
    return Store.open(tmp_path / "chain.sqlite", F.genesis)


async def test_a_new_store_gets_all_blocks_and_tells_how_far_it_is(tmp_path: Path) -> None:
    store, told = empty(tmp_path), list[tuple[int, int]]()
    state = await sync_from(store, F.genesis, [Copy("a", CHAIN)], lambda *at: told.append(at))
    assert state == LAST == store.load()
    assert store.block(BLOCKS) == (CHAIN[-1].block, CHAIN[-1].certificate)
    assert told == [(0, BLOCKS), (BATCH_BLOCKS, BLOCKS), (BLOCKS, BLOCKS)]


async def test_what_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    store, source = empty(tmp_path), Copy("a", CHAIN)
    broken = Copy("broken", [*CHAIN[:5], *[Unreachable("broken: gone")] * 9])
    with pytest.raises(Unreachable, match="no source has a valid block 6: broken: broken: gone"):
        await sync_from(store, F.genesis, [broken])
    assert store.height == 5
    assert await sync_from(store, F.genesis, [source]) == LAST
    assert min(source.asked) == 5


def lies() -> dict[str, Callable[[Decided], Decided]]:
    other, _ = chain(F, 3, branch=9)
    return {
        "not_final: block 3 is not signed": lambda it: Decided(it.block, F.certify(it.block, seats=2)),
        "not_final: ": lambda it: Decided(it.block, Certificate(1, it.certificate.seals)),
        "wrong_height": lambda it: CHAIN[7],
        "not_final": lambda it: Decided(replace(it.block, transactions=()), it.certificate),
        "wrong_parent": lambda it: other[2],
    }


@pytest.mark.parametrize("code", lies())
async def test_a_block_that_is_not_the_next_final_one_is_refused_and_the_next_source_asked(
    tmp_path: Path, code: str
) -> None:
    liar = Copy("liar", [*CHAIN[:2], lies()[code](CHAIN[2]), *CHAIN[3:]])
    state = check_next(check_next(genesis_state(F.genesis), CHAIN[0]), CHAIN[1])
    with pytest.raises(Rejected, match=code.split(":")[0]):
        check_next(state, lies()[code](CHAIN[2]))
    store = empty(tmp_path)
    with pytest.raises(Unreachable, match=f"no source has a valid block 3: liar: {code.strip()}"):
        await sync_from(store, F.genesis, [liar])
    assert store.height == 2
    honest: list[Source] = [Silent(), Copy("honest", CHAIN)]
    assert await sync_from(store, F.genesis, honest) == LAST


async def test_a_block_signed_by_a_quorum_that_does_not_execute_is_refused() -> None:
    block = replace(CHAIN[0].block, header=replace(CHAIN[0].block.header, state_root=bytes(32)))
    with pytest.raises(Rejected, match="wrong_header"):
        check_next(genesis_state(F.genesis), Decided(block, F.certify(block)))


async def test_two_final_blocks_of_one_height_stop_everything_and_are_both_shown(tmp_path: Path) -> None:
    fork, _ = chain(F, 12, branch=1, at=12)
    store = empty(tmp_path)
    with pytest.raises(Forked, match="FORK at height 12") as caught:
        await sync_from(store, F.genesis, [Copy("a", CHAIN[:12]), Copy("b", fork)])
    assert (caught.value.first, caught.value.second) == (CHAIN[11], fork[11])
    assert store.height == 0
    said = str(caught.value)
    assert "signed both: hospital-0, hospital-1, hospital-2" in said
    for each in (CHAIN[11], fork[11]):
        assert each.block.digest.hex() in said
        assert all(seal.signature.hex() in said for seal in each.certificate.seals)


async def test_a_chain_that_differs_from_the_stored_one_is_a_fork(tmp_path: Path) -> None:
    store = empty(tmp_path)
    await sync_from(store, F.genesis, [Copy("a", CHAIN[:6])])
    fork, _ = chain(F, 9, branch=1, at=6)
    with pytest.raises(Forked, match="FORK at height 6"):
        await sync_from(store, F.genesis, [Copy("b", fork)])


async def test_an_unsigned_other_block_is_no_fork(tmp_path: Path) -> None:
    fork, _ = chain(F, 12, branch=1, at=12)
    unsigned = [*fork[:11], Decided(fork[11].block, CHAIN[11].certificate)]
    store = empty(tmp_path)
    await sync_from(store, F.genesis, [Copy("a", CHAIN[:12]), Copy("b", unsigned)])
    assert store.height == 12


async def test_without_an_answer_the_reasons_are_given(tmp_path: Path) -> None:
    store = empty(tmp_path)
    with pytest.raises(Unreachable, match="no source of blocks answers: silent: no answer"):
        await sync_from(store, F.genesis, [Silent()])
    with pytest.raises(Unreachable, match="none is named"):
        await sync_from(store, F.genesis, [])


def served(answer: Callable[[httpx.Request], httpx.Response]) -> HttpSource:
    return HttpSource("http://a", httpx.AsyncClient(transport=httpx.MockTransport(answer)))


def validator(request: httpx.Request) -> httpx.Response:
    """What a validator that has CHAIN answers."""
    if request.url.path == "/status":
        return httpx.Response(200, content=to_json(Status("a", F.genesis.chain_id, BLOCKS, LAST.time_ms)))
    height = int(request.url.path.removeprefix("/blocks/"))
    if height > BLOCKS:
        return httpx.Response(404)
    assert request.headers["accept"] == "application/cbor"
    each = CHAIN[height - 1]
    return httpx.Response(200, content=encode((each.block.value(), each.certificate.value())))


async def test_blocks_come_over_http(tmp_path: Path) -> None:
    store = empty(tmp_path)
    assert await sync_from(store, F.genesis, [served(validator)]) == LAST


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(500), "http://a: status 500"),
        (httpx.Response(200, content=b"junk"), "http://a: not canonical CBOR"),
        (httpx.Response(200, content=encode((1, 2))), "http://a: block: an array of 2"),
        (httpx.Response(200, content=bytes(6 << 20)), "http://a: more than"),
        (httpx.ConnectError("refused"), "http://a: ConnectError refused"),
    ],
)
async def test_a_wrong_answer_over_http_is_no_block(answer: httpx.Response | Exception, says: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(Unreachable, match=says):
        await served(handle).block(1)
    with pytest.raises(Unreachable, match="http://a: "):
        await served(handle).height()
