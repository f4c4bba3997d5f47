"""What the fake says of its session, and what its session takes from the provisioning."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from salus_edge.link.url import read_url
from salus_edge.proto import console_pb2 as pb
from salus_hil.fake.session import Session
from salus_hil.virtual.config import Replay, Wearable, WearableFile

DEFAULT_RING: Final = 4096


def add_status(said: pb.Status, session: Session) -> None:
    """All of a Status that a session knows."""
    manifest = session.device.slots.active.manifest
    said.boot, said.model_version, said.base_sha256 = session.boot, manifest.version, manifest.sha256
    said.ring_packets, said.ring_capacity_packets = len(session.ring), session.capacity
    said.dropped_packets, said.link_up = session.ring.dropped, session.connected
    said.calibrate_until_ms = session.flash.counter("calibrate until_ms")
    said.heard_messages = session.heard


def add_statistics(said: pb.Statistics, session: Session) -> None:
    """All of a Statistics that a session knows."""
    flash, slots = session.flash, session.device.slots
    said.arena_high_water_bytes = slots.active.manifest.arena_bytes
    said.features, said.windows = flash.counter("features"), flash.counter("windows")
    said.raw_window_bytes, said.packets = flash.counter("raw_window_bytes"), flash.counter("packets")
    said.dropped_packets, said.resent_packets = session.ring.dropped, session.outbox.resent
    said.model_versions.extend(slots.versions)
    said.sent_bytes.extend(_counters(flash.counters("sent ")))
    said.refused.extend(_counters(flash.counters("refused ")))


def as_config(kept: pb.Provision, folder: Path) -> Wearable:
    """The virtual wearable's configuration, as far as it is used without a replay."""
    file = WearableFile(
        device=kept.device,
        federation=kept.federation,
        mqtt=kept.broker_url,
        link_secret="",
        release_public_key="",
        chain_id="",
        model="",
        state="",
        replay=Replay(data="", subject="", phases=[], start_ms=0),
        ring_packets=kept.ring_packets or DEFAULT_RING,
        features_per_packet=kept.features_per_packet or 8,
        windows_per_packet=kept.windows_per_packet or 4,
        ack_timeout_s=(kept.ack_timeout_ms or 10_000) / 1000,
    )
    return Wearable(
        file=file,
        broker=read_url(kept.broker_url),
        link_secret=kept.link_secret,
        release_public_key=kept.release_public_key,
        gateway_public_key=kept.gateway_public_key,
        chain_id=kept.chain_id,
        model=folder,
        state=folder,
        root=None,
    )


def _counters(counts: dict[str, int]) -> list[pb.Counter]:
    return [pb.Counter(name=name, count=count) for name, count in sorted(counts.items())]
