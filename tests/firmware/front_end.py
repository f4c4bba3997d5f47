"""The firmware's front end on this host, given the pushes that Python is given."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salus_edge.frontend import FrontEnd, Windows, manifest_frontend
from salus_edge.task import Task
from tests.firmware.host_build import build

Push = tuple[float, NDArray[np.float32]]


def compiled(folder: Path) -> Path:
    """The program, in `folder`. Skips where a tool is missing."""
    return build(folder, Path(__file__).with_name("front_end_replay.cpp"), ["frontend"], ["release"])


def replay(program: Path, task: Task, pushes: list[Push]) -> Windows:
    """All windows of (t0_ms, samples), one after another."""
    message = manifest_frontend(task).SerializeToString(deterministic=True)
    job = [struct.pack("<3I", len(message), len(task.channels), len(pushes)), message]
    for t0_ms, samples in pushes:
        job += [struct.pack("<dI", t0_ms, len(samples)), samples.astype("<f4").tobytes()]
    done = subprocess.run([str(program)], input=b"".join(job), capture_output=True, check=False, timeout=300)
    status, _ = struct.unpack_from("<2I", done.stdout)
    assert done.returncode == 0 and status == 0, f"front end {status}, {done.returncode}: {done.stderr.decode()}"
    return _windows(done.stdout[8:], FrontEnd.of(task))


def _windows(said: bytes, front_end: FrontEnd) -> Windows:
    none = front_end.none
    shape, aux = none.windows.shape[1:], none.aux.shape[1:]
    record = np.dtype([("start", "<i8"), ("sizes", "<u4", 2), ("values", "<f4", shape), ("aux", "<i2", aux)])
    assert len(said) % record.itemsize == 0
    found = np.frombuffer(said, record)
    assert (found["sizes"] == [np.prod(shape), np.prod(aux)]).all()
    return Windows(found["start"], found["values"], found["aux"])
