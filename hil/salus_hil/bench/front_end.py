"""`salus bench frontend`: what each block of the front end costs on a Cortex-M4; and it gives what Python gives."""

from __future__ import annotations

import importlib.util
import json
import struct
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from salus_coordinator import tasks
from salus_edge.frontend import Chunk, FrontEnd, Windows, joined, manifest_frontend
from salus_edge.task import Block, Parameter, Task, Window, load_task
from salus_hil.bench.emulator import INSTRUCTIONS_PER_TICK, Program, link, start, tool
from salus_hil.errors import MissingTool, RigError
from salus_hil.firmware import FOLDER

START_MS: Final = 1e6
SECONDS: Final = 12.0
WATCH: Final = ["ax", "ay", "az", "wx", "wy", "wz"]
TRIADS: Final[list[float | list[float]]] = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
LOW_PASS: Final = [0.6389455251590224, 1.2778910503180447, 0.6389455251590224, 1.0, 1.1429805025399, 0.4128015980961886]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one front end on one signal; `longest` is the sample that took most, when a window was made."""

    name: str
    rate_hz: float
    channels: int
    instructions_per_second: int
    longest: int
    memory_bytes: int
    windows: int
    mismatches: int


@dataclass(frozen=True, slots=True)
class Measured:
    """`text_bytes` of the whole program, with what it needs of the C library; costs with the windows' cutting."""

    text_bytes: int
    costs: tuple[Cost, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def front_ends() -> dict[str, Task]:
    """One for each block, and those of shipped tasks."""
    known = load_task(Path(str(tasks.__file__)).with_name("fall.toml"))

    def of(channels: list[str], rate_hz: float, window: Window, name: str = "", **parameters: Parameter) -> Task:
        blocks = [Block(block=name, parameters=parameters)] if name else []
        return msgspec.structs.replace(known, channels=channels, rate_hz=rate_hz, window=window, frontend=blocks)

    watch, heart = Window(samples=150, hop=25), Window(samples=200, hop=50)
    beat, half = Window(samples=128, trigger="event", aux=17), Window(samples=75, hop=25)
    pulse = ["p", "q", *WATCH[:3]]
    return {
        "windows alone": of(WATCH, 50.0, watch),
        "filter": of(WATCH, 50.0, watch, "filter", sos=[LOW_PASS]),
        "scale": of(WATCH, 50.0, watch, "scale", offset=[0.0] * 6, gain=[0.5] * 6),
        "magnitude": of(WATCH, 50.0, watch, "magnitude", groups=TRIADS),
        "wrist": of(WATCH, 50.0, watch, "wrist", worn="left", mirror=[-1.0, 1.0, 1.0, 1.0, -1.0, -1.0]),
        "orient": of(WATCH, 50.0, watch, "orient", groups=TRIADS, axis=[1.0, 0.0, 0.0], samples=50.0, still=0.5),
        "resample": of(WATCH, 50.0, half, "resample", up=1.0, down=2.0),
        "cancel": of(
            *(pulse, 25.0, heart, "cancel"),
            targets=[0.0, 1.0],
            references=[2.0, 3.0, 4.0],
            lags=[-1.0, 0.0, 1.0, 2.0],
            ridge=0.001,
        ),
        "spectrum": of(pulse[:2], 25.0, heart, "spectrum", low_hz=0.8, per_octave=64.0, bins=128.0, floor=0.02),
        "beats": of(["ecg"], 142.0, beat, "beats", channel=0.0, before=50.0, threshold=0.2),
        "task fall": known,
    }


def measure() -> Measured:
    """Build, run each front end on a made-up signal, compare with Python. Raises MissingTool, RigError."""
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        program = build(Path(made))
        costs = tuple(_cost(program, name, task) for name, task in front_ends().items())
    return Measured(program.text_bytes, costs)


def build(folder: Path) -> Program:
    """The program, with nanopb as tools/sources.py brings it. Raises MissingTool."""
    nanopb = _nanopb()
    tool(["nanopb_generator.py", "--quiet", f"-I{FOLDER / 'proto'}", f"--output-dir={folder}", "release.proto"])
    sources = [*(FOLDER / "lib" / "frontend").glob("*.cpp"), nanopb / "pb_common.c", nanopb / "pb_decode.c"]
    return link(folder, "bench_frontend", sources, (f"-I{nanopb}", "-ffp-contract=off"))


def _nanopb() -> Path:
    spec = importlib.util.spec_from_file_location("sources", FOLDER / "tools" / "sources.py")
    if spec is None or spec.loader is None:
        raise MissingTool(f"{FOLDER}: no firmware here; the benchmark needs a checkout of Salus")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.ensure()["nanopb"])


def _cost(program: Program, name: str, task: Task) -> Cost:
    samples = signal(task)
    message = manifest_frontend(task).SerializeToString(deterministic=True)
    job = b"SJOB" + struct.pack("<3I", len(message), samples.shape[1], len(samples))
    said = start(program.path, job + message + b"\0" * (-len(message) % 4) + samples.astype("<f4").tobytes())
    if len(said) < 24 or said[:4] != b"SOUT":
        raise RigError(f"the benchmark program said {said[:16]!r}, which is no answer")
    status, memory_bytes, total, longest, windows = struct.unpack_from("<5I", said, 4)
    if status:
        raise RigError(f"{name}: the front end says {status}")
    seconds = len(samples) / task.rate_hz
    return Cost(
        name=name,
        rate_hz=task.rate_hz,
        channels=len(task.channels),
        instructions_per_second=round(total * INSTRUCTIONS_PER_TICK / seconds),
        longest=longest * INSTRUCTIONS_PER_TICK,
        memory_bytes=memory_bytes,
        windows=windows,
        mismatches=mismatches(said[24:], expected(task, samples)),
    )


def signal(task: Task) -> NDArray[np.float32]:
    """(n, channels): noise under a pulse; an ECG has narrow beats; a watch hangs still for 2 s."""
    n = round(SECONDS * (2 if task.window.trigger == "event" else 1) * task.rate_hz)
    rng, seconds = np.random.default_rng(0), np.arange(n)[:, None] / task.rate_hz
    phase = (seconds * 1.2) % 1.0 - 0.5
    beat = np.exp(-((phase / 0.02) ** 2)) if len(task.channels) == 1 else np.sin(2 * np.pi * phase)
    samples = beat + rng.normal(0.0, 0.05, (n, len(task.channels)))
    if len(task.channels) == len(WATCH):
        samples = np.where(seconds < 2.0, samples - beat, samples) + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    return samples.astype(np.float32)


def expected(task: Task, samples: NDArray[np.float32]) -> Windows:
    """What Python gives, sample by sample, as the program takes them."""
    front_end = FrontEnd.of(task)
    state, found = None, front_end.none
    for index, row in enumerate(samples.astype(np.float64)):
        t0_ms = START_MS + index * (1000.0 / float(np.float32(task.rate_hz)))
        state, windows = front_end.step(state, Chunk(row[None], t0_ms, task.rate_hz))
        found = joined(found, windows)
    return found


def mismatches(said: bytes, wanted: Windows) -> int:
    """How many windows differ from Python's in any bit, or are missing, or too many."""
    parts = []
    for start_ms, values, aux in zip(wanted.start_ms.tolist(), wanted.windows, wanted.aux, strict=True):
        head = struct.pack("<Q2I", start_ms, values.size, aux.size)
        parts.append(head + values.astype("<f4").tobytes() + aux.astype("<i2").tobytes())
    wrong, at = 0, 0
    for part in parts:
        wrong += said[at : at + len(part)] != part
        at += len(part)
    return wrong + (at != len(said))


def table(measured: Measured) -> Table:
    """The figures."""
    made = Table(
        title=f"Front end on an emulated Cortex-M4, {measured.text_bytes:,} bytes of text in all",
        title_justify="left",
        box=box.SIMPLE,
    )
    made.add_column("")
    for name in ("channels", "Hz", "instructions/s", "longest sample", "memory bytes", "windows", "that differ"):
        made.add_column(name, justify="right")
    for cost in measured.costs:
        figures = (cost.instructions_per_second, cost.longest, cost.memory_bytes, cost.windows, cost.mismatches)
        made.add_row(cost.name, str(cost.channels), f"{cost.rate_hz:g}", *(f"{each:,}" for each in figures))
    return made
