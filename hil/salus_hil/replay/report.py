"""The two report files of a replay, of the same form as a virtual wearable's."""

from __future__ import annotations

from collections.abc import Iterable

from salus_edge.proto import console_pb2 as pb
from salus_hil.virtual.report import Fact


def facts(name: str, said: pb.Statistics) -> dict[str, Fact]:
    """Figures since enrolment, as the wearable counts them."""
    return {
        "device": name,
        "sent_bytes": _counts(said.sent_bytes),
        "packets": said.packets,
        "features": said.features,
        "windows": said.windows,
        "raw_window_bytes": said.raw_window_bytes,
        "arena_bytes": said.arena_high_water_bytes,
        "model_versions": list(said.model_versions),
        "refused": _counts(said.refused),
        "drops": said.dropped_packets,
        "resent_packets": said.resent_packets,
    }


def progress(name: str, done: int, phases: int, status: pb.Status, said: pb.Statistics) -> dict[str, Fact]:
    """How many phases are replayed and acknowledged whole."""
    return {
        "device": name,
        "phases_done": done,
        "phases": phases,
        "features": said.features,
        "windows": said.windows,
        "model_version": status.model_version,
        "personal_version": status.personal_version,
        "clock_ms": status.clock_ms,
    }


def _counts(counters: Iterable[pb.Counter]) -> dict[str, int]:
    return {each.name: each.count for each in counters}
