"""gateway.toml is read once, and what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_edge.config import Settings, read_settings
from salus_edge.errors import ConfigError
from tests.edge.world import CONSENT, PATIENTS, write_world


def test_everything_in_it_is_found(settings: Settings, tmp_path: Path) -> None:
    assert settings.store == tmp_path / "gateway.sqlite"
    assert [each.patient for each in settings.patients] == list(PATIENTS)
    assert settings.patients[0].consent == CONSENT
    assert settings.patients[0].link_secret == bytes([2] * 32)
    assert [arm.labels for arm in settings.arms] == [("setup",), ("setup", "diary")]
    assert settings.retention_ms == 30 * 24 * 3_600_000
    assert settings.validators == ("http://127.0.0.1:1",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "blue"}, "colour"),
        ({"gateway": 5}, "gateway"),
        ({"federation": "other"}, "federation"),
        ({"retention_days": 0}, "retention_days"),
        ({"model": "nowhere"}, "no task.toml"),
        ({"genesis": "nowhere.toml"}, "no such file"),
        ({"store_key": "keys/nowhere"}, "store_key"),
        ({"arms": []}, "arms"),
        ({"arms": [{"task": "wave"}, {"task": "wave"}]}, "'wave' stands twice"),
        ({"arms": [{"task": "wave", "labels": ["reference"]}]}, "reference_never_trains"),
        ({"patients": [{"patient": "a", "device": "w/1", "link_secret": "keys/anna"}]}, "device"),
        ({"patients": [{"patient": "a", "device": "w", "link_secret": "keys/anna", "consent": "zz"}]}, "consent"),
        ({"patients": [{"patient": "a", "device": "w", "link_secret": "keys/anna", "calibrate": True}]}, "consent"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], said: str, tmp_path: Path, package_folder: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read_settings(write_world(tmp_path, package_folder, changes=changes))


@pytest.mark.parametrize(("text", "mode"), [("abc", 0o600), ("00" * 31, 0o600), ("00" * 32, 0o644)])
def test_a_secret_is_32_bytes_that_others_cannot_read(
    text: str, mode: int, tmp_path: Path, package_folder: Path
) -> None:
    path = write_world(tmp_path, package_folder)
    (tmp_path / "keys" / "store").write_text(text)
    (tmp_path / "keys" / "store").chmod(mode)
    with pytest.raises(ConfigError, match="store_key"):
        read_settings(path)


def test_a_package_whose_files_do_not_fit_is_refused(tmp_path: Path, package_folder: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in package_folder.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.i32").write_bytes(b"1234")
    with pytest.raises(ConfigError, match=r"model\.i32"):
        read_settings(write_world(tmp_path, broken))
    (broken / "model.i32").write_bytes((package_folder / "model.i32").read_bytes())
    (broken / "base.tflite").write_bytes(b"another")
    with pytest.raises(ConfigError, match="another base"):
        read_settings(write_world(tmp_path, broken))
