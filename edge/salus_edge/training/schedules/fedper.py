"""FedPer: the head is each patient's own, trained together with the shared layers (Arivazhagan et al.,
"Federated Learning with Personalization Layers", arXiv 1912.00818).
"""

from __future__ import annotations

from salus_edge.training.schedules.phases import Parameters, Phase, Schedule, phase


def phases(parameters: Parameters) -> tuple[Phase, ...]:
    """One phase in which both parts move, each at its rate."""
    return (phase(parameters, parameters.shared_epochs),)


FEDPER = Schedule("fedper", ("base", "trunk"), ("head",), phases)
