"""The figures a person reads first, the same on the screen and on the page."""

from __future__ import annotations

from dataclasses import dataclass

from salus.report.facts import Facts, columns, mean, scores_of


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure; `best` marks the highest of its patient and label part."""

    text: str
    best: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A patient's figures, or (`mean`) everybody's."""

    name: str
    cells: tuple[Cell, ...]
    mean: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Accuracy in per cent: a row per patient, a column per arm and label part."""

    heads: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def accuracy_table(facts: Facts) -> Table:
    """Patients down, arms across, the means last."""
    pairs = columns(facts)
    by_pair = {pair: scores_of(facts, *pair) for pair in pairs}
    rows = [_row(patient, pairs, {pair: by_pair[pair].get(patient) for pair in pairs}) for patient in facts.patients]
    means: dict[tuple[str, str], float | None] = {pair: mean(list(by_pair[pair].values())) for pair in pairs}
    rows.append(_row("mean", pairs, means, is_mean=True))
    return Table(tuple(pairs), tuple(rows))


def headline(facts: Facts) -> list[tuple[str, str]]:
    """Value and meaning of the few figures that stand on top."""
    sent = sum(row.feature_bytes for row in facts.traffic)
    raw = sum(row.raw_window_bytes for row in facts.traffic)
    settled = [row for row in facts.rounds if row.settled_height]
    best = [(arm, labels, mean(list(scores_of(facts, arm, labels).values()))) for arm, labels in columns(facts)]
    tiles = [
        (f"{100 * value:.1f} %", f"mean accuracy, {arm}, {labels}")
        for arm, labels, value in best
        if arm in ("release", "personal")
    ]
    return [
        *tiles,
        (f"{raw / max(1, sent):.1f} ×", "fewer bytes than raw windows"),
        (
            f"{(facts.model.flash_bytes + facts.model.arena_bytes) / 1024:.1f} KB",
            f"on the wearable: {facts.model.flash_bytes:,} B of flash, {facts.model.arena_bytes:,} B of arena",
        ),
        (
            f"{len(settled)} of {len(facts.rounds)}",
            f"rounds settled, up to block {max((r.settled_height for r in settled), default=0)}",
        ),
        (f"{facts.total_s:.0f} s", "from start to this report"),
    ]


def _row(
    name: str,
    pairs: list[tuple[str, str]],
    values: dict[tuple[str, str], float | None],
    *,
    is_mean: bool = False,
) -> Row:
    top = {
        part: max((v for (_, labels), v in values.items() if labels == part and v is not None), default=None)
        for _, part in pairs
    }
    cells = []
    for pair in pairs:
        value = values[pair]
        text = "–" if value is None else f"{100 * value:.1f}"
        cells.append(Cell(text, pair[0] != "release" and value is not None and value == top[pair[1]]))
    return Row(name, tuple(cells), is_mean)
