"""The federated algorithms, one file each: a schedule over the training program, and what it shares."""

from __future__ import annotations

from typing import Final

from salus_edge.errors import Refused
from salus_edge.training.schedules.fedavg import FEDAVG
from salus_edge.training.schedules.fedper import FEDPER
from salus_edge.training.schedules.fedrep import FEDREP
from salus_edge.training.schedules.local import LOCAL
from salus_edge.training.schedules.phases import Kind, Parameters, Phase, Schedule, phase, read_parameters

SCHEDULES: Final[dict[str, Schedule]] = {
    "local": LOCAL,
    "fedavg": FEDAVG,
    "fedprox": FEDAVG,
    "fedper": FEDPER,
    "fedrep": FEDREP,
}


def schedule(algorithm: str) -> Schedule:
    """Raises Refused `unknown_algorithm`."""
    try:
        return SCHEDULES[algorithm]
    except KeyError:
        known = ", ".join(SCHEDULES)
        raise Refused("unknown_algorithm", f"{algorithm!r} is not known here; known are {known}") from None


__all__ = ["SCHEDULES", "Kind", "Parameters", "Phase", "Schedule", "phase", "read_parameters", "schedule"]
