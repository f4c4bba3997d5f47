"""What a whole run left behind holds together: settlements, models, releases, traffic."""

from __future__ import annotations

import sqlite3
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from salus_chain.fixed import SCALE
from salus_chain.genesis import read_genesis
from salus_chain.keys import verify
from salus_chain.layout import Layout
from salus_chain.light.proofs import Proven, check_proof
from salus_chain.rules.transactions import Settle
from salus_chain.updates import aggregate_digest, decode_update, model_digest
from tests.system.conftest import SmallRun

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

MAIN = "exercise"
CLIP = 2 * SCALE


def stores(run: SmallRun) -> list[sqlite3.Connection]:
    return [sqlite3.connect(f"file:{path}?mode=ro", uri=True) for path in sorted(run.folder.glob("gateway-*.sqlite"))]


def updates(run: SmallRun, task: str, number: int) -> list[tuple[int, list[int]]]:
    """(weight, values) of the gateways' own files of a round, in plain Python integers."""
    found = []
    for store in stores(run):
        for (file,) in store.execute("SELECT file FROM rounds WHERE arm = ? AND round = ?", (task, number)):
            header, values = decode_update(file)
            found.append((header.weight, [int(value) for value in values]))
    return found


def clipped_mean(files: list[tuple[int, list[int]]]) -> list[int]:
    """The rule again, with fractions: updates scaled to the norm bound, then the mean, half to even."""
    clipped = []
    for weight, values in files:
        norm = int_sqrt(sum(value * value for value in values))
        inside = values if norm <= CLIP else [round(Fraction(value * CLIP, norm)) for value in values]
        clipped.append((weight, inside))
    total = sum(weight for weight, _ in clipped)
    columns = zip(*(values for _, values in clipped), strict=True)
    weights = [weight for weight, _ in clipped]
    return [round(Fraction(sum(w * v for w, v in zip(weights, column, strict=True)), total)) for column in columns]


def int_sqrt(number: int) -> int:
    """Newton's iteration from above: the floor of the root."""
    guess = 1 << (number.bit_length() // 2 + 1)
    while (better := (guess + number // guess) // 2) < guess:
        guess = better
    return guess


def proven(run: SmallRun, task: str, number: int) -> tuple[Proven, Settle]:
    genesis = read_genesis(run.folder / "genesis.toml")
    found = check_proof(genesis, (run.folder / "proofs" / f"{task}-{number}.cbor").read_bytes(), verify)
    assert isinstance(found.body, Settle)
    return found, found.body


def layout(run: SmallRun) -> Layout:
    return Layout.from_json((run.folder / "model/layout.json").read_text())


def first_model(run: SmallRun) -> NDArray[np.int64]:
    return np.frombuffer((run.folder / "model/model.i32").read_bytes(), "<i4").astype(np.int64)


def settled_model(run: SmallRun) -> NDArray[np.int64]:
    """The model after the calibration round, from the gateways' own files alone."""
    total: NDArray[np.int64] = first_model(run) + np.array(clipped_mean(updates(run, MAIN, 1)), np.int64)
    return total.clip(1 - 2**31, 2**31 - 1)


def constants(model: bytes) -> dict[str, tuple[NDArray[np.generic], NDArray[np.float32]]]:
    """Name to (integers, scales) of a .tflite's constant tensors."""
    interpreter = Interpreter(model_content=model)
    return {
        each["name"]: (interpreter.get_tensor(each["index"]), each["quantization_parameters"]["scales"])
        for each in interpreter.get_tensor_details()
        if each["name"].endswith(("/kernel", "/bias"))
    }


def releases(run: SmallRun) -> dict[int, bytes]:
    rows = stores(run)[0].execute("SELECT version, model FROM releases WHERE task = ?", (MAIN,))
    return {int(version): bytes(model) for version, model in rows}


def test_every_round_was_settled_and_the_report_is_there(small_run: SmallRun) -> None:
    assert {row.status for row in small_run.facts.rounds} == {"settled"}
    assert [(row.round, row.kind) for row in small_run.facts.rounds if row.task == MAIN] == [
        (1, "calibration"),
        (2, "feature"),
    ]
    assert "<svg" in (small_run.folder / "report.html").read_text()
    assert small_run.facts.verified


@pytest.mark.parametrize("number", [1, 2])
def test_the_settled_aggregate_is_the_one_of_the_gateways_own_files(small_run: SmallRun, number: int) -> None:
    _, settlement = proven(small_run, MAIN, number)
    files = updates(small_run, MAIN, number)
    assert len(files) == 2
    assert aggregate_digest(np.array(clipped_mean(files), np.int32)) == settlement.aggregate_digest


def test_the_settled_model_is_the_first_one_plus_the_aggregate(small_run: SmallRun) -> None:
    _, settlement = proven(small_run, MAIN, 1)
    digest = layout(small_run).digest
    assert settlement.model_before == model_digest(digest, first_model(small_run).astype(np.int32))
    assert settlement.model_after == model_digest(digest, settled_model(small_run).astype(np.int32))
    assert settlement.model_after != settlement.model_before


def test_the_released_base_is_the_settled_one_quantised(small_run: SmallRun) -> None:
    plan = layout(small_run)
    weights = plan.split(settled_model(small_run) / SCALE)
    released = constants(releases(small_run)[2])
    for name in plan.names(["base"]):
        integers, scales = released[name][0].astype(np.float64), released[name][1]
        settled = np.moveaxis(np.asarray(weights[name], np.float64), -1, 0).reshape(integers.shape)
        scale = np.asarray(scales, np.float64).reshape(-1, *[1] * (integers.ndim - 1))
        assert np.all(np.abs(integers * scale - settled) <= scale * 0.5 * (1 + 1e-5)), name


def test_the_int8_numbers_differ_from_the_release_before(small_run: SmallRun) -> None:
    first, second = (
        constants((small_run.folder / "model/base.tflite").read_bytes()),
        constants(releases(small_run)[2]),
    )
    assert any(not np.array_equal(first[name][0], second[name][0]) for name in first if name.endswith("/kernel"))


def test_wearables_run_the_new_release_and_sent_features_of_both(small_run: SmallRun) -> None:
    bases = {
        sha256((small_run.folder / "model/base.tflite").read_bytes()).digest(),
        sha256(releases(small_run)[2]).digest(),
    }
    assert all(row.model_versions == [1, 2] for row in small_run.facts.traffic)
    for store in stores(small_run):
        sent = {bytes(base) for (base,) in store.execute("SELECT DISTINCT base FROM features WHERE origin = 'device'")}
        assert sent == bases


def test_no_feature_was_lost_on_the_way(small_run: SmallRun) -> None:
    stored = sum(
        int(store.execute("SELECT COUNT(*) FROM features WHERE origin = 'device'").fetchone()[0])
        for store in stores(small_run)
    )
    assert stored == sum(row.features for row in small_run.facts.traffic)


def test_features_cost_fewer_bytes_than_windows(small_run: SmallRun) -> None:
    for row in small_run.facts.traffic:
        assert 0 < row.feature_bytes < row.raw_window_bytes


def test_every_arm_scored_every_patient_on_the_same_windows(small_run: SmallRun) -> None:
    facts = small_run.facts
    columns = {(score.arm, score.labels) for score in facts.scores}
    assert columns == {("release", "calibrated")} | {
        (arm, part) for arm in ("local", "fedavg", "personal") for part in ("20 %", "60 %")
    }
    for patient in facts.patients:
        own = [score for score in facts.scores if score.patient == patient]
        assert len(own) == len(columns)
        assert len({score.windows for score in own}) == 1
        assert all(0.0 <= score.accuracy <= 1.0 for score in own)


def test_no_key_is_readable_by_others(small_run: SmallRun) -> None:
    secret = [path for path in Path(small_run.folder / "keys").iterdir() if path.suffix != ".pub"]
    assert secret
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret)
