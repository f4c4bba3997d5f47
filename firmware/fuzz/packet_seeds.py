"""Seeds for the link's fuzz target: packets, plaintexts, and lives of a ring, into a folder.

Run it as: python firmware/fuzz/packet_seeds.py corpus/packet
"""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

from salus_edge.link.seal import Sealer
from salus_edge.proto.link_pb2 import Ack, Calibrate, Command, Range, Refusal, RequestState

OPEN, SEAL, READ, MOUNT, LIVE = range(5)
CUT, START, DAMAGE, ACK, APPEND = 0, 1, 2, 3, 5


def _step(kind: int, number: int) -> bytes:
    return bytes([kind]) + number.to_bytes(3, "little")


def _life(seed: int, steps: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311  to be had again
    made = []
    for _ in range(steps):
        kind = chance.choice([APPEND] * 6 + [ACK] * 2 + [START, CUT, DAMAGE])
        number = chance.choice([20, 60, 300]) if kind == APPEND else chance.randrange(1 << 24)
        made.append(_step(kind, number))
        if kind == CUT:
            made += [_step(APPEND, 200), _step(APPEND, 200), _step(START, 0)]
    return b"".join(made)


def _sector() -> bytes:
    """What a sector's header looks like, without its check sum."""
    return struct.pack(">IIQI", 0x53414C31, 1, 0, 24) + bytes(4) + b"\xff" * 40


def seeds() -> dict[str, bytes]:
    """By file name. The first byte tells the target what follows."""
    consent = bytes(range(32))
    sealed = Sealer(bytes([8]) * 32, 3).seal("salus/1/clinic/device/ack", b"what the gateway says").payload
    ack = Ack(
        ranges=[Range(boot=1, first_sequence=1, last_sequence=300)],
        refusals=[Refusal(boot=1, sequence=9, code="malformed")],
    )
    commands = (
        Command(calibrate=Calibrate(until_ms=1_790_000_000_000, consent=consent, base_sha256=consent)),
        Command(request_state=RequestState()),
    )
    found = {
        "open-sealed": bytes([OPEN]) + sealed,
        "open-will": bytes([OPEN]) + b"lost",
        "seal": bytes([SEAL, 4, 9]) + b"plaintext",
        "ack": bytes([READ]) + ack.SerializeToString(),
        "mount-blank": bytes([MOUNT]) + b"\xff",
        "mount-header": bytes([MOUNT]) + _sector(),
    }
    found |= {f"command-{n}": bytes([READ]) + each.SerializeToString() for n, each in enumerate(commands)}
    found |= {f"live-{seed}": bytes([LIVE]) + _life(seed, 60) for seed in range(4)}
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (folder / name).write_bytes(data)
