from __future__ import annotations

import asyncio

import pytest

from salus_chain.errors import ConfigError
from salus_chain.genesis import Validator, split_address
from salus_chain.node.network.link import Limits
from salus_chain.node.network.pace import Rate
from salus_chain.node.network.wire import PROTOCOL, Frame, Get, Hello, Txs, encode_frame
from salus_chain.tls import client_context, credentials
from tests.chain.federation import signer
from tests.chain.node.peering import CHAIN, KEYS, Heard, framed, make, members, running, until
from tests.chain.ports import free_ports


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
