from platformio.public import PlatformBase


class Qemu_m4Platform(PlatformBase):  # noqa: N801  PlatformIO derives the name from the folder's
    """QEMU's mps2-an386: the compiler and the emulator are the distribution's, so nothing is installed."""

    def is_embedded(self):
        return True
