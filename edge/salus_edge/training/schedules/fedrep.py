"""FedRep: the patient's head first, then the representation under it (Collins et al., "Exploiting Shared
Representations for Personalized Federated Learning", ICML 2021, algorithm 1).
"""

from __future__ import annotations

from salus_edge.training.schedules.phases import Parameters, Phase, Schedule, phase


def phases(parameters: Parameters) -> tuple[Phase, ...]:
    """Head epochs with the shared layers still, then shared epochs with the head still."""
    return (
        phase(parameters, parameters.personal_epochs, shared=False),
        phase(parameters, parameters.shared_epochs, personal=False),
    )


FEDREP = Schedule("fedrep", ("base", "trunk"), ("head",), phases)
