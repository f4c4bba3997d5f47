from __future__ import annotations

import errno
import os
import shutil
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from salus_chain.errors import DiskFull
from salus_chain.node.storage.blobs import Blobs, FolderBlobs, UrlBlobs


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


def test_erased_bytes_are_gone_and_erasing_again_does_no_harm(blobs: Blobs) -> None:
    digest = blobs.put(b"update")
    for _ in range(2):
        blobs.erase(digest)
        assert not blobs.has(digest) and blobs.get(digest) is None


def test_an_almost_full_disk_takes_no_updates_so_that_votes_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FolderBlobs(tmp_path, reserve_bytes=1_000)
    free = SimpleNamespace(free=1_005)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(DiskFull, match="free space"):
        blobs.put(b"update")
    assert list(tmp_path.iterdir()) == []
    free.free += 1
    assert blobs.get(blobs.put(b"update")) == b"update"


def test_a_disk_full_in_the_middle_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFull, match="disk full; free space"):
        FolderBlobs(tmp_path).put(b"update")
    assert list(tmp_path.iterdir()) == []


def test_nothing_unfinished_stays_behind(tmp_path: Path) -> None:
    FolderBlobs(tmp_path).put(b"update")
    assert [path.name for path in tmp_path.iterdir()] == [sha256(b"update").hexdigest()]
