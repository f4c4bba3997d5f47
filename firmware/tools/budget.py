"""After the link: fail when flash or RAM exceed the environment's custom_flash_budget or custom_ram_budget (bytes).

Flash is what the image holds: code, constants, first values of variables. RAM is what is there at the start: variables,
and code that the linker put into RAM. The stack comes on top; its place is the environment's to leave.
"""

import sys
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

Import("env")  # noqa: F821  SCons gives it

CODE_IN_RAM = (".iram", ".rtc")


def sizes(program):
    """(flash, RAM) of an ELF file, in bytes."""
    flash = ram = 0
    with Path(program).open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                continue
            if section["sh_type"] != "SHT_NOBITS":
                flash += section["sh_size"]
            if section["sh_flags"] & SH_FLAGS.SHF_WRITE or section.name.startswith(CODE_IN_RAM):
                ram += section["sh_size"]
    return flash, ram


def check(target, source, env):
    program = str(target[0])
    exceeded = False
    for what, used in zip(("flash", "ram"), sizes(program), strict=True):
        budget = int(env.GetProjectOption(f"custom_{what}_budget", "0").replace("_", ""))
        if not budget:
            continue
        print(f"{what:5} {used:>9,} of {budget:>9,} bytes ({100 * used / budget:.1f} %)")
        if used > budget:
            print(f"{program}: {used - budget:,} bytes of {what} over the budget", file=sys.stderr)
            exceeded = True
    if exceeded:
        Path(program).unlink()  # else the next build would find it made and pass
        return 1
    return 0


if "test" not in env["BUILD_TYPE"]:  # noqa: F821
    env.AddPostAction("$PROGPATH", env.VerboseAction(check, "Checking the budget"))  # noqa: F821
