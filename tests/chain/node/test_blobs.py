from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from salus_chain.node.blobs import Blobs, FolderBlobs, UrlBlobs


@pytest.fixture(params=["folder", "url"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return FolderBlobs(tmp_path / "blobs") if request.param == "folder" else UrlBlobs(f"file://{tmp_path}/blobs")


def test_bytes_are_found_by_their_hash(blobs: Blobs) -> None:
    digest = blobs.put(b"update")
    assert digest == sha256(b"update").digest() == blobs.put(b"update")
    assert blobs.has(digest) and blobs.get(digest) == b"update"
    assert not blobs.has(bytes(32)) and blobs.get(bytes(32)) is None


def test_damaged_bytes_are_not_given_and_can_be_stored_again(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"update")
    (tmp_path / "blobs" / digest.hex()).write_bytes(b"updatf")
    assert blobs.get(digest) is None
    blobs.put(b"update")
    assert blobs.get(digest) == b"update"


def test_nothing_unfinished_stays_behind(tmp_path: Path) -> None:
    FolderBlobs(tmp_path).put(b"update")
    assert [path.name for path in tmp_path.iterdir()] == [sha256(b"update").hexdigest()]
