"""Where the heart beats: slopes squared and summed over 0.1 s, their peaks against levels of beats and of noise.

After Pan and Tompkins, "A Real-Time QRS Detection Algorithm", IEEE TBME 32(3), 1985: two running levels, search back,
the test for T waves. Single precision, in a fixed order of operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_EIGHTH: Final = np.float32(0.125)
_QUARTER: Final = np.float32(0.25)
_HALF: Final = np.float32(0.5)
_SURGE: Final = np.float32(4.0)  # a beat counts for the level at most this much
_ZERO: Final = np.float32(0.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """Numbers of samples, and the threshold between the levels."""

    slope: int
    width: int
    apart: int
    settle: int
    learn: int
    refractory: int
    t_wave: int
    back: int
    lost: int
    threshold: np.float32

    @classmethod
    def at(cls, rate_hz: float, threshold: float) -> Timing:
        """At a rate of samples."""
        spans = (0.02, 0.1, 0.15, 0.5, 2.5, 0.2, 0.36, 2.5, 6.0)
        slope, width, apart, settle, learn, refractory, t_wave, back, lost = (
            max(1, round(span * rate_hz)) for span in spans
        )
        return cls(slope, width, apart, settle, learn, refractory, t_wave, back, lost, np.float32(threshold))


@dataclass(frozen=True, slots=True)
class Beat:
    """Sample numbers: of the R peak, and `at` which it was found."""

    peak: int
    at: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A local maximum of the summed slopes at sample `place`."""

    place: int
    strength: np.float32
    peak: int


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """`tail` are the last samples, before number `end`; learning is from `since` on, until levels are known."""

    tail: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    end: int = 0
    since: int = 0
    learning: bool = True
    strongest: np.float32 = _ZERO
    beat: np.float32 = _ZERO
    noise: np.float32 = _ZERO
    last: int | None = None
    last_strength: np.float32 = _ZERO
    best: _Candidate | None = None  # the strongest that was noise, since the last beat
    intervals: tuple[int, ...] = ()


def step(state: Detector, timing: Timing, signal: Floats, index: int) -> tuple[Detector, tuple[Beat, ...]]:
    """The beats that the samples (n,) from number `index` on make certain, in order."""
    if not len(signal):
        return state, ()
    if not len(state.tail):
        state = replace(state, end=index, since=index)
    samples = np.concatenate([state.tail, signal])
    low = state.end - len(state.tail)
    candidates = _candidates(timing, samples, low, index)
    keep = 2 * timing.apart + timing.width + timing.slope
    state = replace(state, tail=samples[-keep:], end=index + len(signal))
    beats: list[Beat] = []
    for candidate in candidates:
        state = _consider(state, timing, candidate, beats)
    return state, tuple(beats)


def _candidates(timing: Timing, samples: Floats, low: int, index: int) -> list[_Candidate]:
    """Local maxima, certain once `apart` samples have followed, so that each is told once: from `index` on."""
    slopes = np.zeros(len(samples), np.float32)
    slopes[timing.slope :] = samples[timing.slope :] - samples[: -timing.slope]
    squares = slopes * slopes
    sums = np.zeros(len(samples), np.float32)
    for lag in range(timing.width):
        sums[lag:] = sums[lag:] + squares[: max(0, len(squares) - lag)]
    apart, found = timing.apart, list[_Candidate]()
    first = max(index - apart - low, 0)
    padded = np.concatenate([np.full(apart, -1.0, np.float32), sums])[first:]
    if len(padded) <= 2 * apart:
        return found
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * apart + 1)
    centre = views[:, apart]
    peaks = (centre > views[:, :apart].max(axis=1)) & (centre >= views[:, apart + 1 :].max(axis=1))
    for n in (np.flatnonzero(peaks) + first).tolist():
        start = max(0, n - timing.width - timing.slope)
        peak = start + int(np.abs(samples[start : n + 1]).argmax())
        found.append(_Candidate(low + n, sums[n], low + peak))
    return found


def _consider(state: Detector, timing: Timing, candidate: _Candidate, beats: list[Beat]) -> Detector:
    """The levels after a candidate; a beat that it shows is appended."""
    n, at = candidate.place, candidate.place + timing.apart
    if state.learning:
        if n < state.since + timing.settle:
            return state
        if n < state.since + timing.learn:
            return replace(state, strongest=np.maximum(state.strongest, candidate.strength))
        level = state.strongest * _HALF
        state = replace(state, learning=False, since=n, beat=level, noise=level * _EIGHTH)
    state = _search_back(state, timing, candidate, beats)
    since = None if state.last is None else n - state.last
    if since is not None and since < timing.refractory:
        return state
    t_wave = since is not None and since < timing.t_wave and candidate.strength < state.last_strength * _HALF
    if candidate.strength > _threshold(state, timing) and not t_wave:
        return _accept(state, candidate, _EIGHTH, at, beats)
    if n - (state.since if state.last is None else state.last) > timing.lost:
        return Detector(state.tail, state.end, n)  # a pause is shorter: the levels are wrong, and are learnt anew
    noise = state.noise + (candidate.strength - state.noise) * _EIGHTH
    best = state.best
    if since is not None and since >= timing.t_wave and (best is None or candidate.strength > best.strength):
        best = candidate
    return replace(state, noise=noise, best=best)


def _search_back(state: Detector, timing: Timing, candidate: _Candidate, beats: list[Beat]) -> Detector:
    """A beat is overdue by two thirds of an interval: the best of what was noise may have been one."""
    best, last = state.best, state.last
    if best is None or last is None or not state.intervals:
        return state
    usual = sorted(state.intervals)[(len(state.intervals) - 1) // 2]
    if (candidate.place - last) * 3 <= 5 * usual:
        return state
    at = candidate.place + timing.apart
    if at - best.place <= timing.back and best.strength > _threshold(state, timing) * _HALF:
        return _accept(state, best, _QUARTER, at, beats)
    return replace(state, best=None)


def _accept(state: Detector, candidate: _Candidate, share: np.float32, at: int, beats: list[Beat]) -> Detector:
    beats.append(Beat(candidate.peak, at))
    intervals = state.intervals if state.last is None else (*state.intervals, candidate.place - state.last)[-8:]
    counted = np.minimum(candidate.strength, state.beat * _SURGE)
    return replace(
        state,
        beat=state.beat + (counted - state.beat) * share,
        last=candidate.place,
        last_strength=candidate.strength,
        best=None,
        intervals=intervals,
    )


def _threshold(state: Detector, timing: Timing) -> np.float32:
    return np.float32(state.noise + timing.threshold * (state.beat - state.noise))
