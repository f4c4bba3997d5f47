"""Seeds for the front end's fuzz target: the front ends of the golden vectors, each with some rows.

Run it as: python firmware/fuzz/frontend_seeds.py corpus/frontend
"""

from __future__ import annotations

import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "tests/golden/frontend"

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(GOLDEN.glob("*.txt")):
        lines = dict(
            line.split(maxsplit=1) for line in path.read_text().splitlines() if line[:8] in ("frontend", "channels")
        )
        message = bytes.fromhex(lines["frontend"])
        head = bytes([int(lines["channels"])]) + len(message).to_bytes(2, "big")
        for kind, row in {"plain": 7, "gap": 0xFF, "don": 0xFE}.items():
            (folder / f"{path.stem}-{kind}").write_bytes(head + message + bytes([1, 2, 3, row]) * 6)
