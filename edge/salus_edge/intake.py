"""From packets to rows: everything that genuine packets say is written in one transaction, then it may be
acknowledged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_edge.config import Patient, Settings
from salus_edge.errors import Refused
from salus_edge.labels import check_label
from salus_edge.link.messages import FeatureBatch, Label, WindowBatch, decode_labels, read
from salus_edge.link.seal import Opened
from salus_edge.proto import link_pb2
from salus_edge.store import Database, features, labels, packets, windows
from salus_edge.store.features import Features
from salus_edge.store.windows import Windows

OLD_MODEL: Final = "old_model"  # stored as historical, never trained with or predicted on beside the current base's
STORED: Final = ("", OLD_MODEL)

Content: TypeAlias = "FeatureBatch | WindowBatch | tuple[Label, ...] | link_pb2.State | link_pb2.Event"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that opened under its device's key."""

    patient: Patient
    kind: str
    packet: Opened


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a packet: `fresh` unless it came before; `code` is why its content was refused.

    `content` is what it said, of a fresh packet or of a device's latest state; else None.
    """

    arrival: Arrival
    fresh: bool
    code: str
    content: Content | None

    @property
    def stored(self) -> bool:
        return self.code in STORED


@dataclass(frozen=True, slots=True)
class Expectation:
    """What contents are held against: the task's sizes, and the base that counts now."""

    settings: Settings
    window_shape: tuple[int, ...]
    features_per_window: int
    base: bytes

    @property
    def tasks(self) -> tuple[str, str]:
        return (self.settings.package.task.name, self.settings.arms[0].task)


def parse(arrival: Arrival, expected: Expectation) -> Content:
    """Raises Refused: `malformed`, `unknown_task`, `wrong_shape`, `no_consent`, or a label's codes."""
    data = arrival.packet.plaintext
    match arrival.kind:
        case "feature":
            return _features(FeatureBatch.decode(data), expected)
        case "window":
            return _windows(WindowBatch.decode(data), arrival.patient, expected)
        case "label":
            return _labels(decode_labels(data), expected)
        case "state":
            return read(link_pb2.State, data)
        case "event":
            return read(link_pb2.Event, data)
        case _:
            raise Refused("malformed", f"nothing comes upward on topic {arrival.kind}")


def store(database: Database, arrivals: Sequence[Arrival], expected: Expectation, now_ms: int) -> tuple[Outcome, ...]:
    """Write all arrivals in one transaction, durable on return. Raises sqlite3.Error: nothing of them is
    stored.
    """
    parsed = [_try(arrival, expected) for arrival in arrivals]
    with database.transaction() as cursor:
        return tuple(
            _store(cursor, arrival, content, expected, now_ms)
            for arrival, content in zip(arrivals, parsed, strict=True)
        )


def acknowledgement(outcomes: Iterable[Outcome]) -> bytes:
    """The serialised Ack of one device's outcomes: what is stored in ranges, what is refused one by one."""
    ranges: list[link_pb2.Range] = []
    refusals: list[link_pb2.Refusal] = []
    for outcome in sorted(outcomes, key=lambda each: (each.arrival.packet.boot, each.arrival.packet.sequence)):
        boot, sequence = outcome.arrival.packet.boot, outcome.arrival.packet.sequence
        if not outcome.stored:
            refusals.append(link_pb2.Refusal(boot=boot, sequence=sequence, code=outcome.code))
        elif ranges and ranges[-1].boot == boot and sequence - ranges[-1].last_sequence in (0, 1):
            ranges[-1].last_sequence = sequence
        else:
            ranges.append(link_pb2.Range(boot=boot, first_sequence=sequence, last_sequence=sequence))
    return link_pb2.Ack(ranges=ranges, refusals=refusals).SerializeToString(deterministic=True)


def _try(arrival: Arrival, expected: Expectation) -> Content | Refused:
    try:
        return parse(arrival, expected)
    except Refused as refused:
        return refused


def _store(
    cursor: sqlite3.Connection,
    arrival: Arrival,
    content: Content | Refused,
    expected: Expectation,
    now_ms: int,
) -> Outcome:
    device, packet = arrival.patient.device, arrival.packet
    fresh = packets.admit(cursor, device, packet.boot, packet.sequence, arrival.kind, now_ms)
    if not fresh:
        code = packets.code_of(cursor, device, packet.boot, packet.sequence)
        latest = isinstance(content, link_pb2.State) and _write(cursor, arrival, content, expected, now_ms)
        return Outcome(arrival, False, code, content if latest and not isinstance(content, Refused) else None)
    if isinstance(content, Refused):
        packets.refuse(cursor, device, packet.boot, packet.sequence, content.code)
        return Outcome(arrival, True, content.code, None)
    current = _write(cursor, arrival, content, expected, now_ms)
    old = isinstance(content, FeatureBatch) and content.base_sha256 != expected.base
    if old:
        packets.refuse(cursor, device, packet.boot, packet.sequence, OLD_MODEL)
    return Outcome(arrival, True, OLD_MODEL if old else "", content if current else None)


def _write(cursor: sqlite3.Connection, arrival: Arrival, content: Content, expected: Expectation, now_ms: int) -> bool:
    """Write what a packet says; False for a state that is older than one known."""
    patient, device, packet = arrival.patient.patient, arrival.patient.device, arrival.packet
    match content:
        case FeatureBatch():
            kept = Features(content.start_ms, content.start_ms + content.duration_ms, content.values)
            aux = [row.astype("<i2").tobytes() for row in content.aux]
            features.add(cursor, patient, content.base_sha256, content.model_version, kept, aux, "device")
        case WindowBatch():
            raw = Windows(content.start_ms, content.start_ms + content.duration_ms, content.windows)
            windows.add(cursor, expected.settings.store_key, patient, raw, content.consent, now_ms)
        case link_pb2.State():
            return packets.set_state(cursor, device, packet.boot, packet.sequence, packet.plaintext, now_ms)
        case link_pb2.Event():
            packets.add_event(cursor, device, packet.boot, packet.sequence, packet.plaintext)
        case _:
            for label in content:
                labels.add(cursor, device, patient, label)
    return True


def _features(batch: FeatureBatch, expected: Expectation) -> FeatureBatch:
    _check_task(batch.task, expected)
    if batch.values.shape[1] != expected.features_per_window:
        raise Refused("wrong_shape", f"{batch.values.shape[1]} values per feature, not {expected.features_per_window}")
    return batch


def _windows(batch: WindowBatch, patient: Patient, expected: Expectation) -> WindowBatch:
    _check_task(batch.task, expected)
    if not patient.consent or batch.consent != patient.consent:
        raise Refused("no_consent", f"windows of {patient.device} came under no consent that this gateway knows")
    if batch.windows.shape[1:] != expected.window_shape:
        raise Refused("wrong_shape", f"windows of shape {batch.windows.shape[1:]}, not {expected.window_shape}")
    return batch


def _labels(found: tuple[Label, ...], expected: Expectation) -> tuple[Label, ...]:
    task = expected.settings.package.task
    for label in found:
        _check_task(label.task, expected)
        check_label(label, task.classes)
    return found


def _check_task(name: str, expected: Expectation) -> None:
    if name not in expected.tasks:
        raise Refused("unknown_task", f"task {name!r}; this gateway serves {expected.tasks[0]!r}")
