"""The page's pictures, as SVG text: how long inferences took, and what memory did over the run."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from salus_hil.report.facts import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1f2a37"
BAR: Final = "#0f8a6d"
LINES: Final = ("#0f8a6d", "#5b7db1", "#8c6bb1")
RING: Final = "#d08c3c"


def latency(results: Sequence[Result]) -> str:
    """All inferences of one wearable's tests, by power of two of microseconds; empty when there was none."""
    counts: list[int] = []
    for result in results:
        for index, count in enumerate(result.samples[-1].latency if result.samples else []):
            counts.extend([0] * (index + 1 - len(counts)))
            counts[index] += count
    seen = [index for index, count in enumerate(counts) if count]
    if not seen:
        return ""
    buckets = range(seen[0], seen[-1] + 1)
    figure, axes = _canvas()
    axes.bar([_duration(2**each) for each in buckets], [counts[each] for each in buckets], color=BAR, width=0.9)
    axes.set_xlabel("an inference took this long, up to twice as long")
    axes.set_yscale("log")  # the few slow ones are the news
    axes.set_ylabel("inferences")
    return _svg(figure)


def memory(results: Sequence[Result]) -> str:
    """High water of arena and ring, and low water of heap, at each look in the order of the run."""
    samples = [sample for result in results for sample in result.samples]
    if not samples:
        return ""
    figure, axes = _canvas()
    x = range(1, len(samples) + 1)
    lines = {"arena, most": [each.arena_bytes for each in samples]}
    lines["free heap, least"] = [each.heap_low_bytes for each in samples]
    lines["free stack, least"] = [each.stack_low_bytes for each in samples]
    for (label, values), colour in zip(lines.items(), LINES, strict=True):
        if any(values):
            axes.plot(x, [value or math.nan for value in values], color=colour, label=label)
    axes.set_xlabel("look")
    axes.set_yscale("log")  # an arena of kilobytes beside a heap of megabytes
    axes.set_ylabel("bytes")
    ring = axes.twinx()
    ring.plot(x, [each.ring_high_packets for each in samples], color=RING, label="ring, most", alpha=0.8)
    ring.set_ylabel("packets")
    ring.set_ylim(bottom=0)
    handles = [*axes.get_lines(), *ring.get_lines()]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3, fontsize=8)
    return _svg(figure)


def _canvas() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    return figure, axes


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _duration(us: int) -> str:
    return f"{us} µs" if us < 1000 else f"{us / 1000:.0f} ms" if us < 1_000_000 else f"{us / 1e6:.0f} s"
