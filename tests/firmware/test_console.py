"""The host's console client against the firmware's console, over a pty: what one says, the other understands."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus.cli import app
from salus_edge.proto import console_pb2 as pb
from salus_hil.console import MAX_FRAME_BYTES, Console, encode_frame, frame_of
from salus_hil.console.throughput import ENVELOPE_BYTES, measure
from salus_hil.errors import CommandFailed
from tests.firmware.host_build import build


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).with_name("console_device.cpp")
    return build(tmp_path_factory.mktemp("console"), source, ["console"], ["console"])


@pytest.fixture
def port(program: Path) -> Iterator[str]:
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout is not None
        yield device.stdout.readline().strip()
        assert device.poll() is None  # it has not crashed
        device.communicate(timeout=5)  # closes its input
    assert device.returncode == 0


@pytest.fixture
async def console(port: str) -> AsyncIterator[Console]:
    async with Console(port) as console:
        yield console


async def test_hello_tells_what_the_device_takes(console: Console) -> None:
    assert await console.hello() == pb.HelloReply(board="test", max_frame_bytes=MAX_FRAME_BYTES)


async def test_provisioning_arrives_whole(console: Console) -> None:
    await console.provision(
        pb.Provision(
            device="w1",
            federation="north",
            broker_url="mqtts://u:p@broker:8883",
            broker_ca_pem=b"p" * 3000,
            link_secret=bytes(32),
            release_public_key=bytes(33),
            chain_id=bytes(32),
            wrist=pb.Provision.LEFT,
            ring_packets=512,
        )
    )
    assert [log.text for log in console.logs] == ["north mqtts://u:p@broker:8883 32 33 32 3000 1 512"]
    assert (await console.hello()).device == "w1"
    await console.factory_erase()
    assert not (await console.hello()).provisioned


async def test_every_command_has_its_answer(console: Console) -> None:
    await console.set_clock(1_767_225_600_123)
    await console.control_link(up=True)
    assert await console.status() == pb.Status(boot=3, clock_ms=1_767_225_600_123, link_wanted=True)
    assert (await console.run_golden()).inputs == 16
    assert (await console.run_inference(bytes([0, 127, 128, 255]))).output == bytes([255, 128, 127, 0])
    assert await console.release(b"offer") == b"offer"
    await console.say_labels(b"abc")
    await console.reset()
    statistics = await console.statistics()
    assert statistics.sent_bytes == [pb.Counter(name="feature", count=123_456_789_012)]
    assert statistics.console.frames == 9
    assert statistics.console.noise_bytes == 0


async def test_samples_arrive_bit_by_bit(console: Console) -> None:
    values = [0.25 * n for n in range(1800)]
    reply = await console.inject(pb.InjectSamples(start_ms=1000, channels=3, values=values, ends_piece=True))
    assert reply == pb.InjectReply(next_sample=600, clock_ms=1000 + int(sum(values)))


async def test_frames_of_all_lengths_around_cobs_blocks_come_back(console: Console) -> None:
    for length in (0, 1, 240, 253, 254, 255, 508, 509, 510, MAX_FRAME_BYTES - ENVELOPE_BYTES):
        for data in (bytes(length), bytes([255]) * length, bytes(n % 255 + 1 for n in range(length))):
            assert await console.echo(data) == data


async def test_refusals_have_the_devices_code(console: Console) -> None:
    for request, code in (
        (console.run_golden(personal=True), "no_personal"),
        (console.inject(pb.InjectSamples(channels=1, values=[1.0], first_sample=5)), "gap"),
        (console.inject(pb.InjectSamples(channels=2, values=[1.0])), "malformed"),
        (console.inject(pb.InjectSamples(channels=1, values=[float("nan")])), "malformed"),
        (console.set_clock(0), "malformed"),
        (console.provision(pb.Provision(link_secret=b"short")), "malformed"),
        (console.do(pb.Done()), "unsupported"),
    ):
        with pytest.raises(CommandFailed) as refused:
            await request
        assert refused.value.code == code


async def test_the_bridge_carries_both_ways(console: Console) -> None:
    await console.control_link(up=True)
    link = await console.ask(pb.BridgeStart(), pb.LinkOpen)
    assert link.url == "mqtts://broker:8883"  # no user, no password
    assert list(link.topics) == ["salus/1/f/w1/release", "salus/1/f/w1/ack"]
    assert (link.will_topic, link.will_payload) == ("salus/1/f/w1/state", b"lost")
    heard: list[pb.Frame] = []
    console.listen(heard.append)
    await console.do(pb.LinkState(up=True))
    assert heard[0].publish == pb.Publish(id=7, topic="salus/1/f/w1/feature", payload=b"sealed")
    await console.do(pb.PublishDone(id=7))
    await console.do(pb.Deliver(topic="salus/1/f/w1/ack", payload=bytes(2000)))
    assert [log.text for log in console.logs] == ["published 7", "salus/1/f/w1/ack 2000"]


async def test_garbage_half_frames_and_floods_are_survived(console: Console) -> None:
    rng = random.Random(7)
    whole = encode_frame(frame_of(pb.Echo(data=b"x" * 200), 5).SerializeToString())
    for _ in range(30):
        noise = (rng.randbytes(rng.randrange(1, 3000)), whole[: rng.randrange(1, len(whole) - 1)], b"\x55" * 100_000)
        await console.send_raw(rng.choice(noise))
        assert await console.echo(b"after") == b"after"
    counters = (await console.statistics()).console
    assert counters.damaged_frames > 0
    assert counters.long_frames > 0
    assert counters.lost_writes == 0


async def test_throughput_is_of_checked_bytes(console: Console) -> None:
    figures = await measure(console, payload_bytes=4096, seconds=0.2)
    assert figures.exchanges > 10
    assert figures.bytes_per_s > 100_000  # each way; a UART of 115,200 baud carries 11,520
    assert 0 < figures.p50_ms <= figures.p99_ms


def test_the_bench_measures_a_port(port: str, tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    shown = CliRunner().invoke(app, ["bench", "console", port, "--seconds", "0.02", "--json", str(file)])
    assert shown.exit_code == 0, shown.output
    figures = json.loads(file.read_text())
    assert [each["payload_bytes"] for each in figures] == [64, 1024, 4096, 8192, MAX_FRAME_BYTES - ENVELOPE_BYTES]
    assert all(each["bytes_per_s"] > 0 and each["exchanges"] >= 2 for each in figures)


async def test_a_host_that_stops_reading_does_not_stop_the_device(port: str) -> None:
    async with Console(port) as console:
        assert console._port is not None
        asyncio.get_running_loop().remove_reader(console._port._fd or 0)
        for _ in range(3):
            await console.send_raw(encode_frame(frame_of(pb.Echo(data=bytes(8000)), 1).SerializeToString()))
    async with Console(port) as console:
        await console.wait_ready()
        assert await console.echo(b"still here") == b"still here"
