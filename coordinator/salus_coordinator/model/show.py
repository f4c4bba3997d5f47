"""`salus model report`: a package's figures as tables."""

from __future__ import annotations

from rich.table import Table

from salus_coordinator.model.package import Json


def tables(report: Json) -> list[Table]:
    """Layers, budget and accuracies of a package's report."""
    return [_layers(report), _budget(report), _facts(report)]


def _layers(report: Json) -> Table:
    made = Table(title=f"Task {report['task']}: layers", title_justify="left")
    for heading in ("layer", "kind", "weights", "MACs"):
        made.add_column(heading, justify="left" if heading in ("layer", "kind") else "right")
    rows = report["layers"]
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            made.add_row(*(str(row[name]) for name in ("name", "layer", "weights", "macs")))
    return made


def _budget(report: Json) -> Table:
    made = Table(title="On the wearable (base only)", title_justify="left")
    for heading in ("what", "used", "budget"):
        made.add_column(heading, justify="left" if heading == "what" else "right")
    budget = report["budget"]
    for name in ("flash_bytes", "arena_bytes", "macs"):
        made.add_row(name, str(report[name]), str(budget[name]) if isinstance(budget, dict) else "")
    return made


def _facts(report: Json) -> Table:
    made = Table(title="Measured", title_justify="left", show_header=False)
    operators = report["operators"]
    made.add_row("operators, all in TFLM", ", ".join(map(str, operators)) if isinstance(operators, list) else "")
    accuracy, measured = report["accuracy"], report["measured"]
    if isinstance(accuracy, dict) and isinstance(measured, dict):
        made.add_row("reference set", f"{report['reference_windows']} windows, later time of the pre-training people")
        made.add_row("accuracy there, float", f"{accuracy['reference_float']:.1f} %")
        made.add_row("accuracy there, int8 in TFLM", f"{accuracy['reference_int8']:.1f} %")
        made.add_row("build", ", ".join(f"{name} {value:g}" for name, value in measured.items()))
    for name in ("model_digest", "base_sha256", "program_sha256", "layout_sha256", "reference_sha256"):
        made.add_row(name, str(report[name]))
    return made
