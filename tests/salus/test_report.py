from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from salus.report import page, plots, screen
from salus.report.facts import PARTS, Facts, ModelFacts, RoundFacts, Score, Stage, Traffic, columns
from salus.report.table import accuracy_table, headline

PATIENTS = ["5", "6"]
ACCURACY = {
    ("5", "release", "calibrated"): 0.5,
    ("5", "local", "20 %"): 0.6,
    ("5", "fedavg", "20 %"): 0.8,
    ("5", "personal", "20 %"): 0.7,
    ("6", "release", "calibrated"): 0.9,
    ("6", "local", "20 %"): 0.4,
    ("6", "fedavg", "20 %"): 0.5,
    ("6", "personal", "20 %"): 0.9,
}


def facts(hostile: str = "") -> Facts:
    return Facts(
        data="watch",
        data_title="Smart-watch recordings" + hostile,
        pretrained_on=["1"],
        patients=PATIENTS,
        broker="mosquitto",
        wearables="native",
        chain_id="ab" * 32,
        classes=["PEN", "ABD"],
        scores=[
            Score(
                patient=p,
                arm=a,
                labels=part,
                algorithm=a,
                accuracy=v,
                macro_f1=v,
                windows=10,
                train_windows=5,
            )
            for (p, a, part), v in ACCURACY.items()
        ],
        traffic=[
            Traffic(
                patient=p,
                device=f"w{p}",
                sent_bytes={"window": 900},
                features=10,
                windows=5,
                feature_bytes=100,
                raw_window_bytes=1000,
                arena_bytes=4096,
                model_versions=[1, 2],
            )
            for p in PATIENTS
        ],
        model=ModelFacts(flash_bytes=2048, arena_bytes=4096, macs=10, parameters=7),
        rounds=[
            RoundFacts(
                task="exercise",
                round=1,
                kind="calibration",
                algorithm="fedavg",
                status="settled",
                opened_height=2,
                closed_height=3,
                settled_height=4,
                updates=2,
                parameters=7,
                proof="proofs/exercise-1.cbor",
            )
        ],
        stages=[Stage(name="model", start_s=0.0, end_s=3.0)],
        total_s=5.0,
        verify_command="salus chain verify p --genesis g",
        verify_output="all holds",
        verified=True,
    )


def test_the_best_of_each_patient_and_label_part_is_marked_whoever_it_is() -> None:
    table = accuracy_table(facts())
    marked = {
        (row.name, head) for row in table.rows for head, cell in zip(table.heads, row.cells, strict=True) if cell.best
    }
    assert marked == {("5", ("fedavg", "20 %")), ("6", ("personal", "20 %")), ("mean", ("personal", "20 %"))}


def test_arms_without_scores_have_no_column() -> None:
    assert columns(facts()) == [
        ("release", "calibrated"),
        ("local", "20 %"),
        ("fedavg", "20 %"),
        ("personal", "20 %"),
    ]
    assert PARTS[1] not in str(accuracy_table(facts()).heads)


def test_the_headline_gives_the_measured_ratio_of_bytes() -> None:
    assert ("10.0 ×", "fewer bytes than raw windows") in headline(facts())


@pytest.mark.parametrize("draw", [plots.accuracy, plots.traffic, plots.stages])
def test_plots_are_well_formed_svg(draw: object) -> None:
    assert callable(draw)
    assert ET.fromstring(draw(facts())).tag.endswith("svg")


def test_the_page_stands_alone_and_escapes_what_it_shows() -> None:
    text = page.render(facts("<script>alert(1)</script>"))
    assert "<script>" not in text
    assert "proofs/exercise-1.cbor" in text
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_the_screen_shows_every_patient_and_round() -> None:
    console = Console(file=io.StringIO(), width=160)
    screen.show(facts(), console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "70.0" in shown
    assert "calibration" in shown
