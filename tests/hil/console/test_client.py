"""The host's console client against a small device on a pty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from salus_edge.proto import console_pb2 as pb
from salus_hil.console import Console, encode_frame, frame_of
from salus_hil.errors import CommandFailed, PortError, Silent
from tests.hil.console.device import Answer, PtyDevice


def _echo(frame: pb.Frame) -> Iterable[pb.Frame | bytes]:
    if frame.WhichOneof("body") == "hello":
        return [frame_of(pb.HelloReply(device="w1", provisioned=True), frame.request_id)]
    return [frame]


@asynccontextmanager
async def _rig(answer: Answer, log: Path | None = None) -> AsyncIterator[tuple[PtyDevice, Console]]:
    device = PtyDevice(answer)
    async with Console(device.url, log=log) as console:
        yield device, console
    device.hang_up()


async def test_a_request_has_its_answer() -> None:
    async with _rig(_echo) as (_, console):
        assert (await console.hello()).device == "w1"


async def test_frames_longer_than_the_ports_buffer_go_both_ways() -> None:
    data = bytes(range(256)) * 31
    async with _rig(_echo) as (_, console):
        assert await console.echo(data) == data


async def test_requests_of_many_tasks_do_not_mix() -> None:
    async with _rig(_echo) as (_, console):
        words = [bytes([n]) * (n + 1) for n in range(40)]
        assert await asyncio.gather(*(console.echo(word) for word in words)) == words


async def test_a_failure_is_raised_with_its_code() -> None:
    def refuse(frame: pb.Frame) -> Iterable[pb.Frame]:
        return [frame_of(pb.Failure(code="busy", detail="measuring"), frame.request_id)]

    async with _rig(refuse) as (_, console):
        with pytest.raises(CommandFailed, match="run_golden: measuring") as refused:
            await console.run_golden()
        assert refused.value.code == "busy"


async def test_an_answer_of_another_kind_is_no_answer() -> None:
    async with _rig(lambda frame: [frame_of(pb.Done(), frame.request_id)]) as (_, console):
        with pytest.raises(CommandFailed, match="answered status_request with done"):
            await console.status()


async def test_a_silent_port_is_said_to_be_silent_in_time() -> None:
    async with _rig(lambda _: []) as (device, console), asyncio.timeout(2):
        with pytest.raises(Silent, match=r"no answer to hello, 2 times 0\.05 s"):
            await console.hello(timeout_s=0.05, tries=2)
        with pytest.raises(Silent, match=r"not there after 0\.3 s"):
            await console.wait_ready(within_s=0.3)
    assert len({frame.request_id for frame in device.heard[:2]}) == 1  # the same request twice


async def test_a_lost_answer_is_asked_for_again() -> None:
    heard: list[int] = []

    def deaf_once(frame: pb.Frame) -> Iterable[pb.Frame | bytes]:
        heard.append(frame.request_id)
        return _echo(frame) if len(heard) > 1 else [encode_frame(b"")[:-1]]

    async with _rig(deaf_once) as (_, console):
        assert (await console.hello(timeout_s=0.1)).device == "w1"
    assert heard[0] == heard[1]


async def test_garbage_and_stale_answers_between_frames_do_no_harm() -> None:
    def noisy(frame: pb.Frame) -> Iterable[pb.Frame | bytes]:
        stale = frame_of(pb.HelloReply(device="old"), frame.request_id + 7)
        whole = encode_frame(frame.SerializeToString())
        not_protobuf = encode_frame(b"\xff\xff\xff")
        return [b"ets Jun  8 2016\r\n", stale, whole[: len(whole) // 2], not_protobuf, b"\x05\x01\x02", *_echo(frame)]

    async with _rig(noisy) as (_, console):
        assert (await console.hello()).device == "w1"
        assert console.noise_bytes > 20


async def test_what_the_device_says_unasked_is_heard() -> None:
    async with _rig(_echo) as (device, console):
        heard: asyncio.Queue[pb.Frame] = asyncio.Queue()
        stop = console.listen(heard.put_nowait)
        device.say(frame_of(pb.Log(level=pb.Log.INFO, text="up"), 0), frame_of(pb.LinkClose(), 0))
        async with asyncio.timeout(2):
            assert (await heard.get()).log.text == "up"
            assert (await heard.get()).WhichOneof("body") == "link_close"
        assert [log.text for log in console.logs] == ["up"]
        stop()
        device.say(frame_of(pb.LinkClose(), 0))
        await console.hello()
        assert heard.empty()


async def test_the_text_of_a_panic_is_heard() -> None:
    async with _rig(_echo) as (device, console):
        panics: list[bytes] = []
        stop = console.listen_noise(lambda noise: panics.append(noise.data))
        device.say(b"Guru Meditation Error\r\n")
        await console.hello()
        assert panics == [b"Guru Meditation Error\r\n"]
        stop()
        device.say(b"again\r\n")
        await console.hello()
        assert len(panics) == 1


async def test_a_port_that_goes_away_ends_the_request() -> None:
    async with _rig(lambda _: []) as (device, console), asyncio.timeout(2):
        asking = asyncio.create_task(console.status())
        await asyncio.sleep(0.05)
        device.hang_up()
        with pytest.raises(PortError, match="is gone"):
            await asking
        with pytest.raises(PortError, match="not open"):
            await console.status()


async def test_after_a_reset_the_port_is_opened_again(tmp_path: Path) -> None:
    link = tmp_path / "serial"
    first = PtyDevice(_echo)
    link.symlink_to(first.url)
    async with Console(str(link)) as console:
        await console.hello()
        first.hang_up()
        link.unlink()
        waiting = asyncio.create_task(console.wait_ready(within_s=5))
        await asyncio.sleep(0.1)
        second = PtyDevice(_echo)
        link.symlink_to(second.url)
        assert (await waiting).device == "w1"
    second.hang_up()


async def test_a_port_has_one_owner() -> None:
    async with _rig(_echo) as (device, _):
        with pytest.raises(PortError, match="does not open"):
            await Console(device.url).open()


async def test_no_such_port() -> None:
    with pytest.raises(PortError, match="/dev/salus-none does not open"):
        await Console("/dev/salus-none").open()


async def test_a_port_that_takes_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salus_hil.console.port.WRITE_S", 0.1)
    async with _rig(_echo) as (device, console):
        asyncio.get_running_loop().remove_reader(device._master)
        with pytest.raises(PortError, match="took no bytes"):
            for _ in range(20):
                await console.send(pb.Echo(data=bytes(8000)))


async def test_the_log_tells_all_but_secrets(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "serial.log"
    async with _rig(_echo, path) as (device, console):
        with pytest.raises(CommandFailed):
            await console.provision(pb.Provision(link_secret=b"S" * 32, wifi_password="hunter2"))
        device.say(frame_of(pb.Log(level=pb.Log.WARNING, text="ring full", uptime_ms=1500), 0), b"Guru Meditation\0")
        await console.hello()
    text = path.read_text()
    assert "| 1.500 warning ring full" in text
    assert "provision" in text
    assert "Guru Meditation" in text
    assert "hunter2" not in text
    assert "SSSS" not in text


async def test_a_frame_longer_than_the_device_takes_is_not_sent() -> None:
    def small(frame: pb.Frame) -> Iterable[pb.Frame]:
        return [frame_of(pb.HelloReply(max_frame_bytes=1000), frame.request_id) if frame.HasField("hello") else frame]

    async with _rig(small) as (device, console):
        assert await console.echo(bytes(2000)) == bytes(2000)
        with pytest.raises(CommandFailed, match="too_large"):
            await console.echo(bytes(70_000))
        await console.hello()
        with pytest.raises(CommandFailed, match=r"echo has 20.. bytes, and .* takes 1000") as refused:
            await console.echo(bytes(2000))
        assert refused.value.code == "too_large"
        assert len(device.heard) == 2


async def _trickle(device: PtyDevice, data: bytes) -> None:
    for byte in data:
        device.say(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_an_answer_that_trickles_in_is_waited_for() -> None:
    async with _rig(lambda _: []) as (device, console):
        asking = asyncio.create_task(console.hello(timeout_s=0.15, tries=1))
        while not device.heard:
            await asyncio.sleep(0.01)
        answer = frame_of(pb.HelloReply(device="w1"), device.heard[0].request_id)
        await _trickle(device, encode_frame(answer.SerializeToString()))  # some 0.4 s
        assert (await asking).device == "w1"


async def test_chatter_is_no_answer() -> None:
    async with _rig(lambda _: []) as (device, console):
        chatter = asyncio.create_task(_trickle(device, bytes(500)))
        async with asyncio.timeout(3):
            with pytest.raises(Silent):
                await console.hello(timeout_s=0.1, tries=1)
        chatter.cancel()


async def test_a_slow_line_has_time_for_long_frames() -> None:
    async with _rig(lambda _: []) as (_, console):
        console.baud = 100_000
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(Silent):
            await console.ask(pb.Echo(data=bytes(2000)), pb.Echo, timeout_s=0.01, tries=1)
        assert asyncio.get_running_loop().time() - began_s > 0.4  # 20,000 bits there, and as many back
