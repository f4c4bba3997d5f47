"""What the device link's C++ and Python must agree on: keys, packets, plaintexts, refusals, decisions.

`python -m tests.firmware.link_vectors` writes tests/golden/link/vectors.txt, which GoogleTest reads
(firmware/test/test_link, test_alarm). A line is a kind and its fields; bytes are hexadecimal digits, `-` when empty,
floats are the digits of their four bytes, big endian.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from salus_edge import decoder
from salus_edge.errors import Refused
from salus_edge.link.messages import FeatureBatch, Label, WindowBatch, encode_labels
from salus_edge.link.seal import Sealer, derive_keys, open_packet
from salus_edge.link.topics import topic
from salus_edge.proto.link_pb2 import Ack, Calibrate, Command, Event, Range, Refusal, ReleaseStatus, RequestState, State

PATH: Final = Path(__file__).parents[1] / "golden" / "link" / "vectors.txt"
SECRET: Final = hashlib.sha256(b"link vectors").digest()
CHAIN_ID: Final = hashlib.sha256(b"link vectors' chain").digest()
DEVICE: Final = "device-7"
KEYS: Final = derive_keys(SECRET, CHAIN_ID, DEVICE)
BASE: Final = hashlib.sha256(b"base").digest()
CONSENT: Final = hashlib.sha256(b"consent").digest()
COUNTERS: Final = ((1, 0), (1, 126), (127, 127), (300, 1 << 31), ((1 << 32) - 1, (1 << 64) - 2))
START_MS: Final = 1_790_000_000_123
SECOND_MS: Final = 1_000


def digits(data: bytes) -> str:
    return data.hex() or "-"


def floats(values: object) -> str:
    return digits(np.asarray(values, ">f4").tobytes())


def keys() -> Iterator[str]:
    for chain_id in (CHAIN_ID, b""):
        for device in (DEVICE, "a", "z" * 40):
            made = derive_keys(SECRET, chain_id, device)
            yield f"keys {digits(SECRET)} {digits(chain_id)} {device} {digits(made.up)} {digits(made.down)}"


def packets() -> Iterator[str]:
    """Sealed packets, upward and downward, of many sizes and at the ends of the counters."""
    rng = np.random.default_rng(1)
    for boot, before in COUNTERS:
        for kind, key in (("feature", KEYS.up), ("state", KEYS.up), ("ack", KEYS.down)):
            for size in (0, 1, 15, 16, 17, 200, 5000) if boot == 1 else (40,):
                name, plaintext = topic("clinic", DEVICE, kind), rng.bytes(size)
                sealed = Sealer(key, boot, before).seal(name, plaintext)
                counters = f"{sealed.boot} {sealed.sequence}"
                yield f"packet {digits(key)} {counters} {name} {digits(plaintext)} {digits(sealed.payload)}"


def refusals() -> Iterator[str]:
    """Payloads that are no packet for this key and topic, each with Python's code."""
    name = topic("clinic", DEVICE, "command")
    good = Sealer(KEYS.down, 3, 8).seal(name, b"what the gateway says").payload
    bad = [b"", good[:1], good[:2], b"\x09", b"lost", b"\xff" * 20, b"\x08\x02" + good[2:], b"\x08\x01"]
    bad += [good[:end] for end in range(3, len(good), 5)]
    bad += [good[:-1] + bytes([good[-1] ^ 1]), good + b"\x00", good.replace(b"\x10\x03", b"\x10\x04")]
    bad += [b"\x08\x01\x10\x01\x18\x01\x22\x0f" + bytes(15), b"\x08\x01\x10\x01\x18\x01\x22\x10" + bytes(16)]
    bad += [b"\x08\x01\x10\x00\x18\x01\x22\x10" + bytes(16), b"\x08\x01\x10\x01\x22\x10" + bytes(16)]
    for payload in (good, *bad):
        yield f"open {_code(name, payload)} {digits(KEYS.down)} {name} {digits(payload)}"
    yield f"open {_code(other := topic('clinic', DEVICE, 'ack'), good)} {digits(KEYS.down)} {other} {digits(good)}"


def _code(name: str, payload: bytes) -> str:
    try:
        open_packet(KEYS.down, name, payload)
    except Refused as refused:
        return refused.code
    return "ok"


def states() -> Iterator[str]:
    for fields in (
        State(link=State.ONLINE, task="fall", model_version=3, base_sha256=BASE, ring_packets=7, clock_ms=START_MS),
        State(link=State.LEAVING, task="t", dropped_packets=1 << 40, calibrating=True),
    ):
        numbers = f"{fields.model_version} {digits(fields.base_sha256)} {fields.ring_packets}"
        rest = f"{fields.dropped_packets} {fields.clock_ms} {int(fields.calibrating)}"
        message = digits(fields.SerializeToString(deterministic=True))
        yield f"state {int(fields.link == State.LEAVING)} {fields.task} {numbers} {rest} {message}"


def events() -> Iterator[str]:
    active = ReleaseStatus(version=4, progress=ReleaseStatus.ACTIVE)
    refused = ReleaseStatus(version=5, progress=ReleaseStatus.REFUSED, code="wrong_hash")
    receiving = ReleaseStatus(version=5, progress=ReleaseStatus.RECEIVING, next_offset=4096)
    for event in (
        Event(kind=Event.ALARM, at_ms=START_MS, code="fall", detail="0.93"),
        Event(kind=Event.BUTTON, at_ms=1, code="pressed"),
        *(Event(kind=Event.RELEASE, at_ms=START_MS, code=each.code, release=each) for each in (active, refused)),
        Event(kind=Event.RELEASE, at_ms=START_MS, release=receiving),
    ):
        status = f"{event.release.version} {event.release.progress} {event.release.next_offset}"
        message = digits(event.SerializeToString(deterministic=True))
        texts = f"{event.code or '-'} {event.detail or '-'}"
        yield f"event {event.kind} {event.at_ms} {texts} {status} {event.release.code or '-'} {message}"


def labels() -> Iterator[str]:
    made = [
        Label(f"0-setup-{n}", START_MS + n * SECOND_MS, START_MS + 5 * n * SECOND_MS + 1, "walk", "setup", "fall")
        for n in range(5)
    ]
    for count in (1, 5):
        fields = " ".join(f"{e.id} {e.start_ms} {e.end_ms} {e.label} {e.source} {e.task}" for e in made[:count])
        yield f"labels {count} {fields} {digits(encode_labels(made[:count]))}"


def features() -> Iterator[str]:
    rng = np.random.default_rng(2)
    for count, width, aux in ((1, 1, 0), (3, 24, 0), (10, 64, 4), (2, 5, 1)):
        starts = START_MS + np.concatenate(([0], rng.integers(1, 3000, count - 1).cumsum())).astype(np.int64)
        values = rng.integers(-128, 128, (count, width)).astype(np.int8)
        auxiliary = rng.integers(-32768, 32768, (count, aux)).astype(np.int16)
        batch = FeatureBatch("fall", 9, BASE, starts, 2560, values, auxiliary)
        rows = " ".join(
            f"{start} {digits(value.tobytes())} {digits(row.astype('>i2').tobytes())}"
            for start, value, row in zip(starts, values, auxiliary, strict=True)
        )
        yield f"features fall 9 {digits(BASE)} 2560 {count} {rows} {digits(batch.encode())}"


def windows() -> Iterator[str]:
    rng = np.random.default_rng(3)
    for count, samples, channels, size in ((1, 8, 3, 1.0), (3, 16, 1, 2000.0), (2, 4, 6, 1e-42), (1, 5, 2, 0.0)):
        starts = START_MS + SECOND_MS * np.arange(count, dtype=np.int64)
        values = (rng.integers(-9999, 9999, (count, samples, channels)) * size).astype(np.float32)
        values[0, 0, 0] = -32767.0 / 2 * size  # the largest, so that halves of a step occur below
        values[0, 1, 0] = 1.5 / 2 * size
        values[0, 2, 0] = 2.5 / 2 * size
        batch = WindowBatch("fall", starts, 2560, values, CONSENT)
        rows = " ".join(f"{start} {floats(window)}" for start, window in zip(starts, values, strict=True))
        shape = f"{samples} {channels}"
        yield f"windows fall 2560 {shape} {digits(CONSENT)} {count} {rows} {digits(batch.encode())}"


def commands() -> Iterator[str]:
    """Plaintexts of commands, and what they say; `malformed` where the wearable refuses them."""
    start = Command(calibrate=Calibrate(until_ms=START_MS, consent=CONSENT, base_sha256=BASE))
    stop, ask = Command(calibrate=Calibrate()), Command(request_state=RequestState())
    yield f"command calibrate {START_MS} {digits(CONSENT)} {digits(BASE)} {digits(start.SerializeToString())}"
    yield f"command calibrate 0 - - {digits(stop.SerializeToString())}"
    yield f"command request_state 0 - - {digits(ask.SerializeToString())}"
    for bad in (
        Command(calibrate=Calibrate(until_ms=START_MS, consent=CONSENT[:31])),
        Command(calibrate=Calibrate(until_ms=1 << 63, consent=CONSENT, base_sha256=BASE)),
        Command(),
    ):
        yield f"command malformed 0 - - {digits(bad.SerializeToString())}"
    yield f"command malformed 0 - - {digits(start.SerializeToString()[:-1])}"


def acks() -> Iterator[str]:
    ranges = [Range(boot=1, first_sequence=1, last_sequence=9), Range(boot=2, first_sequence=5, last_sequence=1 << 62)]
    refused = [Refusal(boot=2, sequence=4, code="wrong_shape"), Refusal(boot=2, sequence=12, code="malformed")]
    for ack in (Ack(), Ack(ranges=ranges), Ack(ranges=ranges[:1], refusals=refused)):
        parts = [f"{e.boot}:{e.first_sequence}:{e.last_sequence}" for e in ack.ranges]
        parts += [f"{e.boot}:{e.sequence}:{e.code}" for e in ack.refusals]
        yield f"ack {len(parts)} {' '.join([*parts, digits(ack.SerializeToString(deterministic=True))])}"


def decisions() -> Iterator[str]:
    """A stream of logits through the decoder: `confirm SCALE ZERO K WINDOW_MS COUNT`, then one line per window."""
    rng = np.random.default_rng(4)
    for classes, k, scale, zero_point in ((2, 1, 0.125, 0), (5, 3, 0.0625, -7), (16, 8, 0.25, 100)):
        yield f"confirm {floats(scale)} {zero_point} {k} 2000 {classes} 60"
        state, start_ms = decoder.State(), START_MS
        for _ in range(60):
            logits = rng.integers(-128, 128, classes).astype(np.int8)
            start_ms += int(rng.choice([1000, 2000, 4000, 4001, 60_000, -5000], p=[0.5, 0.3, 0.05, 0.05, 0.05, 0.05]))
            real = ((logits.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)
            state, said = decoder.step(state, real, start_ms, 4000, k)
            yield f"decision {start_ms} {digits(logits.tobytes())} {said.label} {floats(said.probability)}"


def text() -> str:
    kinds = (keys, packets, refusals, states, events, labels, features, windows, commands, acks, decisions)
    return "".join(f"{line}\n" for kind in kinds for line in kind())


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text(), "ascii")
