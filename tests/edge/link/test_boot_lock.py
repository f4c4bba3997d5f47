"""One boot counter, one process: two would seal under the same nonces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from salus_edge.link.boot import BootCounter

TAKE = """
import sys
from pathlib import Path
from salus_edge.link.boot import BootCounter

print(BootCounter(Path(sys.argv[1])).next())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    BootCounter.create(tmp_path / "boot")
    return tmp_path / "boot"


def test_a_second_process_gets_no_number(path: Path) -> None:
    counter = BootCounter(path)
    assert counter.next() == 1
    second = subprocess.run([sys.executable, "-c", TAKE, path], capture_output=True, text=True, timeout=30)
    assert second.returncode != 0
    assert "another process" in second.stderr
    assert path.read_text() == "1\n"


def test_after_a_process_ends_the_next_takes_over(path: Path) -> None:
    taken = [
        subprocess.run(
            [sys.executable, "-c", TAKE, path], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        for _ in range(2)
    ]
    assert taken == ["1\n", "2\n"]
