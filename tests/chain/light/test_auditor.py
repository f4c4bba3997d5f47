from __future__ import annotations

import subprocess
import sys


def test_the_auditor_runs_without_the_library_that_signs() -> None:
    code = (
        "import sys; import salus_chain.light.auditor;"
        "heavy = {'cryptography', 'numpy', 'httpx', 'fastapi', 'google'} & set(sys.modules); print(sorted(heavy))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout.strip() == "[]"
