"""The data layer: the common form, what it refuses, reading and importing."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from salus_coordinator.data import SOURCES, Recording, Span, file_of, import_data, load
from salus_coordinator.data import watch as watch_source
from salus_coordinator.data.form import DataSet, check, runs
from salus_coordinator.data.npz import restore, save
from salus_coordinator.data.sources import imported, locate
from salus_coordinator.errors import DataError
from tests.coordinator.tasks import CHANNELS, data_set, recording

RAW = locate() / "raw" / "weda_fall"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason=f"{RAW} is absent: set SALUS_DATA")


def one(changed: Recording) -> DataSet:
    made = data_set(2)
    return replace(made, recordings=(changed, *made.recordings[1:]))


def test_watch_has_ten_people_and_seven_exercises_on_two_arms() -> None:
    if file_of("watch") is None:
        pytest.skip("seglearn is not installed")
    dataset = load("watch")
    assert len(dataset.recordings) == 140
    assert len(dataset.subjects) == 10
    minutes = sum(len(each.samples) for each in dataset.recordings) / 50 / 60
    assert round(minutes) == 81
    assert {span.label for each in dataset.recordings for span in each.spans} == {
        "PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW",
    }  # fmt: skip


def test_watch_data_of_another_hash_are_refused_before_unpickling() -> None:
    with pytest.raises(DataError, match="wrong_sha256"):
        watch_source.parse(b"\x93NUMPY", "here")


def test_a_pickle_that_asks_for_more_than_arrays_is_refused() -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    pickle.dump(Path, file)
    with pytest.raises(DataError, match="unsafe_pickle"):
        watch_source._unpickle(file.getvalue())


@pytest.mark.parametrize(
    ("name", "recordings", "people", "rate_hz"),
    [
        ("weda_fall", 969, 25, 50.0),
        ("hapt", 61, 30, 50.0),
        ("sisfall", 4504, 38, 50.0),
        ("mitdb", 48, 47, 360.0),
        ("ieee_spc2015", 23, 20, 125.0),
    ],
)
def test_the_prepared_sets_read_as_their_readmes_say(name: str, recordings: int, people: int, rate_hz: float) -> None:
    if file_of(name) is None:
        pytest.skip(f"{name} is not below {locate()}: set SALUS_DATA")
    dataset = load(name)
    assert (len(dataset.recordings), len(dataset.subjects)) == (recordings, people)
    assert dataset.recordings[0].rate_hz == rate_hz
    assert dataset.recordings[0].channels == SOURCES[name].channels


def test_runs_are_the_named_stretches_of_equal_codes() -> None:
    codes = np.array([-1, 1, 1, 2, -1, 2, 2])
    assert runs(codes, {1: "a", 2: "b"}) == (Span(1, 3, "a"), Span(3, 4, "b"), Span(5, 7, "b"))


def with_nan() -> Recording:
    made = recording("p0", "0")
    samples = made.samples.copy()
    samples[17, 2] = np.nan
    return replace(made, samples=samples)


@pytest.mark.parametrize(
    ("dataset", "code"),
    [
        (
            one(replace(recording("p0", "0"), channels=CHANNELS[:5], samples=np.zeros((9, 5), np.float32))),
            "missing_channels",
        ),
        (one(replace(recording("p0", "0"), samples=np.zeros((9, 5), np.float32), spans=())), "wrong_shape"),
        (one(with_nan()), "not_finite"),
        (one(replace(recording("p0", "0"), spans=(Span(5, 500, "a"),))), "bad_span"),
        (data_set(1), "one_subject"),
        (replace(data_set(2), recordings=()), "empty"),
    ],
    ids=["missing channels", "wrong shape", "NaN", "span", "one subject", "empty"],
)
def test_bad_data_have_a_code(dataset: DataSet, code: str) -> None:
    with pytest.raises(DataError) as caught:
        check(dataset, CHANNELS)
    assert caught.value.code == code


def test_a_nan_is_named_by_channel_and_sample() -> None:
    with pytest.raises(DataError, match="az is not finite at sample 17"):
        check(one(with_nan()))


def test_the_common_form_survives_a_file(tmp_path: Path) -> None:
    made = data_set(2, split_by_session=True)
    save(made, tmp_path / "made.npz")
    back = restore(tmp_path / "made.npz", "made")
    assert (back.title, back.licence, back.split_by, back.name) == (made.title, made.licence, "session", "made")
    for before, after in zip(made.recordings, back.recordings, strict=True):
        assert np.array_equal(before.samples, after.samples)
        same = attrgetter("subject", "session", "channels", "rate_hz", "spans")
        assert same(before) == same(after)


def test_ones_own_data_in_the_common_form_load_by_name(tmp_path: Path) -> None:
    save(data_set(2), imported(tmp_path, "mine"))
    assert load("mine", tmp_path).subjects == ("p0", "p1")


def test_unknown_absent_and_unreadable_data_have_codes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.npz").write_bytes(b"PK not a zip")
    for name, code in (("nobody", "unknown_data"), ("hapt", "absent"), ("mine", "unreadable")):
        with pytest.raises(DataError) as caught:
            load(name, tmp_path)
        assert caught.value.code == code


@needs_raw
def test_an_import_equals_the_prepared_set(tmp_path: Path) -> None:
    import_data("weda_fall", RAW, tmp_path)
    if file_of("weda_fall") is None:
        pytest.skip(f"the prepared set is not below {locate()}")
    prepared = {(each.subject, each.session): each for each in load("weda_fall").recordings}
    for mine in load("weda_fall", tmp_path).recordings:
        theirs = prepared[mine.subject, mine.session]
        assert mine.spans == theirs.spans
        assert np.abs(mine.samples - theirs.samples).max() < 0.006  # its int16 steps are 0.01


@needs_raw
@pytest.mark.parametrize("fault", ["missing_channels", "not_finite", "one_subject", "unreadable", "absent"])
def test_a_faulty_import_names_the_fault_and_writes_nothing(tmp_path: Path, fault: str) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    for trial in ("D01/U01_R01", "D01/U21_R01"):
        for sensor in ("accel", "gyro"):
            file = source / "50Hz" / f"{trial}_{sensor}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((RAW / "50Hz" / f"{trial}_{sensor}.csv").read_bytes())
    (source / "fall_timestamps.csv").write_bytes((RAW / "fall_timestamps.csv").read_bytes())
    target = source / "50Hz" / "D01" / "U21_R01_gyro.csv"
    if fault == "missing_channels":
        target.unlink()
    elif fault == "not_finite":
        target.write_text(target.read_text().replace("\n0.0,", "\n0.0,nan,0,0\n0.0,", 1))
    elif fault == "unreadable":
        target.write_text(target.read_text() + "9.9,abc,0,0\n")
    elif fault == "one_subject":
        for sensor in ("accel", "gyro"):
            (source / "50Hz" / "D01" / f"U21_R01_{sensor}.csv").unlink()
    else:
        (source / "fall_timestamps.csv").unlink()
    with pytest.raises(DataError) as caught:
        import_data("weda_fall", source, root)
    assert caught.value.code == fault
    assert not root.exists()


def test_a_set_without_importer_says_which_have_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not_importable: hapt .* weda_fall"):
        import_data("hapt", tmp_path, tmp_path)
