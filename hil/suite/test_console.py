"""The serial console under what a line and a confused host can do to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from salus_edge.proto import console_pb2 as pb
from salus_hil.console import encode_frame
from salus_hil.errors import CommandFailed
from salus_hil.rig.driver import Wearable

FLOOD_BYTES = 1 << 20


def frame(**fields: object) -> bytes:
    return encode_frame(pb.Frame(**fields).SerializeToString())  # type: ignore[arg-type]


def test_garbage_between_frames_is_skipped(wearable: Wearable) -> None:
    rng = np.random.default_rng(3)
    for length in (1, 7, 255, 256, 4096, 20_000):
        wearable.raw(rng.integers(0, 256, length, np.uint8).tobytes())
        assert wearable.hello().firmware_version


def test_half_frames_and_damaged_frames_are_skipped(wearable: Wearable) -> None:
    whole = frame(version=1, request_id=7, hello=pb.Hello())
    for cut in range(1, len(whole)):
        wearable.raw(whole[:cut])
    assert wearable.hello().firmware_version
    long = frame(version=1, request_id=8, echo=pb.Echo(data=bytes(range(256)) * 4))
    for at in range(2, len(long) - 2, 37):
        wearable.raw(long[:at] + bytes([long[at] ^ 0x55]) + long[at + 1 :])
    assert wearable.hello().firmware_version
    console = wearable.statistics().console
    assert console.damaged_frames > 0


def test_a_frame_that_is_too_long_is_skipped_and_counted(wearable: Wearable) -> None:
    before = wearable.statistics().console.long_frames
    wearable.raw(b"\0" + b"\x01" * 100_000 + b"\0")
    assert wearable.hello().firmware_version
    assert wearable.statistics().console.long_frames > before


def test_a_flood_ends_and_then_it_answers(wearable: Wearable) -> None:
    one = frame(version=1, request_id=0, hello=pb.Hello())
    most = FLOOD_BYTES if "fast" in wearable.rig.has else FLOOD_BYTES // 16
    for _ in range(most // len(one) // 512):
        wearable.raw(one * 512)
    assert wearable.hello().firmware_version


def test_requests_that_are_no_requests_are_refused_by_code(wearable: Wearable) -> None:
    assert wearable.failure(pb.Frame(version=2, hello=pb.Hello())) == "version"
    assert wearable.failure(pb.Frame(version=1)) == "unsupported"
    assert wearable.failure(pb.Frame(version=1, hello_reply=pb.HelloReply())) == "unsupported"


def test_echo_gives_back_what_it_got(wearable: Wearable) -> None:
    rng = np.random.default_rng(5)
    for length in (0, 1, 253, 254, 255, 256, 1000, 4000):
        data = rng.integers(0, 256, length, np.uint8).tobytes()
        assert wearable.echo(data) == data
        assert wearable.echo(bytes(length)) == bytes(length)


def test_samples_for_nobody_are_refused(wearable: Wearable) -> None:
    with pytest.raises(CommandFailed):
        wearable.inject(np.zeros((10, 3), np.float32), 1_767_225_600_000)


def test_what_cannot_be_is_refused_and_nothing_stops(enrolled: Wearable) -> None:
    refusals: list[Callable[[], object]] = [
        lambda: enrolled.inject(np.full((10, 3), np.nan, np.float32), 1_767_225_600_000),
        lambda: enrolled.inject(np.full((10, 3), np.inf, np.float32), 1_767_225_601_000),
        lambda: enrolled.inject(np.zeros((10, 5), np.float32), 1_767_225_602_000),
        lambda: enrolled.release(b"\xff\xff\xff"),
        lambda: enrolled.infer(np.zeros(0, np.int8)),
    ]
    for refusal in refusals:
        with pytest.raises(CommandFailed):
            refusal()
    assert enrolled.golden().mismatches == 0
