"""What the sealed packets say, as arrays: features, windows and labels, each to and from bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from salus_edge.errors import EdgeError, Refused
from salus_edge.proto import link_pb2

_INT16_MAX: Final = 32767
_UINT32_MAX: Final = (1 << 32) - 1
_DIGEST_BYTES: Final = 32
_LARGEST: Final = 1e38  # so that int16 * scale stays a float32

M = TypeVar("M", bound=Message)


def read(kind: type[M], data: bytes) -> M:
    """Parse a plaintext. Raises Refused `malformed`."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Refused("malformed", f"{kind.DESCRIPTOR.name}: not this message ({error})") from None


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """Features of one base: `start_ms` int64 (n,) UTC, `values` int8 (n, F), `aux` int16 (n, A)."""

    task: str
    model_version: int
    base_sha256: bytes
    start_ms: NDArray[np.int64]
    duration_ms: int
    values: NDArray[np.int8]
    aux: NDArray[np.int16]

    def encode(self) -> bytes:
        """Raises EdgeError: the start times do not rise from the first, or span 2^32 ms and more."""
        offsets = _offsets(self.start_ms)
        rows = zip(offsets, self.values, self.aux.astype("<i2"), strict=True)
        return link_pb2.Features(
            task=self.task,
            model_version=self.model_version,
            base_sha256=self.base_sha256,
            window_start_ms=int(self.start_ms[0]),
            window_duration_ms=self.duration_ms,
            features=[
                link_pb2.Feature(offset_ms=offset, values=value.tobytes(), aux=aux.tobytes())
                for offset, value, aux in rows
            ],
        ).SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> FeatureBatch:
        """Raises Refused `malformed`: no feature, unequal lengths, a base digest that is not 32 bytes."""
        message = read(link_pb2.Features, data)
        if len(message.base_sha256) != _DIGEST_BYTES:
            raise Refused("malformed", f"Features: a base digest of {len(message.base_sha256)} bytes, not 32")
        values = _equal("Features: values", (each.values for each in message.features), 1)
        aux = _equal("Features: aux", (each.aux for each in message.features), 2)
        if not values[0]:
            raise Refused("malformed", "Features: a feature has no values")
        return cls(
            task=message.task,
            model_version=message.model_version,
            base_sha256=message.base_sha256,
            start_ms=_starts(message.window_start_ms, [each.offset_ms for each in message.features]),
            duration_ms=message.window_duration_ms,
            values=np.frombuffer(b"".join(values), np.int8).reshape(len(values), -1),
            aux=np.frombuffer(b"".join(aux), "<i2").astype(np.int16).reshape(len(aux), len(aux[0]) // 2),
        )


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Front end output: `start_ms` int64 (n,) UTC, `windows` float32 (n, samples, channels).

    `consent` is the 32-byte digest under which they leave the wearable. They travel as int16 of one scale:
    at most half a step, 1/65534 of the batch's largest magnitude, is lost.
    """

    task: str
    start_ms: NDArray[np.int64]
    duration_ms: int
    windows: NDArray[np.float32]
    consent: bytes

    def encode(self) -> bytes:
        """Raises EdgeError: start times as in FeatureBatch, no consent, a value that is not finite or over 1e38."""
        offsets = _offsets(self.start_ms)
        if len(self.consent) != _DIGEST_BYTES:
            raise EdgeError("windows leave a wearable only under the 32-byte digest of a consent")
        peak = float(np.abs(self.windows).max(initial=0.0))
        if not peak <= _LARGEST:
            raise EdgeError("a window that is not finite cannot be sent; the front end refuses such samples")
        scale = float(np.float32(peak / _INT16_MAX)) or 1.0  # too small for float32: all zeros at any scale
        steps = np.rint(self.windows.astype(np.float64) / scale)
        stored = np.clip(steps, -_INT16_MAX, _INT16_MAX).astype("<i2")
        return link_pb2.Windows(
            task=self.task,
            window_start_ms=int(self.start_ms[0]),
            window_duration_ms=self.duration_ms,
            samples=self.windows.shape[1],
            channels=self.windows.shape[2],
            scale=scale,
            windows=[
                link_pb2.Window(offset_ms=offset, values=window.tobytes())
                for offset, window in zip(offsets, stored, strict=True)
            ],
            consent=self.consent,
        ).SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> WindowBatch:
        """Raises Refused `malformed`: no window, lengths unlike the shape, a bad scale, no consent."""
        message = read(link_pb2.Windows, data)
        samples, channels = message.samples, message.channels
        if not 0 < message.scale <= _LARGEST / _INT16_MAX * 2:
            raise Refused("malformed", f"Windows: scale {message.scale} is not above 0, or makes infinite values")
        if len(message.consent) != _DIGEST_BYTES:
            raise Refused("malformed", f"Windows: a consent digest of {len(message.consent)} bytes, not 32")
        rows = _equal("Windows: values", (each.values for each in message.windows), 2)
        if not samples or not channels or len(rows[0]) != 2 * samples * channels:
            raise Refused("malformed", f"Windows: {len(rows[0])} bytes for ({samples}, {channels})")
        stored = np.frombuffer(b"".join(rows), "<i2").reshape(len(rows), samples, channels)
        return cls(
            task=message.task,
            start_ms=_starts(message.window_start_ms, [each.offset_ms for each in message.windows]),
            duration_ms=message.window_duration_ms,
            windows=(stored * np.float64(message.scale)).astype(np.float32),
            consent=message.consent,
        )


@dataclass(frozen=True, slots=True)
class Label:
    """[start_ms, end_ms) UTC carries `label`; a later label of the same id replaces the earlier."""

    id: str
    start_ms: int
    end_ms: int
    label: str
    source: str
    task: str


def encode_labels(labels: Sequence[Label]) -> bytes:
    """A serialised Labels."""
    return link_pb2.Labels(
        labels=[
            link_pb2.Label(
                id=each.id,
                start_ms=each.start_ms,
                end_ms=each.end_ms,
                label=each.label,
                source=each.source,
                task=each.task,
            )
            for each in labels
        ]
    ).SerializeToString(deterministic=True)


def decode_labels(data: bytes) -> tuple[Label, ...]:
    """Raises Refused `malformed`: no label, an empty id, label, source or task, an end before the start."""
    found = tuple(
        Label(each.id, each.start_ms, each.end_ms, each.label, each.source, each.task)
        for each in read(link_pb2.Labels, data).labels
    )
    if not found:
        raise Refused("malformed", "Labels: there is none")
    for each in found:
        if not (each.id and each.label and each.source and each.task):
            raise Refused("malformed", f"Labels: {each} lacks an id, label, source or task")
        if not each.start_ms < each.end_ms < 1 << 63:
            raise Refused("malformed", f"Labels: {each.id} is from {each.start_ms} to {each.end_ms}")
    return found


def _offsets(start_ms: NDArray[np.int64]) -> list[int]:
    if not len(start_ms) or int(start_ms[0]) < 0:
        raise EdgeError("a batch holds at least one window, and starts in 1970 or later")
    offsets = (start_ms - start_ms[0]).tolist()
    if any(not 0 <= offset <= _UINT32_MAX for offset in offsets):
        raise EdgeError("start times in one batch rise from the first, and span less than 2^32 ms")
    return [int(offset) for offset in offsets]


def _starts(first_ms: int, offsets: list[int]) -> NDArray[np.int64]:
    if first_ms >= 1 << 62:
        raise Refused("malformed", f"a start of {first_ms} ms is no time")
    return first_ms + np.array(offsets, np.int64)


def _equal(what: str, rows: Iterable[bytes], item_bytes: int) -> list[bytes]:
    """The rows, when there is one, all are as long, and of whole items."""
    found = list(rows)
    lengths = {len(row) for row in found}
    if len(lengths) != 1 or min(lengths) % item_bytes:
        raise Refused("malformed", f"{what} of lengths {sorted(lengths)}, not one multiple of {item_bytes}")
    return found
