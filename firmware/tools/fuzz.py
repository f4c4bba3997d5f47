"""Build and run the fuzz targets firmware/fuzz/*.cpp: libFuzzer under AddressSanitizer and UBSan.

    python firmware/tools/fuzz.py [--seconds 30 | --hours 2] [--jobs 2] [target …]

Each target starts from the seeds of its <target>_seeds.py and from what earlier runs found (firmware/.pio/fuzz/corpus).
What breaks a target is kept in firmware/.pio/fuzz/crashes, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent.parent
WORK = FIRMWARE / ".pio" / "fuzz"
COMPILER = os.environ.get("SALUS_FUZZ_CXX", "clang++")
GENERATOR = os.environ.get("SALUS_NANOPB_GENERATOR", "nanopb_generator.py")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-std=c++17", "-fno-exceptions", "-O1", "-g", *SANITIZE, f"-I{FIRMWARE / 'lib'}", f"-I{WORK / 'proto'}"]
LIBRARIES = ["-lprotobuf-nanopb", "-lmbedcrypto"]
NEEDS_A_BOARD = "tflm"  # the engine over esp-tflite-micro is built for ESP32 alone


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(path.stem for path in (FIRMWARE / "fuzz").glob("*.cpp"))


def build(names: Iterable[str], jobs: int) -> None:
    """Compile what changed, and link. Raises SystemExit when the compiler finds an error."""
    _generate_proto()
    sources = [path for path in sorted((FIRMWARE / "lib").rglob("*.cpp")) if NEEDS_A_BOARD not in path.parts]
    units = [(path, ["-fsanitize=fuzzer-no-link"]) for path in sources]
    units += [(path, ["-x", "c"]) for path in sorted((WORK / "proto").glob("*.pb.c"))]
    names = list(names)
    with ThreadPoolExecutor(jobs) as pool:
        libraries = list(pool.map(lambda unit: _compile(*unit), units))
        objects = list(pool.map(lambda name: _compile(FIRMWARE / "fuzz" / f"{name}.cpp", []), names))
    archive = WORK / "firmware.a"
    archive.unlink(missing_ok=True)
    _run(["ar", "rcs", str(archive), *map(str, libraries)])
    for name, target in zip(names, objects, strict=True):
        link = [COMPILER, "-fsanitize=fuzzer", *SANITIZE, str(target), str(archive), *LIBRARIES]
        _run([*link, "-o", str(WORK / name)])


def run(name: str, seconds: int) -> bool:
    """Fuzz one target for so long; whether it held."""
    seeds, corpus, crashes = WORK / "seeds" / name, WORK / "corpus" / name, WORK / "crashes" / name
    for folder in (seeds, corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    script = FIRMWARE / "fuzz" / f"{name}_seeds.py"
    if script.is_file():
        _run([sys.executable, str(script), str(seeds)])
    print(f"{name}: {seconds} s from {len(list(seeds.iterdir()))} seeds, {len(list(corpus.iterdir()))} found before")
    options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]
    log = WORK / f"{name}.log"
    with log.open("wb") as file:
        command = [str(WORK / name), str(corpus), str(seeds), f"-artifact_prefix={crashes}/", *options]
        held = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode == 0
    lines = log.read_text(errors="replace").splitlines()
    if held:
        print(f"{name}: held; " + ", ".join(_statistics(lines)))
    else:
        print("\n".join(lines[-60:]))
        print(f"{name}: BROKE; the input is in {crashes}, all of the output in {log}")
    return held


def _statistics(lines: list[str]) -> list[str]:
    wanted = {"stat::number_of_executed_units": "inputs", "stat::average_exec_per_sec": "a second"}
    pairs = (line.split(":", 3) for line in lines if line.startswith("stat::"))
    return [f"{int(pair[3]):,} {wanted[key]}" for pair in pairs if (key := "::".join((pair[0], pair[2]))) in wanted]


def _generate_proto() -> None:
    """nanopb's C, as tools/generate_proto.py does for the other builds."""
    protos = sorted((FIRMWARE / "proto").glob("*.proto"))
    inputs = [*protos, *sorted((FIRMWARE / "proto").glob("*.options"))]
    state = "".join(f"{path.name} {path.read_text()}" for path in inputs)
    stamp = WORK / "proto" / "inputs"
    if stamp.is_file() and stamp.read_text() == state:
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in protos]
    _run([GENERATOR, "--quiet", f"--output-dir={stamp.parent}", *names], cwd=FIRMWARE / "proto")
    stamp.write_text(state)


def _compile(source: Path, extra: list[str]) -> Path:
    """The object of one source, made anew when it or a header it includes is younger."""
    root = FIRMWARE if source.is_relative_to(FIRMWARE) else WORK
    target = WORK / "objects" / source.relative_to(root).with_suffix(".o")
    depends = target.with_suffix(".d")
    if target.is_file() and depends.is_file() and target.stat().st_mtime > _newest(depends):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = [flag for flag in FLAGS if "c" not in extra or flag not in ("-std=c++17", "-fno-exceptions")]
    _run([COMPILER, *extra, *flags, "-MMD", "-MF", str(depends), "-c", str(source), "-o", str(target)])
    return target


def _newest(depends: Path) -> float:
    names = depends.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return max(Path(name).stat().st_mtime if Path(name).exists() else float("inf") for name in names)


def _run(command: list[str], cwd: Path | None = None) -> None:
    if subprocess.run(command, cwd=cwd).returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the firmware's libraries.")
    parser.add_argument("target", nargs="*", help=f"of {', '.join(targets())}; all when none is named")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=30, help="for each target (default: 30)")
    length.add_argument("--hours", type=float, help="for each target")
    parser.add_argument("--jobs", type=int, default=2, help="compilers, then targets, at once (default: 2)")
    parser.add_argument("--build-only", action="store_true", help="compile and link, and run nothing")
    given = parser.parse_args()
    names = given.target or targets()
    if unknown := sorted(set(names) - set(targets())):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(targets())}")
    build(names, given.jobs)
    if given.build_only:
        return 0
    seconds = int(given.hours * 3600 if given.hours else given.seconds)
    with ThreadPoolExecutor(given.jobs) as pool:
        held = list(pool.map(lambda name: run(name, seconds), names))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
