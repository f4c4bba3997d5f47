"""Golden vectors of the front end: text files that Python and C++ replay. `python -m tests.edge.frontend.golden` makes
them.

    frontend HEX          the serialised FrontEnd (once, first)
    channels N            of the sensor
    wrist as_trained|left|right
    quantise HEX N        scale (float32) and zero point of what follows
    push T0_MS HEX        samples, float32
    don                   the wearable was put on anew
    window START_MS HEX HEX HEX    float32 values, int8 of them, int16 aux: what the last push gave

Numbers in hex are little endian, as in memory: nothing is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salus_edge.frontend import Chunk, FrontEnd, State, Wrist, manifest_frontend, quantise
from salus_edge.task import Block, Parameter, Task, Window
from tests.edge.frontend.people import (
    CANCEL,
    LOW_PASS,
    SIX,
    SPECTRUM,
    T0_MS,
    TASKS,
    TRIADS,
    block,
    ecg,
    sensor,
    task,
)

FOLDER = Path(__file__).parents[2] / "golden/frontend"
HIGH_PASS = [0.9978, -0.9978, 0.0, 1.0, -0.9956, 0.0]
SHORT = Window(samples=12, hop=9)

Step = tuple[float, NDArray[np.float32]] | str


@dataclass(frozen=True)
class Case:
    """A task, on an arm, and what happens: pushes, or `don`."""

    task: Task
    steps: list[Step]
    wrist: Wrist = Wrist.AS_TRAINED
    scale: float = float(np.float32(0.03))
    zero_point: int = -7


def pieces(which: Task, n: int, lengths: list[int], seed: int = 1) -> list[Step]:
    """`n` samples in pieces of these lengths, over and over."""
    samples, made, at = sensor(which, n, seed), list[Step](), 0
    while at < n:
        length = lengths[len(made) % len(lengths)]
        made.append((T0_MS + at * 1000.0 / which.rate_hz, samples[at : at + length]))
        at += length
    return made


def short(name: str, window: Window = SHORT) -> Task:
    base = TASKS[name]
    return task(base.channels, base.rate_hz, window, *base.frontend)


def cases() -> dict[str, Case]:
    """By file name."""
    motion = {name: short(name) for name in ("filter", "resample", "scale", "magnitude", "wrist")}
    made = {name: Case(which, pieces(which, 60, [7, 1, 24])) for name, which in motion.items()}
    made["resample"] = Case(motion["resample"], pieces(motion["resample"], 140, [7, 1, 24]))
    made["wrist"] = Case(motion["wrist"], made["wrist"].steps, Wrist.RIGHT)
    orient = short("orient")
    made["orient"] = Case(orient, [*pieces(orient, 90, [31, 3]), "don", *pieces(orient, 60, [60], seed=2)])
    against: dict[str, Parameter] = {"axis": [-0.3, 0.2, -0.93], "samples": 100.0, "still": 0.4, "groups": TRIADS}
    upside_down = task(SIX, 50.0, SHORT, Block(block="orient", parameters=against))
    made["orient_against"] = Case(upside_down, pieces(upside_down, 130, [65], seed=3))
    beats = task(
        ["ecg"],
        100.0,
        Window(samples=70, trigger="event", aux=17),
        block("beats", channel=0.0, before=28.0, threshold=0.2),
    )
    lead = ecg(2800, 100.0, seed=4)[:, None]
    made["beats"] = Case(beats, [(T0_MS + a * 10.0, lead[a : a + 350]) for a in range(0, 2800, 350)])
    blow = ecg(2400, 100.0, seed=6)[:, None]
    blow[120] = 12.0  # while the levels are learnt: too high for any beat, until they are learnt anew
    blow[1700:1760] *= 0.42  # a small beat, found by searching back
    made["beats_blow"] = Case(beats, [(T0_MS + a * 10.0, blow[a : a + 350]) for a in range(0, 2400, 350)])
    for name, n in (("cancel", 250), ("spectrum", 250)):
        made[name] = Case(TASKS[name], pieces(TASKS[name], n, [90]))
    made |= chains()
    return made


def chains() -> dict[str, Case]:
    """Several blocks together, as tasks have them; and a clock that drifts and jumps."""
    fall = task(
        SIX, 50.0, Window(samples=30, hop=20), block("filter", sos=[LOW_PASS]), block("magnitude", groups=TRIADS),
        block("scale", offset=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], gain=[2.0, 2.0, 2.0, 0.5, 0.5, 0.5, 2.0, 0.5]),
    )  # fmt: skip
    heart = task(
        ["p", "q", "ax", "ay", "az"], 125.0, Window(samples=100, hop=50), block("filter", sos=[LOW_PASS, HIGH_PASS]),
        block("resample", up=1.0, down=5.0), CANCEL, SPECTRUM, block("scale", offset=[-2.0, -2.0], gain=[0.5, 0.5]),
    )  # fmt: skip
    arrhythmia = task(
        ["ecg"], 360.0, Window(samples=100, trigger="event", aux=17), block("filter", sos=[HIGH_PASS]),
        block("resample", up=32.0, down=81.0), block("beats", channel=0.0, before=40.0, threshold=0.2),
        block("scale", offset=[0.0, 0.0], gain=[1.0, 2.0]),
    )  # fmt: skip
    rate = task(SIX[:3], 100 / 3, Window(samples=10, hop=5), block("scale", offset=[0.0] * 3, gain=[1.0] * 3))
    samples = sensor(TASKS["scale"], 90)[:, :3]
    late, jump, back = 1000.0 / (100 / 3) * 20 + 8.0, 60_000.0, 31_000.5
    lead = ecg(4000, 360.0, seed=5)[:, None]
    return {
        "chain_fall": Case(fall, pieces(fall, 120, [50, 13])),
        "chain_heartrate": Case(heart, pieces(heart, 800, [125])),
        "chain_arrhythmia": Case(
            arrhythmia, [(T0_MS + a * 1000 / 360, lead[a : a + 1000]) for a in range(0, 4000, 1000)]
        ),
        "clock": Case(
            rate,
            [
                (T0_MS + 0.25, samples[:20]),
                (T0_MS + late, samples[20:40]),
                (T0_MS + 2 * late, samples[40:60]),
                (T0_MS + 3 * late, samples[:0]),
                (T0_MS + jump, samples[60:75]),
                (T0_MS + back, samples[75:]),
            ],
        ),
    }


@dataclass
class Replay:
    """A front end that takes the steps one by one, and gives their lines."""

    case: Case
    state: State | None = None
    front_end: FrontEnd = field(init=False)

    def __post_init__(self) -> None:
        self.front_end = FrontEnd.of(self.case.task, self.case.wrist)

    def lines(self) -> Iterator[str]:
        case = self.case
        yield f"frontend {manifest_frontend(case.task).SerializeToString(deterministic=True).hex()}"
        yield f"channels {len(case.task.channels)}"
        yield f"wrist {case.wrist.name.lower()}"
        yield f"quantise {struct.pack('<f', case.scale).hex()} {case.zero_point}"
        for step in case.steps:
            if isinstance(step, str):
                assert self.state is not None
                self.state = self.front_end.don(self.state)
                yield step
            else:
                yield from self._push(*step)

    def _push(self, t0_ms: float, samples: NDArray[np.float32]) -> Iterator[str]:
        yield f"push {t0_ms!r} {samples.astype('<f4').tobytes().hex()}"
        chunk = Chunk(samples.astype(np.float64), t0_ms, self.case.task.rate_hz)
        self.state, found = self.front_end.step(self.state, chunk)
        for start_ms, values, aux in zip(found.start_ms, found.windows, found.aux, strict=True):
            int8 = quantise(values, self.case.scale, self.case.zero_point)
            fields = values.astype("<f4").tobytes(), int8.tobytes(), aux.astype("<i2").tobytes()
            yield f"window {start_ms} {' '.join(each.hex() for each in fields)}"


def text(case: Case) -> str:
    """The file of a case."""
    return "".join(f"{line.rstrip()}\n" for line in Replay(case).lines())


def steps_of(content: str) -> list[Step]:
    """The steps that a file holds."""
    found: list[Step] = []
    channels = 1
    for line in content.splitlines():
        word, *rest = line.split()
        if word == "channels":
            channels = int(rest[0])
        elif word == "push":
            data = bytes.fromhex(rest[1] if len(rest) > 1 else "")
            found.append((float(rest[0]), np.frombuffer(data, "<f4").reshape(-1, channels)))
        elif word == "don":
            found.append("don")
    return found


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, case in cases().items():
        (FOLDER / f"{name}.txt").write_text(text(case))
