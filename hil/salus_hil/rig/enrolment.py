"""What makes a wearable somebody's, for a test."""

from __future__ import annotations

from dataclasses import dataclass

from salus_edge.proto import console_pb2 as pb
from salus_hil.rig.identity import Identity


@dataclass(frozen=True, slots=True)
class Settings:
    """What a test may want otherwise."""

    ring_packets: int = 256
    features_per_packet: int = 4
    windows_per_packet: int = 2
    ack_timeout_ms: int = 500


def provisioning(identity: Identity, broker_url: str, settings: Settings) -> pb.Provision:
    """All that makes a wearable somebody's."""
    return pb.Provision(
        device=identity.device,
        federation=identity.federation,
        chain_id=identity.chain_id,
        link_secret=identity.link_secret,
        release_public_key=identity.release.public_key,
        gateway_public_key=identity.gateway.public_key,
        broker_url=broker_url,
        ring_packets=settings.ring_packets,
        features_per_packet=settings.features_per_packet,
        windows_per_packet=settings.windows_per_packet,
        ack_timeout_ms=settings.ack_timeout_ms,
    )
