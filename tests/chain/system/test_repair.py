"""A validator whose database was damaged on disk, and a newcomer, get the chain from the others, over TLS."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from salus_chain import ConsentSeat, PemSigner
from salus_chain.bench.network import LocalNetwork
from salus_chain.founding import prepare_folder
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.storage.store import Store
from salus_chain.node.validator import ValidatorConfig, read_validator, write_validator

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def salus(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "salus_chain", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


async def test_a_damaged_validator_says_so_is_repaired_and_takes_part_again(tmp_path: Path) -> None:
    consents = {seat: [ConsentSeat(consent=f"{seat:02x}" * 32, device="22" * 32)] for seat in range(4)}
    with LocalNetwork(tmp_path, consents=consents) as network:
        await network.ready(height=1)
        async with network.client() as client:
            height = await client.wait_height(1, 30)
        network.kill(0)
        config = network.founded.validators[0]
        damage(config.parent / read_validator(config).folder / DATABASE_FILE)

        stopped = await asyncio.to_thread(salus, "run", config)
        assert stopped.returncode == 1
        assert f"{DATABASE_FILE}: " in stopped.stderr and "salus chain repair" in stopped.stderr

        done = await asyncio.to_thread(salus, "repair", config)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "found    " in done.stdout and f"{DATABASE_FILE}.damaged-" in done.stdout
        network.start(0)
        await network.ready(0, height=height)
        await a_newcomer_fetches_all(network, tmp_path / "newcomer", height)


async def a_newcomer_fetches_all(network: LocalNetwork, folder: Path, height: int) -> None:
    """By the genesis and one URL."""
    genesis = network.founded.genesis
    PemSigner.generate(folder / "key.pem")
    path = folder / "validator.toml"
    write_validator(path, ValidatorConfig(name="newcomer", genesis=str(network.founded.genesis_path)))
    prepare_folder(folder / "data", genesis)
    done = await asyncio.to_thread(salus, "sync", path, "--from", network.url(0))
    assert done.returncode == 0, done.stdout + done.stderr
    store = Store.open(folder / "data" / DATABASE_FILE, genesis)
    assert store.load().height == store.height >= height
    store.close()

    (folder / "data" / VOTES_FILE).unlink()
    refused = await asyncio.to_thread(salus, "repair", path)
    assert refused.returncode == 1 and "admit it as an observer" in refused.stderr


def damage(path: Path) -> None:
    """As a bad sector would: a page of every table is overwritten."""
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4_096):
        data[page * 4_096 : page * 4_096 + 16] = b"\xff" * 16
    path.write_bytes(bytes(data))
