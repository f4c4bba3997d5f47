"""Golden vectors of the engine: tests/golden/engine/models.txt, read by the C++ tests too.

Each model is four lines: its name, the .tflite, one input and the output that TFLM computes, in hexadecimal.
Write them anew with: python -m tests.firmware.golden_engine
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.firmware.random_models import OPERATORS, random_inputs
from tests.firmware.random_nodes import Node, model_of, random_chain, random_node

PATH: Final = Path(__file__).parents[1] / "golden" / "engine" / "models.txt"
OF_EACH: Final = 4
CHAIN: Final = "CHAIN"
CHAINS: Final = 3
MAX_MODEL_BYTES: Final = 1600


def small(draw: Iterator[list[Node]], count: int) -> Iterator[tuple[list[Node], bytes]]:
    """The first `count` whose .tflite is small."""
    for nodes in draw:
        model = model_of(*nodes)
        if len(model) > MAX_MODEL_BYTES * len(nodes):
            continue
        yield nodes, model
        count -= 1
        if count == 0:
            return


def draws(name: str) -> Iterator[list[Node]]:
    """One after another, each a model's nodes."""
    for seed in range(100):
        yield random_chain(seed) if name == CHAIN else [random_node(name, seed)]


def write() -> None:
    from tests.firmware.engine import Tflm

    lines = []
    for name in [*sorted(OPERATORS), CHAIN]:
        count = CHAINS if name == CHAIN else OF_EACH
        for number, (nodes, model) in enumerate(small(draws(name), count)):
            inputs = random_inputs(nodes[0].tensors[0].shape, number, 4)[1:2]
            output = Tflm(model).run(inputs)
            lines += [f"{name.lower()}_{number}", model.hex(), inputs.tobytes().hex(), output.tobytes().hex()]
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text("\n".join(lines) + "\n")


def read() -> list[tuple[str, bytes, bytes, bytes]]:
    """(name, model, input, output) of each."""
    lines = PATH.read_text().splitlines()
    groups = [lines[at : at + 4] for at in range(0, len(lines), 4)]
    return [(name, *(bytes.fromhex(each) for each in rest)) for name, *rest in groups]  # type: ignore[misc]


if __name__ == "__main__":
    write()
