"""The report's pictures, as SVG text to put into the page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from salus.report.facts import Facts, columns, mean, scores_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1f2a37"
FAINT: Final = "#9aa5b1"
COLOURS: Final = {"release": "#9aa5b1", "local": "#d08c3c", "fedavg": "#5b7db1", "personal": "#0f8a6d"}
SHORT: Final = {"release": "release", "local": "local", "fedavg": "FedAvg", "personal": "personal"}


def accuracy(facts: Facts) -> str:
    """One dot per patient and arm, the mean as a bar: who wins is what was measured."""
    pairs = columns(facts)
    figure, axes = _canvas(9.0, 3.6)
    for x, (arm, labels) in enumerate(pairs):
        values = list(scores_of(facts, arm, labels).values())
        spread = [(i - (len(values) - 1) / 2) * 0.06 for i in range(len(values))]
        axes.scatter(
            [x + dx for dx in spread],
            [100 * v for v in values],
            s=34,
            color=COLOURS[arm],
            alpha=0.75,
            linewidth=0,
        )
        axes.hlines(100 * mean(values), x - 0.3, x + 0.3, color=COLOURS[arm], linewidth=3)
        axes.annotate(f"{100 * mean(values):.1f}", (x + 0.33, 100 * mean(values)), color=INK, fontsize=9, va="center")
    axes.set_xticks(range(len(pairs)), [f"{SHORT[arm]}\n{labels}" for arm, labels in pairs])
    axes.set_ylabel("accuracy on later windows, %")
    axes.set_xlim(-0.6, len(pairs) - 0.2)
    axes.set_ylim(top=102)
    return _svg(figure)


def traffic(facts: Facts) -> str:
    """Bytes sent as features beside what the same windows would have taken."""
    rows = facts.traffic
    figure, axes = _canvas(9.0, 0.9 + 0.42 * len(rows))
    for y, row in enumerate(rows):
        axes.barh(y - 0.18, row.raw_window_bytes / 1e3, height=0.32, color=FAINT)
        axes.barh(y + 0.18, row.feature_bytes / 1e3, height=0.32, color=COLOURS["personal"])
        axes.annotate(
            f"{row.feature_bytes / 1e3:,.0f} kB, {row.raw_window_bytes / max(1, row.feature_bytes):.0f} ×",
            (row.feature_bytes / 1e3, y + 0.18),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=INK,
        )
    axes.set_yticks(range(len(rows)), [row.patient for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("kilobytes: features as sent (green), the same windows sent raw (grey)")
    return _svg(figure)


def stages(facts: Facts) -> str:
    """When each stage of the run began and ended."""
    figure, axes = _canvas(9.0, 0.9 + 0.3 * len(facts.stages))
    for y, stage in enumerate(facts.stages):
        axes.barh(y, stage.end_s - stage.start_s, left=stage.start_s, height=0.6, color=COLOURS["fedavg"])
        axes.annotate(
            f"{stage.end_s - stage.start_s:.1f} s",
            (stage.end_s, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=INK,
        )
    axes.set_yticks(range(len(facts.stages)), [stage.name for stage in facts.stages])
    axes.set_xlim(0, facts.total_s * 1.08)
    axes.invert_yaxis()
    axes.set_xlabel("seconds from the start")
    return _svg(figure)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(
        {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.5, "svg.hashsalt": "salus"}
    )
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="both", color="#eef1f4", linewidth=1)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue().split("?>", 1)[1].split(">", 1)[1]
