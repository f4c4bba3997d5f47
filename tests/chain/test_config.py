from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.config import Config, beside, load
from salus_chain.errors import ConfigError


class Ward(Config, frozen=True):
    beds: int
    name: str = "east"


def test_a_file_becomes_a_frozen_struct(tmp_path: Path) -> None:
    (tmp_path / "ward.toml").write_text("beds = 3\n")
    ward = load(tmp_path / "ward.toml", Ward)
    assert (ward.beds, ward.name) == (3, "east")
    with pytest.raises(AttributeError):
        ward.beds = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [("beds = 3\nfloor = 1\n", "floor"), ("", "beds"), ('beds = "three"\n', "beds"), ("beds = \n", "ward.toml")],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ward.toml").write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load(tmp_path / "ward.toml", Ward)
    assert "ward.toml" in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "ward.toml").write_bytes(b"\x80")
    with pytest.raises(ConfigError, match=r"ward\.toml"):
        load(tmp_path / "ward.toml", Ward)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.toml", Ward)


def test_names_are_beside_the_file_unless_absolute(tmp_path: Path) -> None:
    assert beside(tmp_path / "ward.toml", "key.pem") == (tmp_path / "key.pem").resolve()
    assert beside(tmp_path / "ward.toml", "/key.pem") == Path("/key.pem")
