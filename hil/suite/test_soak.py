"""Hours of work in minutes: memory stays where it was after the first minutes."""

from __future__ import annotations

from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.package import recording

START_MS = 1_767_225_600_000
WARM_UP = 3


def test_memory_high_water_stays_constant(enrolled: Wearable, gateway: RigGateway) -> None:
    """After a warm-up no buffer grows, whatever is injected, inferred, sealed, sent and acknowledged."""
    rounds, minutes = (20, 5.0) if "fast" in enrolled.rig.has else (8, 0.5)
    piece_ms = round(minutes * 60_000) + 10_000
    marks = []
    for number in range(rounds):
        enrolled.inject_patiently(recording(60.0 * minutes, number), START_MS + number * piece_ms)
        enrolled.wait(lambda said: said.ring_packets == 0, "empty ring", 60.0)
        said = enrolled.statistics()
        marks.append((said.arena_high_water_bytes, said.heap_low_water_bytes, said.stack_low_water_bytes))
    assert len(set(marks[WARM_UP:])) == 1, f"arena, free heap, free stack: {marks}"
    said = enrolled.statistics()
    assert said.features == gateway.feature_count
    assert said.dropped_packets == 0
