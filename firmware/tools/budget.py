"""After the link: fail when flash or RAM exceed the environment's custom_flash_budget or custom_ram_budget (bytes)."""

Import("env")  # noqa: F821  SCons gives it
