"""The page: tiles, pictures for each wearable, and a table of claims."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from salus_hil.report.facts import Collected

REPORT: Final = "report.html"


def write(collected: Collected, folder: Path) -> str:
    """Write it; what to tell the user of it."""
    try:
        html = render(collected)
    except ModuleNotFoundError as error:
        return f"no HTML report without {error.name}: pip install 'salus[demo]'"
    (folder / REPORT).write_text(html, encoding="utf-8")
    return f"report {folder / REPORT}"


def render(collected: Collected) -> str:
    """The whole page; pictures are inline SVG. Raises ModuleNotFoundError without jinja2 or matplotlib."""
    import jinja2
    from markupsafe import Markup

    from salus_hil.report import plots

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((files("salus_hil.report") / "page.html.jinja").read_text(encoding="utf-8"))
    results = list(collected.results.values())
    pictures = []
    for name in collected.wearables:
        own = [each for each in results if each.wearable == name]
        drawings = (plots.latency(own), plots.memory(own))
        pictures.append((name, [Markup(each) for each in drawings if each]))  # noqa: S704  our own drawings
    return template.render(run=collected, results=results, pictures=pictures)
