"""The report as one HTML file that needs nothing beside it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from salus.report import plots
from salus.report.facts import ARMS, Facts
from salus.report.table import accuracy_table, headline


def render(facts: Facts) -> str:
    """The whole page; pictures are inline SVG."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    template = environment.from_string((files("salus.report") / "page.html.jinja").read_text(encoding="utf-8"))
    shown: dict[str, Any] = {
        "facts": facts,
        "tiles": headline(facts),
        "table": accuracy_table(facts),
        "arms": ARMS,
        "accuracy_plot": Markup(plots.accuracy(facts)),  # noqa: S704  our own drawing, numbers and ids only
        "traffic_plot": Markup(plots.traffic(facts)),  # noqa: S704
        "stages_plot": Markup(plots.stages(facts)),  # noqa: S704
    }
    return template.render(shown)
