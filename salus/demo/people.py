"""Who is who in a demo: which people pre-train, which are patients, and at which gateway and hospital."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patient:
    """One person of the data set in the role of a patient."""

    subject: str
    device: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody's role; gateways belong to hospitals (validators) in turn."""

    pretrain: tuple[str, ...]
    patients: tuple[Patient, ...]
    gateways: tuple[str, ...]
    hospitals: tuple[str, ...]

    def of_gateway(self, gateway: str) -> tuple[Patient, ...]:
        return tuple(patient for patient in self.patients if patient.gateway == gateway)

    def of_hospital(self, hospital: str) -> tuple[str, ...]:
        at = self.hospitals.index(hospital)
        return tuple(gateway for i, gateway in enumerate(self.gateways) if i % len(self.hospitals) == at)


def cast(pretrain: tuple[str, ...], others: tuple[str, ...], patients: int, gateways: int, validators: int) -> Cast:
    """Share the first `patients` of `others` out among the gateways, one after another.

    Raises ValueError when there are fewer people than patients, or fewer patients than gateways.
    """
    if patients > len(others):
        raise ValueError(
            f"{patients} patients asked for, {len(others)} people are left after pre-training; ask for fewer"
        )
    if gateways > patients:
        raise ValueError(f"{gateways} gateways for {patients} patients: each needs one; ask for fewer gateways")
    names = tuple(f"gateway-{i}" for i in range(gateways))
    chosen = tuple(
        Patient(subject=subject, device=f"wearable-{subject}", gateway=names[i % gateways])
        for i, subject in enumerate(others[:patients])
    )
    return Cast(pretrain, chosen, names, tuple(f"validator-{i}" for i in range(validators)))
