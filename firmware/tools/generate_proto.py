"""Before a build: nanopb's C of proto/*.proto into the build folder, on the include path and among the sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

Import("env")  # noqa: F821  SCons gives it

GENERATORS = ("nanopb_generator.py", "nanopb_generator")


def generator():
    for name in (os.environ.get("SALUS_NANOPB_GENERATOR", ""), *GENERATORS):
        if name and shutil.which(name):
            return shutil.which(name)
    sys.exit("nanopb's generator is missing: install Debian's package nanopb, or name it in SALUS_NANOPB_GENERATOR")


def generate(proto_dir, out_dir):
    """Only what changed is written, so that nothing is compiled twice."""
    sources = sorted(proto_dir.glob("*.proto"))
    inputs = [*sources, *sorted(proto_dir.glob("*.options"))]
    stamp = out_dir / "inputs"
    state = "".join(f"{path.name} {path.read_text()}" for path in inputs)
    if stamp.is_file() and stamp.read_text() == state:
        return
    out_dir.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in sources]
    subprocess.run([generator(), "--quiet", f"--output-dir={out_dir}", *names], cwd=proto_dir, check=True)
    stamp.write_text(state)


proto_dir = Path(env.subst("$PROJECT_DIR")) / "proto"  # noqa: F821
out_dir = Path(env.subst("$BUILD_DIR")) / "proto"  # noqa: F821
generate(proto_dir, out_dir)
env.Append(CPPPATH=[str(out_dir)])  # noqa: F821
env.BuildSources(str(out_dir / "objects"), str(out_dir), "+<*.pb.c>")  # noqa: F821
