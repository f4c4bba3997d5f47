"""Run the unit tests with gcov and fail below a share of lines of firmware/lib.

    python firmware/tools/coverage.py [--least 90] [--reuse]

Fakes are no part of what is measured, nor is what needs a board (the engine over esp-tflite-micro). A source that no
test compiles counts with all of its lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent.parent
BUILD = FIRMWARE / ".pio" / "build" / "coverage-test"
LEFT_OUT = {"fakes", "tflm"}

Lines = dict[int, int]  # times that each line ran


def measure() -> dict[Path, Lines]:
    """Lines of each file of firmware/lib, over all objects that hold them."""
    found: dict[Path, Lines] = defaultdict(lambda: defaultdict(int))
    notes = sorted(BUILD.rglob("*.gcno"))
    for start in range(0, len(notes), 20):
        names = [str(note) for note in notes[start : start + 20]]
        command = ["gcov", "--json-format", "--stdout", *names]
        output = subprocess.run(command, cwd=FIRMWARE, capture_output=True, text=True, check=True).stdout
        for report in output.splitlines():
            for file in json.loads(report)["files"]:
                path = (FIRMWARE / file["file"]).resolve()
                if counted(path):
                    for line in file["lines"]:
                        found[path][line["line_number"]] += line["count"]
    # Of build/<library's hash>/<library>/…: a source that is all #if'd out on a host has an object, and no lines.
    compiled = {note.relative_to(BUILD).with_suffix(".cpp").parts[1:] for note in notes}
    for path in (FIRMWARE / "lib").rglob("*.cpp"):
        if counted(path) and path not in found and path.relative_to(FIRMWARE / "lib").parts not in compiled:
            found[path] = dict.fromkeys(range(1, len(path.read_text().splitlines()) + 1), 0)
    return found


def counted(path: Path) -> bool:
    """Whether a file is one of the libraries'."""
    lib = FIRMWARE / "lib"
    return path.is_relative_to(lib) and not LEFT_OUT & set(path.relative_to(lib).parts)


def show(found: dict[Path, Lines]) -> float:
    """Print a table by library and each file's lines that never ran; the share of lines that did, in percent."""
    libraries: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, lines in sorted(found.items()):
        name = path.relative_to(FIRMWARE / "lib")
        ran = sum(count > 0 for count in lines.values())
        for total in (libraries[name.parts[0]], libraries[""]):
            total[0] += ran
            total[1] += len(lines)
        if missed := [number for number, count in sorted(lines.items()) if not count]:
            print(f"  {name}: {ran} of {len(lines)} lines; never ran: {_ranges(missed)}")
    for name, (ran, total) in sorted(libraries.items(), key=lambda item: (item[0] == "", item[0])):
        print(f"{name or 'firmware/lib':14} {ran:6,} of {total:6,} lines  {100 * ran / total:5.1f} %")
    ran, total = libraries[""]
    return 100 * ran / total if total else 0.0


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="Coverage of firmware/lib by the unit tests.")
    parser.add_argument("--least", type=float, default=90.0, help="percent of lines (default: 90)")
    parser.add_argument("--reuse", action="store_true", help="report the last run's figures again")
    given = parser.parse_args()
    if not given.reuse:
        for counts in BUILD.rglob("*.gcda"):
            counts.unlink()
        tests = subprocess.run(["pio", "test", "-d", str(FIRMWARE), "-e", "coverage"])
        if tests.returncode != 0:
            return tests.returncode
    share = show(measure())
    if share < given.least:
        print(f"{share:.1f} % of the lines of firmware/lib ran; at least {given.least} % must", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
