"""Before a build: tests are built in a folder of their own, since their flags differ from the program's."""

Import("env")  # noqa: F821  SCons gives it

if "test" in env["BUILD_TYPE"]:  # noqa: F821
    env.Replace(BUILD_DIR="${PROJECT_BUILD_DIR}/${PIOENV}-test")  # noqa: F821
