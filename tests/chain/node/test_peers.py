from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from structlog.testing import capture_logs

from salus_chain.errors import ConfigError
from salus_chain.genesis import Validator, split_address
from salus_chain.keys import KeySigner
from salus_chain.node.network import peers as module
from salus_chain.node.network.link import Limits
from salus_chain.node.network.pace import Rate
from salus_chain.node.network.peers import Peers
from salus_chain.node.network.wire import PROTOCOL, Frame, Get, Hello, Txs, encode_frame
from salus_chain.tls import client_context, credentials
from tests.chain.federation import signer
from tests.chain.ports import free_ports

CHAIN = bytes([4]) * 32


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, Frame]] = []
        self.keys: list[bytes] = []

    def received(self, key: bytes, frame: Frame) -> None:
        self.frames.append((key, frame))

    def connected(self, key: bytes) -> None:
        self.keys.append(key)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def members(n: int) -> dict[bytes, Validator]:
    keys = [signer(1 + seat).public_key for seat in range(n)]
    return {
        key: Validator(f"hospital-{seat}", key, f"127.0.0.1:{port}", "")
        for seat, (key, port) in enumerate(zip(keys, free_ports(n), strict=True))
    }


def make(
    known: dict[bytes, Validator],
    seat: int,
    heard: Heard,
    limits: Limits | None = None,
    chain_id: bytes = CHAIN,
    key: KeySigner | None = None,
) -> Peers:
    own = list(known.values())[seat]
    peers = Peers(chain_id, key or signer(1 + seat), own.peer, heard, Random(seat), limits)
    peers.members(known)
    return peers


@asynccontextmanager
async def running(*peers: Peers) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in peers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


KEYS = [signer(1 + seat).public_key for seat in range(4)]


async def test_frames_arrive_in_order_with_their_sender() -> None:
    known, heard = members(3), [Heard() for _ in range(3)]
    peers = [make(known, seat, heard[seat]) for seat in range(3)]
    async with running(*peers):
        await until(lambda: all(len(each.reachable) == 2 for each in peers))
        for height in range(50):
            peers[0].send(None, Get(height, 0))
        peers[0].send(KEYS[2], Get(99, 0))
        await until(lambda: len(heard[2].frames) == 51 and len(heard[1].frames) == 50)
    assert heard[1].frames == [(KEYS[0], Get(height, 0)) for height in range(50)]
    assert heard[2].frames[-1] == (KEYS[0], Get(99, 0))
    assert sorted(heard[0].keys) == sorted(KEYS[1:3])


async def test_a_vote_passes_transactions_that_wait() -> None:
    known, heard = members(2), [Heard() for _ in range(2)]
    peers = [make(known, seat, heard[seat]) for seat in range(2)]
    async with running(*peers):
        await until(lambda: all(each.reachable for each in peers))
        for _ in range(20):
            peers[0].send(None, Txs((bytes(100_000),)))
        peers[0].send(None, Get(7, 0))
        await until(lambda: len(heard[1].frames) == 21)
    assert heard[1].frames[0] == (KEYS[0], Get(7, 0))


async def test_a_peer_that_went_away_is_reached_again() -> None:
    known, heard = members(2), [Heard() for _ in range(3)]
    peers = make(known, 0, heard[0])
    async with running(peers):
        for life in (1, 2):
            async with running(make(known, 1, heard[life])):
                await until(lambda: len(heard[0].keys) == life)  # noqa: B023  (it runs now)
                peers.send(KEYS[1], Get(life, 0))
                await until(lambda: heard[life].frames == [(KEYS[0], Get(life, 0))])  # noqa: B023
            await until(lambda: not peers.reachable)


async def test_a_peer_that_cannot_be_dialled_is_spoken_to_on_its_own_connection() -> None:
    known, heard = members(2), [Heard() for _ in range(2)]
    hidden = {**known, KEYS[1]: Validator("hidden", KEYS[1], "127.0.0.1:1", "")}
    peers = make(hidden, 0, heard[0]), make(known, 1, heard[1])
    async with running(*peers):
        await until(lambda: peers[0].reachable)
        peers[0].send(KEYS[1], Get(3, 0))
        await until(lambda: heard[1].frames)
    assert heard[1].frames == [(KEYS[0], Get(3, 0))]


async def test_members_come_move_and_go() -> None:
    known, heard = members(3), [Heard() for _ in range(3)]
    two = {key: known[key] for key in KEYS[:2]}
    peers = [make(two, 0, heard[0]), make(two, 1, heard[1]), make(known, 2, heard[2])]
    async with running(*peers):
        await until(lambda: peers[0].reachable == {KEYS[1]})
        await asyncio.sleep(0.2)
        assert not peers[2].reachable  # it dials, and is not a member for the others
        for each in peers[:2]:
            each.members(known)
        await until(lambda: all(len(each.reachable) == 2 for each in peers))
        for each in peers[:2]:
            each.members(two)
        await until(lambda: not peers[2].reachable and all(len(each.reachable) == 1 for each in peers[:2]))
        await asyncio.sleep(0.2)
        assert not peers[2].reachable
    moved = {**two, KEYS[1]: Validator("moved", KEYS[1], f"127.0.0.1:{free_ports(1)[0]}", "")}
    first, second = make(two, 0, heard[0]), make(moved, 1, Heard())
    second.members({KEYS[1]: moved[KEYS[1]]})  # it dials nobody
    async with running(first, second):
        await asyncio.sleep(0.1)
        assert not first.reachable
        second.members(moved)
        second.members({**moved, KEYS[0]: Validator("", KEYS[0], "nowhere", "")})
        first.members(moved)
        await until(lambda: first.reachable)


async def cut_off(place: str, junk: bytes) -> bytes:
    """What somebody without TLS hears until the end."""
    reader, writer = await asyncio.open_connection(*split_address(place))
    writer.write(junk)
    async with asyncio.timeout(10):
        heard = await reader.read()
    writer.close()
    return heard


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", b"\0\0\0\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b""])
async def test_a_stranger_without_tls_is_cut_off_and_heard_by_nobody(junk: bytes) -> None:
    known, heard = members(2), Heard()
    async with running(make(known, 0, heard, Limits(handshake_s=0.3))):
        await asyncio.sleep(0.05)
        answer = await cut_off(known[KEYS[0]].peer, junk)
        assert CHAIN not in answer and KEYS[0] not in answer
    assert not heard.frames and not heard.keys


async def test_a_stranger_with_a_key_of_its_own_gets_nothing() -> None:
    known, heard = members(2), [Heard(), Heard()]
    stranger = make(known, 1, heard[1], key=signer(77))
    async with running(make(known, 0, heard[0]), stranger):
        await asyncio.sleep(0.5)
        assert not stranger.reachable
    assert not heard[0].keys and not heard[1].keys


async def test_who_claims_another_members_key_is_dropped() -> None:
    """It has a seat, and says in its hello that it has another's."""
    known, heard = members(3), Heard()
    peers = make(known, 0, heard)
    async with running(peers):
        await asyncio.sleep(0.05)
        context = client_context([KEYS[0]], credentials(signer(2)))
        reader, writer = await asyncio.open_connection(*split_address(known[KEYS[0]].peer), ssl=context)
        writer.write(framed(encode_frame(Hello(PROTOCOL, CHAIN, KEYS[2]))))
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
    assert not heard.keys and peers.counters()[KEYS[1]].offences == 1


async def test_who_answers_for_another_is_dropped() -> None:
    known, heard = members(3), [Heard(), Heard()]
    swapped = {**known, KEYS[2]: Validator("", KEYS[2], known[KEYS[1]].peer, "")}
    peers = make(swapped, 0, heard[0])
    other = make(known, 1, heard[1])
    other.members({KEYS[1]: known[KEYS[1]], KEYS[0]: Validator("", KEYS[0], "127.0.0.1:1", "")})
    async with running(peers, other):
        await until(lambda: KEYS[1] in peers.reachable)
        await asyncio.sleep(0.3)
        assert KEYS[2] not in peers.reachable


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    ("hello", "reason"),
    [(Hello(PROTOCOL, bytes(32), KEYS[1]), "of chain"), (Hello("salus/peer/2", CHAIN, KEYS[1]), "salus/peer/2")],
)
async def test_another_chain_or_protocol_is_told_why(hello: Hello, reason: str) -> None:
    known, heard = members(2), Heard()
    async with running(make(known, 0, heard)):
        await asyncio.sleep(0.05)
        context = client_context([KEYS[0]], credentials(signer(2)))
        reader, writer = await asyncio.open_connection(*split_address(known[KEYS[0]].peer), ssl=context)
        writer.write(framed(encode_frame(hello)) + framed(encode_frame(Get(1, 0))))
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    assert reason.encode() in answer and not heard.frames and not heard.keys


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", framed(b"\x80"), framed(b"\x00"), framed(b"\xff" * 99)])
async def test_a_member_that_sends_garbage_is_kept_out_longer_each_time(
    junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BAN_FIRST_S", 0.25)
    known, heard = members(2), Heard()
    peers = make(known, 0, heard)
    context = client_context([KEYS[0]], credentials(signer(2)))
    attempts = 0
    with capture_logs() as rows:
        async with running(peers):
            await asyncio.sleep(0.05)
            while peers.counters()[KEYS[1]].offences < 3:
                attempts += 1
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection(*split_address(known[KEYS[0]].peer), ssl=context)
                    writer.write(framed(encode_frame(Hello(PROTOCOL, CHAIN, KEYS[1]))) + junk)
                    async with asyncio.timeout(10):
                        await reader.read()
                    writer.close()
                await asyncio.sleep(0.01)
    assert [row["ban_s"] for row in rows if "ban_s" in row] == [0.25, 0.5, 1.0]
    assert attempts > 3  # those in between were turned away
    assert not heard.frames


async def test_who_is_too_fast_is_slowed_down_and_loses_nothing() -> None:
    known, heard = members(2), [Heard(), Heard()]
    slow = make(known, 0, heard[0], Limits(frames=Rate(500, 50)))
    fast = make(known, 1, heard[1])
    async with running(slow, fast):
        await until(lambda: slow.reachable and fast.reachable)
        began_s = asyncio.get_running_loop().time()
        for height in range(300):
            fast.send(None, Get(height, 0))
        await until(lambda: len(heard[0].frames) == 300)
        took_s = asyncio.get_running_loop().time() - began_s
    assert [frame for _, frame in heard[0].frames] == [Get(height, 0) for height in range(300)]
    assert 0.4 < took_s < 5
    assert slow.counters()[KEYS[1]].rate_limited > 0
    assert slow.counters()[KEYS[1]].offences == 0


async def test_who_reads_nothing_holds_up_nobody_and_its_oldest_frames_give_way() -> None:
    known, heard = members(3), [Heard() for _ in range(3)]
    limits = Limits(queue_frames=10, queue_bytes=1 << 20)
    peers, other = make(known, 0, heard[0], limits), make(known, 2, heard[2])
    async with running(peers, other):
        context = client_context([KEYS[0]], credentials(signer(2)))
        await until(lambda: peers.reachable)
        _, writer = await asyncio.open_connection(*split_address(known[KEYS[0]].peer), ssl=context, limit=1_024)
        writer.write(framed(encode_frame(Hello(PROTOCOL, CHAIN, KEYS[1]))))
        await until(lambda: len(peers.reachable) == 2)
        for height in range(400):
            peers.send(None, Txs((height.to_bytes(2, "big") * 30_000,)))
            peers.send(KEYS[2], Get(height, 0))
            await asyncio.sleep(0)
        await until(lambda: len([1 for _, frame in heard[2].frames if isinstance(frame, Get)]) == 400)
        counters = peers.counters()
        assert counters[KEYS[1]].dropped > 100
        writer.transport.abort()


async def test_silence_ends_a_connection_and_keep_alive_prevents_it() -> None:
    known, heard = members(2), [Heard(), Heard()]
    quick = Limits(keep_alive_s=0.5, idle_s=1.5)
    peers = [make(known, seat, heard[seat], quick) for seat in range(2)]
    async with running(*peers):
        await until(lambda: all(each.reachable for each in peers))
        await asyncio.sleep(3)
        assert all(len(each.keys) == 1 for each in heard)  # the first connections still stand
        for each in peers:
            for peer in each._peers.values():
                for link in peer.links:
                    link._limits = Limits(keep_alive_s=9, idle_s=9)
        peers[0]._peers[KEYS[1]].links[0]._limits = quick
        await until(lambda: peers[0].counters()[KEYS[1]].connections > 2)


async def test_many_silent_strangers_do_not_keep_a_member_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRANGERS", 8)
    known, heard = members(2), [Heard(), Heard()]
    peers = make(known, 0, heard[0], Limits(handshake_s=30))
    async with running(peers):
        await asyncio.sleep(0.05)
        silent = [await asyncio.open_connection(*split_address(known[KEYS[0]].peer)) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert len(peers._strangers) <= 8
        async with running(make(known, 1, heard[1])):
            await until(lambda: peers.reachable)
        for _, writer in silent:
            writer.close()


async def test_a_fault_of_the_listener_ends_the_node() -> None:
    class Faulty(Heard):
        def received(self, key: bytes, frame: Frame) -> None:
            raise RuntimeError("state is broken")

    known, other = members(2), Heard()
    ending = asyncio.create_task(make(known, 0, Faulty()).run())
    speaker = make(known, 1, other)
    async with running(speaker):
        await until(lambda: other.keys)
        speaker.send(KEYS[0], Get(1, 0))
        with pytest.raises(ExceptionGroup) as fault:
            async with asyncio.timeout(5):
                await ending
    assert fault.group_contains(RuntimeError, match="state is broken")


async def test_counters_count() -> None:
    known, heard = members(2), [Heard(), Heard()]
    peers = [make(known, seat, heard[seat]) for seat in range(2)]
    async with running(*peers):
        await until(lambda: all(each.reachable for each in peers))
        await asyncio.sleep(0.1)
        before = peers[0].counters()[KEYS[1]]
        for _ in range(10):
            peers[0].send(None, Get(1, 0))
        await until(lambda: len(heard[1].frames) == 10)
        after, there = peers[0].counters()[KEYS[1]], peers[1].counters()[KEYS[0]]
    assert after.frames_out - before.frames_out == 10
    assert after.bytes_out - before.bytes_out == 10 * len(framed(encode_frame(Get(1, 0))))
    assert there.frames_in == after.frames_out and there.bytes_in == after.bytes_out
    assert after.dropped == after.offences == after.rate_limited == 0 and after.connections == 2


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:0", "host:99999", "host:x"])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        split_address(address)


def test_it_works_the_same_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    uvloop.run(test_frames_arrive_in_order_with_their_sender())
    uvloop.run(test_members_come_move_and_go())
    uvloop.run(test_who_reads_nothing_holds_up_nobody_and_its_oldest_frames_give_way())
    uvloop.run(test_who_is_too_fast_is_slowed_down_and_loses_nothing())
