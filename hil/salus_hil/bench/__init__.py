"""Measures of the firmware's libraries on an emulated Cortex-M4."""

from salus_hil.bench.device import Measured, measure
from salus_hil.bench.emulator import Answer, Program, build, run

__all__ = ["Answer", "Measured", "Program", "build", "measure", "run"]
