from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.errors import ConfigError
from salus_chain.keys import PemSigner, is_encrypted
from salus_chain.passphrases import open_key, read_passphrase

SECRET = "correct horse"


def secret_file(path: Path, text: str = f"{SECRET}\nsecond line\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    PemSigner.generate(tmp_path / "key.pem", SECRET.encode())
    return tmp_path / "key.pem"


def test_each_place_gives_the_passphrase_and_the_first_one_counts(key: Path, tmp_path: Path) -> None:
    file, folder = secret_file(tmp_path / "file"), tmp_path / "credentials"
    folder.mkdir()
    secret_file(folder / "passphrase", SECRET)
    wrong = {"SALUS_PASSPHRASE": "wrong", "CREDENTIALS_DIRECTORY": str(tmp_path / "none")}
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return SECRET

    public_key = open_key(key, file, wrong).public_key
    assert open_key(key, None, {"SALUS_PASSPHRASE": SECRET}).public_key == public_key
    assert open_key(key, None, {"CREDENTIALS_DIRECTORY": str(folder)}).public_key == public_key
    assert not asked
    assert open_key(key, None, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}, ask).public_key == public_key
    assert len(asked) == 1 and str(key) in asked[0]
    with pytest.raises(ConfigError, match=r"key\.pem: wrong passphrase"):
        open_key(key, None, wrong, ask)


def test_without_any_it_says_how_to_give_it(key: Path) -> None:
    with pytest.raises(ConfigError, match="--passphrase-file, by SALUS_PASSPHRASE or as the systemd credential"):
        open_key(key, None, {})
    with pytest.raises(ConfigError, match="protected by a passphrase, and none was given"):
        PemSigner.load(key)


def test_a_key_without_a_passphrase_needs_none(tmp_path: Path) -> None:
    made = PemSigner.generate(tmp_path / "plain.pem")
    assert not is_encrypted(tmp_path / "plain.pem")
    assert open_key(tmp_path / "plain.pem", None, {"SALUS_PASSPHRASE": "unused"}).public_key == made.public_key
    with pytest.raises(ConfigError, match="no such key file"):
        open_key(tmp_path / "none.pem")


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [("", 0o600, "is empty"), ("\nsecond\n", 0o600, "is empty"), (SECRET, 0o644, "others may read")],
)
def test_a_passphrase_file_is_private_and_not_empty(tmp_path: Path, text: str, mode: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_passphrase(secret_file(tmp_path / "file", text, mode))
    with pytest.raises(ConfigError, match="No such file"):
        read_passphrase(tmp_path / "none")
