from platformio.public import PlatformBase


class HostnativePlatform(PlatformBase):
    """The host itself: nothing to install."""

    def is_embedded(self):
        return False
