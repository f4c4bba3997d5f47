"""Who is no member, or claims to be another, or sends garbage."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from salus_chain.genesis import Validator, split_address
from salus_chain.node.network import peers as module
from salus_chain.node.network.link import Limits
from salus_chain.node.network.wire import PROTOCOL, Get, Hello, encode_frame
from salus_chain.tls import client_context, credentials
from tests.chain.federation import signer
from tests.chain.node.peering import CHAIN, KEYS, Heard, framed, make, members, running, until


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
