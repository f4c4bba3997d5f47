"""A rig's own commands, such as those of a USB hub that switches ports."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from salus_hil.errors import RigError

TIMEOUT_S: Final = 30.0


def run_command(command: Sequence[str]) -> None:
    """Run it, never through a shell. Raises RigError: not there, an exit code above 0, or no end."""
    shown = " ".join(command)
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        raise RigError(f"{shown}: cannot be run ({error})") from None
    except subprocess.TimeoutExpired:
        raise RigError(f"{shown}: no end after {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "nothing said"
        raise RigError(f"{shown}: exit code {done.returncode}; {said}")
