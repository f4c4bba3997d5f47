"""Local: every patient alone, nothing shared; the baseline of McMahan et al. (AISTATS 2017) and of every
personal method.
"""

from __future__ import annotations

from salus_edge.training.schedules.phases import Parameters, Phase, Schedule, phase


def phases(parameters: Parameters) -> tuple[Phase, ...]:
    """One phase as long as a shared one, so that it trains as much as its federated rivals."""
    return (phase(parameters, parameters.shared_epochs),)


LOCAL = Schedule("local", (), ("trunk", "head"), phases)
