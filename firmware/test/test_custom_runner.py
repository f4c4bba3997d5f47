"""GoogleTest of the distribution (libgtest-dev): PlatformIO's own runner would fetch it."""

from platformio.test.runners.googletest import GoogletestTestRunner


class CustomTestRunner(GoogletestTestRunner):
    """One program for each folder test/test_<library>, its `main` from gtest_main."""

    EXTRA_LIB_DEPS = None

    def configure_build_env(self, env):
        # PlatformIO puts the suite's own folder on the include path of everything, and so each suite would compile
        # each library anew. A suite finds its headers beside itself without that.
        env.Replace(CPPPATH=[path for path in env["CPPPATH"] if "PIOTEST_RUNNING_NAME" not in str(path)])
        env.Append(LIBS=["gtest", "gtest_main"])
        return env
