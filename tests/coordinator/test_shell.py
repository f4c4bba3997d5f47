"""A whole campaign over a chain in memory: real rules, real approvals, real quantising and TFLM; no network."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from salus_chain.errors import first_of
from salus_chain.proto.release_pb2 import Manifest, SignedManifest
from salus_coordinator import shell
from salus_coordinator.config import Arm, CoordinatorConfig, RoundPlan
from salus_coordinator.errors import CampaignError
from salus_coordinator.model.layers import initial
from salus_coordinator.model.package import Package, assemble
from salus_coordinator.model.service import Builder as Requantiser
from salus_coordinator.order import Order
from salus_coordinator.progress import Progress
from salus_coordinator.releases import Builder, sign_release
from tests.coordinator.memory_chain import MemoryChain, MemoryClient
from tests.coordinator.tasks import reference, small_task

pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
CALIBRATION = RoundPlan(kind="calibration", algorithm="fedavg")
FEATURE = RoundPlan(kind="feature", algorithm="fedrep", repeat=2)
AVERAGED = RoundPlan(kind="feature", algorithm="fedavg", repeat=2)


class LocalBuilder(Builder):
    """The builder's own code, without HTTP."""

    def __init__(self, package: Package) -> None:
        super().__init__("http://builder")
        object.__setattr__(self, "requantiser", Requantiser(package))

    async def requantise(self, order: Order) -> tuple[bytes, bytes]:
        requantiser: Requantiser = self.requantiser  # type: ignore[attr-defined]
        return requantiser.requantise(order)


@pytest.fixture(scope="module")
def package() -> Package:
    task = small_task()
    return assemble(task, b"program", initial(task, np.random.default_rng(0)), reference(task))


def campaign(chain: MemoryChain, package: Package, folder: Path, retries: int = 1) -> shell.Campaign:
    config = CoordinatorConfig(
        genesis="", key="", release_key="", model="", builder="", retries=retries,
        rounds=[CALIBRATION, FEATURE], arms=(Arm(task="small-fedavg", rounds=[AVERAGED]),),
    )  # fmt: skip
    made = chain.federation
    return shell.Campaign(
        MemoryClient(chain), config, made.coordinator, made.release, package,
        LocalBuilder(package), Progress(folder / "progress.jsonl"), now_ms=lambda: chain.state.time_ms,
    )  # fmt: skip


def stages(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


async def test_a_campaign_settles_its_rounds_and_releases_after_calibration(package: Package, tmp_path: Path) -> None:
    chain = MemoryChain()
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    main, arm = chain.state.tasks["small"], chain.state.tasks["small-fedavg"]
    assert (main.round, arm.round, main.release.version) == (3, 2, 2)
    assert all(each.status.value == "settled" for each in chain.history.values())
    first = chain.history["small", 1]
    assert chain.history["small-fedavg", 1].model_before == first.model_after
    assert main.release.settled_model_digest == first.model_after
    assert main.release.model_sha256 != sha256(package.base).digest()


async def test_feature_rounds_name_the_base_in_force_and_share_by_their_algorithm(
    package: Package, tmp_path: Path
) -> None:
    chain = MemoryChain()
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    names = package.layout.names
    opened = {key: each.open for key, each in chain.history.items()}
    assert opened["small", 1].base_sha256 == sha256(package.base).digest()
    assert opened["small", 1].variables == names(["base", "trunk", "head"])
    assert opened["small", 2].base_sha256 == chain.state.tasks["small"].release.model_sha256
    assert opened["small", 2].variables == names(["trunk"])
    assert opened["small-fedavg", 1].base_sha256 == chain.state.tasks["small"].release.model_sha256
    assert opened["small-fedavg", 1].variables == names(["trunk", "head"])


async def test_a_campaign_started_again_does_nothing_twice(package: Package, tmp_path: Path) -> None:
    chain = MemoryChain()
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    done = len(chain.submitted)
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    assert len(chain.submitted) == done


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 6])
async def test_a_campaign_stopped_after_any_transaction_goes_on(package: Package, tmp_path: Path, stop: int) -> None:
    class Stopped(Exception):
        pass

    class Stopping(MemoryClient):
        async def submit(self, tx: bytes) -> bytes:
            tx_id = await super().submit(tx)
            if len(self.chain.submitted) == stop:
                raise Stopped
            return tx_id

    chain = MemoryChain()
    first = campaign(chain, package, tmp_path)
    first.client = Stopping(chain)
    with pytest.raises(ExceptionGroup):
        await shell.run_campaign(first, watch=False)
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    assert (chain.state.tasks["small"].round, chain.state.tasks["small"].release.version) == (3, 2)
    assert chain.state.tasks["small-fedavg"].round == 2


async def test_an_expired_round_is_opened_again(package: Package, tmp_path: Path) -> None:
    chain = MemoryChain(answers=lambda task, number: (task, number) != ("small", 1))
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    assert chain.history["small", 1].status.value == "expired"
    assert chain.state.tasks["small"].round == 4
    first, again, next_one = (chain.history["small", number].open for number in (1, 2, 3))
    assert again.deadline_ms - first.deadline_ms == round(2 * CALIBRATION.open_s * 1000)
    settle_ms = [each.settle_deadline_ms - each.deadline_ms for each in (first, again, next_one)]
    assert settle_ms == [30_000, 60_000, 30_000]


async def test_too_many_expired_rounds_end_the_campaign(package: Package, tmp_path: Path) -> None:
    chain = MemoryChain(answers=lambda task, number: False)
    with pytest.raises(ExceptionGroup) as caught:
        await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    error = first_of(caught.value)
    assert isinstance(error, CampaignError)
    assert error.code == "round_expired"
    assert chain.state.tasks["small"].round == 2


async def test_progress_has_a_line_per_stage_with_heights(package: Package, tmp_path: Path) -> None:
    chain = MemoryChain()
    await shell.run_campaign(campaign(chain, package, tmp_path), watch=False)
    rows = stages(tmp_path)
    assert [row["stage"] for row in rows if row["task"] == "small"] == [
        "approve_model", "release", "round", "release", "round", "round",
    ]  # fmt: skip
    assert all(row["ok"] and row["start_ms"] <= row["end_ms"] for row in rows)  # type: ignore[operator]
    assert all(row["settled_height"] for row in rows if row["stage"] == "round")


def test_a_release_is_signed_over_a_manifest_that_names_the_chain(package: Package) -> None:
    chain = MemoryChain()
    made = sign_release(chain.federation.release, bytes([9]) * 32, package.manifest, package.base)
    signed = SignedManifest.FromString(made.signed_manifest)
    assert Manifest.FromString(signed.manifest).chain_id == bytes([9]) * 32
    assert made.model == package.base
