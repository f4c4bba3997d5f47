from __future__ import annotations

import json
from pathlib import Path

import pytest

from salus.demo.follow import Follower, told


def test_only_whole_lines_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    follower = Follower(path)
    assert follower.new() == []
    path.write_text('{"a": 1}\n{"a": ')
    assert follower.new() == [{"a": 1}]
    with path.open("a") as file:
        file.write("2}\n")
    assert follower.new() == [{"a": 2}]
    assert follower.new() == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"stage": "round", "round": 2, "kind": "feature", "algorithm": "fedrep", "status": "settled", "updates": 3,
             "settled_height": 32},
            "round 2 (feature, fedrep): 3 updates, settled in block 32",
        ),
        ({"stage": "round", "round": 2, "status": "expired", "reason": "too_few_updates"}, "expired too_few_updates"),
        ({"stage": "release", "version": 2, "height": 13}, "release 2 approved in block 13"),
        ({"stage": "approve_model", "height": 5}, "first model approved in block 5"),
        ({"stage": "wait"}, "wait"),
    ],
)  # fmt: skip
def test_progress_is_told_in_words(row: dict[str, object], words: str) -> None:
    line = told(json.loads(json.dumps({"task": "exercise", "start_ms": 0, "end_ms": 1500, **row})))
    assert line.startswith("exercise: ")
    assert words in line
    assert "1.5 s" in line
