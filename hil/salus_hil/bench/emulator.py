"""`firmware/src/bench_engine` on QEMU's mps2-an386: one model, many inputs, what each inference took.

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
    """Compile and link into `folder`. Raises MissingTool where there is no compiler or no checkout."""
    if not FOLDER.is_dir():
        raise MissingTool(f"{FOLDER}: no firmware here; the benchmark needs a checkout of Salus")
    platform, library = FOLDER / "platforms" / "qemu_m4" / "runtime", FOLDER / "lib"
    sources = [*platform.glob("*.cpp"), FOLDER / "src" / "bench_engine" / "main.cpp"]
    sources += [*library.glob("engine/*.cpp"), *library.glob("engine/portable/*.cpp")]
    path = folder / "bench_engine.elf"
    script = ["-T", str(platform / "link.ld")]
    _tool([COMPILER, *CPU, *FLAGS, f"-I{library}", *map(str, sorted(sources)), *script, "-o", str(path)])
    sizes = _tool([COMPILER.replace("g++", "size"), str(path)]).splitlines()[1].split()
    return Program(path, *(int(size) for size in sizes[:3]))


def run(program: Path, model: bytes, inputs: NDArray[np.int8], arena_bytes: int) -> Answer:
    """One start of the emulator: the model on all inputs (n, …).

    Raises MissingTool without QEMU, RigError when the program does not end or says nothing sensible.
    """
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1))
    job = b"SJOB" + struct.pack("<4I", arena_bytes, len(model), flat.shape[1], len(flat))
    job += model + b"\0" * (-len(model) % 4) + flat.tobytes()
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        stored, said = Path(made) / "job", Path(made) / "uart"
        stored.write_bytes(job)
        machine = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-icount", "shift=0"]
        ports = ["-semihosting-config", "enable=on,target=native", "-serial", f"file:{said}"]
        memory = ["-device", f"loader,file={stored},addr={JOB_AT:#x},force-raw=on", "-kernel", str(program)]
        _tool([EMULATOR, *machine, *ports, *memory])
        return _answer(said.read_bytes())


def _answer(said: bytes) -> Answer:
    if len(said) < 16 or said[:4] != b"SOUT":
        raise RigError(f"the benchmark program said {said[:16]!r}, which is no answer")
    status, arena_bytes, values = struct.unpack_from("<3I", said, 4)
    record = np.dtype([("ticks", "<u4"), ("output", "i1", (values,))])
    found = np.frombuffer(said[16:], record)
    return Answer(STATUS[status], arena_bytes, found["ticks"].copy(), found["output"].copy())


def _tool(command: list[str]) -> str:
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
