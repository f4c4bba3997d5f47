"""The ring survives power cuts, drops only the oldest, and forgets only what is acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_edge.link.seal import Sealed
from salus_edge.proto.link_pb2 import Ack, Range, Refusal
from salus_hil.errors import FlashError
from salus_hil.virtual.flash import FLASH, Flash
from salus_hil.virtual.ring import Key, Ring


def sealed(boot: int, sequence: int) -> Sealed:
    return Sealed(boot, sequence, b"%d/%d" % (boot, sequence))


def test_packets_survive_a_restart_in_order(tmp_path: Path) -> None:
    flash = Flash.open(tmp_path, b"me")
    ring = Ring(flash, 10)
    for boot, sequence in ((2, 1), (1, 5), (1, 7)):
        ring.append(sealed(boot, sequence), "feature")
    flash.close()
    again = Ring(Flash.open(tmp_path, b"me"), 10)
    assert list(again.waiting()) == [Key(1, 5), Key(1, 7), Key(2, 1)]
    assert again.packet(Key(1, 7)) == ("feature", b"1/7")
    assert again.after(Key(1, 5)) == Key(1, 7) and again.after(Key(1, 9)) == Key(2, 1)
    assert again.after(Key(2, 1)) is None


def test_an_ack_deletes_its_ranges_and_refusals_and_nothing_else(tmp_path: Path) -> None:
    flash = Flash.open(tmp_path, b"me")
    ring = Ring(flash, 100)
    for sequence in range(1, 11):
        ring.append(sealed(1, sequence), "feature")
    ring.append(sealed(2, 3), "label")
    ranges = [
        Range(boot=1, first_sequence=2, last_sequence=4),
        Range(boot=9, first_sequence=0, last_sequence=2**64 - 1),
    ]
    ring.acknowledge(Ack(ranges=ranges, refusals=[Refusal(boot=1, sequence=9, code="wrong_base")]))
    assert [key.sequence for key in ring.waiting() if key.boot == 1] == [1, 5, 6, 7, 8, 10]
    assert Key(2, 3) in list(ring.waiting())
    assert flash.counters("refused ") == {"by gateway wrong_base": 1}


@settings(deadline=None, max_examples=30)  # every append waits for the disk
@given(capacity=st.integers(1, 8), count=st.integers(0, 30))
def test_overflow_drops_the_oldest_and_counts_for_good(
    tmp_path_factory: pytest.TempPathFactory, capacity: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("ring")
    flash = Flash.open(folder, b"me")
    ring = Ring(flash, capacity)
    for sequence in range(1, count + 1):
        ring.append(sealed(1, sequence), "feature")
    flash.close()
    again = Ring(Flash.open(folder, b"me"), capacity)
    kept = [key.sequence for key in again.waiting()]
    assert kept == list(range(max(1, count - capacity + 1), count + 1))
    assert again.dropped == count - len(kept)


def test_a_failed_transaction_leaves_no_packet(tmp_path: Path) -> None:
    flash = Flash.open(tmp_path, b"me")
    ring = Ring(flash, 10)
    with pytest.raises(KeyError), flash.transaction():
        ring.append(sealed(1, 1), "feature")
        raise KeyError
    assert len(ring) == 0


def test_a_killed_process_keeps_every_packet_whose_append_returned(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from salus_edge.link.seal import Sealed\n"
        "from salus_hil.virtual.flash import Flash; from salus_hil.virtual.ring import Ring\n"
        "ring = Ring(Flash.open(Path(sys.argv[1]), b'me'), 10_000)\n"
        "for n in range(1, 10_000):\n"
        "    ring.append(Sealed(1, n, b'x' * 500), 'feature'); print(n, flush=True)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(50)]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    said += [int(line) for line in child.stdout.read().split()]
    child.stdout.close()
    kept = {key.sequence for key in Ring(Flash.open(tmp_path, b"me"), 10_000).waiting()}
    assert set(said) <= kept


def test_another_devices_flash_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    Flash.open(tmp_path, b"me").close()
    with pytest.raises(FlashError, match="another device"):
        Flash.open(tmp_path, b"you")
    for rest in ("", "-wal", "-shm"):
        (tmp_path / f"{FLASH}{rest}").write_bytes(b"not a database" * 100)
    with pytest.raises(FlashError, match="damaged"):
        Flash.open(tmp_path, b"me")
