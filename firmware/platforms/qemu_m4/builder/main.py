"""Build for the emulated Cortex-M4, with mbedTLS and nanopb from their sources (tools/sources.py)."""

import sys
from pathlib import Path

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
project = Path(env.subst("$PROJECT_DIR"))
runtime = Path(env.PioPlatform().get_dir()) / "runtime"

sys.path.insert(0, str(project / "tools"))
import sources  # noqa: E402

folders = sources.ensure()
# Enums are ints, as on ESP32 and on the host: nanopb writes into them through pointers.
cpu = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-fno-short-enums"]

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-g++",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CCFLAGS=[*cpu, "-Os", "-g", "-ffunction-sections", "-fdata-sections", "-fno-common"],
    CXXFLAGS=["-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit"],
    CPPPATH=[str(folders["mbedtls"] / "include"), str(folders["nanopb"])],
    CPPDEFINES=[("MBEDTLS_CONFIG_FILE", '\\"crypto/mbedtls_config.h\\"')],
    LINKFLAGS=[
        *cpu,
        "-nostartfiles",
        "--specs=nano.specs",
        "-Wl,--gc-sections",
        "-Wl,--fatal-warnings",
        "-Wl,--no-enum-size-warning",  # newlib was built with the short ones, and takes none of ours
        "-Wl,-Map=$BUILD_DIR/${PROGNAME}.map",
    ],
    LDSCRIPT_PATH=str(runtime / "link.ld"),
)


def third_party(name, folder, files):
    """A library of others' code: our warnings are not theirs to heed."""
    theirs = env.Clone()
    theirs.Append(CPPPATH=[str(project / "lib")])
    return theirs.BuildLibrary(f"$BUILD_DIR/{name}", str(folder), "-<*> " + " ".join(f"+<{file}>" for file in files))


libraries = [
    third_party("mbedtls", folders["mbedtls"] / "library", ["*.c"]),
    third_party("nanopb", folders["nanopb"], ["pb_common.c", "pb_decode.c", "pb_encode.c"]),
]
env.BuildSources("$BUILD_DIR/runtime", str(runtime))
env.Append(LIBS=libraries)

program = env.BuildProgram()
env.Depends(program, str(runtime / "link.ld"))
Default(program)
