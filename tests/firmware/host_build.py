"""Small host programs around the firmware's libraries, compiled for a test by the machine's own compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FIRMWARE: Final = ROOT / "firmware"
_GENERATOR: Final = "nanopb_generator.py"  # of Debian's package nanopb
_FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror")


def generate_proto(folder: Path) -> None:
    """nanopb's C of firmware/proto into `folder`. Skips the test where nanopb is not installed."""
    if shutil.which(_GENERATOR) is None or not Path("/usr/include/pb.h").exists():
        pytest.skip("needs Debian's packages nanopb and libnanopb-dev")
    names = [path.name for path in sorted((FIRMWARE / "proto").glob("*.proto"))]
    _run([_GENERATOR, "--quiet", f"--output-dir={folder}", *names], FIRMWARE / "proto")


def build(folder: Path, program: Path, libraries: list[str], protos: list[str]) -> Path:
    """Compile `program` with these of firmware/lib and these generated files; the executable's path."""
    for compiler in ("g++", "gcc"):
        if shutil.which(compiler) is None:
            pytest.skip(f"needs {compiler}")
    generate_proto(folder)
    objects = []
    for proto in protos:
        objects.append(folder / f"{proto}.o")
        _run(["gcc", *_FLAGS, "-c", str(folder / f"{proto}.pb.c"), "-o", str(objects[-1])], folder)
    sources = [path for library in libraries for path in sorted((FIRMWARE / "lib" / library).glob("*.cpp"))]
    executable = folder / program.stem
    flags = ["-std=c++17", "-fno-exceptions", "-fno-rtti", *_FLAGS, f"-I{FIRMWARE / 'lib'}", f"-I{folder}"]
    inputs = [str(path) for path in (program, *sources, *objects)]
    _run(["g++", *flags, *inputs, "-lprotobuf-nanopb", "-o", str(executable)], folder)
    return executable


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
