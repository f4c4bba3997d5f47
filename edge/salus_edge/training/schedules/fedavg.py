"""FedAvg: everything is shared (McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", AISTATS 2017). With mu > 0 it is FedProx (Li et al., "Federated Optimization in
Heterogeneous Networks", MLSys 2020).
"""

from __future__ import annotations

from salus_edge.training.schedules.phases import Parameters, Phase, Schedule, phase


def phases(parameters: Parameters) -> tuple[Phase, ...]:
    """One phase; mu pulls toward the settled model."""
    return (phase(parameters, parameters.shared_epochs),)


FEDAVG = Schedule("fedavg", ("base", "trunk", "head"), (), phases)
