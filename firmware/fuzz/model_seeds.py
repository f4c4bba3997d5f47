"""Seeds for the model loader's fuzz target: small sound models of each operator, into a folder.

Run it as: python firmware/fuzz/model_seeds.py corpus/model
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.firmware.random_models import OPERATORS
from tests.firmware.random_nodes import model_of, random_node

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for operator in sorted(OPERATORS):
        for seed in range(4):
            model = model_of(random_node(operator, seed))
            (folder / f"{operator.lower()}-{seed}").write_bytes(bytes([seed * 9]) + model)
