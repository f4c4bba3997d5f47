"""A hospital joins a running chain from the genesis and one peer, by the commands alone, and its vote is needed."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from salus_chain import ChainClient, ChainError
from salus_chain.bench.network import LocalNetwork, free_ports
from salus_chain.bench.people import hospitals
from salus_chain.config import beside
from salus_chain.node.validator import read_validator

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


async def salus(*arguments: object) -> str:
    command = [sys.executable, "-m", "salus_chain", *map(str, arguments)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


async def vote(network: LocalNetwork, ballot: Path, *change: str) -> None:
    """Three of four hospitals sign, one after another; then it goes on chain."""
    genesis = ("--genesis", network.founded.genesis_path)
    await salus("validators", "propose", *change, *genesis, "--out", ballot)
    for path in network.founded.validators[:3]:
        await salus("validators", "sign", ballot, "--key", beside(path, read_validator(path).key), *genesis)
    await salus("validators", "submit", ballot, *genesis)


async def test_a_hospital_is_admitted_catches_up_is_seated_and_decides(tmp_path: Path) -> None:
    with LocalNetwork(tmp_path) as network:
        await network.ready()
        first = hospitals(network)[0]
        async with network.client(0) as client:
            for number in range(3):
                await client.submit_final(first.consent(number), 60)
        (port,) = free_ports(1)
        genesis, folder = network.founded.genesis_path, tmp_path / "hospital-4"
        host = f"127.0.0.1:{port}"
        said = await salus("join", folder, "--genesis", genesis, "--name", "hospital-4", "--host", host)
        proposed = re.search(r"validators propose (admit .*) --genesis", said)
        assert proposed is not None
        await vote(network, tmp_path / "admit.json", *shlex.split(proposed[1]))
        await salus("sync", folder, "--from", network.url(1))
        network.add(folder / "validator.toml")
        url = f"https://127.0.0.1:{port + 1}"
        async with network.client(0, 1, 2) as client:
            await client.members()  # whose keys are trusted from here on
            async with asyncio.timeout(120):
                while await height_of(client, url) < 4:
                    await asyncio.sleep(0.1)
            await vote(network, tmp_path / "seat.json", "seat", "hospital-4")
            await client.submit_final(first.consent(3), 60)
            listed = await salus("validators", "list", "--genesis", genesis)
            assert "5 decide by 4" in listed and "decides    hospital-4" in listed
            network.kill(3)  # from here on four of five are there, and four are needed
            height = await client.submit_final(first.consent(4), 60)
            async with asyncio.timeout(60):
                while await height_of(client, url) < height:
                    await asyncio.sleep(0.1)


async def height_of(client: ChainClient, url: str) -> int:
    """-1 while it does not answer."""
    try:
        return (await client.status_of(url)).height
    except ChainError:
        return -1
