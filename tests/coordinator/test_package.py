"""The model package on disk, its manifest, and the cache that keeps it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest

from salus_chain.fixed import to_float
from salus_chain.proto.release_pb2 import Manifest
from salus_chain.updates import model_digest
from salus_coordinator.errors import ModelError
from salus_coordinator.model import cache, package
from salus_coordinator.model.layers import initial, layout
from salus_coordinator.model.manifest import reference_digest
from salus_coordinator.model.pretrain import QUICK, Recipe
from salus_coordinator.model.show import tables
from salus_edge.frontend.pipeline import manifest_frontend
from tests.coordinator.tasks import reference, small_task

pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
TASK = small_task()


@pytest.fixture(scope="module")
def made() -> package.Package:
    return package.assemble(TASK, b"program", initial(TASK, np.random.default_rng(0)), reference(TASK))


def test_a_package_survives_its_folder(made: package.Package, tmp_path: Path) -> None:
    package.write(made, tmp_path / "model")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == sorted(package.FILES)
    back = package.read(tmp_path / "model")
    assert (back.task, back.layout, back.program, back.base, back.manifest, back.report) == (
        made.task, made.layout, made.program, made.base, made.manifest, made.report,
    )  # fmt: skip
    assert np.array_equal(back.model, made.model)
    assert reference_digest(back.reference) == reference_digest(made.reference)


def test_writing_again_replaces_the_files_and_keeps_others(made: package.Package, tmp_path: Path) -> None:
    package.write(made, tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    package.write(replace(made, program=b"newer"), tmp_path / "model")
    assert package.read(tmp_path / "model").program == b"newer"
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_a_package_that_lacks_a_file_or_does_not_fit_is_refused(made: package.Package, tmp_path: Path) -> None:
    package.write(made, tmp_path / "model")
    (tmp_path / "model" / "model.i32").write_bytes(bytes(8))
    with pytest.raises(ModelError, match=r"bad_package.*do not belong together"):
        package.read(tmp_path / "model")
    (tmp_path / "model" / "base.tflite").unlink()
    with pytest.raises(ModelError, match=r"bad_package.*lacks base.tflite"):
        package.read(tmp_path / "model")


def test_the_manifest_says_what_the_wearable_needs(made: package.Package) -> None:
    manifest = Manifest.FromString(made.manifest)
    assert (manifest.task, manifest.version, manifest.kind, manifest.settled_round) == ("small", 1, Manifest.BASE, 0)
    assert manifest.sha256 == sha256(made.base).digest()
    assert manifest.size_bytes == manifest.flash_bytes == len(made.base)
    assert list(manifest.input.shape) == [41, 8]
    assert list(manifest.output.shape) == [14]
    assert manifest.output.scale == pytest.approx(6 / 255)
    assert manifest.output.zero_point == -128
    assert [len(each) for each in manifest.golden_inputs] == [41 * 8] * 4
    assert [len(each) for each in manifest.goldens[0].outputs] == [14] * 4
    assert [tensor.variable for tensor in manifest.tensors] == list(made.layout.names(["base"]))
    assert manifest.program_sha256 == sha256(b"program").digest()
    assert manifest.settled_model_digest == model_digest(made.layout.digest, made.model)


def test_the_front_end_digest_is_of_the_front_end(made: package.Package) -> None:
    manifest = Manifest.FromString(made.manifest)
    assert manifest.frontend == manifest_frontend(TASK)
    data = manifest.frontend.SerializeToString(deterministic=True)
    assert manifest.frontend_sha256 == sha256(data).digest()


def test_the_base_is_made_from_the_fixed_point_model_and_not_from_finer_floats() -> None:
    flat = initial(TASK, np.random.default_rng(0))
    first = package.assemble(TASK, b"", flat, reference(TASK))
    assert package.assemble(TASK, b"", to_float(first.model), reference(TASK)).base == first.base


def test_the_report_prints(made: package.Package) -> None:
    assert [table.row_count > 0 for table in tables(made.report)] == [True, True, True]


def test_the_cache_key_changes_with_everything_that_matters() -> None:
    other = msgspec.structs.replace(TASK, batch=16)
    keys = {
        cache.key(TASK, "data", ("a",), Recipe(), 0),
        cache.key(other, "data", ("a",), Recipe(), 0),
        cache.key(TASK, "other", ("a",), Recipe(), 0),
        cache.key(TASK, "data", ("b",), Recipe(), 0),
        cache.key(TASK, "data", ("a",), QUICK, 0),
        cache.key(TASK, "data", ("a",), Recipe(), 1),
    }
    assert len(keys) == 6
    assert cache.key(TASK, "data", ("a",), Recipe(), 0) in keys


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SALUS_CACHE", str(tmp_path))
    assert cache.folder_of("x") == tmp_path / "models" / "x"


def test_layout_digest_in_the_report(made: package.Package) -> None:
    assert made.report["layout_sha256"] == layout(TASK).digest.hex()
