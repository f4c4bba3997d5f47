"""Seeds for the fuzz target `manifest`: the signed releases of tests/golden/release/vectors.txt, and as messages.

`python fuzz/manifest_seeds.py FOLDER`
"""

import sys
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "tests" / "golden" / "release" / "vectors.txt"


def field(number: int, body: bytes) -> bytes:
    """A protobuf field with bytes."""
    size, length = len(body), b""
    while size >= 128:
        length += bytes([size % 128 | 128])
        size //= 128
    return bytes([number << 3 | 2]) + length + bytes([size]) + body


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for line in VECTORS.read_text().splitlines():
        words = line.split()
        if words[0] != "case":
            continue
        signed = bytes.fromhex(words[-1])
        (folder / words[1]).write_bytes(signed)
        (folder / f"{words[1]}-message").write_bytes(field(1, signed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
