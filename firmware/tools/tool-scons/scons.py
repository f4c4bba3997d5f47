"""Start the SCons of the Python environment that PlatformIO runs in (scons==4.11.1, extra `firmware`)."""

import SCons.Script

if __name__ == "__main__":
    SCons.Script.Main.main()
