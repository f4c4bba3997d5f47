"""Build for the host: optimised for `pio run`, under AddressSanitizer and UBSan for `pio test`."""

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(
    AR="ar",
    AS="gcc",
    CC="gcc",
    CXX="g++",
    LINK="g++",
    RANLIB="ranlib",
    SIZETOOL="",
    PROGSUFFIX="",
)
env.Append(
    CCFLAGS=["-g", "-ffunction-sections", "-fdata-sections", "-pthread"],
    CXXFLAGS=["-fno-rtti"],
    LINKFLAGS=["-pthread", "-Wl,--gc-sections"],
    LIBS=["protobuf-nanopb", "mosquitto", "mbedcrypto"],
)
if "test" in env["BUILD_TYPE"]:
    # Enough optimisation to be quick, little enough to step through.
    env.Append(
        CCFLAGS=["-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        LINKFLAGS=["-fsanitize=address,undefined"],
    )
    if env.GetProjectOption("custom_coverage", ""):
        env.Append(CCFLAGS=["--coverage"], LINKFLAGS=["--coverage"])
else:
    env.Append(CCFLAGS=["-O2"])

program = env.BuildProgram()
Default(program)
