"""`firmware/src/bench_*` on QEMU's mps2-an386: what a library takes, counted in instructions.

Compiled straight with arm-none-eabi-g++: it takes the platform's start-up code and linker script, and no board.
Instructions are counted by SysTick under `-icount shift=0`: every instruction takes 1 ns of the emulator's time, so
that the figures are the same on every host. They are instructions, never an ESP32's time.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_hil.errors import MissingTool, RigError
from salus_hil.firmware import FOLDER

COMPILER: Final = "arm-none-eabi-g++"
EMULATOR: Final = "qemu-system-arm"
PACKAGES: Final = "Debian's gcc-arm-none-eabi, libstdc++-arm-none-eabi-newlib and qemu-system-arm have it"
CPU: Final = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
FLAGS: Final = (
    *("-std=c++17", "-Os", "-DNDEBUG", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"),
    *("-fno-use-cxa-atexit", "-ffunction-sections", "-fdata-sections", "-fno-common"),
    *("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--fatal-warnings"),
)
JOB_AT: Final = 0x21000000
INSTRUCTIONS_PER_TICK: Final = 40  # a tick of the 25 MHz clock is 40 ns
RUN_TIMEOUT_S: Final = 600.0
STATUS: Final = ("ok", "model_malformed", "model_unsupported", "arena_too_small", "wrong_size", "not_loaded")


@dataclass(frozen=True, slots=True)
class Program:
    """A linked program and the sizes of its sections."""

    path: Path
    text_bytes: int
    data_bytes: int
    bss_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program said; `ticks` (n,) and `outputs` (n, values) are empty unless `status` is ok."""

    status: str
    arena_bytes: int
    ticks: NDArray[np.uint32]
    outputs: NDArray[np.int8]


def build(folder: Path) -> Program:
    """Compile and link the engine's program into `folder`. Raises MissingTool: no compiler, or no checkout."""
    library = FOLDER / "lib"
    return link(folder, "bench_engine", [*library.glob("engine/*.cpp"), *library.glob("engine/portable/*.cpp")])


def link(folder: Path, name: str, sources: list[Path], options: tuple[str, ...] = ()) -> Program:
    """Compile `firmware/src/<name>/main.cpp` with these sources into `folder`. Raises as build."""
    if not FOLDER.is_dir():
        raise MissingTool(f"{FOLDER}: no firmware here; the benchmark needs a checkout of Salus")
    platform = FOLDER / "platforms" / "qemu_m4" / "runtime"
    sources = [*platform.glob("*.cpp"), FOLDER / "src" / name / "main.cpp", *sources]
    path = folder / f"{name}.elf"
    script = ["-T", str(platform / "link.ld")]
    includes = [f"-I{FOLDER / 'lib'}", f"-I{folder}"]
    tool([COMPILER, *CPU, *FLAGS, *options, *includes, *map(str, sorted(sources)), *script, "-o", str(path)])
    sizes = tool([COMPILER.replace("g++", "size"), str(path)]).splitlines()[1].split()
    return Program(path, *(int(size) for size in sizes[:3]))


def run(program: Path, model: bytes, inputs: NDArray[np.int8], arena_bytes: int) -> Answer:
    """One start of the emulator: the model on all inputs (n, …). Raises as start, and RigError for no answer."""
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1))
    job = b"SJOB" + struct.pack("<4I", arena_bytes, len(model), flat.shape[1], len(flat))
    return _answer(start(program, job + model + b"\0" * (-len(model) % 4) + flat.tobytes()))


def start(program: Path, job: bytes) -> bytes:
    """One start of the emulator with this in its PSRAM: what the program says on its UART until it ends.

    Raises MissingTool without QEMU, RigError when the program does not end.
    """
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        stored, said = Path(made) / "job", Path(made) / "uart"
        stored.write_bytes(job)
        machine = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-icount", "shift=0"]
        ports = ["-semihosting-config", "enable=on,target=native", "-serial", f"file:{said}"]
        memory = ["-device", f"loader,file={stored},addr={JOB_AT:#x},force-raw=on", "-kernel", str(program)]
        tool([EMULATOR, *machine, *ports, *memory])
        return said.read_bytes()


def _answer(said: bytes) -> Answer:
    if len(said) < 16 or said[:4] != b"SOUT":
        raise RigError(f"the benchmark program said {said[:16]!r}, which is no answer")
    status, arena_bytes, values = struct.unpack_from("<3I", said, 4)
    record = np.dtype([("ticks", "<u4"), ("output", "i1", (values,))])
    found = np.frombuffer(said[16:], record)
    return Answer(STATUS[status], arena_bytes, found["ticks"].copy(), found["output"].copy())


def tool(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        raise MissingTool(f"{command[0]} is not installed; {PACKAGES}")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise RigError(f"{command[0]} did not end within {RUN_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise RigError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
