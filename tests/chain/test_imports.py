from __future__ import annotations

import subprocess
import sys

import salus_chain

LIBRARIES = "numpy, asyncio, sqlite3, structlog, cbor2, msgspec, immutables, cryptography.x509"


def test_the_public_names_are_exactly_these() -> None:
    homes = {name for names in salus_chain._HOMES.values() for name in names}
    assert set(salus_chain.__all__) == homes
    assert sorted(salus_chain.__all__) == salus_chain.__all__
    for name in salus_chain.__all__:
        assert getattr(salus_chain, name) is not None
    try:
        salus_chain.nothing  # noqa: B018
    except AttributeError as error:
        assert "nothing" in str(error)


def test_a_validators_code_takes_no_more_than_two_times_its_libraries_on_top_to_import() -> None:
    """Processor time, best of three; a ratio, since machines differ more than the code does."""
    ours, libraries = (min(import_s(what) for _ in range(3)) for what in ("salus_chain.node.process", LIBRARIES))
    assert ours < 3 * libraries


def import_s(modules: str) -> float:
    code = f"import time; t = time.process_time(); import {modules}; print(time.process_time() - t)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return float(run.stdout)


def test_importing_the_package_and_its_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys; import salus_chain, salus_chain.cli;"
        "print(sorted({'numpy', 'cryptography', 'fastapi', 'httpx', 'tensorflow'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"
