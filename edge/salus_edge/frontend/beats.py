"""`beats`: a window for each heart beat of an ECG: the beat, the beat minus the patient's own slow template, and the
rhythm around it as aux.

A beat comes out when the next two are known (their intervals are part of its rhythm), or 3 s later. The first of a
stretch has no interval and does not come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import TaskError
from salus_edge.frontend import rhythm, template
from salus_edge.frontend.chunk import Chunk, Cutter, Frames, Inlet, known, number
from salus_edge.frontend.detector import Beat, Detector, Timing
from salus_edge.frontend.detector import step as detect
from salus_edge.frontend.template import Template
from salus_edge.task import Parameter, Window

WAIT_S: Final = 3.0
_HISTORY_S: Final = 4.0  # of samples that are kept: the wait, and a window
Found = tuple[int, NDArray[np.float32], NDArray[np.int16]]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """`recent` are the samples before number `end`; `next` is the place in `beats` of the one that comes out next."""

    detector: Detector = field(default_factory=Detector)
    recent: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    end: int = 0
    beats: tuple[Beat, ...] = ()
    next: int = 1
    template: Template | None = None


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet, window: Window) -> Cutter[_State]:
    """`channel` is the ECG; a window has `before` samples before the R peak; `threshold`: between noise 0 and beat 1.

    Raises TaskError.
    """
    known(where, parameters, ("before", "channel", "threshold"))
    channel = int(number(where, parameters, "channel", 0, inlet.channels - 1, whole=True))
    before = int(number(where, parameters, "before", 0, window.samples - 1, whole=True))
    if not 30.0 <= inlet.rate_hz <= 1000.0 or window.samples > inlet.rate_hz:
        raise TaskError(f"{where}: it takes 30 to 1000 Hz and windows of at most 1 s")
    timing = Timing.at(inlet.rate_hz, number(where, parameters, "threshold", 0.01, 0.99))
    after, wait = window.samples - before, round(WAIT_S * inlet.rate_hz)
    history = round(_HISTORY_S * inlet.rate_hz)

    def step(state: _State, chunk: Chunk) -> tuple[_State, Frames]:
        signal = chunk.samples[:, channel].astype(np.float32)
        detector, found = detect(state.detector, timing, signal, chunk.index)
        beats = state.beats + found
        recent = np.concatenate([state.recent, signal])
        end = chunk.index + len(signal) if len(signal) else state.end
        own, place, frames = state.template, state.next, list[Found]()
        while place < len(beats) and _due(beats, place, end, after, wait):
            start = beats[place].peak - before
            first = start - (end - len(recent))
            if first >= 0:  # the stretch began before the window
                own, values = template.step(own, recent[first : first + window.samples])
                aux = rhythm.features(beats, place, _following(beats, place, wait), wait, inlet.rate_hz)
                frames.append((start, values, aux))
            place += 1
        gone = max(0, place - rhythm.MEMORY - 1)
        after_it = _State(detector, recent[-history:], end, beats[gone:], place - gone, own)
        return after_it, _frames(frames, window.samples)

    def renew(state: _State) -> _State:
        return replace(_State(), template=state.template)

    return Cutter(_State(), step, 2, window.samples, rhythm.VALUES, renew)


def _following(beats: tuple[Beat, ...], place: int, wait: int) -> int:
    """How many of the next two beats were found in time."""
    latest = beats[place].peak + wait
    return sum(beat.at <= latest for beat in beats[place + 1 : place + 3])


def _due(beats: tuple[Beat, ...], place: int, end: int, after: int, wait: int) -> bool:
    peak = beats[place].peak
    return end > peak + wait or (end >= peak + after and _following(beats, place, wait) == 2)


def _frames(found: list[Found], rows: int) -> Frames:
    if not found:
        empty = np.zeros((0, rows, 2), np.float32), np.zeros((0, rhythm.VALUES), np.int16)
        return Frames(np.zeros(0, np.int64), *empty)
    starts, values, aux = zip(*found, strict=True)
    return Frames(np.array(starts, np.int64), np.stack(values), np.stack(aux))
